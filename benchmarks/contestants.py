"""What `benchmarks.recurrent` times: training steps of several libraries on equal terms.

Run as a process, it reads one request a line on standard input, ``{"variant": ..., "shape": ...}``,
and answers with seconds; the first request for a variant builds it and warms it up, untimed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.shape import INPUTS, OUTPUTS, Shape

LENGTHS = Path(__file__).resolve().parents[2] / "shared" / "data" / "seed" / "Y.npy"
FRAMES = 300
LEARNING_RATE = 7e-5
SIDE = 2048  # of the matrices of the large product
FRAMES_PER_UPDATE = 8000
Step = Callable[[], object]

# The processes that time, by name: the package that each needs, and its environment. XLA has two
# kinds of matrix products for CPUs: YNNPACK's, its default, and Eigen's.
PROCESSES: dict[str, tuple[str, dict[str, str]]] = {
    "tensorflow": ("tensorflow", {"KERAS_BACKEND": "tensorflow"}),
    "tensorflow, Eigen": (
        "tensorflow",
        {
            "KERAS_BACKEND": "tensorflow",
            "XLA_FLAGS": "--xla_cpu_experimental_ynn_fusion_type=",
        },
    ),
    "jax": ("jax", {"KERAS_BACKEND": "jax"}),
    "torch": ("torch", {}),
}

Build = Callable[[Shape], Step]

SHAPES = {
    "lstm-1024-b16": Shape("lstm", 1024, 16),
    "lstm-1024-b1": Shape("lstm", 1024, 1),
    "bilstm-2x256-b16": Shape("lstm", 256, 16, bidirectional=True, layers=2),
    "gru-1024-b16": Shape("gru", 1024, 16),
}


def batch_of(shape: Shape, utterances: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw inputs and targets."""
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((utterances, FRAMES, n), np.float32) for n in (INPUTS, OUTPUTS))
    return x, y


def keras_step(layers: Sequence[Any], shape: Shape, jit: bool) -> Step:
    """Return an update of recurrent Keras layers with a dense layer on top."""
    import keras

    x, y = batch_of(shape, shape.batch)
    dense = keras.layers.Dense(OUTPUTS, dtype="float32")
    model = keras.Sequential([keras.Input((FRAMES, INPUTS)), *layers, dense])
    model.compile(keras.optimizers.Adam(LEARNING_RATE), "mse", jit_compile=jit)
    return lambda: model.train_on_batch(x, y)


def own(shape: Shape, jit: bool, dtype: str = "float32") -> Step:
    """Return an update of this project's layer."""
    from models.recurrent import RecurrentStack

    units = (shape.units,) * shape.layers
    stack = RecurrentStack(shape.cell, units, bidirectional=shape.bidirectional, dtype=dtype)
    return keras_step([stack], shape, jit)


def keras_layers(shape: Shape, jit: bool) -> Step:
    """Return an update of ``keras.layers``."""
    import keras

    def layer() -> Any:
        cell = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[shape.cell]
        made = cell(shape.units, return_sequences=True)
        return keras.layers.Bidirectional(made) if shape.bidirectional else made

    return keras_step([layer() for _ in range(shape.layers)], shape, jit)


def torch_network(shape: Shape) -> Any:
    """Return ``torch.nn.LSTM`` or ``GRU`` with a dense layer on top."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[shape.cell]
            self.recurrent = kind(
                INPUTS,
                shape.units,
                num_layers=shape.layers,
                bidirectional=shape.bidirectional,
                batch_first=True,
            )
            self.dense = torch.nn.Linear((1 + shape.bidirectional) * shape.units, OUTPUTS)

        def forward(self, x: Any) -> Any:
            return self.dense(self.recurrent(x)[0])

    return Network()


def torch_step(shape: Shape) -> Step:
    """Return an update of ``torch.nn``."""
    import torch

    network = torch_network(shape)
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    x, y = (torch.from_numpy(a) for a in batch_of(shape, shape.batch))

    def step() -> float:
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(network(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def tutorial_step(shape: Shape) -> Step:
    """Return an update the tutorial's way."""
    from benchmarks import tutorials_way

    network = tutorials_way.Network(shape, INPUTS, OUTPUTS)
    x, y = batch_of(shape, 1)
    return lambda: float(network.update(x, y))


def utterances() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return noise with the lengths of real utterances, as inputs and targets."""
    recorded = np.load(LENGTHS, allow_pickle=True, encoding="latin1")
    rng = np.random.default_rng(0)
    inputs, targets = (
        [rng.standard_normal((len(tracks), n), np.float32) for tracks in recorded]
        for n in (INPUTS, OUTPUTS)
    )
    return inputs, targets


def own_epoch(name: str, shape: Shape, jit: bool) -> Step:
    """Return an epoch of this project's regressor over real lengths, batched by name."""
    import keras

    from models import batching
    from models.regressor import Regressor

    inputs, targets = utterances()
    lengths = np.array([len(x) for x in inputs])
    size = round(FRAMES_PER_UPDATE / lengths.mean()) if name == "pack" else shape.batch
    plan = batching.epoch(name, lengths, size, np.random.default_rng(0))
    model = Regressor(OUTPUTS, cell=shape.cell, units=(shape.units,), bidirectional=False)
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE),
        keras.losses.MeanSquaredError(reduction="sum"),
        jit_compile=jit,
    )

    def epoch() -> None:
        for batch in plan:
            model.train_on_batch(*batching.assemble(batch, inputs, targets))

    return epoch


