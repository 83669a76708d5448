"""One network trained to the end: epochs, checkpoints, and the weights that are kept.

An epoch is planned, varied and laid out here; what it costs and earns stands in the history. After
each there is a checkpoint with everything that a run needs to go on as if it had never stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.context import stack_frames
from models import batching
from pipeline.corpora.layouts import with_delta_names
from pipeline.ground import params
from pipeline.ground.console import InputError, progress, say
from pipeline.ground.storage import Array, Entry, Store
from pipeline.trained.dynamics import ALONE, Dynamics
from pipeline.training import checkpoint
from pipeline.training.augmentation import Augmentation, Sounds
from pipeline.training.checkpoint import Weights
from pipeline.training.initial import start_from

if TYPE_CHECKING:
    import keras

    from models.regressor import Regressor

CURVES = (
    "epoch",
    "train_loss",
    "train_z_mse",
    "validation_loss",
    "validation_z_mse",
    "learning_rate",
)
TIMES = ("seconds", "frames_per_s")
HISTORY = (*CURVES, *TIMES)
Row = dict[str, Any]


@dataclass(frozen=True)
class Split:
    """The utterances of one side of the split; frames are read when they are wanted."""

    store: Store
    entries: list[Entry]
    context: int = 1  # frames that the network sees at once

    @classmethod
    def open(cls, store: Store, split: str, context: int = 1) -> Split:
        """Open one side of data/standardized."""
        return cls(store, [e for e in store.entries if e.about["split"] == split], context)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Frames of each utterance."""
        return np.array([entry.frames for entry in self.entries])

    def read(self, k: int) -> tuple[Array, Array]:
        """Return inputs [T, features] and targets [T, tracks] of an utterance."""
        entry = self.entries[k]
        return self.store.frames(entry, "inputs"), self.store.frames(entry, "targets")


@dataclass(frozen=True)
class TrainingRun:
    """What one network is trained on, and how.

    Attributes
    ----------
    seed : int
        Of the weights, the order of the utterances and their augmentation.
    checkpoint : Path
    fingerprint : str
        Of this run; a checkpoint with the same one is gone on from.
    devices : int
        That share each batch.
    sounds : Sounds or None
        Of the training set, where they are varied.
    dynamics : Dynamics
        Deltas of the tracks that are learned, too.
    init : Path or None
        A trained folder whose weights the network starts from.
    """

    recipe: params.Recipe
    train: Split
    validation: Split
    seed: int
    checkpoint: Path
    fingerprint: str
    devices: int = 1
    sounds: Sounds | None = None
    dynamics: Dynamics = ALONE
    init: Path | None = None

    @property
    def tracks(self) -> int:
        """How many tracks are predicted."""
        return self.train.store.columns["targets"]

    def plan(self, lengths: NDArray[np.int64], rng: np.random.Generator) -> list[batching.Batch]:
        """Plan the batches of one epoch of utterances of these lengths."""
        from models import parallel

        plan = batching.epoch(self.recipe.batching, lengths, self.recipe.batch_size, rng)
        return parallel.padded(plan, self.devices)


@dataclass(frozen=True)
class Trained:
    """What training leaves: weights after the best and the last epoch, and a row per epoch."""

    best: Weights
    last: Weights
    history: list[Row]

    @property
    def best_row(self) -> Row:
        """The row of the epoch with the least loss on the validation set."""
        return min(self.history, key=lambda row: row["validation_loss"])


class DivergenceError(InputError):
    """A loss that is not finite; ``trained`` is what there was before, if an epoch had ended."""

    def __init__(self, text: str, task: TrainingRun, trained: Trained | None) -> None:
        super().__init__(text)
        self.task = task
        self.trained = trained


def dynamics(recipe: params.Recipe, train: Split) -> Dynamics:
    """Return the deltas that are learned beside the tracks; none if the layout has some itself."""
    orders = 0 if train.store.about["deltas"] else recipe.deltas
    return Dynamics.fit((train.read(k)[1] for k in range(len(train.entries))), orders)


def network(task: TrainingRun) -> Regressor:
    """Return the network of a task, its weights drawn by the seed."""
    import keras

    from models.regressor import Regressor

    recipe = task.recipe
    keras.utils.set_random_seed(task.seed)
    model = Regressor(
        task.tracks + len(task.dynamics.scale),
        dense=recipe.dense,
        variance=recipe.loss == "gaussian",
        cell=recipe.cell,
        units=recipe.units,
        bidirectional=recipe.bidirectional,
        merge=recipe.merge,
        dropout=recipe.dropout,
        recurrent_dropout=recipe.recurrent_dropout,
        l2=recipe.l2,
        delay=recipe.output_delay,
        dtype=recipe.precision,
    )
    width = recipe.context * task.train.store.columns["inputs"]
    model.build({"inputs": (None, None, width), "resets": (None, None)})
    return model


