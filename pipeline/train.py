"""Stage 4: train the network of the recipe that `train.recipe` names.

Minimises the mean squared error over valid frames and all tracks, keeps the epoch that is best on
the validation side, and writes trained/: the model, what a prediction needs to know of it, and the
learning curves. A run that was interrupted goes on from its last epoch.
"""

from __future__ import annotations

import csv
import hashlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.context import stack_frames
from models import batching
from pipeline import checkpoint, device, params, protocols, smoothing, standardize
from pipeline.console import InputError, progress, run, say, stage_parser
from pipeline.onnx_graph import to_onnx
from pipeline.storage import Array, Entry, Store, atomic_path, checksum, discard, write_json
from pipeline.variation import Sounds, Variation

if TYPE_CHECKING:
    import keras

FOLDER = Path("trained")
CHECKPOINT = Path("checkpoints/train.npz")  # no output of the stage: DVC removes those at its start
HISTORY = ("epoch", "train_z_mse", "validation_z_mse", "learning_rate", "seconds", "frames_per_s")


@dataclass(frozen=True)
class Side:
    """The utterances of one side of the split; frames are read when they are wanted."""

    store: Store
    entries: list[Entry]
    context: int = 1  # frames that the network sees at once

    @classmethod
    def open(cls, store: Store, side: str, context: int = 1) -> Side:
        """Open one side of data/standardized."""
        return cls(store, [e for e in store.entries if e.about["split"] == side], context)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Frames of each utterance."""
        return np.array([entry.frames for entry in self.entries])

    def read(self, k: int) -> tuple[Array, Array]:
        """Return inputs [T, features] and targets [T, tracks] of an utterance."""
        entry = self.entries[k]
        return self.store.frames(entry, "inputs"), self.store.frames(entry, "targets")


def build(recipe: params.Recipe, store: Store, steps: int) -> keras.Model:
    """Return the compiled network of a recipe; ``steps`` is updates per epoch."""
    import keras

    from models.regressor import Regressor

    model = Regressor(
        store.columns["targets"],
        dense=recipe.dense,
        cell=recipe.cell,
        units=recipe.units,
        bidirectional=recipe.bidirectional,
        merge=recipe.merge,
        dropout=recipe.dropout,
        recurrent_dropout=recipe.recurrent_dropout,
        l2=recipe.l2,
        loop=recipe.loop,
        delay=recipe.output_delay,
        dtype=recipe.precision,
    )
    width = recipe.context * store.columns["inputs"]
    model.build({"inputs": (None, None, width), "resets": (None, None)})
    optimizer = keras.optimizers.get(recipe.optimizer)
    optimizer.learning_rate = schedule(recipe, steps)
    optimizer.global_clipnorm = recipe.clip_norm or None
    model.compile(
        optimizer,
        loss=keras.losses.MeanSquaredError(reduction="sum"),  # the weights of a batch sum to 1
        jit_compile=recipe.compile,
    )
    optimizer.build(model.trainable_variables)
    return model


def schedule(recipe: params.Recipe, steps: int) -> Any:
    """Return the learning rate as a function of the update."""
    import keras

    if recipe.schedule == "exponential":
        return keras.optimizers.schedules.ExponentialDecay(
            recipe.learning_rate, steps, recipe.decay, staircase=True
        )
    if recipe.schedule == "cosine":
        total = recipe.epochs * steps
        rising = round(recipe.warmup * total)
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=recipe.learning_rate / 100 if rising else recipe.learning_rate,
            decay_steps=max(1, total - rising),
            alpha=0.01,
            warmup_target=recipe.learning_rate if rising else None,
            warmup_steps=rising,
        )
    return recipe.learning_rate


def assemble(
    batch: batching.Batch, side: Side, variation: Variation | None
) -> tuple[dict[str, Any], Array, Array]:
    """Read the utterances of a batch, vary them and lay them out."""
    inputs, targets = {}, {}
    for k in batch.utterance:
        x, y = side.read(k)
        x, targets[k] = variation.apply(k, x, y) if variation else (x, y)
        inputs[k] = stack_frames(x, side.context)
    return batching.assemble(batch, inputs, targets)


def assembled(
    plan: list[batching.Batch], side: Side, variation: Variation
) -> Iterator[tuple[batching.Batch, tuple[dict[str, Any], Array, Array]]]:
    """Yield every batch with its arrays; those of the next are made while one is trained on."""
    with ThreadPoolExecutor(1) as thread:
        jobs = (thread.submit(assemble, batch, side, variation) for batch in plan)
        job = next(jobs)
        for batch in plan:
            arrays, job = job.result(), next(jobs, job)
            yield batch, arrays


def train_epoch(
    model: keras.Model,
    side: Side,
    plan: list[batching.Batch],
    variation: Variation,
    title: str,
) -> float:
    """Make one update per batch; return the mean loss per valid frame.

    Raises
    ------
    InputError
        Naming the utterances of a batch whose loss is not finite.
    """
    total = frames = 0.0
    bar = progress(assembled(plan, side, variation), total=len(plan), unit="updates")
    bar.set_description(title)
    for batch, (x, y, weight) in bar:
        model.reset_metrics()
        loss = float(model.train_on_batch(x, y, weight))
        if not np.isfinite(loss):
            ids = ", ".join(side.entries[k].id for k in batch.utterance)
            raise InputError(f"the loss became {loss} on the batch of {ids}; lower learning_rate")
        valid = np.count_nonzero(weight)
        total, frames = total + loss * valid, frames + valid
        bar.set_postfix(z_mse=f"{total / frames:.4f}", refresh=False)
    return total / frames


def validate(model: keras.Model, side: Side, plan: list[batching.Batch]) -> float:
    """Return the mean squared error per valid frame."""
    total = frames = 0.0
    for batch in plan:
        x, y, weight = assemble(batch, side, None)
        valid = np.count_nonzero(weight)
        predicted = model.predict_on_batch(x)
        squares = np.square(predicted - y, dtype=np.float64).mean(axis=-1)
        total, frames = total + float((squares * weight).sum()) * valid, frames + valid
    return total / frames


def choose_smoothing(model: keras.Model, side: Side, wanted: str | float) -> smoothing.Smoothing:
    """Return how predictions are to be smoothed, by what it earns on the validation side."""
    statistics = standardize.load_statistics()
    rows = {entry.id: row for row, entry in enumerate(side.store.entries)}
    deltas = side.store.about["deltas"]
    utterances = []
    for batch in batching.epoch("pack", side.lengths, 16, np.random.default_rng(0)):
        predicted = model.predict_on_batch(assemble(batch, side, None)[0])
        for k, lane, start in zip(batch.utterance, batch.lane, batch.start, strict=True):
            _, measured = side.read(k)  # whose width leaves out variances
            z = predicted[lane, start : start + len(measured), : measured.shape[1]]
            row = rows[side.entries[k].id]
            own = (statistics[f"target_{key}"][row] for key in ("mean", "scale"))
            utterances.append((z, measured, *own))
    chosen, errors = smoothing.choose(wanted, utterances, deltas)
    tried = ", ".join(f"{name} {error:.4f}" for name, error in errors.items())
    say(f"train: validation z-MSE of the tracks, smoothed: {tried}; chosen: {chosen}")
    return chosen


def fingerprint(settings: params.Params) -> str:
    """Return what tells one run from another: recipe, seed, data and software."""
    parts = {
        "recipe": msgspec.to_builtins(settings.recipe),
        "train": msgspec.to_builtins(settings.train),
        "data": checksum(standardize.FOLDER / "index.json"),
        "software": software(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def software() -> dict[str, str]:
    """Return the versions that a trained model depends on."""
    return {name: version(name) for name in ("tensorflow", "keras", "numpy", "librosa")}


def fit(
    model: keras.Model,
    recipe: params.Recipe,
    sides: tuple[Side, Side],
    seed: int,
    mark: str,
    sounds: Sounds | None = None,
) -> list[dict[str, Any]]:
    """Train for ``recipe.epochs`` and leave the weights of the best epoch in the model.

    Parameters
    ----------
    sides : (Side, Side)
        Train and validation.
    mark : str
        The fingerprint of this run; a checkpoint with the same one is gone on from.
    sounds : Sounds or None
        Of the train side, where they are varied.

    Returns
    -------
    list of dict
        One row of `HISTORY` per epoch.
    """
    train, validation = sides
    rng = np.random.default_rng(seed)
    held_out = batching.epoch("pack", validation.lengths, 16, np.random.default_rng(seed))
    history: list[dict[str, Any]] = []
    best = model.get_weights()
    restored = checkpoint.restore(CHECKPOINT, model, mark)
    if restored is not None:
        best, state = restored
        history, rng.bit_generator.state = state["history"], state["rng"]
        say(f"train: going on after epoch {len(history)}")
    while len(history) < recipe.epochs and not stalled(history, recipe.patience):
        title = f"epoch {len(history) + 1}/{recipe.epochs}"
        started = time.perf_counter()
        variation = Variation(recipe.augment, len(train.entries), rng, sounds)
        lengths = variation.lengths(train.lengths)
        plan = batching.epoch(recipe.batching, lengths, recipe.batch_size, rng)
        loss = train_epoch(model, train, plan, variation, title)
        seconds = time.perf_counter() - started
        error = validate(model, validation, held_out)
        if error < min((row["validation_z_mse"] for row in history), default=np.inf):
            best = model.get_weights()
        rate = float(model.optimizer.learning_rate)
        speed = train.lengths.sum() / seconds
        row = (len(history) + 1, loss, error, rate, seconds, speed)
        history.append(dict(zip(HISTORY, row, strict=True)))
        say(f"{title}: train {loss:.4f}, validation {error:.4f}, {speed:.0f} frames/s")
        state = {"fingerprint": mark, "history": history, "rng": rng.bit_generator.state}
        checkpoint.save(CHECKPOINT, model, best, state)
    model.set_weights(best)
    return history


def stalled(history: list[dict[str, Any]], patience: int) -> bool:
    """Tell whether the last ``patience`` epochs brought nothing better; never for 0."""
    errors = [row["validation_z_mse"] for row in history]
    return 0 < patience < len(errors) and min(errors[-patience:]) >= min(errors[:-patience])


def describe(
    settings: params.Params, store: Store, history: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return all that a prediction and a reader need to know of the trained model.

    At prediction the statistics of the true tracks do not exist; the average over the train side
    stands in for them.
    """
    train = np.array([e.about["split"] == protocols.TRAIN for e in store.entries])
    statistics = standardize.load_statistics()
    best = min(history, key=lambda row: row["validation_z_mse"])
    return {
        **store.about,
        "statistics": {k: v[train].mean(axis=0).tolist() for k, v in statistics.items()},
        "recipe": msgspec.to_builtins(settings.recipe),
        "recipe_name": settings.train.recipe,
        "seed": settings.train.seed,
        "trained_on": {
            "corpus": settings.corpus.reader,
            "speakers": sorted({e.about["speaker"] for e in store.entries}),
            "utterances": int(train.sum()),
            "frames": sum(e.frames for e, on in zip(store.entries, train, strict=True) if on),
            "best_epoch": best["epoch"],
            "validation_z_mse": best["validation_z_mse"],
        },
        "software": software(),
    }


