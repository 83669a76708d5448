"""Digits read row by row: one LSTM of 128 units, its last output -> ten scores.

An image is 28 steps of 28 inputs. The loop over the steps is either dynamic, one body that runs any
number of times, or static, a graph of exactly 28 steps: slower to build, no longer input later, the
same function. Adam, batches of 128, 10 epochs. The tutorial reached 98.26 % of the test images.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from examples import classifier
from pipeline.ground.console import run

if TYPE_CHECKING:
    import keras

EPOCHS = 10
LOOPS = ("dynamic", "static")


def network(layers: Any, *, loop: str) -> keras.Model:
    """Build the network from the layers of `models.recurrent` or of `keras.layers`."""
    import keras

    return keras.Sequential(
        [
            keras.Input((28, 28)),
            layers.LSTM(128, unroll=loop == "static"),
            keras.layers.Dense(10),
        ]
    )


def tasks(epochs: int = EPOCHS, loops: Iterable[str] = LOOPS) -> list[classifier.Task]:
    """Return what is trained."""
    return [
        classifier.Task(
            f"{loop} loop",
            partial(network, loop=loop),
            128,
            epochs,
            published=0.9826,
            xla=loop == "dynamic",
        )
        for loop in loops
    ]


def main() -> None:
    """Train, test, draw."""
    parser = classifier.options_of_one("mnist_rows", __doc__, EPOCHS)
    parser.add_argument("--loop", choices=LOOPS, help="only one of them")
    given = parser.parse_args()
    loops = [given.loop] if given.loop else LOOPS
    classifier.main({given.picture: tasks(given.epochs, loops)}, given)


if __name__ == "__main__":
    run(main)
