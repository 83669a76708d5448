"""Where the time of the MNIST tutorials goes: one LSTM layer, forward and backward, in turns.

``products`` are the matrix products that any LSTM has to do on these shapes, and nothing else: none
can be faster with the same arithmetic. The best of several rounds counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from examples import arguments
from pipeline.ground import device
from pipeline.ground.console import progress, run, say

if TYPE_CHECKING:
    import keras

FRAMES = 28
SHAPES = {  # batch, inputs, units
    "mnist_rows": (128, 28, 128),
    "mnist_stacked, second layer": (100, 100, 100),
}


def products(batch: int, inputs: int, units: int) -> Callable[[], Any]:
    """Return a function that does the products of a layer, forward and backward."""
    import tensorflow as tf

    x = tf.random.normal((FRAMES * batch, inputs))
    kernel = tf.Variable(tf.random.normal((inputs, 4 * units)))
    recurrent = tf.Variable(tf.random.normal((units, 4 * units)))

    def work() -> Any:
        z = x @ kernel  # [T * B, 4H]
        h, dz = z[:batch, :units], z[:batch]
        for _ in range(FRAMES):
            h = (h @ recurrent)[:, :units]
        for _ in range(FRAMES):
            dz = tf.tile(dz @ tf.transpose(recurrent), (1, 4))
        gradients = [
            tf.transpose(x) @ z,
            tf.transpose(z[:, :units]) @ (2 * z),
            z @ tf.transpose(kernel),
        ]
        return [h, dz, *gradients]

    return work


def forward(layer: keras.Layer, batch: int, inputs: int) -> Callable[[], Any]:
    """Return a function that runs a layer."""
    import tensorflow as tf

    x = tf.random.normal((batch, FRAMES, inputs))
    layer.build(x.shape)
    return lambda: layer(x)


def both(layer: keras.Layer, batch: int, inputs: int) -> Callable[[], Any]:
    """Return a function that runs a layer and differentiates by its input and its weights."""
    import tensorflow as tf

    x = tf.random.normal((batch, FRAMES, inputs))
    layer.build(x.shape)

    def work() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.square(layer(x)))
        return tape.gradient(loss, [x, *layer.trainable_variables])

    return work


def contestants(batch: int, inputs: int, units: int) -> dict[str, Callable[[], Any]]:
    """Return what takes turns on one shape."""
    import keras
    import tensorflow as tf

    from models import recurrent

    def layer(source: Any, **options: Any) -> keras.Layer:
        return source.LSTM(units, return_sequences=True, **options)

    works = {
        "products": products(batch, inputs, units),
        "this engine, forward": forward(layer(recurrent), batch, inputs),
        "this engine": both(layer(recurrent), batch, inputs),
        "this engine, static loop": both(layer(recurrent, unroll=True), batch, inputs),
        "Keras, forward": forward(layer(keras.layers), batch, inputs),
        "Keras": both(layer(keras.layers), batch, inputs),
    }
    return {
        f"{name}, {how}": tf.function(work, jit_compile=xla)
        for name, work in works.items()
        for how, xla in (("graph", False), ("XLA", True))
    }


def main() -> None:
    """Print milliseconds of every contestant on every shape."""
    parser = arguments.parser("digits_layer", __doc__, package="benchmarks")
    parser.add_argument("--rounds", type=arguments.positive, default=30, help="default %(default)s")
    given = parser.parse_args()
    device.choose("cpu")
    import keras
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # it takes the contestants for one function traced anew
    keras.utils.set_random_seed(given.seed)
    for name, (batch, inputs, units) in SHAPES.items():
        say(f"{name}: batch {batch}, {FRAMES} frames of {inputs}, {units} units; ms")
        works = contestants(batch, inputs, units)
        best: dict[str, float] = {}
        for number in progress(range(1 + given.rounds), unit="rounds"):
            for contestant, work in works.items():
                started = time.perf_counter()
                work()
                if number:  # the first round builds
                    seconds = time.perf_counter() - started
                    best[contestant] = min(best.get(contestant, seconds), seconds)
        for contestant, seconds in best.items():
            say(f"  {contestant:32}{1e3 * seconds:7.1f}")


if __name__ == "__main__":
    run(main)
