"""Smooth tracks: what each way does, which is chosen, and that all who predict do alike."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.articulation import low_pass
from features.deltas import with_deltas
from pipeline import Predictor
from pipeline.formats import audio, track_csv
from pipeline.ground import artifacts
from pipeline.ground.console import InputError, UsageError
from pipeline.prediction import live, long_sound
from pipeline.trained import smoothing
from pipeline.trained.description import read_about
from pipeline.trained.smoothing import Smoothing, Units, Validated
from tests.pipeline import small_model
from tests.pipeline.conftest import change

RATE = 16_000


def utterance(seed, deltas, frames=400, noise=0.3):
    """Slow tracks that are predicted with errors, and known to stand 1 mm from where they do."""
    rng = np.random.default_rng(seed)
    mm = 5 * low_pass(rng.standard_normal((frames, 2)), 100, 4) + [30, -4]
    both = with_deltas(mm, deltas)
    mean, scale = both.mean(axis=0), both.std(axis=0)
    measured = ((both - mean) / scale).astype(np.float32)
    errors = noise * rng.standard_normal(measured.shape, np.float32)
    units = Units(deltas, mean, scale)
    return Validated(measured + errors, measured, units, (mean + 1, scale), (mean, scale))


@pytest.mark.parametrize("deltas", [0, 1, 2])
def test_what_helps_on_the_validation_side_is_chosen(deltas):
    side = [utterance(seed, deltas) for seed in range(3)]
    chosen, errors = smoothing.choose("auto", side)
    assert errors[str(chosen)] == min(errors.values()) < errors["none"]
    assert ("mlpg" in errors) == bool(deltas)
    for one in side:
        smooth = chosen.apply(one.predicted, one.units)
        error = np.square(smooth - one.measured).mean()
        assert error < 0.5 * np.square(one.predicted - one.measured).mean()


def test_the_error_is_that_of_tracks_in_mm_as_they_are_delivered():
    side = [utterance(seed, 2) for seed in range(3)]
    _, errors = smoothing.choose("none", side)
    mm = [(one.predicted * one.own[1] + one.known[0])[:, :2] for one in side]
    measured = [(one.measured * one.own[1] + one.own[0])[:, :2] for one in side]
    rmse = [np.sqrt(np.square(a - b).mean(axis=0)) for a, b in zip(mm, measured, strict=True)]
    assert errors["none"] == pytest.approx(np.mean(rmse))
    assert errors["none"] > 1


def test_nothing_is_chosen_where_nothing_helps():
    side = [utterance(seed, 0, noise=0.0) for seed in range(3)]
    fast = [
        one._replace(predicted=one.measured + z, measured=one.measured + z)
        for one, z in zip(side, jumps(), strict=True)
    ]
    chosen, _ = smoothing.choose("auto", fast)
    assert chosen.method == "none"


def jumps():
    return [np.random.default_rng(k).standard_normal((400, 2), np.float32) for k in range(3)]


@pytest.mark.parametrize("wanted", ["none", "mlpg", 7.5])
def test_what_is_wanted_is_taken_whatever_it_earns(wanted):
    side = [utterance(seed, 2, noise=1e-4) for seed in range(2)]
    chosen, errors = smoothing.choose(wanted, side)
    assert str(chosen) == (f"low-pass {wanted} Hz" if wanted == 7.5 else wanted)
    assert list(errors) == list(dict.fromkeys(["none", str(chosen)]))


def test_the_low_pass_is_that_of_the_measured_tracks():
    one = utterance(1, 0)
    smooth = Smoothing("low-pass", 8.0).apply(one.predicted, one.units)
    np.testing.assert_allclose(smooth, low_pass(one.predicted, 100, 8), atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 60), st.integers(0, 2), st.sampled_from(["none", "low-pass", "mlpg"]))
def test_any_length_stays_what_it_is(frames, deltas, method):
    how = Smoothing(method, 10.0, (1.0,) * (2 * (1 + deltas)))
    z = np.random.default_rng(frames).standard_normal((frames, 2 * (1 + deltas)), np.float32)
    smooth = how.apply(z, Units(deltas, np.zeros(z.shape[1]), np.ones(z.shape[1])))
    assert smooth.shape == z.shape and smooth.dtype == np.float32
    assert np.isfinite(smooth).all()
    if method == "mlpg":  # deltas are those of the tracks
        np.testing.assert_allclose(smooth, with_deltas(smooth[:, :2], deltas), atol=1e-5)


@pytest.mark.parametrize("size", [1, 37, 5000])
@pytest.mark.parametrize(
    "how", [Smoothing("low-pass", 6.0), Smoothing("mlpg", 6.0, (1, 0.01, 0.001))]
)
def test_piece_by_piece_is_the_whole(how, size):
    deltas = len(how.variances) and 2
    z = np.random.default_rng(2).standard_normal((3456, 1 + deltas), np.float32)
    units = Units(deltas, np.zeros(1 + deltas), np.ones(1 + deltas))

    def smooth(tracks):
        return how.apply(tracks, units)

    pieces = list(smoothing.in_pieces((z[k : k + size] for k in range(0, len(z), size)), smooth))
    assert max(map(len, pieces)) <= smoothing.PIECE + max(size, smoothing.CONTEXT)
    np.testing.assert_allclose(np.concatenate(pieces), smooth(z), atol=1e-5)


def smoothed_model(folder, how, **stack):
    small_model.write(folder, **stack)
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"smoothing": how}))


@pytest.fixture
def sound():
    return np.random.default_rng(5).normal(0, 0.1, 3 * RATE).astype(np.float32)


LOW = {"method": "low-pass", "cutoff_hz": 6.0}


def test_a_predictor_smooths_and_says_so(tmp_path, sound, stage):
    small_model.write(tmp_path / "plain")
    smoothed_model(tmp_path / "smooth", LOW)
    plain, smooth = (Predictor.load(tmp_path / name) for name in ("plain", "smooth"))
    expected = low_pass(plain(sound, RATE).values, 100, 6)
    np.testing.assert_allclose(smooth(sound, RATE).values, expected, atol=1e-4)
    audio.write(tmp_path / "a.wav", sound, RATE)
    command = ["predict", str(tmp_path / "a.wav"), "--model", str(tmp_path / "smooth")]
    assert stage(*command, "--no-plot").status == 0
    written = track_csv.read(tmp_path / "a.csv").values
    np.testing.assert_allclose(written, expected, atol=5e-3)
    assert json.loads((tmp_path / "a.json").read_text())["smoothing"] == "low-pass 6 Hz"


def test_a_long_sound_is_smoothed_across_its_pieces_and_a_live_one_is_not(tmp_path, sound):
    one_way = {"bidirectional": False, "delay": 3, "inputs": "corpus"}
    small_model.write(tmp_path / "plain", **one_way)
    smoothed_model(tmp_path / "smooth", LOW, **one_way)
    plain, smooth = (Predictor.load(tmp_path / name) for name in ("plain", "smooth"))
    (whole,) = smooth.run([smooth.features(sound, RATE)])
    blocks = [sound[start : start + 5000] for start in range(0, len(sound), 5000)]
    pieces = np.concatenate(list(long_sound.predict_blocks(smooth, blocks, RATE)))
    np.testing.assert_allclose(pieces, whole, atol=1e-5)
    with (tmp_path / "live.csv").open("w") as file:
        live.follow(smooth, blocks, RATE, file)
    rows = track_csv.read(tmp_path / "live.csv").values
    np.testing.assert_allclose(rows, plain(sound, RATE).values, atol=5e-3)


def test_a_model_without_variances_for_mlpg_is_refused(tmp_path):
    smoothed_model(tmp_path / "trained", {"method": "mlpg"})
    with pytest.raises(InputError, match="mlpg needs deltas and a variance of each output"):
        read_about(tmp_path / "trained" / "model.json")


def test_mlpg_without_deltas_is_refused_before_training(standardized, stage):
    change(standardized / "params.yaml", train__smoothing="mlpg", recipes__default__deltas=0)
    outcome = stage("train")
    assert outcome.status == 2
    assert outcome.err.startswith("error: params.yaml: train.smoothing: mlpg needs deltas")
    with pytest.raises(UsageError):
        smoothing.check("mlpg", 0)


@pytest.mark.slow
@pytest.mark.parametrize("deltas", [0, 2])
def test_training_chooses_and_evaluation_shows_what_each_earns(standardized, stage, deltas):
    """Deltas may be tracks of the layout, or else what the network learns beside its tracks."""
    layout = {"channels": ["TT_x", "TT_y", "LL_y", "VL_y"], "deltas": deltas}
    change(standardized / "params.yaml", layouts={"four": layout}, recipes__default__epochs=2)
    anew = ("extract", "standardize") if deltas else ()
    for name in (*anew, "train", "evaluate"):
        assert stage(name).status == 0
    from pipeline.evaluation import tables

    about = read_about(artifacts.TRAINED / "model.json")
    assert len(about.smoothing.variances) == about.network.outputs == 12
    assert len(about.channels) == 4 * (1 + deltas)
    rows = tables.read("smoothing")
    assert {"none", "low-pass 10 Hz", "mlpg"} < {row["smoothing"] for row in rows}
    used = [row for row in rows if row["used"]]
    assert [row["smoothing"] for row in used] == [str(about.smoothing)]
    test = json.loads(artifacts.METRICS.read_text())["test"]["delivered"]
    assert used[0]["rmse_mm"] == pytest.approx(test["rmse_mm"], rel=1e-5)
    (z,) = Predictor.load(artifacts.TRAINED).run([np.zeros((50, 39), np.float32)])
    assert z.shape == (50, len(about.channels))


def test_every_candidate_knows_the_variances_that_mlpg_would_need():
    """Evaluation tries them all again, from whichever was chosen."""
    assert {how.variances for how in smoothing.candidates([0.1, 0.2])} == {(0.1, 0.2)}
