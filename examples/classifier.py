"""What the MNIST tutorials share: training, several at once, and the summary.

At a hundred units a second core hardly helps a training, so each has one, and as many run at once
as there are cores.
"""

from __future__ import annotations

import os
import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from examples import arguments, mnist, pictures
from examples.early_stopping import EarlyStopping
from examples.feeding import whole_batches
from examples.results import Run
from pipeline.ground import device, workers
from pipeline.ground.console import progress, say

if TYPE_CHECKING:
    import keras

EVERY = 10  # steps between two validations
NEWEST = 0.02  # share of the newest weights in the average that is validated, kept and tested
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
    xla : bool
        Whether XLA makes one program of a step; not worth its while for a static loop.
    """

    name: str
    network: Network
    batch: int
    epochs: int
    published: float
    patience: int | None = None
    xla: bool = True


def compiled(model: keras.Model, xla: bool) -> keras.Model:
    """Prepare a model that ends in the scores of ten digits for Adam at 0.001."""
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
    task: Task, data: mnist.Mnist, seed: int, limit: int | None = None, line: int = 0
) -> tuple[Run, keras.Model]:
    """Train as the tutorial did and test once, at the end, the model that is returned.

    What is validated and returned has the average of the weights over about the last tenth of the
    steps, at most 500: at a constant rate of learning each single step jumps about it.

    Parameters
    ----------
    task : Task
    data : Mnist
    seed : int
    limit : int, optional
        Steps after which to stop in any case.
    line : int
        On the terminal, of the progress bar.
    """
    import keras

    from models import recurrent

    keras.utils.set_random_seed(seed)
    model, reader = compiled(task.network(recurrent), task.xla), task.network(recurrent)
    stopping = EarlyStopping(len(data.validation.digits), task.patience or 0)
    run, best, average = Run(), model.get_weights(), model.get_weights()
    steps = len(data.train.digits) // task.batch
    first = min(steps, limit or steps)  # check: in the first epoch each would be the best so far
    started = time.perf_counter()

    def after_steps(_: int, logs: dict[str, float]) -> None:
        nonlocal best, average
        step = int(model.optimizer.iterations)
        bar.update(step - run.steps)
        run.steps = step
        share = min(1.0, max(NEWEST, 10 * EVERY / step))
        average = [a + share * (w - a) for a, w in zip(average, model.get_weights(), strict=True)]
        reader.set_weights(average)
        if task.patience is not None and step >= first:
            if stopping.better(step, partial(wrong, reader, data.validation)):
                best = average
                score = 1 - stopping.fewest / len(data.validation.digits)
                run.checks.append((step, time.perf_counter() - started, score))
            model.stop_training = stopping.done(step)
        model.stop_training |= limit is not None and step >= limit
        latest = f"{run.checks[-1][-1]:.2%}" if run.checks else "-"
        bar.set_postfix(loss=f"{logs['loss']:.4f}", validation=latest, refresh=False)

    def after_epoch(_: int, __: dict[str, float]) -> None:
        if task.patience is None:
            score = accuracy(reader, data.validation)
            run.checks.append((run.steps, time.perf_counter() - started, score))

    with progress(range(0), total=task.epochs * steps, unit="steps", position=line) as bar:
        bar.set_description(f"{task.name}, seed {seed}")
        model.fit(
            whole_batches(*data.train, task.batch, shuffle=True),
            shuffle=False,  # again
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
        reader.set_weights(best)
    run.test = accuracy(reader, data.test)
    return run, reader


def train_alone(task: Task, folder: Path, seed: int, limit: int | None, line: int) -> Run:
    """Train on one core, in a process that has not begun to use TensorFlow otherwise."""
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    device.choose("auto")
    return train(task, mnist.load(folder), seed, limit, line)[0]


def options(name: str, description: str | None) -> arguments.Parser:
    """Return the command line of all commands that train MNIST tutorials."""
    parser = arguments.parser(name, description)
    parser.add_argument(
        "--seeds", type=arguments.positive, default=1, help="train so often, seed by seed"
    )
    parser.add_argument("--steps", type=arguments.positive, help="stop after so many, to try it")
    parser.add_argument(
        "--mnist",
        type=Path,
        default=mnist.FOLDER,
        metavar="FOLDER",
        help=f"of the four files (default {mnist.FOLDER}; if it is not there, Keras downloads)",
    )
    parser.add_argument(
        "--jobs",
        type=arguments.positive,
        default=len(os.sched_getaffinity(0)),
        help="trainings at once, one core each (default: one per core)",
    )
    return parser


def options_of_one(name: str, description: str | None, epochs: int) -> arguments.Parser:
    """Return the command line of a single tutorial."""
    parser = options(name, description)
    parser.add_argument(
        "--epochs", type=arguments.positive, default=epochs, help=f"at most (default {epochs})"
    )
    parser.add_argument(
        "--picture",
        type=Path,
        default=picture(name),
        help="where to draw (default %(default)s)",
    )
    return parser


def picture(name: str) -> Path:
    """Return where a tutorial is drawn, unless told otherwise."""
    return arguments.OUTPUT / f"{name}.png"


def summary(task: Task, runs: Sequence[Run]) -> str:
    """Return what came out in one line."""
    tests = [100 * run.test for run in runs]
    seconds, steps = (
        np.mean([getattr(run, name) for run in runs]) for name in ("seconds", "steps")
    )
    seeds = f"; mean of {len(runs)} seeds, {min(tests):.2f} to {max(tests):.2f}" * (len(runs) > 1)
    return (
        f"{task.name}: test {np.mean(tests):.2f} % (tutorial {100 * task.published:.2f} %{seeds}),"
        f" {steps:.0f} steps in {seconds:.0f} s of one core"
    )


def main(tutorials: Mapping[Path, Sequence[Task]], given: Namespace) -> None:
    """Train every task of some tutorials with every seed; print a line for each and draw them.

    Parameters
    ----------
    tutorials : mapping of Path to sequence of Task
        By the picture of each, in the order of training.
    given : Namespace
        See `options`.
    """
    mnist.load(given.mnist)  # what is wrong with the files is said before anything starts
    tasks = [task for own in tutorials.values() for task in own]
    seeds = range(given.seed, given.seed + given.seeds)
    calls = [
        (task, given.mnist, seed, given.steps, k)
        for k, (task, seed) in enumerate(product(tasks, seeds))
    ]
    done = workers.spread(train_alone, calls, given.jobs)
    runs = {}
    # a worker that has grown is replaced, which joblib warns of
    warnings.filterwarnings("ignore", "A worker stopped", UserWarning)
    for task in tasks:
        runs[task.name] = list(islice(done, given.seeds))
        say(summary(task, runs[task.name]))
    for path, own in tutorials.items():
        published = {task.name: task.published for task in own}
        pictures.save(pictures.accuracy({name: runs[name] for name in published}, published), path)
