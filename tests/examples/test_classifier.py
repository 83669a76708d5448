import os
from functools import partial

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
from models import recurrent

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


@pytest.fixture
def data() -> mnist.Mnist:
    rng = np.random.default_rng(0)
    return mnist.Mnist(easy(600, rng), easy(100, rng), easy(100, rng))


def small(layers) -> keras.Model:
    """One layer, so that tests are fast."""
    return keras.Sequential([keras.Input((28, 28)), layers.GRU(24), keras.layers.Dense(10)])


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


def test_training_learns_and_keeps_the_last_average_without_patience(data):
    task = classifier.Task("easy", small, batch=20, epochs=10, published=0.9)
    run, model = classifier.train(task, data, seed=0)
    assert run.steps == 10 * 30
    assert [step for step, _, _ in run.checks] == [30 * k for k in range(1, 11)]
    assert run.checks[-1][2] == classifier.accuracy(model, data.validation)
    assert run.test > 0.9


def test_early_stopping_keeps_the_best_and_waits_as_long_as_told(data):
    rng = np.random.default_rng(1)
    validation = data.validation._replace(digits=rng.integers(0, 10, 100).astype(np.int32))
    task = classifier.Task("odd", small, batch=20, epochs=99, published=0.9, patience=60)
    run, model = classifier.train(task, data._replace(validation=validation), seed=0)
    best_step, _, best = run.checks[-1]
    assert run.steps == best_step + 60
    assert classifier.accuracy(model, validation) == pytest.approx(best)
    assert sorted(score for _, _, score in run.checks) == [score for _, _, score in run.checks]


def test_the_same_seed_gives_the_same_run(data):
    task = classifier.Task("easy", small, batch=20, epochs=1, published=0.9)
    losses = [
        classifier.compiled(model, xla=False).evaluate(*data.test, verbose=0)[0]
        for _, model in (classifier.train(task, data, seed, limit=20) for seed in (3, 3, 4))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0] != pytest.approx(losses[2], rel=1e-3)


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

    monkeypatch.setattr(mnist, "load", lambda folder: data)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(digits, "LONGEST_FIRST", {"long": tasks("a", "b"), "short": tasks("c")})
    monkeypatch.chdir(tmp_path)
    options = ["--steps", "10", "--seeds", "2", "--jobs", "1"]
    monkeypatch.setattr("sys.argv", ["digits", *options])
    digits.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": test ")[0] for line in lines] == ["a", "b", "c"]
    assert all("mean of 2 seeds" in line for line in lines)
    drawn = {path.name: path.read_bytes() for path in tmp_path.glob("data/tutorials/*")}
    assert drawn.keys() == {"long.png", "short.png"}
    assert drawn["long.png"] != drawn["short.png"]


def test_all_tutorials_on_digits_are_trained_at_once():
    names = {task.name for tasks in digits.LONGEST_FIRST.values() for task in tasks()}
    assert len(names) == len(race.NETWORKS) == 6


def test_trainings_at_once_are_those_one_after_another(shared_data, tmp_path, monkeypatch, capsys):
    options = ["--mnist", shared_data / "mnist", "--steps", "10", "--seeds", "2", "--jobs", "2"]
    options += ["--loop", "dynamic", "--picture", tmp_path / "picture.png"]
    monkeypatch.setattr("sys.argv", ["mnist_rows", *map(str, options)])
    mnist_rows.main()
    spoken = capsys.readouterr().out
    data = mnist.load(shared_data / "mnist")
    network = partial(mnist_rows.network, loop="dynamic")
    task = classifier.Task("dynamic loop", network, 128, epochs=10, published=0.9826)
    tests = [classifier.train(task, data, seed, limit=10)[0].test for seed in range(2)]
    assert f"test {100 * np.mean(tests):.2f} %" in spoken


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
