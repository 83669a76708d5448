"""Seconds of training until a network is as good as the tutorial's: its own way, and the default.

``python -m studies.time_to_quality`` trains both on what ``dvc repro standardize`` leaves, epoch
by epoch, until the z-MSE of the validation set is at most 0.454, the tutorial's own figure on its
own test set. The clock runs while a network is made and during updates, reading included;
validation and test are measured between epochs. It prints and writes
(``studies/results/time_to_quality.json``) both curves, and how many times sooner the default is
there. With ``--limit``, a way that has not got there by so many seconds is left there, and the
ratio is a lower bound and printed as one: nothing is extrapolated.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import ROOT, machine
from benchmarks.shape import Shape
from models import batching
from pipeline.corpora import protocols
from pipeline.ground import artifacts, device, params
from pipeline.ground.console import progress, run, say
from pipeline.ground.storage import Store, write_json
from pipeline.training import fitting
from pipeline.training.augmentation import Augmentation, Sounds
from pipeline.training.fitting import Split, TrainingRun

RESULTS = ROOT / "studies" / "results" / "time_to_quality.json"
QUALITY = 0.454
TUTORIAL = Shape("lstm", 1024, 1)

Splits = dict[str, Split]
Epoch = Callable[[], None]
Measure = Callable[[Split], float]
Way = tuple[Epoch, Measure]
Curve = list[dict[str, float]]


def tutorials_way(splits: Splits, seed: int) -> Way:
    """Return an epoch the tutorial's way, an update per utterance, and its error on a split."""
    from benchmarks.tutorials_way import Network

    rng = np.random.default_rng(seed)
    train = splits[protocols.TRAIN]
    columns = train.store.columns
    network = Network(TUTORIAL, columns["inputs"], columns["targets"])

    def epoch() -> None:
        for k in progress(rng.permutation(len(train.entries)), unit="utterances"):
            x, y = train.read(k)
            network.update(x[None], y[None])

    def error(split: Split) -> float:
        total = 0.0
        for k in range(len(split.entries)):
            x, y = split.read(k)
            total += np.square(network.predict(x[None])[0] - y).mean(axis=1).sum()
        return float(total / split.lengths.sum())

    return epoch, error


def default_way(splits: Splits, seed: int) -> Way:
    """Return an epoch of the recipe of params.yaml, and its error on a split."""
    settings = params.load()
    recipe = settings.recipe
    device.make_deterministic(compiled=recipe.compile)  # as the stage does
    train = splits[protocols.TRAIN]
    sounds = Sounds.of(train.store, train.entries, settings)
    dynamics = fitting.dynamics(recipe, train)
    task = TrainingRun(
        recipe, train, splits[protocols.VALIDATION], seed, Path(), "", 1, sounds, dynamics
    )
    model, rng = fitting.build(task), np.random.default_rng(seed)
    fitting.trace(model, task)

    def epoch() -> None:
        augmentation = Augmentation(recipe.augment, len(train.entries), rng, sounds)
        plan = task.plan(augmentation.lengths(train.lengths), rng)
        fitting.train_epoch(model, task, plan, augmentation, "default")

    def error(split: Split) -> float:
        plan = batching.epoch("pack", split.lengths, 16, np.random.default_rng(0))
        return fitting.validate(model, task, split, plan)[1]

    return epoch, error


def curve(
    make: Callable[[], Way],
    splits: Splits,
    quality: float,
    limit: float,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[dict[str, float]]:
    """Train until the validation error is at most ``quality`` or ``limit`` seconds are over.

    Yields
    ------
    dict
        After every epoch, seconds of training so far and the errors on both sides.
    """
    started = clock()
    epoch, error = make()
    seconds = clock() - started
    while True:
        started = clock()
        epoch()
        seconds += clock() - started
        errors = {name: error(splits[name]) for name in (protocols.VALIDATION, protocols.TEST)}
        yield {"seconds": seconds, **errors}
        if errors[protocols.VALIDATION] <= quality or seconds >= limit:
            return


def verdict(curves: dict[str, Curve], quality: float) -> dict[str, Any]:
    """Return when each way got there, and how many times sooner the default is.

    Returns
    -------
    dict
        ``seconds`` per way, None where it did not get there; ``sooner``, and whether that is but a
        ``lower_bound`` because the tutorial's way was left before it got there.
    """
    ends = {name: rows[-1] for name, rows in curves.items()}
    there = {name: end[protocols.VALIDATION] <= quality for name, end in ends.items()}
    sooner = ends["tutorial"]["seconds"] / ends["default"]["seconds"]
    return {
        "quality": quality,
        "seconds": {name: end["seconds"] if there[name] else None for name, end in ends.items()},
        "sooner": sooner if there["default"] else None,
        "lower_bound": not there["tutorial"],
    }


def sentence(found: dict[str, Any]) -> str:
    """Return the verdict in words."""
    if found["sooner"] is None:
        return f"the default did not reach {found['quality']} in time"
    words = f"default: {found['seconds']['default']:.0f} s to {found['quality']}, "
    if found["lower_bound"]:
        return words + f"more than {found['sooner']:.1f} x sooner: the tutorial's way was left"
    return words + f"tutorial {found['seconds']['tutorial']:.0f} s: {found['sooner']:.1f} x sooner"


def main() -> None:
    """Train both and compare."""
    parser = argparse.ArgumentParser(prog="python -m studies.time_to_quality")
    parser.description, parser.formatter_class = __doc__, argparse.RawDescriptionHelpFormatter
    parser.add_argument("--quality", type=float, default=QUALITY, help="default: %(default)s")
    parser.add_argument("--limit", type=float, default=3600, help="seconds; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--output", type=Path, default=RESULTS, help="default: %(default)s")
    options = parser.parse_args()
    import keras  # here, where it does not count

    store = Store(artifacts.STANDARDIZED, "standardize")
    context = params.load().recipe.context
    ways: dict[str, Callable[[Splits, int], Way]] = {
        "tutorial": tutorials_way,  # first: what the default asks of TensorFlow would slow it
        "default": default_way,
    }
    curves: dict[str, Curve] = {}
    for name, make in ways.items():
        seen = context if name == "default" else 1
        splits = {split: Split.open(store, split, seen) for split in protocols.SPLITS}
        curves[name] = []
        keras.utils.set_random_seed(options.seed)
        way = partial(make, splits, options.seed)
        for row in curve(way, splits, options.quality, options.limit):
            curves[name].append(row)
            say(
                f"{name}: epoch {len(curves[name])}, {row['seconds']:.1f} s,"
                f" validation {row['validation']:.3f}, test {row['test']:.3f}"
            )
    found = verdict(curves, options.quality)
    write_json(options.output, {"machine": machine(), **found, "curves": curves})
    say(sentence(found))


if __name__ == "__main__":
    run(main)
