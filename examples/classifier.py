"""What the MNIST tutorials share: training, the race with Keras's own layers, the summary."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from examples import arguments, mnist, pictures
from examples.early_stopping import EarlyStopping
from examples.results import Race, Run
from pipeline import device
from pipeline.console import progress, say

if TYPE_CHECKING:
    import keras

EVERY = 10  # steps between two validations
Network = Callable[[Any], "keras.Model"]  # from a module with recurrent layers: ours or Keras's


@dataclass(frozen=True)
class Task:
    """What a tutorial trained, and what it reached.

    Attributes
    ----------
    name : str
    network : callable
        Makes the model from the layers of `models.recurrent` or of `keras.layers`.
    batch, epochs : int
    published : float
        Test accuracy in the tutorial.
    patience : int, optional
        Steps without a better validation score after which the tutorial stopped.
    """

    name: str
    network: Network
    batch: int
    epochs: int
    published: float
    patience: int | None = None


def compiled(model: keras.Model, xla: bool = False) -> keras.Model:
    """Compile a model that ends in the scores of ten digits, with Adam at 0.001."""
    import keras

    model.compile(
        keras.optimizers.Adam(1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=EVERY,
        jit_compile=xla,
    )
    return model


def wrong(model: keras.Model, images: mnist.Images, chosen: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell which of the chosen images a model gets wrong."""
    scores = model.predict_on_batch(images.rows[chosen])
    return scores.argmax(axis=-1) != images.digits[chosen]


