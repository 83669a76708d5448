"""Deltas that are learned beside the tracks: one size, and what they are made of comes back."""

import json

import numpy as np
import pytest

from features.deltas import with_deltas
from pipeline import Predictor
from pipeline.ground.console import InputError
from pipeline.prediction import live, long_sound
from pipeline.trained.description import read_about
from pipeline.trained.dynamics import ALONE, Dynamics
from pipeline.trained.smoothing import Smoothing, Units
from tests.pipeline import small_model

RATE = 16_000


def walks(utterances=3, tracks=2):
    rng = np.random.default_rng(0)
    steps = [rng.standard_normal((n, tracks)) for n in rng.integers(50, 200, utterances)]
    return [(0.1 * s.cumsum(axis=0)).astype(np.float32) for s in steps]


@pytest.mark.parametrize("orders", [1, 2])
def test_deltas_of_all_orders_are_of_one_size(orders):
    found = Dynamics.fit(walks(), orders)
    assert found.orders(2) == orders
    both = [found.beside(z) for z in walks()]
    spread = np.sqrt(np.square(np.concatenate(both))[:, 2:].mean(axis=0))
    np.testing.assert_allclose(spread, 1, rtol=1e-6)
    for z, own in zip(walks(), both, strict=True):
        assert own.dtype == np.float32
        np.testing.assert_array_equal(own[:, :2], z)
        np.testing.assert_allclose(own * found.sizes(2), with_deltas(z, orders), atol=1e-6)


def test_tracks_alone_stay_what_they_are():
    assert Dynamics.fit(walks(), 0) == ALONE
    np.testing.assert_array_equal(ALONE.beside(walks()[0]), walks()[0])
    own = Units(1, np.zeros(2), np.ones(2))
    assert ALONE.units(own) is own


def test_a_track_that_does_not_move_is_no_division_by_zero():
    found = Dynamics.fit([np.ones((20, 1), np.float32)], 2)
    assert np.isfinite(found.beside(np.ones((20, 1), np.float32))).all()


def test_mlpg_in_these_units_gives_consistent_tracks_back():
    z = walks()[0]
    found = Dynamics.fit(walks(), 2)
    units = found.units(Units(0, np.array([30.0, -4.0]), np.array([5.0, 2.0])))
    smooth = Smoothing("mlpg", variances=(0.2, 0.1, 0.3, 1.0, 0.5, 0.7)).apply(
        found.beside(z), units
    )
    np.testing.assert_allclose(smooth[:, :2], z, atol=1e-4)


MLPG = {"method": "mlpg", "variances": [0.2] * 24}
CHANGES = {"delta_scale": [0.1] * 16, "smoothing": MLPG}


def model(folder, changes=CHANGES, **stack):
    """A model of 8 tracks and their deltas."""
    small_model.write(folder, outputs=24, **stack)
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def sound():
    return np.random.default_rng(5).normal(0, 0.1, 3 * RATE).astype(np.float32)


@pytest.mark.parametrize("both", [True, False])
def test_long_sounds_are_those_of_the_whole_and_have_no_deltas(tmp_path, sound, both):
    model(tmp_path, bidirectional=both, inputs="corpus")
    predict = Predictor.load(tmp_path)
    (whole,) = predict.run([predict.features(sound, RATE)])
    assert whole.shape[1] == len(predict.about.channels) == 8
    blocks = [sound[start : start + 5000] for start in range(0, len(sound), 5000)]
    pieces = np.concatenate(list(long_sound.predict_blocks(predict, blocks, RATE)))
    np.testing.assert_allclose(pieces, whole, atol=1e-5)


def test_live_sound_has_tracks_alone(tmp_path, sound, capsys):
    model(tmp_path, bidirectional=False, delay=2, inputs="corpus")
    live.to_stdout(Predictor.load(tmp_path), [sound], RATE, False)
    header, *rows = capsys.readouterr().out.splitlines()
    assert header == ",".join(["time_s", *small_model.CHANNELS])
    assert {row.count(",") for row in rows} == {8}


@pytest.mark.parametrize(
    "changes",
    [
        {"delta_scale": [0.1] * 15},
        {"delta_scale": [0.1] * 24},
        {"delta_scale": [0.1] * 15 + [0.0]},
        {"deltas": 1},
        {"smoothing": MLPG | {"variances": [0.2] * 8}},
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, changes):
    model(tmp_path, CHANGES | changes)
    with pytest.raises(InputError):
        read_about(tmp_path / "model.json")
