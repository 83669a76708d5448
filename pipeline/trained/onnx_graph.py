"""The trained network as an ONNX graph of real LSTM, GRU and RNN nodes, written and checked here.

Written node by node from the weights: tracing the Keras model would give a loop over time, which is
many times as slow. A graph depends on a `Network` alone, its weights being plain arrays beside it;
so `load` knows every node that a file may have, and refuses a file that differs in anything else.

The graph takes a batch of utterances of any number and length:

``inputs`` float32 [batch, frames, features], ``lengths`` int32 [batch]
    Frames after an utterance's length are padding; what comes out there means nothing.

``tracks`` float32 [batch, frames, outputs]

``state_K`` and ``next_state_K`` float32 [1, batch, units], networks of one direction only
    For each layer h, and for an LSTM c: zeros at first, then what the call before gave.

``delay`` int64, networks with an output delay only
    The trained delay unless given; 0 for a sound that arrives in pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pipeline.ground.console import InputError
from pipeline.ground.storage import atomic_path

if TYPE_CHECKING:
    from models import recurrent
    from models.regressor import Ensemble, Regressor

OPSET, IR = 17, 8  # of 2022: old enough for any runtime in use
NODES = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "RNN"}
GATES = {"LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2), "RNN": (0,)}  # Keras i f g o is i o f g here
LARGEST = 1 << 30  # bytes; the tutorial's network has 18 million

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Network:
    """All that decides a graph but the values of its weights."""

    features: int
    outputs: int
    cell: str
    units: tuple[int, ...]
    bidirectional: bool
    merge: str = "concat"
    delay: int = 0
    dense: tuple[int, ...] = ()
    activation: str = "tanh"
    reset_after: bool = True
    members: int = 1  # of an ensemble of such networks, whose tracks are averaged

    @classmethod
    def of(cls, model: Regressor | Ensemble) -> Network:
        """Return what a Keras model is."""
        first, *others = members(model)
        stack = first.stack
        return cls(
            features=[*first.front, *stack.layers[0]][0].kernel.shape[0],
            outputs=first.dense.kernel.shape[1],
            cell=stack.cell,
            units=stack.units,
            bidirectional=stack.bidirectional,
            merge=stack.merge,
            delay=stack.delay,
            dense=tuple(layer.units for layer in first.front),
            members=1 + len(others),
            **{k: v for k, v in stack.options.items() if k in ("activation", "reset_after")},
        )

    @property
    def node(self) -> str:
        """The operator of the recurrent layers."""
        return NODES[self.cell]

    @property
    def state_units(self) -> list[int]:
        """Width of every state that is carried from call to call; none in two directions."""
        per_layer = 2 if self.cell == "lstm" else 1
        widths = [] if self.bidirectional else [n for n in self.units for _ in range(per_layer)]
        return widths * self.members

    @property
    def prefixes(self) -> list[str]:
        """What the names of each member's weights and values start with."""
        return [f"{k}_" if k else "" for k in range(self.members)]

    def weight_shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield name and shape of every array of weights, in the order of the graph."""
        for prefix in self.prefixes:
            ways, gates, width = 1 + self.bidirectional, len(GATES[self.node]), self.features
            for k, units in enumerate(self.dense):
                yield f"{prefix}front_{k}_W", (width, units)
                yield f"{prefix}front_{k}_b", (units,)
                width = units
            for depth, units in enumerate(self.units):
                yield f"{prefix}W_{depth}", (ways, gates * units, width)
                yield f"{prefix}R_{depth}", (ways, gates * units, units)
                yield f"{prefix}B_{depth}", (ways, 2 * gates * units)
                width = units * (ways if self.merge == "concat" else 1)
            yield f"{prefix}tracks_W", (width, self.outputs)
            yield f"{prefix}tracks_b", (self.outputs,)


def members(model: Regressor | Ensemble) -> list[Regressor]:
    """Return the networks that a Keras model averages: often itself alone."""
    return getattr(model, "members", [model])


def to_onnx(model: Regressor | Ensemble, path: Path) -> None:
    """Write a Keras model as ONNX, atomically; its results agree with the model's to rounding."""
    network = Network.of(model)
    stored = [numpy_helper.from_array(array, name) for name, array in weights(model)]
    with atomic_path(path) as part:
        onnx.save(build(network, stored), str(part))


def weights(model: Regressor | Ensemble) -> Iterator[tuple[str, Array]]:
    """Yield the weights of a Keras model by the names and in the layout of the graph."""
    network = Network.of(model)
    for prefix, member in zip(network.prefixes, members(model), strict=True):
        for k, layer in enumerate(member.front):
            yield f"{prefix}front_{k}_W", np.asarray(layer.kernel, np.float32)
            yield f"{prefix}front_{k}_b", np.asarray(layer.bias, np.float32)
        for depth, directions in enumerate(member.stack.layers):
            for letter, arrays in zip(
                "WRB", zip(*(gated(x, network) for x in directions), strict=True), strict=True
            ):
                yield f"{prefix}{letter}_{depth}", np.stack(arrays)
        yield f"{prefix}tracks_W", np.asarray(member.dense.kernel, np.float32)
        yield f"{prefix}tracks_b", np.asarray(member.dense.bias, np.float32)