def accuracy(model: keras.Model, images: mnist.Images) -> float:
    """Return the fraction of images that a model gets right."""
    parts = np.array_split(np.arange(len(images.digits)), max(1, len(images.digits) // 1000))
    return 1 - float(np.concatenate([wrong(model, images, part) for part in parts]).mean())


def train(
    task: Task, data: mnist.Mnist, seed: int, limit: int | None = None
) -> tuple[Run, keras.Model]:
    """Train as the tutorial did and test once, at the end, the model that is returned.

    Parameters
    ----------
    task : Task
    data : Mnist
    seed : int
    limit : int, optional
        Steps after which to stop in any case.
    """
    import keras

    from models import recurrent

    keras.utils.set_random_seed(seed)
    model = compiled(task.network(recurrent))
    reader = keras.Model(model.inputs, model.outputs)  # shares the weights; reads without training
    stopping = EarlyStopping(len(data.validation.digits), task.patience or 0)
    run, best = Run(), model.get_weights()
    steps = len(data.train.digits) // task.batch  # whole batches only: one shape
    started = time.perf_counter()

    def after_steps(_: int, logs: dict[str, float]) -> None:
        nonlocal best
        step = int(model.optimizer.iterations)
        bar.update(step - run.steps)
        run.steps = step
        if task.patience is not None:
            if stopping.better(step, partial(wrong, reader, data.validation)):
                best = model.get_weights()
                share = 1 - stopping.fewest / len(data.validation.digits)
                run.checks.append((step, time.perf_counter() - started, share))
            model.stop_training = stopping.done(step)
        model.stop_training |= limit is not None and step >= limit
        score = f"{run.checks[-1][-1]:.2%}" if run.checks else "-"
        bar.set_postfix(loss=f"{logs['loss']:.4f}", validation=score, refresh=False)

    def after_epoch(_: int, __: dict[str, float]) -> None:
        if task.patience is None:
            score = accuracy(reader, data.validation)
            run.checks.append((run.steps, time.perf_counter() - started, score))

    with progress(range(0), total=task.epochs * steps, unit="steps") as bar:
        bar.set_description(f"{task.name}, seed {seed}")
        model.fit(
            *(side[: steps * task.batch] for side in data.train),
            batch_size=task.batch,
            epochs=task.epochs,
            verbose=0,
            callbacks=[
                keras.callbacks.LambdaCallback(
                    on_train_batch_end=after_steps, on_epoch_end=after_epoch
                )
            ],
        )
    run.seconds = time.perf_counter() - started
    if task.patience is not None:
        model.set_weights(best)
    run.test = accuracy(reader, data.test)
    return run, model


def race(task: Task, data: mnist.Mnist, rounds: int = 4, steps: int = 40) -> Race:
    """Time the same network on our layers and on Keras's, in turns.

    Keras's layers run both as a graph and through XLA; what counts is the faster.
    """
    import keras

    from models import recurrent

    runners = {
        "ours": compiled(task.network(recurrent)),
        "graph": compiled(task.network(keras.layers)),
        "XLA": compiled(task.network(keras.layers), xla=True),
    }
    batches = [side[: steps * task.batch] for side in data.train]
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runners}
    for _ in progress(range(1 + rounds), unit="rounds"):
        for name, model in runners.items():
            started = time.perf_counter()
            model.fit(*batches, batch_size=task.batch, verbose=0)
            trained = time.perf_counter()
            model.evaluate(*data.validation, batch_size=1000, verbose=0)
            times[name].append((trained - started, time.perf_counter() - trained))
    # the first round compiles
    best = {name: 1e3 * np.min(rows[1:], axis=0) for name, rows in times.items()}
    keras_step, keras_validation = np.minimum(best["graph"], best["XLA"])
    return Race(best["ours"][0] / steps, keras_step / steps, keras_validation)


def options(name: str, description: str | None, epochs: int) -> arguments.Parser:
    """Return the command line that the MNIST tutorials share."""
    parser = arguments.parser(name, description)
    parser.add_argument(
        "--seeds", type=arguments.positive, default=1, help="train so often, seed by seed"
    )
    parser.add_argument(
        "--epochs", type=arguments.positive, default=epochs, help=f"at most (default {epochs})"
    )
    parser.add_argument("--steps", type=arguments.positive, help="stop after so many, to try it")
    parser.add_argument(
        "--mnist",
        type=Path,
        default=mnist.FOLDER,
        metavar="FOLDER",
        help=f"of the four files (default {mnist.FOLDER}; if it is not there, Keras downloads)",
    )
    parser.add_argument("--no-race", action="store_true", help="leave Keras's own layers out")
    parser.add_argument(
        "--picture",
        type=Path,
        default=arguments.OUTPUT / f"{name}.png",
        help="where to draw (default %(default)s)",
    )
    return parser


def summary(task: Task, runs: list[Run], race: Race | None) -> str:
    """Return what came out in one line."""
    tests = [100 * run.test for run in runs]
    seconds = np.mean([run.seconds for run in runs])
    steps = np.mean([run.steps for run in runs])
    line = (
        f"{task.name}: test {np.mean(tests):.2f} % (tutorial {100 * task.published:.2f} %;"
        f" {len(runs)} seeds, {min(tests):.2f} to {max(tests):.2f}),"
        f" {steps:.0f} steps in {seconds:.0f} s"
    )
    if race is not None:
        line += (
            f"; a step {race.ours:.1f} ms, with Keras's layers {race.keras:.1f} ms"
            f" ({race.ours / race.keras:.2f})"
        )
        if task.patience is not None:
            whole = steps * (race.keras + race.keras_validation / EVERY) / 1e3
            line += (
                f"; as many steps with a full validation by Keras's layers {whole:.0f} s"
                f" ({seconds / whole:.2f})"
            )
    return line


def main(tasks: Sequence[Task], given: Namespace) -> None:
    """Train every task with every seed, print a line for each and draw them all."""
    data = mnist.load(given.mnist)
    device.choose("auto")
    runs: dict[str, list[Run]] = {}
    for task in tasks:
        runs[task.name] = [
            train(task, data, seed, given.steps)[0]
            for seed in range(given.seed, given.seed + given.seeds)
        ]
        say(summary(task, runs[task.name], None if given.no_race else race(task, data)))
    published = {task.name: task.published for task in tasks}
    pictures.save(pictures.accuracy(runs, published), given.picture)
