import numpy as np
import pytest

from examples import lstm_step_by_step
from pipeline.ground.console import UsageError


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_values_are_those_of_the_equations():
    drawn = lstm_step_by_step.draw(3, 5, 4, np.random.default_rng(0))
    x, h, c, W, U, b = drawn.values()
    i, f, g, o = np.split(x @ W + h @ U + b, 4, axis=1)
    after = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    expected = {
        "z": x @ W + b,
        "i": sigmoid(i),
        "f": sigmoid(f),
        "g": np.tanh(g),
        "o": sigmoid(o),
        "c'": after,
        "h'": sigmoid(o) * np.tanh(after),
    }
    values = lstm_step_by_step.step(drawn)
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(values[name], value, atol=1e-6)


def test_the_step_is_that_of_keras():
    drawn = lstm_step_by_step.draw(10, 300, 200, np.random.default_rng(1))
    values = lstm_step_by_step.step(drawn)
    for name, value in lstm_step_by_step.keras_step(drawn).items():
        np.testing.assert_allclose(values[name], value, atol=1e-6)


def test_every_value_is_printed_with_its_shape(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["lstm_step_by_step"])
    lstm_step_by_step.main()
    *rows, last = capsys.readouterr().out.splitlines()
    shapes = {row.split()[0]: row[row.index("[") : row.index("]") + 1] for row in rows}
    assert shapes == {
        "x": "[10, 300]",
        "W": "[300, 800]",
        "U": "[200, 800]",
        "b": "[800]",
        "z": "[10, 800]",
    } | dict.fromkeys(("h", "c", "i", "f", "g", "o", "c'", "h'"), "[10, 200]")
    assert "keras.layers.LSTMCell" in last


def test_a_size_of_nothing_is_refused(monkeypatch):
    monkeypatch.setattr("sys.argv", ["lstm_step_by_step", "--units", "0"])
    with pytest.raises(UsageError, match="--units: 0 is not a number from 1 on"):
        lstm_step_by_step.main()
