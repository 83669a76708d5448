"""Every cell against a NumPy twin, step by step, and its gradient against finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.recurrent import GRU, LSTM, SimpleRNN
from tests.gradients import outputs_and_gradients


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def simple_rnn_step(z, h, U, b, activation="tanh"):
    z = z + h @ U
    return (np.tanh(z) if activation == "tanh" else np.maximum(z, 0),)


def lstm_step(z, h, c, U, b):
    i, f, g, o = np.split(z + h @ U, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(z, h, U, b, reset_after=True):
    z_u, z_r, z_n = np.split(z, 3, axis=-1)
    U_u, U_r, U_n = np.split(U, 3, axis=-1)
    b_u, b_r, b_n = np.split(b, 3)
    u, r = sigmoid(z_u + h @ U_u + b_u), sigmoid(z_r + h @ U_r + b_r)
    n = np.tanh(z_n + (r * (h @ U_n + b_n) if reset_after else (r * h) @ U_n))
    return (u * h + (1 - u) * n,)


CELLS = {
    "tanh": (SimpleRNN, simple_rnn_step, 1, {}),
    "relu": (SimpleRNN, simple_rnn_step, 1, {"activation": "relu"}),
    "lstm": (LSTM, lstm_step, 2, {}),
    "gru": (GRU, gru_step, 1, {}),
    "gru-reset-before": (GRU, gru_step, 1, {"reset_after": False}),
}


def twin(name, weights, x, initial, mask, resets, backwards):
    """Run a cell frame by frame in NumPy; h [B, T, H] in the order of time, and the last state."""
    _, step, _, options = CELLS[name]
    W, U, bias = weights
    b, recurrent_bias = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    state, h = list(initial), np.empty((*x.shape[:2], U.shape[0]))
    frames = range(x.shape[1])
    for t in reversed(frames) if backwards else frames:
        crossed = t + 1 if backwards else t  # the later frame of the border that is crossed
        if crossed < x.shape[1]:
            state = [s * (1 - resets[:, crossed, None]) for s in state]
        new = step(x[:, t] @ W + b, *state, U, recurrent_bias, **options)
        state = [np.where(mask[:, t, None], n, s) for n, s in zip(new, state, strict=True)]
        h[:, t] = state[0]
    return h, state


def layer_of(name, features, units, rng, **arguments):
    cell, _, _, options = CELLS[name]
    layer = cell(
        units, return_sequences=True, return_state=True, dtype="float64", **options | arguments
    )
    layer.build((None, None, features))
    layer.set_weights([0.5 * rng.normal(size=w.shape) for w in layer.get_weights()])
    return layer


def problem(seed, batch, frames, features, units, padding, reset, backwards):
    """Return a batch of which a share is padding and another share starts a sequence."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(batch, frames, features))
    mask = rng.random((batch, frames)) >= padding
    resets = rng.random((batch, frames)) < reset
    return x, units, mask, resets, backwards, rng


SHARES = st.sampled_from([0.0, 0.3])
PROBLEMS = st.builds(
    problem,
    *(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 5), st.integers(1, 3)),
    *(st.integers(1, 3), SHARES, SHARES, st.booleans()),
)


@pytest.mark.parametrize("name", CELLS)
@settings(max_examples=20)
@given(problem=PROBLEMS)
def test_layer_and_gradient_are_those_of_the_numpy_twin(name, problem):
    assert_as_the_twin(name, problem)


@pytest.mark.jax
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_one_batch_with_padding_and_resets_is_as_the_twin(name, backwards):
    """The same once, for JAX, which compiles every problem."""
    one = problem(5, 3, 6, 3, 2, 0.3, 0.3, backwards)
    _, _, mask, resets, _, _ = one
    assert 0 < mask.sum() < mask.size and (resets & mask).sum() > 0
    assert_as_the_twin(name, one)


def assert_as_the_twin(name, problem):
    """Gradients along a random direction of each input and weight; the twin knows none."""
    x, units, mask, resets, backwards, rng = problem
    layer = layer_of(name, x.shape[2], units, rng, go_backwards=backwards)
    initial = [rng.normal(size=(len(x), units)) for _ in range(CELLS[name][2])]
    upstream = [
        rng.normal(size=(*x.shape[:2], units)),
        *(rng.normal(size=s.shape) for s in initial),
    ]
    found, gradients = outputs_and_gradients(
        layer, x, upstream, initial_state=initial, mask=mask, resets=resets
    )

    def outputs(x, *values):
        initial, weights = values[: CELLS[name][2]], values[CELLS[name][2] :]
        h, final = twin(name, weights, x, initial, mask, resets, backwards)
        return [h[:, ::-1] if backwards else h, *final]

    values = [x, *initial, *layer.get_weights()]
    for a, b in zip(found, outputs(*values), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    for k, (value, gradient) in enumerate(zip(values, gradients, strict=True)):
        direction = rng.normal(size=value.shape)
        plus, minus = (
            sum(
                np.sum(y * u)
                for y, u in zip(
                    outputs(*values[:k], value + sign * 1e-6 * direction, *values[k + 1 :]),
                    upstream,
                    strict=True,
                )
            )
            for sign in (1, -1)
        )
        scale = np.abs(gradient).max() * np.abs(direction).sum() + 1e-3
        assert (plus - minus) / 2e-6 == pytest.approx(
            np.sum(gradient * direction), abs=1e-6 * scale
        )
