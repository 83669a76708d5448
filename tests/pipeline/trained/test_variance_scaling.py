"""Tracks in z have mean 0 and a deviation of 1 over an utterance; predictions are brought back."""

import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline import Predictor
from pipeline.formats import audio, track_csv
from pipeline.ground.console import InputError, UsageError
from pipeline.prediction import live, long_sound
from pipeline.trained import variance_scaling
from pipeline.trained.description import read_about
from pipeline.trained.variance_scaling import VarianceScaling
from tests.pipeline import small_model
from tests.pipeline.conftest import change

RATE = 16_000
GAINS = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]


@settings(deadline=None, max_examples=50)
@given(
    arrays(np.float32, (30, 2), elements=st.floats(-3, 3, width=32)),
    st.floats(-2, 2),
    st.floats(0.5, 2),
)
def test_only_the_shape_of_a_track_counts(z, shift, scale):
    how = VarianceScaling((0.9, 0.5))
    assume(z.std(axis=0).min() > 2 * variance_scaling.LEAST)
    found = how.apply(z)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=0), [0.9, 0.5], rtol=1e-4)
    again = how.apply((z * scale + shift).astype(np.float32))
    np.testing.assert_allclose(again, found, atol=1e-3)


def test_what_hardly_moves_is_not_made_to():
    z = np.tile([[0.3, 1.0]], (50, 1)).astype(np.float32)
    z[:, 1] += 0.01 * np.sin(np.arange(50))
    found = VarianceScaling((0.9, 0.9)).apply(z)
    np.testing.assert_array_equal(found[:, 0], 0)
    assert 0 < np.abs(found[:, 1]).max() < 0.04


def test_gains_are_those_of_least_squared_error():
    rng = np.random.default_rng(1)
    pairs = []
    for n in (80, 200):
        measured = rng.normal(size=(n, 2))
        measured = (measured - measured.mean(axis=0)) / measured.std(axis=0)
        predicted = 0.5 * measured + rng.normal(0, 0.3, (n, 2)) + rng.normal(0, 1, 2)
        pairs.append((predicted.astype(np.float32), measured.astype(np.float32)))
    best = variance_scaling.fit(pairs)

    def error(gains):
        how = VarianceScaling(tuple(gains))
        return np.concatenate([np.square(how.apply(p) - m) for p, m in pairs]).mean()

    least = error(best.gains)
    for step in ((0.02, 0), (-0.02, 0), (0, 0.02), (0, -0.02)):
        assert error(np.add(best.gains, step)) > least
    chosen, errors = variance_scaling.choose("auto", "utterance", pairs)
    assert chosen == best
    assert errors["on"] == pytest.approx(least, rel=1e-6)
    assert errors["on"] < errors["off"]
    for wanted, mode in ((False, "utterance"), ("auto", "corpus"), ("auto", "speaker")):
        assert variance_scaling.choose(wanted, mode, pairs)[0] == VarianceScaling()


def test_it_is_left_out_where_it_costs_unless_it_is_asked_for():
    rng = np.random.default_rng(2)
    measured = rng.normal(size=(100, 1)).astype(np.float32) + 1  # whose mean a network can know
    pairs = [(measured, measured)]
    assert not variance_scaling.choose("auto", "utterance", pairs)[0]
    assert variance_scaling.choose(True, "utterance", pairs)[0]


def test_tracks_that_never_move_get_no_gain():
    rng = np.random.default_rng(3)
    measured = np.zeros((60, 2), np.float32)
    measured[:, 0] = rng.normal(size=60)
    predicted = rng.normal(size=(60, 2)).astype(np.float32)
    assert variance_scaling.fit([(predicted, measured)]).gains[1] == 0


def test_it_is_refused_where_the_mean_is_part_of_what_is_predicted(standardized, stage):
    with pytest.raises(UsageError, match="with corpus an utterance's own mean is part"):
        variance_scaling.check(True, "corpus")
    change(standardized / "params.yaml", standardize__mode="corpus", train__variance_scaling=True)
    assert stage("standardize").status == 0
    assert stage("train").status == 2


def scaled_model(folder, gains=GAINS, **stack):
    small_model.write(folder, **stack)
    path = folder / "model.json"
    about = json.loads(path.read_text()) | {"variance_scaling": {"gains": gains}}
    path.write_text(json.dumps(about))


@pytest.fixture
def sound():
    return np.random.default_rng(5).normal(0, 0.1, 12 * RATE).astype(np.float32)


def test_a_number_of_gains_that_fits_no_layout_is_refused(tmp_path):
    scaled_model(tmp_path / "trained", [1.0])
    with pytest.raises(InputError, match="variance_scaling: 8 gains, one a channel"):
        read_about(tmp_path / "trained" / "model.json")


@pytest.mark.parametrize("both", [True, False])
def test_a_long_sound_is_variance_scaled_as_a_whole(tmp_path, sound, both, monkeypatch):
    scaled_model(tmp_path / "on", bidirectional=both)
    small_model.write(tmp_path / "off", bidirectional=both)
    on, off = (Predictor.load(tmp_path / name) for name in ("on", "off"))
    (whole,) = on.run([on.features(sound, RATE)])
    (raw,) = off.run([off.features(sound, RATE)])
    np.testing.assert_allclose(whole, VarianceScaling(tuple(GAINS)).apply(raw), atol=1e-5)
    monkeypatch.setattr(long_sound, "WINDOW", 300)
    blocks = [sound[start : start + 5000] for start in range(0, len(sound), 5000)]
    pieces = list(long_sound.predict_blocks(on, blocks, RATE))
    np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=0, atol=1e-3)


def test_a_sound_by_the_statistics_of_training_stays_as_it_is(tmp_path, sound):
    scaled_model(tmp_path / "on", bidirectional=False)
    model = live.load(tmp_path / "on")
    with (tmp_path / "live.csv").open("w") as file:
        live.follow(model, [sound[:8000], sound[8000:]], RATE, file)
    rows = track_csv.read(tmp_path / "live.csv").values
    small_model.write(tmp_path / "off", bidirectional=False)
    plain = Predictor.load(tmp_path / "off", statistics="training")(sound, RATE)
    np.testing.assert_allclose(rows, plain.values, atol=5e-3)


def test_the_command_says_so(tmp_path, sound, stage):
    scaled_model(tmp_path / "on")
    audio.write(tmp_path / "a.wav", sound, RATE)
    command = ["predict", str(tmp_path / "a.wav"), "--model", str(tmp_path / "on"), "--no-plot"]
    assert stage(*command).status == 0
    assert json.loads((tmp_path / "a.json").read_text())["variance_scaled"] is True
    assert stage(*command, "--statistics", "training", "--overwrite").status == 0
    assert json.loads((tmp_path / "a.json").read_text())["variance_scaled"] is False
