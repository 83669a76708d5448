"""When training is as good as wanted: the clock, the end, and what is said of it."""

import json
import sys

import numpy as np
import pytest

from benchmarks.shape import Shape
from pipeline.ground import console
from studies import time_to_quality
from studies.time_to_quality import curve, sentence, verdict
from tests.pipeline.conftest import change


def scripted(errors, seconds_per_epoch):
    """What makes a way whose validation errors are given, and a clock that it and epochs move."""
    now = [0.0]
    left = list(errors)
    current = [1.0]

    def epoch():
        now[0] += seconds_per_epoch
        current[0] = left.pop(0)

    def error(split):
        now[0] += 1000  # measuring takes time that does not count
        return current[0] + (0.1 if split == "test set" else 0)

    def make():
        now[0] += 2
        return epoch, error

    return make, lambda: now[0]


SPLITS = {"validation": "validation set", "test": "test set"}


def test_training_ends_at_the_quality_and_making_counts_but_measuring_does_not():
    make, clock = scripted([0.9, 0.5, 0.4, 0.3], 5.0)
    rows = list(curve(make, SPLITS, 0.454, 100, clock))
    assert [row["seconds"] for row in rows] == [7, 12, 17]
    assert [row["validation"] for row in rows] == [0.9, 0.5, 0.4]
    assert rows[-1]["test"] == pytest.approx(0.5)


def test_training_is_left_at_the_limit():
    make, clock = scripted([0.9] * 9, 5.0)
    assert len(list(curve(make, SPLITS, 0.454, 15, clock))) == 3


def ends(default, tutorial):
    rows = {"default": default, "tutorial": tutorial}
    return {name: [{"seconds": s, "validation": v, "test": v}] for name, (s, v) in rows.items()}


def test_a_way_that_was_left_gives_a_bound_and_is_not_extrapolated():
    both = verdict(ends((10, 0.4), (250, 0.45)), 0.454)
    assert both["sooner"] == 25
    assert not both["lower_bound"]
    assert sentence(both) == "default: 10 s to 0.454, tutorial 250 s: 25.0 x sooner"
    bound = verdict(ends((10, 0.4), (250, 0.6)), 0.454)
    assert bound["seconds"] == {"default": 10, "tutorial": None}
    assert "more than 25.0 x sooner" in sentence(bound)
    assert "did not reach" in sentence(verdict(ends((10, 0.6), (250, 0.4)), 0.454))


@pytest.mark.slow
def test_the_tutorials_way_learns_utterances_of_any_length():
    import keras

    from benchmarks import tutorials_way

    keras.utils.set_random_seed(1)
    network = tutorials_way.Network(Shape("lstm", 5, 1), 3, 2)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(1, 9, 3)).astype(np.float32)
    y = np.tanh(x[..., :2])
    before = np.square(network.predict(x) - y).mean()
    first = float(network.update(x, y))
    assert first == pytest.approx(before, rel=1e-5)
    for _ in range(300):
        network.update(x, y)
        network.update(x[:, :4], y[:, :4])
    assert np.square(network.predict(x) - y).mean() < first


@pytest.mark.slow
def test_both_ways_run_on_a_small_project(standardized, monkeypatch, capfd, stages_run_here):
    change(standardized / "params.yaml", recipes__default__units=[4])
    monkeypatch.setattr(time_to_quality, "TUTORIAL", Shape("lstm", 6, 1))
    arguments = ["--quality", "10", "--output", "time.json"]
    monkeypatch.setattr(sys, "argv", ["time_to_quality", *arguments])
    with pytest.raises(SystemExit) as left:
        console.run(time_to_quality.main)
    assert left.value.code == 0
    found = json.loads((standardized / "time.json").read_text())
    assert [len(rows) for rows in found["curves"].values()] == [1, 1]
    assert found["sooner"] == found["seconds"]["tutorial"] / found["seconds"]["default"]
    assert "x sooner" in capfd.readouterr().out