def gated(layer: recurrent.Recurrent, network: Network) -> tuple[Array, Array, Array]:
    """Return kernel [G H, D], recurrent kernel [G H, H] and both biases [2 G H] of a layer."""
    order = GATES[network.node]

    def reordered(matrix: Any) -> Array:
        blocks = np.split(np.asarray(matrix, np.float32), len(order), axis=-1)
        return np.concatenate([blocks[gate].T for gate in order])

    biases = np.zeros((2, len(order) * layer.units), np.float32)  # of the input, of the recurrence
    if layer.use_bias:
        given = np.atleast_2d(np.asarray(layer.bias, np.float32))
        biases[: len(given)] = given
    both = np.concatenate([reordered(bias) for bias in biases])
    return reordered(layer.kernel), reordered(layer.recurrent_kernel), both


def build(network: Network, stored: list[TensorProto]) -> onnx.ModelProto:
    """Return the graph of a network around its stored weights."""
    nodes = [node for k in range(network.members) for node in member_nodes(network, k)]
    by_time, undelayed = "by_time", "now" if network.delay else "tracks"
    if network.members > 1:
        each = [f"{prefix}by_time" for prefix in network.prefixes]
        by_time = "average"
        nodes.append(helper.make_node("Mean", each, [by_time]))
    nodes.append(helper.make_node("Transpose", [by_time], [undelayed], perm=[1, 0, 2]))
    if network.delay:
        nodes += delay_nodes()
    inputs, outputs = signature(network)
    graph = helper.make_graph(
        nodes, "regressor", inputs, outputs, initializer=[*stored, *constants(network)]
    )
    opset = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opset, ir_version=IR)


def member_nodes(network: Network, member: int) -> list[onnx.NodeProto]:
    """Return the nodes that make the ``by_time`` [T, B, tracks] of one member of the inputs."""
    prefix, top = network.prefixes[member], f"x_{len(network.units)}"
    turned = f"{prefix}front_0" if network.dense else f"{prefix}x_0"
    nodes = [helper.make_node("Transpose", ["inputs"], [turned], perm=[1, 0, 2])]  # [T, B, D]
    for k in range(len(network.dense)):
        front = f"{prefix}front_{k}"
        above = f"{prefix}front_{k + 1}" if k + 1 < len(network.dense) else f"{prefix}x_0"
        nodes += [
            helper.make_node("MatMul", [front, f"{front}_W"], [f"{front}_product"]),
            helper.make_node("Add", [f"{front}_product", f"{front}_b"], [f"{front}_sum"]),
            helper.make_node("Relu", [f"{front}_sum"], [above]),
        ]
    for depth in range(len(network.units)):
        nodes += recurrent_nodes(network, member, depth)
    product = f"{prefix}product"
    return [
        *nodes,
        helper.make_node("MatMul", [f"{prefix}{top}", f"{prefix}tracks_W"], [product]),
        helper.make_node("Add", [product, f"{prefix}tracks_b"], [f"{prefix}by_time"]),
    ]


def recurrent_nodes(network: Network, member: int, depth: int) -> list[onnx.NodeProto]:
    """Return the nodes that make a member's ``x_{depth + 1}`` [T, B, C] of its ``x_depth``."""
    prefix, states = network.prefixes[member], 2 if network.cell == "lstm" else 1
    first = (member * len(network.units) + depth) * states
    carried = range(first, first + states) if not network.bidirectional else ()
    ways = 1 + network.bidirectional
    options: dict[str, Any] = {"direction": "bidirectional" if ways == 2 else "forward"}
    options["hidden_size"] = network.units[depth]
    if network.cell == "gru":
        options["linear_before_reset"] = int(network.reset_after)
    if network.cell == "simple_rnn":
        options["activations"] = [network.activation.capitalize()] * ways
    x, y, z, turned = (
        f"{prefix}{name}"
        for name in (f"x_{depth}", f"y_{depth}", f"x_{depth + 1}", f"turned_{depth}")
    )
    arrays = [f"{prefix}{letter}_{depth}" for letter in "WRB"]
    before, after = ([f"{name}_{k}" for k in carried] for name in ("state", "next_state"))
    node = helper.make_node(network.node, [x, *arrays, "lengths", *before], [y, *after], **options)
    if ways == 1:
        return [node, helper.make_node("Squeeze", [y, "direction_axis"], [z])]
    if network.merge == "concat":
        swapped = helper.make_node("Transpose", [y], [turned], perm=[0, 2, 1, 3])
        joined = helper.make_node("Reshape", [turned, "side_by_side"], [z])
        return [node, swapped, joined]
    if network.merge == "sum":
        return [node, helper.make_node("ReduceSum", [y, "direction_axis"], [z], keepdims=0)]
    return [node, helper.make_node("ReduceMean", [y], [z], axes=[1], keepdims=0)]


