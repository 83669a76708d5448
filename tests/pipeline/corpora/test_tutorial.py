import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from features.deltas import with_deltas
from pipeline.corpora import tutorial
from pipeline.extract import on_one_grid
from pipeline.formats import object_array
from pipeline.ground import params
from pipeline.ground.console import InputError
from tests.conftest import ROOT
from tests.pipeline.corpora.recording_files import read_all, settings

TUTORIAL = settings("tutorial")


@pytest.fixture(autouse=True)
def forget():
    tutorial.pairs.cache_clear()


def save(path, tables):
    array = np.empty(len(tables), object)
    array[:] = tables
    np.save(path, array, allow_pickle=True)


def put_pair(folder, lengths=(30, 45), inputs=39, targets=24):
    generator = np.random.default_rng(0)
    X = [generator.normal(size=(n, inputs)).astype(np.float32) for n in lengths]
    Y = [with_deltas(generator.normal(size=(n, 8)), 2).astype(np.float32) for n in lengths]
    save(folder / "X.npy", X)
    save(folder / "Y.npy", [table[:, :targets] for table in Y])
    return X, Y


def test_features_in_place_of_sound(tmp_path):
    X, Y = put_pair(tmp_path)
    utterances = read_all(tmp_path, TUTORIAL)
    assert [u.id for u in utterances] == ["utterance-0000", "utterance-0001"]
    for utterance, inputs, targets in zip(utterances, X, Y, strict=True):
        assert utterance.audio is None
        assert_array_equal(utterance.inputs, inputs)
        assert_array_equal(utterance.tracks.values, targets[:, :8])
        assert_allclose(utterance.tracks.time, np.arange(len(targets)) / 100)


def test_the_layout_makes_the_24_tracks_again(tmp_path):
    _, Y = put_pair(tmp_path)
    assert tutorial.LAYOUT.deltas == 2
    for utterance, targets in zip(read_all(tmp_path, TUTORIAL), Y, strict=True):
        assert utterance.tracks.channels == tutorial.LAYOUT.channels
        assert_allclose(with_deltas(utterance.tracks.values, 2), targets, atol=1e-6)


def test_the_real_articulation_beside_made_up_features(tmp_path, shared_data):
    (tmp_path / "Y.npy").symlink_to(shared_data / "seed" / "Y.npy")
    lengths = [len(table) for _, table in tutorial.pairs(*[tmp_path / "Y.npy"] * 2)]
    save(tmp_path / "X.npy", [np.ones((n, 39), np.float32) for n in lengths])
    utterances = read_all(tmp_path, TUTORIAL)
    assert len(utterances) == 103
    assert sum(len(u.tracks.time) for u in utterances) == 39_473
    places = np.concatenate([u.tracks.values for u in utterances]).mean(axis=0)[::2]
    assert sorted(places, reverse=True) == places.tolist()  # from the tip back


def test_extract_passes_features_and_tracks_through(tmp_path, shared_data):
    """Neither smoothed nor resampled: what the file has, deltas included."""
    real = object_array.read(shared_data / "seed" / "Y.npy")[:3]
    features = [np.random.default_rng(0).normal(size=(len(t), 39)).astype("f4") for t in real]
    save(tmp_path / "X.npy", features)
    save(tmp_path / "Y.npy", real)
    extract = params.load(ROOT / "params.yaml").extract
    for utterance, inputs, targets in zip(
        read_all(tmp_path, TUTORIAL), features, real, strict=True
    ):
        first, arrays = on_one_grid(utterance, tutorial.LAYOUT, extract)
        assert first == 0
        assert_array_equal(arrays["inputs"], inputs)
        assert_array_equal(arrays["targets"][:, :8], targets[:, :8])
        assert_allclose(arrays["targets"], targets, atol=1.3e-4)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"inputs": 13}, r"utterance-0000: \(30, 13\) and \(30, 24\) are not the same frames"),
        ({"targets": 8}, r"utterance-0000: \(30, 39\) and \(30, 8\)"),
    ],
)
def test_other_widths_are_refused(tmp_path, change, reason):
    put_pair(tmp_path, **change)
    with pytest.raises(InputError, match=reason):
        read_all(tmp_path, TUTORIAL)


@pytest.mark.parametrize("which", [0, 1])
def test_what_is_no_number_is_refused(tmp_path, which):
    name, tables = ("X", "Y")[which], put_pair(tmp_path)[which]
    tables[1][3, 4] = np.nan
    save(tmp_path / f"{name}.npy", tables)
    with pytest.raises(InputError, match=rf"{name}\.npy: utterance-0001: NaN"):
        read_all(tmp_path, TUTORIAL)


def test_pairs_of_other_lengths_are_refused(tmp_path):
    X, _ = put_pair(tmp_path)
    save(tmp_path / "X.npy", X[:1])
    with pytest.raises(InputError, match=r"X\.npy: 1 utterances, Y\.npy has 2"):
        read_all(tmp_path, TUTORIAL)


def test_a_missing_file_is_named(tmp_path, shared_data):
    with pytest.raises(InputError, match=r"X\.npy: not found"):
        read_all(shared_data / "seed", TUTORIAL)
