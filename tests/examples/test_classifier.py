import os
import sys
from pathlib import Path

import cloudpickle  # of joblib, too
import keras
import numpy as np
import pytest

from benchmarks import digits as race
from examples import (
    classifier,
    digits,
    mnist,
    mnist_bidirectional,
    mnist_rows,
    mnist_stacked,
)
from examples.results import Run
from models import recurrent
from pipeline.ground import workers

NETWORKS = {
    "rows, dynamic loop": lambda layers: mnist_rows.network(layers, loop="dynamic"),
    "rows, static loop": lambda layers: mnist_rows.network(layers, loop="static"),
    "stacked rnn": lambda layers: mnist_stacked.network(layers, cell="rnn"),
    "stacked lstm": lambda layers: mnist_stacked.network(layers, cell="lstm"),
    "stacked gru": lambda layers: mnist_stacked.network(layers, cell="gru"),
    "bidirectional": mnist_bidirectional.network,
}


def easy(images: int, rng: np.random.Generator) -> mnist.Images:
    """Images whose brightest column is their digit."""
    digits = np.arange(images, dtype=np.int32) % 10
    rows = rng.random((images, 28, 28)).astype(np.float32) / 2
    rows[np.arange(images), :, digits] += 0.5
    return mnist.Images(rows, digits)


def three_sides() -> mnist.Mnist:
    rng = np.random.default_rng(0)
    return mnist.Mnist(easy(600, rng), easy(100, rng), easy(100, rng))


data = pytest.fixture(three_sides, name="data")


def small(layers) -> keras.Model:
    """One layer, so that tests are fast."""
    return keras.Sequential([keras.Input((28, 28)), layers.GRU(24), keras.layers.Dense(10)])


EASY = classifier.Task("easy", small, batch=20, epochs=1, published=0.9, xla=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_those_of_keras_with_the_same_weights(name):
    rng = np.random.default_rng(0)
    ours, theirs = NETWORKS[name](recurrent), NETWORKS[name](keras.layers)
    ours.set_weights([rng.normal(0, 0.1, w.shape) for w in theirs.get_weights()])
    theirs.set_weights(ours.get_weights())
    rows = easy(8, rng).rows
    np.testing.assert_allclose(
        ours.predict_on_batch(rows), theirs.predict_on_batch(rows), atol=2e-6
    )


@pytest.mark.slow
def test_training_learns_and_keeps_the_last_average_without_patience(data):
    task = classifier.Task("easy", small, batch=20, epochs=10, published=0.9)
    run, model = classifier.train(task, data, seed=0)
    assert run.steps == 10 * 30
    assert [step for step, _, _ in run.checks] == [30 * k for k in range(1, 11)]
    assert run.checks[-1][2] == classifier.accuracy(model, data.validation)
    assert run.test > 0.9


@pytest.mark.slow
def test_early_stopping_keeps_the_best_and_waits_as_long_as_told(data):
    rng = np.random.default_rng(1)
    validation = data.validation._replace(digits=rng.integers(0, 10, 100).astype(np.int32))
    task = classifier.Task("odd", small, batch=20, epochs=99, published=0.9, patience=60)
    run, model = classifier.train(task, data._replace(validation=validation), seed=0)
    best_step, _, best = run.checks[-1]
    assert run.steps == best_step + 60
    assert classifier.accuracy(model, validation) == pytest.approx(best)
    assert sorted(score for _, _, score in run.checks) == [score for _, _, score in run.checks]


def on_easy(seed: int) -> Run:
    """What `train_alone` gives on easy images, which have no folder; runs in other processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "load", lambda folder: three_sides())
        return classifier.train_alone(EASY, Path(), seed, None, 0)


@pytest.mark.slow
def test_trainings_at_once_are_those_one_after_another_and_the_seed_decides():
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # which those cannot import
    at_once = list(workers.spread(on_easy, [(3,), (4,)], 2))
    for seed, run in zip((3, 4), at_once, strict=True):
        here, _ = classifier.train(EASY, three_sides(), seed)
        assert here.test == run.test
        assert [row[2] for row in here.checks] == [row[2] for row in run.checks]
    assert at_once[0].test != at_once[1].test


@pytest.mark.slow
def test_a_tutorial_ends_in_one_line_and_a_picture(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mnist, "load", lambda folder: data)
    monkeypatch.setattr(os, "environ", dict(os.environ))  # it is told how many cores to take
    picture = tmp_path / "new" / "picture.png"
    options = ["--loop", "dynamic", "--steps", "2", "--picture", str(picture)]
    monkeypatch.setattr("sys.argv", ["mnist_rows", *options])
    mnist_rows.main()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("dynamic loop: test ")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_all_at_once_end_in_a_line_each_and_a_picture_for_each_tutorial(
    data, tmp_path, monkeypatch, capsys
):
    def tasks(*names):
        return lambda: [classifier.Task(name, small, 20, 10, published=0.9) for name in names]

    def train_alone(task, folder, seed, limit, line):
        asked.append((task.name, seed, limit))
        return Run([(10, 1.0, 0.5)], 10, 2.0, 0.8 + 0.1 * seed + 0.02 * len(asked))

    asked = []
    monkeypatch.setattr(mnist, "load", lambda folder: data)
    monkeypatch.setattr(classifier, "train_alone", train_alone)
    monkeypatch.setattr(digits, "LONGEST_FIRST", {"long": tasks("a", "b"), "short": tasks("c")})
    monkeypatch.chdir(tmp_path)
    options = ["--steps", "10", "--seeds", "2", "--jobs", "1"]
    monkeypatch.setattr("sys.argv", ["digits", *options])
    digits.main()
    assert asked == [(name, seed, 10) for name in "abc" for seed in (0, 1)]
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": test ")[0] for line in lines] == ["a", "b", "c"]
    assert "test 88.00 % (tutorial 90.00 %; mean of 2 seeds, 82.00 to 94.00), 10 steps" in lines[0]
    drawn = {path.name: path.read_bytes() for path in tmp_path.glob("data/tutorials/*")}
    assert drawn.keys() == {"long.png", "short.png"}
    assert drawn["long.png"] != drawn["short.png"]


def test_all_tutorials_on_digits_are_trained_at_once():
    names = {task.name for tasks in digits.LONGEST_FIRST.values() for task in tasks()}
    assert len(names) == len(race.NETWORKS) == 6


@pytest.mark.slow
def test_the_race_times_all_contestants(data):
    best = race.race(data, small, 20, xla=True, rounds=1, steps=10)
    assert best.keys() == {"this engine", "Keras, graph", "Keras, XLA", "reading"}
    assert 0 < min(best.values()) < max(best.values()) < np.inf


def test_all_networks_of_the_tutorials_race():
    assert {name.split(",")[0] for name in race.NETWORKS} == {
        "one layer",
        *(f"3 x {cell.upper()}" for cell in mnist_stacked.PUBLISHED),
        "2 x both directions",
    }