def torch_epoch(batch_size: int, shape: Shape) -> Step:
    """Return an epoch of ``torch.nn`` over the same utterances, sorted by length and padded."""
    import torch

    inputs, targets = utterances()
    order = np.argsort([len(x) for x in inputs])
    network = torch_network(shape)
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)

    def padded(sequences: list[np.ndarray], chosen: np.ndarray) -> Any:
        tensors = [torch.from_numpy(sequences[i]) for i in chosen]
        return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True)

    def epoch() -> None:
        for chosen in np.split(order, np.arange(batch_size, len(order), batch_size)):
            lengths = torch.tensor([len(inputs[i]) for i in chosen])
            x, y = padded(inputs, chosen), padded(targets, chosen)
            valid = torch.arange(x.shape[1]) < lengths[:, None]
            optimizer.zero_grad()
            error = (network(x) - y) ** 2 * valid[..., None]
            (error.sum() / (lengths.sum() * OUTPUTS)).backward()
            optimizer.step()

    return epoch


def large_product(library: str, dtype: str) -> Step:
    """Return one large matrix product, the most that the machine gives a library."""
    a, b = np.random.default_rng(0).standard_normal((2, SIDE, SIDE), np.float32)
    if library == "torch":
        import torch

        torch_a, torch_b = (torch.from_numpy(m).to(getattr(torch, dtype)) for m in (a, b))
        return lambda: torch_a @ torch_b
    if library == "jax":
        import jax

        jax_a, jax_b = (jax.numpy.asarray(m, dtype) for m in (a, b))
        jitted = jax.jit(jax.numpy.matmul)
        return lambda: jitted(jax_a, jax_b).block_until_ready()
    import tensorflow as tf

    tf_a, tf_b = (tf.cast(m, dtype) for m in (a, b))
    traced = tf.function(tf.matmul)
    return lambda: traced(tf_a, tf_b).numpy()[0, 0]


def product_of(library: str, dtype: str) -> tuple[str, Build]:
    """Return an entry of the table below."""
    return library, lambda _: large_product(library, dtype)


# name: the process that times it, and how it is built
STEPS: dict[str, tuple[str, Build]] = {
    "own, tensorflow graph": ("tensorflow", lambda s: own(s, jit=False)),
    "own, tensorflow xla": ("tensorflow", lambda s: own(s, jit=True)),
    "own, tensorflow xla, Eigen": ("tensorflow, Eigen", lambda s: own(s, jit=True)),
    "own, jax": ("jax", lambda s: own(s, jit=True)),
    "own, tensorflow graph, bfloat16": (
        "tensorflow",
        lambda s: own(s, jit=False, dtype="mixed_bfloat16"),
    ),
    "own, tensorflow xla, bfloat16": (
        "tensorflow",
        lambda s: own(s, jit=True, dtype="mixed_bfloat16"),
    ),
    "own, jax, bfloat16": ("jax", lambda s: own(s, jit=True, dtype="mixed_bfloat16")),
    "keras, graph": ("tensorflow", lambda s: keras_layers(s, jit=False)),
    "keras, xla": ("tensorflow", lambda s: keras_layers(s, jit=True)),
    "torch": ("torch", torch_step),
    "tutorial": ("tensorflow", tutorial_step),
}
EPOCHS: dict[str, tuple[str, Build]] = {
    "own, pad": ("tensorflow", lambda s: own_epoch("pad", s, jit=False)),
    "own, bucket": ("tensorflow", lambda s: own_epoch("bucket", s, jit=False)),
    "own, pack": ("tensorflow", lambda s: own_epoch("pack", s, jit=False)),
    "own, bucket, xla, Eigen": ("tensorflow, Eigen", lambda s: own_epoch("bucket", s, jit=True)),
    "own, pack, xla, Eigen": ("tensorflow, Eigen", lambda s: own_epoch("pack", s, jit=True)),
    "torch, sorted by 16": ("torch", lambda s: torch_epoch(16, s)),
    "torch, sorted by 8": ("torch", lambda s: torch_epoch(8, s)),
    "torch, sorted by 4": ("torch", lambda s: torch_epoch(4, s)),
}
PRODUCTS: dict[str, tuple[str, Build]] = {
    f"product, {library}, {dtype}": product_of(library, dtype)
    for library in ("tensorflow", "jax", "torch")
    for dtype in ("float32", "bfloat16")
}
ALL = STEPS | EPOCHS | PRODUCTS


def serve() -> None:
    """Answer requests until there are none."""
    # libraries write to standard output too: keep it for answers
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    shape = ""
    steps: dict[str, Step] = {}
    for line in sys.stdin:
        request = json.loads(line)
        variant = request["variant"]
        if request["shape"] != shape:
            shape, steps = request["shape"], {}
        if variant not in steps:
            steps[variant] = ALL[variant][1](SHAPES[shape])
            steps[variant]()
        started = time.perf_counter()
        steps[variant]()
        print(time.perf_counter() - started, file=answers, flush=True)


if __name__ == "__main__":
    serve()