def build(task: TrainingRun) -> Regressor:
    """Return the network of a task, compiled to be trained."""
    import keras

    from models import losses, parallel

    recipe, model = task.recipe, network(task)
    if task.init is not None:
        start_from(task.init, model, recipe, output_names(task))
    optimizer = keras.optimizers.get(recipe.optimizer)
    steps = len(task.plan(task.train.lengths, np.random.default_rng(0)))
    optimizer.learning_rate = schedule(recipe, steps)
    optimizer.global_clipnorm = recipe.clip_norm or None
    model.compile(
        optimizer,
        loss=loss(task),
        weighted_metrics=[losses.ZMSE(task.tracks)],
        jit_compile=recipe.compile,
    )
    optimizer.build(model.trainable_variables)
    parallel.clip_together(optimizer, task.devices)
    return model


def loss(task: TrainingRun) -> keras.losses.Loss:
    """Return the loss of a recipe."""
    from models import losses

    recipe = task.recipe
    weights = track_weights(recipe.track_weights, output_names(task))
    if recipe.loss == "gaussian":
        return losses.GaussianNLL(recipe.beta, weights)
    if recipe.loss == "mse+pearson":
        return losses.MSEPearson(recipe.pearson_weight, weights)
    return losses.MSE(weights)


def output_names(task: TrainingRun) -> tuple[str, ...]:
    """Return the names of what the network gives: tracks, then the deltas beside them."""
    channels = task.train.store.about["channels"]
    return with_delta_names(channels, task.dynamics.orders(task.tracks))


def track_weights(wanted: dict[str, float], channels: Sequence[str]) -> list[float] | None:
    """Return the weight of every channel; the last pattern that fits counts, 1 if none does.

    Raises
    ------
    InputError
        Naming a pattern that fits no channel, or where no channel is left.
    """
    for pattern in wanted:
        if not any(fnmatchcase(channel, pattern) for channel in channels):
            raise InputError(
                f"track_weights: no channel is {pattern!r} among {', '.join(channels)}"
            )
    weights = [
        next((wanted[p] for p in reversed(wanted) if fnmatchcase(channel, p)), 1.0)
        for channel in channels
    ]
    if not any(weights):
        raise InputError("track_weights: all are 0; give at least one channel a weight")
    return weights if wanted else None


def schedule(recipe: params.Recipe, steps: int) -> Any:
    """Return the learning rate as a function of the update; ``steps`` of them are an epoch."""
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
    batch: batching.Batch,
    split: Split,
    augmentation: Augmentation | None = None,
    dynamics: Dynamics = ALONE,
) -> tuple[dict[str, Any], Array, Array]:
    """Read the utterances of a batch, vary them, add deltas and lay them out."""
    inputs, targets = {}, {}
    for k in batch.utterance:
        x, y = split.read(k)
        x, y = augmentation.apply(k, x, y) if augmentation else (x, y)
        inputs[k], targets[k] = stack_frames(x, split.context), dynamics.beside(y)
    return batching.assemble(batch, inputs, targets)


def assembled(
    plan: list[batching.Batch], split: Split, augmentation: Augmentation, dynamics: Dynamics
) -> Iterator[tuple[batching.Batch, tuple[dict[str, Any], Array, Array]]]:
    """Yield every batch with its arrays; those of the next are made while one is trained on."""
    with ThreadPoolExecutor(1) as thread:
        jobs = (thread.submit(assemble, batch, split, augmentation, dynamics) for batch in plan)
        job = next(jobs)
        for batch in plan:
            arrays, job = job.result(), next(jobs, job)
            yield batch, arrays


