"""The networks of the MNIST tutorials on this engine's layers and on Keras's own, in turns.

Keras's layers run both as a graph and through XLA, the engine's as in the tutorials; all have every
core. A reading is of the 5,000 validation images by Keras's layers, which the stacked and the
bidirectional tutorial want every 10 steps. The best of several rounds counts.
"""

from __future__ import annotations

import logging
import time
from functools import partial
from pathlib import Path

import numpy as np

from examples import (
    arguments,
    classifier,
    mnist,
    mnist_bidirectional,
    mnist_rows,
    mnist_stacked,
)
from examples.feeding import whole_batches
from pipeline.ground import device
from pipeline.ground.console import progress, run, say

NETWORKS: dict[str, tuple[classifier.Network, int, bool]] = {  # batch; whether XLA is for ours
    "one layer, dynamic loop": (partial(mnist_rows.network, loop="dynamic"), 128, True),
    "one layer, static loop": (partial(mnist_rows.network, loop="static"), 128, False),
    "3 x LSTM": (partial(mnist_stacked.network, cell="lstm"), 100, True),
    "3 x GRU": (partial(mnist_stacked.network, cell="gru"), 100, True),
    "3 x RNN": (partial(mnist_stacked.network, cell="rnn"), 100, True),
    "2 x both directions": (mnist_bidirectional.network, 100, True),
}


def race(
    data: mnist.Mnist,
    network: classifier.Network,
    batch: int,
    xla: bool,
    rounds: int,
    steps: int = 20,
) -> dict[str, float]:
    """Return milliseconds of a training step of every contestant, and of a reading by Keras."""
    import keras

    from models import recurrent

    contestants = {
        "this engine": classifier.compiled(network(recurrent), xla),
        "Keras, graph": classifier.compiled(network(keras.layers), xla=False),
        "Keras, XLA": classifier.compiled(network(keras.layers), xla=True),
    }
    x, y = (side[: steps * batch] for side in data.train)
    train = whole_batches(x, y, batch, shuffle=False)
    reading = min(1000, len(data.validation.digits))
    held_out = whole_batches(*data.validation, reading, shuffle=False)
    best = dict.fromkeys([*contestants, "reading"], np.inf)
    for number in progress(range(1 + rounds), unit="rounds"):
        taken: dict[str, float] = {}
        for name, model in contestants.items():
            started = time.perf_counter()
            model.fit(train, shuffle=False, verbose=0)
            taken[name] = (time.perf_counter() - started) / steps
        started = time.perf_counter()
        contestants["Keras, graph"].evaluate(held_out, verbose=0)
        taken["reading"] = time.perf_counter() - started
        if number:  # the first round builds
            best = {name: min(1e3 * taken[name], least) for name, least in best.items()}
    return best


def main() -> None:
    """Print a table."""
    parser = arguments.parser("digits", __doc__, package="benchmarks")
    parser.add_argument("--rounds", type=arguments.positive, default=5, help="default %(default)s")
    parser.add_argument(
        "--mnist",
        type=Path,
        default=mnist.FOLDER,
        metavar="FOLDER",
        help="of the four files (default %(default)s; if it is not there, Keras downloads)",
    )
    given = parser.parse_args()
    data = mnist.load(given.mnist)
    device.choose("cpu")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # several models are built on purpose
    say("ms of a step             this engine  Keras, graph  Keras, XLA   ratio  Keras, reading")
    for name, contestant in NETWORKS.items():
        ours, graph, xla, reading = race(data, *contestant, given.rounds).values()
        ratio = ours / min(graph, xla)
        say(f"{name:24}{ours:12.1f}{graph:14.1f}{xla:12.1f}{ratio:8.2f}{reading:16.0f}")


if __name__ == "__main__":
    run(main)
