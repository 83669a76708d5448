"""The same function as ``torch.nn``: outputs, states and every gradient, weights moved over."""

import keras
import numpy as np
import pytest

from models import recurrent
from tests.gradients import outputs_and_gradients, relative_error

# our gates in the order of torch: i f g o for an LSTM as here; a GRU of torch has r before z
GATES = {"RNN": [0], "LSTM": [0, 1, 2, 3], "GRU": [1, 0, 2]}
NAMES = {"RNN": "simple_rnn", "LSTM": "lstm", "GRU": "gru"}


def to_torch(kind, weight):
    """[D, gates * H] to [gates * H, D], or a bias [gates * H]."""
    blocks = np.split(weight.T, len(GATES[kind]))
    return np.concatenate([blocks[g] for g in GATES[kind]])


def to_keras(kind, weight):
    blocks = np.split(weight, len(GATES[kind]))
    return np.concatenate([blocks[GATES[kind].index(g)] for g in range(len(blocks))]).T


def peer_of(kind, stack, dtype):
    """A torch module with the weights of our stack; its second bias is zero but for a GRU."""
    torch = pytest.importorskip("torch")
    peer = getattr(torch.nn, kind)(
        stack.layers[0][0].kernel.shape[0], stack.units[0], num_layers=len(stack.units),
        batch_first=True, bidirectional=stack.bidirectional, dtype=getattr(torch, dtype),
    )  # fmt: skip
    for depth, directions in enumerate(stack.layers):
        for layer, direction in zip(directions, ("", "_reverse"), strict=False):
            kernel, recurrent_kernel, bias = layer.get_weights()
            biases = bias if bias.ndim == 2 else [bias, np.zeros_like(bias)]
            values = [kernel, recurrent_kernel, *biases]
            for name, value in zip(
                ("weight_ih", "weight_hh", "bias_ih", "bias_hh"), values, strict=True
            ):
                parameter = getattr(peer, f"{name}_l{depth}{direction}")
                parameter.data = torch.tensor(to_torch(kind, value), dtype=parameter.dtype)
    return peer


def torch_outputs_and_gradients(kind, peer, stack, x, upstream):
    import torch

    x = torch.tensor(x, requires_grad=True)
    h, state = peer(x)
    states = state if kind == "LSTM" else (state,)
    per_layer = [s[k] for k in range(states[0].shape[0]) for s in states]
    outputs = [h, *per_layer]
    sum((y * torch.tensor(u)).sum() for y, u in zip(outputs, upstream, strict=True)).backward()
    gradients = [x.grad.numpy()]
    for depth, directions in enumerate(stack.layers):
        for layer, direction in zip(directions, ("", "_reverse"), strict=False):
            W, U, b, c = (
                to_keras(kind, getattr(peer, f"{name}_l{depth}{direction}").grad.numpy())
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            gradients += [W, U, np.stack([b, c]) if layer.bias.ndim == 2 else b]
    return [y.detach().numpy() for y in outputs], gradients


@pytest.mark.slow
@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize(
    ("bidirectional", "dtype", "frames", "bound"),
    [
        (False, "float64", 20, 1e-10),
        pytest.param(True, "float64", 20, 1e-10, marks=pytest.mark.jax),
        (True, "float32", 300, 1e-4),
    ],
)
def test_a_stack_of_two(kind, bidirectional, dtype, frames, bound):
    stack = recurrent.RecurrentStack(
        NAMES[kind], (16, 16), bidirectional=bidirectional, return_state=True, dtype=dtype
    )
    stack.build((None, None, 8))
    rng = np.random.default_rng(0)
    stack.set_weights([rng.normal(size=w.shape) / 4 for w in stack.get_weights()])
    shapes = stack.compute_output_shape((3, frames, 8))
    x, *upstream = (rng.normal(size=s).astype(dtype) for s in ((3, frames, 8), *shapes))
    h, found = outputs_and_gradients(stack, x, upstream, compiled="graph")
    peer = peer_of(kind, stack, dtype)
    again, expected = torch_outputs_and_gradients(kind, peer, stack, x, upstream)
    assert relative_error([*h, *found], [*again, *expected]) < bound


@pytest.mark.slow
def test_torch_weights_come_back_unchanged():
    stack = recurrent.RecurrentStack("gru", (4,), bidirectional=False)
    stack.build((None, None, 3))
    peer = peer_of("GRU", stack, "float32")
    kernel = to_keras("GRU", peer.weight_ih_l0.detach().numpy())
    np.testing.assert_array_equal(kernel, keras.ops.convert_to_numpy(stack.layers[0][0].kernel))
