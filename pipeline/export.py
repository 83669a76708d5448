"""Write the trained network for other programs; the ONNX file is in the trained folder already.

    python -m pipeline.export --format keras,savedmodel

keras       exported/model.keras: layers of Keras itself; loads without this project's code
savedmodel  exported/saved_model/: for TensorFlow Serving and C++
litert      exported/model.tflite: one frame at a time with explicit states, for small devices;
            networks of one direction only

All take features in z and give tracks in z; exported/model.json has the statistics and names. A
network whose recipe has a `context` takes the features of so many frames side by side. Deltas that
it learned beside the tracks stand behind them, in units of `delta_scale`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.ground import artifacts, device
from pipeline.ground.console import UsageError, run, say, stage_parser
from pipeline.ground.storage import atomic_path
from pipeline.trained import description, onnx_graph
from pipeline.trained.onnx_graph import Network

if TYPE_CHECKING:
    import keras

FOLDER = Path("exported")
MERGE_MODES = {"concat": "concat", "sum": "sum", "mean": "ave"}


def plain_keras(network: Network, graph: bytes) -> keras.Model:
    """Return the network made of layers of Keras itself: [B, T, features] to [B, T, tracks]."""
    import keras

    x = inputs = keras.Input((None, network.features), name="inputs")
    weights = list(onnx_graph.keras_weights(graph, network))
    front, weights = weights[: len(network.dense)], weights[len(network.dense) :]
    for k, units in enumerate(network.dense):
        layer = keras.layers.Dense(units, activation="relu", name=f"front_{k}")
        x = layer(x)
        layer.set_weights(front[k])
    for depth, units in enumerate(network.units):
        layer = recurrent_layer(network, units, f"layer_{depth}")
        x = layer(x)
        layer.set_weights(weights[depth])
    dense = keras.layers.Dense(network.outputs, name="tracks")
    x = dense(x)
    dense.set_weights(weights[-1])
    if network.delay:  # frame t is told what is known after t + delay, or at the end
        last = keras.ops.repeat(x[:, -1:], network.delay, axis=1)
        x = keras.ops.concatenate([x, last], axis=1)[:, network.delay :]
    return keras.Model(inputs, x, name="articulation")


def recurrent_layer(network: Network, units: int, name: str) -> Any:
    """Return a recurrent layer of Keras itself, of one direction or both."""
    from keras import layers

    if network.cell == "lstm":
        layer = layers.LSTM(units, return_sequences=True, name=name)
    elif network.cell == "gru":
        reset_after = network.reset_after
        layer = layers.GRU(units, return_sequences=True, reset_after=reset_after, name=name)
    else:
        activation = network.activation
        layer = layers.SimpleRNN(units, activation=activation, return_sequences=True, name=name)
    if not network.bidirectional:
        return layer
    return layers.Bidirectional(layer, merge_mode=MERGE_MODES[network.merge], name=name)


def write_keras(network: Network, graph: bytes, folder: Path) -> Path:
    """Write a Keras archive."""
    path = folder / "model.keras"
    with atomic_path(path) as part:
        whole = part.with_suffix(".keras")  # Keras insists on the suffix
        plain_keras(network, graph).save(whole)
        whole.replace(part)
    return path


def write_savedmodel(network: Network, graph: bytes, folder: Path) -> Path:
    """Write a TensorFlow SavedModel; its signature ``serve`` takes any batch and length."""
    path = folder / "saved_model"
    with atomic_path(path) as part:
        plain_keras(network, graph).export(part, verbose=False)
    return path


def write_litert(network: Network, graph: bytes, folder: Path) -> Path:
    """Write one step as a LiteRT model.

    Its signature takes ``inputs`` [1, features] and ``state_K`` [1, units], and gives ``tracks``
    [1, tracks], which is what is known after the frame, and ``next_state_K``. The network is one of
    one direction.
    """
    import tensorflow as tf

    shapes = {f"state_{k}": (1, units) for k, units in enumerate(network.state_units)}
    signature = {"inputs": (1, network.features)} | shapes
    function = tf.function(partial(step, network, graph)).get_concrete_function(
        **{name: tf.TensorSpec(shape, tf.float32, name) for name, shape in signature.items()}
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
    path = folder / "model.tflite"
    with atomic_path(path) as part:
        part.write_bytes(converter.convert())
    return path


def step(network: Network, graph: bytes, inputs: Any, **states: Any) -> dict[str, Any]:
    """Compute tracks and states after one more frame, the weights being constants."""
    import keras

    from models import cells

    *layers, (kernel, bias) = onnx_graph.keras_weights(graph, network)
    front, layers = layers[: len(network.dense)], layers[len(network.dense) :]
    cell: cells.Cell = cells.LSTMCell()
    if network.cell == "gru":
        cell = cells.GRUCell(network.reset_after)
    elif network.cell == "simple_rnn":
        cell = cells.SimpleRNNCell(network.activation)
    x, before = inputs, list(states.values())
    for W, b in front:
        x = keras.ops.relu(x @ W + b)
    after: list[Any] = []
    for W, U, b in layers:
        own, recurrent_bias = b if b.ndim == 2 else (b, None)
        state, before = tuple(before[: cell.states]), before[cell.states :]
        state, _ = cell.step(cells.Recurrent(U, recurrent_bias), x @ W + own, state)
        x = state[0]
        after += state
    return {
        "tracks": x @ kernel + bias,
        **{f"next_{name}": new for name, new in zip(states, after, strict=True)},
    }


WRITERS: dict[str, Callable[[Network, bytes, Path], Path]] = {
    "keras": write_keras,
    "savedmodel": write_savedmodel,
    "litert": write_litert,
}


def main() -> None:
    """Run the command."""
    parser = stage_parser(__doc__, "export")
    parser.add_argument("--format", default="keras", help=f"of {', '.join(WRITERS)}; default keras")
    parser.add_argument("--model", type=Path, default=artifacts.TRAINED, help="default: trained")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder; default: exported")
    options = parser.parse_args()
    formats = [name.strip() for name in options.format.split(",")]
    if wrong := [name for name in formats if name not in WRITERS]:
        raise UsageError(f"--format: no {wrong[0]!r} among {', '.join(WRITERS)}")
    about, graph = description.read_model(options.model)
    if about.network.members > 1:
        raise UsageError(
            f"{options.model}: an ensemble, and its model.onnx is the one form that it has; train"
            " with train.ensemble: 1 to export"
        )
    if "litert" in formats and about.network.bidirectional:
        raise UsageError("--format litert steps through time, and this network goes both ways")
    with device.stderr_held_back():
        device.import_keras()
        written = [WRITERS[name](about.network, graph, options.output) for name in formats]
    shutil.copyfile(options.model / "model.json", options.output / "model.json")
    say(f"export: {', '.join(map(str, written))}")


if __name__ == "__main__":
    run(main)
