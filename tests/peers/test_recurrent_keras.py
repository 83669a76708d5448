"""The same function as ``keras.layers``: outputs, states and every gradient, weights moved over."""

import keras
import numpy as np
import pytest

from models import recurrent
from tests.gradients import outputs_and_gradients, relative_error

pytestmark = pytest.mark.slow

LAYERS = {
    "tanh": ("SimpleRNN", {}),
    "relu": ("SimpleRNN", {"activation": "relu"}),
    "lstm": ("LSTM", {}),
    "gru": ("GRU", {}),
    "gru-reset-before": ("GRU", {"reset_after": False}),
    "gru-no-bias": ("GRU", {"use_bias": False}),
}


def pair(name, units, features, dtype, **arguments):
    """Our layer with random weights, and that of Keras with the same ones."""
    kind, options = LAYERS[name]
    options = {"return_sequences": True, "return_state": True, **options, **arguments}
    own = getattr(recurrent, kind)(units, dtype=dtype, **options)
    peer = getattr(keras.layers, kind)(units, dtype=dtype, **options)
    own.build((None, None, features))
    peer.build((None, None, features))
    rng = np.random.default_rng(1)
    peer.set_weights([rng.normal(size=w.shape) / np.sqrt(units) for w in peer.get_weights()])
    own.set_weights(peer.get_weights())
    return own, peer


def disagreement(own, peer, frames, dtype, **inputs):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, frames, own.kernel.shape[0])).astype(dtype)
    shapes = [(3, frames, own.units), *[(3, own.units)] * own.cell.states]
    upstream = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    (h, found), (again, expected) = (
        outputs_and_gradients(layer, x, upstream, compiled="graph", **inputs)
        for layer in (own, peer)
    )
    return relative_error([*h, *found], [*again, *expected])


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_float64(name, backwards):
    own, peer = pair(name, 6, 4, "float64", go_backwards=backwards)
    assert disagreement(own, peer, 20, "float64") < 1e-10


@pytest.mark.parametrize(
    ("name", "frames", "bound"),
    [
        *(pytest.param(name, 50, 1e-5, marks=pytest.mark.jax) for name in ("tanh", "lstm", "gru")),
        *((name, 300, 1e-4) for name in LAYERS),
    ],
)
def test_float32(name, frames, bound):
    own, peer = pair(name, 24, 8, "float32")
    assert disagreement(own, peer, frames, "float32") < bound


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", ["tanh", "lstm", "gru"])
def test_masked_frames(name, backwards, side):
    own, peer = pair(name, 6, 4, "float32", go_backwards=backwards)
    lengths = np.array([12, 7, 1])
    mask = np.arange(12) < lengths[:, None]
    mask = mask[:, ::-1] if side == "left" else mask
    assert disagreement(own, peer, 12, "float32", mask=mask) < 1e-5


def test_zero_output_for_mask():
    own, peer = pair("lstm", 6, 4, "float32", zero_output_for_mask=True)
    mask = np.arange(12) < np.array([[12], [7], [1]])
    assert disagreement(own, peer, 12, "float32", mask=mask) < 1e-5


@pytest.mark.jax
def test_both_directions_with_initial_states():
    rng = np.random.default_rng(2)
    peer = keras.layers.Bidirectional(keras.layers.LSTM(5, return_sequences=True))
    peer.build((None, None, 4))
    own = recurrent.RecurrentStack("lstm", (5,))
    own.build((None, None, 4))
    own.set_weights(peer.get_weights())
    x = rng.normal(size=(3, 9, 4)).astype("float32")
    upstream = [rng.normal(size=(3, 9, 10)).astype("float32")]
    state = [rng.normal(size=(3, 5)).astype("float32") for _ in range(4)]
    (h, found), (again, expected) = (
        outputs_and_gradients(layer, x, upstream, compiled="graph", initial_state=state)
        for layer in (own, peer)
    )
    assert relative_error([*h, *found], [*again, *expected]) < 1e-5


def test_weights_move_both_ways_and_config_names_are_those_of_keras():
    own, peer = pair("gru", 5, 3, "float32")
    own.set_weights([2 * w for w in own.get_weights()])
    peer.set_weights(own.get_weights())
    assert [w.name for w in own.weights] == [w.name for w in peer.weights]
    shared = set(own.get_config()) & set(peer.get_config())
    assert {"units", "return_sequences", "go_backwards", "stateful", "unroll"} < shared