def trace(model: keras.Model, task: TrainingRun) -> None:
    """Let TensorFlow make one graph of an update, for batches of any number of frames.

    Of its own accord it makes one for the first shape that it sees and another for all others. That
    takes twice as long, and the two round differently: a run that is resumed
    meets another shape first, and would not end with the weights of one that never stopped.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    plan = task.plan(task.train.lengths, np.random.default_rng(0))
    batch = assemble(plan[0], task.train, None, task.dynamics)
    shapes = tf.nest.map_structure(
        lambda x: tf.TensorSpec((x.shape[0], None, *x.shape[2:]), x.dtype), batch
    )
    model.make_train_function()
    update = tf.function(lambda *batch: model.train_function(iter([batch])))
    update.get_concrete_function(*shapes)


def train_epoch(
    model: keras.Model,
    task: TrainingRun,
    plan: list[batching.Batch],
    augmentation: Augmentation,
    title: str,
) -> tuple[float, float]:
    """Make one update per batch; return the mean loss and squared error per valid frame.

    Raises
    ------
    FloatingPointError
        Naming the utterances of a batch whose loss is not finite.
    """
    totals, frames, split = np.zeros(2), 0, task.train
    due = int(augmentation.lengths(split.lengths).sum())
    with progress(range(0), total=due, unit="frames") as bar:
        bar.set_description(title)
        for batch, (x, y, weight) in assembled(plan, split, augmentation, task.dynamics):
            found = model.train_on_batch(x, y, weight, return_dict=True)
            if not np.isfinite(found["loss"]):
                ids = ", ".join(split.entries[k].id for k in batch.utterance)
                raise FloatingPointError(f"the loss became {found['loss']} on the batch of {ids}")
            valid = int(np.count_nonzero(weight))
            totals += valid * np.array([found["loss"], found["z_mse"]], np.float64)
            frames += valid
            bar.set_postfix(loss=f"{totals[0] / frames:.4f}", refresh=False)
            bar.update(valid)
    mean_loss, z_mse = totals / frames
    return float(mean_loss), float(z_mse)


def validate(
    model: keras.Model, task: TrainingRun, split: Split, plan: list[batching.Batch]
) -> tuple[float, float]:
    """Return the mean loss and squared error per valid frame.

    The loss, not the error, tells which epoch is best: of speakers that are not trained on, the
    error is mostly where their mouths lie, which no epoch learns, and the loss may have a part for
    how tracks move, `losses.MSEPearson`.
    """
    criterion = loss(task)
    totals, frames = np.zeros(2), 0
    for batch in plan:
        x, y, weight = assemble(batch, split, dynamics=task.dynamics)
        outputs = model.predict_on_batch(x)
        squares = np.square(outputs[..., : task.tracks] - y[..., : task.tracks], dtype=np.float64)
        found = float(criterion(y, outputs, weight)), float((squares.mean(axis=-1) * weight).sum())
        valid = int(np.count_nonzero(weight))
        totals, frames = totals + valid * np.array(found), frames + valid
    mean_loss, z_mse = totals / frames
    return float(mean_loss), float(z_mse)


def held_out(task: TrainingRun) -> list[batching.Batch]:
    """Return the batches of the validation set, an utterance in each lane."""
    from models import parallel

    rng = np.random.default_rng(task.seed)
    plan = batching.epoch("bucket", task.validation.lengths, 16, rng)
    return parallel.padded(plan, task.devices)


def fit(model: keras.Model, task: TrainingRun, log: Callable[[Row], None]) -> Trained:
    """Train for the epochs of the recipe, resuming from a checkpoint if there is one.

    Parameters
    ----------
    model : keras.Model
        From `build`.
    task : TrainingRun
    log : callable
        Told the row of `HISTORY` of every epoch, those before the checkpoint, too.

    Raises
    ------
    DivergenceError
        Where a loss is not finite.
    """
    recipe, rng = task.recipe, np.random.default_rng(task.seed)
    plan_of_validation = held_out(task)
    history: list[Row] = []
    best = model.get_weights()
    restored = checkpoint.restore(task.checkpoint, model, task.fingerprint)
    if restored is not None:
        best, state = restored
        history, rng.bit_generator.state = state["history"], state["rng"]
        say(f"train: going on after epoch {len(history)}")
    for row in history:
        log(row)
    last = model.get_weights()
    started = time.perf_counter()
    trace(model, task)
    while len(history) < recipe.epochs and not stalled(history, recipe.patience):
        title = f"epoch {len(history) + 1}/{recipe.epochs}"
        augmentation = Augmentation(recipe.augment, len(task.train.entries), rng, task.sounds)
        plan = task.plan(augmentation.lengths(task.train.lengths), rng)
        try:
            mean_loss, z_mse = train_epoch(model, task, plan, augmentation, title)
        except FloatingPointError as failure:
            known = Trained(best, last, history) if history else None
            raise DivergenceError(str(failure), task, known) from None
        seconds = time.perf_counter() - started
        held, error = validate(model, task, task.validation, plan_of_validation)
        last = model.get_weights()
        if held < min((row["validation_loss"] for row in history), default=np.inf):
            best = last
        rate = float(model.optimizer.learning_rate)
        speed = task.train.lengths.sum() / seconds
        figures = (len(history) + 1, mean_loss, z_mse, held, error, rate, seconds, speed)
        history.append(dict(zip(HISTORY, figures, strict=True)))
        log(history[-1])
        say(
            f"{title}: loss {mean_loss:.4f}, validation {held:.4f}, its z-MSE {error:.4f},"
            f" {speed:.0f} frames/s"
        )
        state = {
            "fingerprint": task.fingerprint,
            "history": history,
            "rng": rng.bit_generator.state,
        }
        checkpoint.save(task.checkpoint, model, best, state)
        started = time.perf_counter()
    return Trained(best, last, history)


def stalled(history: list[Row], patience: int) -> bool:
    """Tell whether the last ``patience`` epochs brought nothing better; never for 0."""
    errors = [row["validation_loss"] for row in history]
    return 0 < patience < len(errors) and min(errors[-patience:]) >= min(errors[:-patience])