def write(
    folder: Path, model: keras.Model, about: dict[str, Any], history: list[dict[str, Any]]
) -> None:
    """Write the trained folder, whole or not at all."""
    with atomic_path(folder) as part:
        part.mkdir()
        model.save(part / "model.keras")
        to_onnx(model, part / "model.onnx")
        sums = {name: checksum(part / name) for name in ("model.keras", "model.onnx")}
        write_json(part / "model.json", about | {"sha256": sums})
        with (part / "history.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, HISTORY, lineterminator="\n")
            writer.writeheader()
            writer.writerows(history)


def main() -> None:
    """Run the stage."""
    stage_parser(__doc__, "train").parse_args()
    settings = params.load()
    recipe = settings.recipe
    store = Store(standardize.FOLDER, "standardize")
    store.verify()
    train, validation = (
        Side.open(store, side, recipe.context) for side in (protocols.TRAIN, protocols.VALIDATION)
    )
    smoothing.check(settings.train.smoothing, store.about["deltas"])
    where = device.choose(settings.train.device)

    import keras
    import tensorflow as tf

    if not recipe.compile:  # Keras does not compile what TensorFlow is to keep deterministic
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(settings.train.seed)
    first = batching.epoch(
        recipe.batching, train.lengths, recipe.batch_size, np.random.default_rng(0)
    )
    model = build(recipe, store, len(first))
    frames = int(train.lengths.sum())
    say(
        f"train: recipe {settings.train.recipe}, {model.count_params():,} weights on {where};"
        f" {len(train.entries)} utterances, {frames} frames, {len(first)} updates per epoch,"
        f" {batching.waste(first, train.lengths):.0%} padding"
    )
    started = time.perf_counter()
    mark, sound = fingerprint(settings), recipe.augment.sound
    sounds = Sounds(store, train.entries, sound, settings) if sound else None
    history = fit(model, recipe, (train, validation), settings.train.seed, mark, sounds)
    chosen = choose_smoothing(model, validation, settings.train.smoothing)
    about = describe(settings, store, history) | {"smoothing": msgspec.to_builtins(chosen)}
    write(FOLDER, model, about, history)
    discard(CHECKPOINT)
    best = min(history, key=lambda row: row["validation_z_mse"])
    say(
        f"train: {time.perf_counter() - started:.0f} s, best validation z-MSE"
        f" {best['validation_z_mse']:.4f} in epoch {best['epoch']} -> {FOLDER}"
    )


if __name__ == "__main__":
    run(main)