def delay_nodes() -> list[onnx.NodeProto]:
    """Return the nodes that output for frame t what is known after frame t + delay, if there is."""
    return [
        helper.make_node("Shape", ["now"], ["frames"], start=1, end=2),
        helper.make_node("Squeeze", ["frames"], ["frame_count"]),
        helper.make_node("Range", ["zero", "frame_count", "one"], ["frame"]),  # [T]
        helper.make_node("Add", ["frame", "delay"], ["later"]),
        helper.make_node("Cast", ["lengths"], ["ends"], to=TensorProto.INT64),
        helper.make_node("Sub", ["ends", "one"], ["last"]),
        helper.make_node("Unsqueeze", ["last", "direction_axis"], ["last_column"]),  # [B, 1]
        helper.make_node("Min", ["later", "last_column"], ["source"]),  # [B, T]
        helper.make_node("Unsqueeze", ["source", "last_axis"], ["source_column"]),
        helper.make_node("GatherND", ["now", "source_column"], ["tracks"], batch_dims=1),
    ]


def constants(network: Network) -> list[TensorProto]:
    """Return the constants of a graph: axes, shapes, and the delay."""
    values: dict[str, Any] = {"direction_axis": [1]}
    if network.bidirectional and network.merge == "concat":
        values = {"side_by_side": [0, 0, -1]}
    if network.bidirectional and network.merge == "mean":
        values = {}
    if network.delay:
        values |= {"last_axis": [2], "zero": 0, "one": 1, "delay": network.delay}
    return [numpy_helper.from_array(np.array(v, np.int64), name) for name, v in values.items()]


def signature(network: Network) -> tuple[list[onnx.ValueInfoProto], list[onnx.ValueInfoProto]]:
    """Return inputs and outputs of a graph, in order."""

    def floats(name: str, *shape: str | int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    sizes = list(enumerate(network.state_units))
    inputs = [
        floats("inputs", "batch", "frames", network.features),
        helper.make_tensor_value_info("lengths", TensorProto.INT32, ["batch"]),
        *(floats(f"state_{k}", 1, "batch", units) for k, units in sizes),
    ]
    if network.delay:
        inputs.append(helper.make_tensor_value_info("delay", TensorProto.INT64, []))
    outputs = [
        floats("tracks", "batch", "frames", network.outputs),
        *(floats(f"next_state_{k}", 1, "batch", units) for k, units in sizes),
    ]
    return inputs, outputs


def load(path: Path, network: Network) -> bytes:
    """Return the bytes of a file after making sure that it is the graph of ``network``, no more.

    A graph can name any operator, ask for any amount of memory and point to other files. One that
    passes has the nodes of `build` and weights of the sizes that they say, all within the file.

    Raises
    ------
    InputError
        Naming what differs.
    """
    if not path.is_file():
        raise InputError(f"{path}: not found; run `make repro`")
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path}: larger than {LARGEST >> 20} MiB, no network of this project")
    data = path.read_bytes()
    try:
        model = onnx.ModelProto.FromString(data)
    except Exception:  # the class of the error depends on the protobuf implementation
        raise InputError(
            f"{path}: not an ONNX file, or a damaged one; run `dvc repro train`"
        ) from None
    expected = list(network.weight_shapes())
    stored = model.graph.initializer
    if [(t.name, tuple(t.dims)) for t in stored[: len(expected)]] != expected:
        raise InputError(f"{path}: its weights are not those of the network in model.json")
    for tensor in stored[: len(expected)]:
        plain = TensorProto(name=tensor.name, dims=tensor.dims, data_type=TensorProto.FLOAT)
        plain.raw_data = tensor.raw_data
        if tensor != plain or len(tensor.raw_data) != 4 * np.prod(tensor.dims, dtype=object):
            raise InputError(f"{path}: weights {tensor.name} are not float32 within the file")
    del stored[: len(expected)]
    if model != build(network, []):
        raise InputError(f"{path}: its nodes are not those of the network in model.json")
    return data


def keras_weights(graph: bytes, network: Network) -> Iterator[list[Array]]:
    """Yield the weights of a graph as the layers of Keras have them: the way back from `weights`.

    Of an ensemble the first member's alone.

    Yields
    ------
    list of arrays
        Of each dense layer in front kernel and bias; of each recurrent layer kernel, recurrent
        kernel and bias, forward and then backward; at last kernel and bias of the dense layer.
    """
    stored = onnx.ModelProto.FromString(graph).graph.initializer
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in stored}
    order = np.argsort(GATES[network.node])

    def reordered(matrix: Array) -> Array:
        blocks = np.split(matrix, len(order))
        return np.concatenate([blocks[gate] for gate in order]).T

    for k in range(len(network.dense)):
        yield [arrays[f"front_{k}_W"], arrays[f"front_{k}_b"]]
    for depth in range(len(network.units)):
        layer = []
        for W, R, B in zip(*(arrays[f"{letter}_{depth}"] for letter in "WRB"), strict=True):
            both = np.stack([reordered(bias) for bias in np.split(B, 2)])
            apart = network.cell == "gru" and network.reset_after
            layer += [reordered(W), reordered(R), both if apart else both.sum(axis=0)]
        yield layer
    yield [arrays["tracks_W"], arrays["tracks_b"]]
