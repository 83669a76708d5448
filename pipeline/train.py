"""Stage 4: train the network of the recipe that `train.recipe` names.

Keeps the epoch of the least loss on the validation set, and writes trained/: the model, what a
prediction needs to know of it, the learning curves, and in last/ the model of the last epoch. A run
that was interrupted resumes from its last epoch, unless `train.fresh` is true.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import batching
from pipeline.corpora import protocols
from pipeline.ground import artifacts, device, params
from pipeline.ground.console import InputError, UsageError, run, say, stage_parser
from pipeline.ground.storage import Store, atomic_path, checksum, discard, write_json, write_text
from pipeline.trained import smoothing
from pipeline.trained.description import read_about
from pipeline.trained.onnx_graph import to_onnx
from pipeline.trained.smoothing import Smoothing, Units, Validated
from pipeline.training import fitting
from pipeline.training.augmentation import Augmentation, Sounds
from pipeline.training.fitting import CURVES, TIMES, Row, Split, Trained, TrainingRun
from pipeline.training.monitor import monitor

if TYPE_CHECKING:
    from models.regressor import Ensemble, Regressor

CHECKPOINTS = Path("checkpoints/train")  # no output of the stage: DVC removes those at its start
DIVERGED = Path("checkpoints/diverged")
LAST = "last"  # a folder in the trained folder, and as complete
Fitted = tuple[TrainingRun, Trained]


def choose_smoothing(
    model: Regressor | Ensemble, task: TrainingRun, wanted: params.Train, known: Known
) -> Smoothing:
    """Return how predictions are smoothed: by their error in mm on the validation set.

    That is the error of `pipeline.predict`, which brings tracks to mm by the statistics of the
    training set, since those of the utterance are unknown.
    """
    split, statistics = task.validation, artifacts.statistics()
    rows = {entry.id: row for row, entry in enumerate(split.store.entries)}
    own_deltas = split.store.about["deltas"]
    utterances = []
    for batch in fitting.held_out(task):
        predicted = model.predict_on_batch(fitting.assemble(batch, split)[0])
        for k, lane, start in zip(batch.utterance, batch.lane, batch.start, strict=True):
            measured = task.dynamics.beside(split.read(k)[1])  # whose width leaves out variances
            z = predicted[lane, start : start + len(measured), : measured.shape[1]]
            entry = split.entries[k]
            own = {name: values[rows[entry.id]] for name, values in statistics.items()}
            average = known.of(entry.about["speaker"])
            to_mm = [(of["target_mean"], of["target_scale"]) for of in (average, own)]
            units = task.dynamics.units(Units(own_deltas, *to_mm[0]))
            utterances.append(Validated(z, measured, units, *to_mm))
    smooth, errors = smoothing.choose(wanted.smoothing, utterances)
    tried = ", ".join(f"{name} {error:.3f}" for name, error in errors.items())
    say(f"train: validation RMSE in mm as delivered, smoothed: {tried}; chosen: {smooth}")
    return smooth


@dataclass(frozen=True)
class Known:
    """Mean and scale of inputs and targets that a prediction can know: averages over training.

    Attributes
    ----------
    everyone : dict of str to float [W]
        Over all training utterances, by the names of `artifacts.statistics`.
    speakers : dict of str to such a dict
    """

    everyone: dict[str, NDArray[np.float64]]
    speakers: dict[str, dict[str, NDArray[np.float64]]]

    @classmethod
    def read(cls, store: Store) -> Known:
        """Average over the training set of data/standardized."""
        statistics = artifacts.statistics()
        of: dict[str, list[int]] = defaultdict(list)
        for row, entry in enumerate(store.entries):
            if entry.about["split"] == protocols.TRAIN:
                of[entry.about["speaker"]].append(row)

        def averages(rows: list[int]) -> dict[str, NDArray[np.float64]]:
            return {name: values[rows].mean(axis=0) for name, values in statistics.items()}

        everyone = averages([row for own in of.values() for row in own])
        return cls(everyone, {name: averages(own) for name, own in of.items()})

    def of(self, speaker: str) -> dict[str, NDArray[np.float64]]:
        """Return what is known of a speaker: of a new one, what all have in common."""
        return self.speakers.get(speaker, self.everyone)


def fingerprint(settings: params.Params, seed: int) -> str:
    """Return what tells one run from another: recipe, seed, devices, data and software."""
    wanted = settings.train
    parts = {
        "recipe": msgspec.to_builtins(settings.recipe),
        "seed": seed,
        "devices": [settings.train.device, settings.train.devices],
        "data": checksum(artifacts.STANDARDIZED / "index.json"),
        "software": software(),
        "init": wanted.init and checksum(artifacts.from_project(wanted.init) / "model.json"),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def software() -> dict[str, str]:
    """Return the backend of Keras and the versions that a trained model depends on."""
    import keras

    backend = keras.config.backend()
    names = dict.fromkeys((backend, "tensorflow", "keras", "numpy", "librosa"))
    return {"backend": backend, **{name: version(name) for name in names}}


def describe(
    settings: params.Params, task: TrainingRun, best_epoch: int | list[int], error: float
) -> dict[str, Any]:
    """Return all that a prediction and a reader need to know of the trained model.

    At prediction the statistics of the true tracks do not exist; the averages over the training set
    stand in for them.
    """
    store, known = task.train.store, Known.read(task.train.store)
    train = [e for e in store.entries if e.about["split"] == protocols.TRAIN]

    def numbers(of: dict[str, NDArray[np.float64]]) -> dict[str, list[float]]:
        return {name: values.tolist() for name, values in of.items()}

    return {
        **store.about,
        "statistics": numbers(known.everyone),
        "speakers": {name: numbers(own) for name, own in sorted(known.speakers.items()) if name},
        "delta_scale": task.dynamics.scale,
        "recipe": msgspec.to_builtins(settings.recipe),
        "recipe_name": settings.train.recipe,
        "seed": settings.train.seed,
        "ensemble": settings.train.ensemble,
        "trained_on": {
            "corpus": settings.corpus.reader,
            "speakers": sorted({e.about["speaker"] for e in store.entries}),
            "utterances": len(train),
            "frames": sum(e.frames for e in train),
            "best_epoch": best_epoch,
            "validation_z_mse": error,
        },
        "software": software(),
    }


def write(
    folder: Path, model: Regressor | Ensemble, about: dict[str, Any], histories: list[list[Row]]
) -> None:
    """Write a folder with a model and the learning curves of its networks, whole or not at all."""
    with atomic_path(folder) as part:
        save(part, model, about, histories)


def save(
    folder: Path, model: Regressor | Ensemble, about: dict[str, Any], histories: list[list[Row]]
) -> None:
    """Make the folder of a model: history.csv is the first network's, history-2.csv the next's."""
    folder.mkdir()
    model.save(folder / "model.keras")
    without_dates(folder / "model.keras")
    to_onnx(model, folder / "model.onnx")
    sums = {name: checksum(folder / name) for name in ("model.keras", "model.onnx")}
    write_json(folder / "model.json", about | {"sha256": sums})
    for number, history in enumerate(histories, 1):
        name = f"history-{number}.csv" if number > 1 else "history.csv"
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, CURVES, "", "ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(history)


def write_timing(histories: list[list[Row]]) -> None:
    """Write how long each epoch of each network took, apart from what is the same in every run."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("network", "epoch", *TIMES))
    for number, history in enumerate(histories, 1):
        writer.writerows((number, row["epoch"], *(row[key] for key in TIMES)) for row in history)
    write_text(artifacts.TIMING, text.getvalue())


def without_dates(path: Path) -> None:
    """Write an archive anew without the time at which Keras wrote it: same weights, same bytes."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(members["metadata.json"])
    members["metadata.json"] = json.dumps(about | {"date_saved": ""}).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)


def train_networks(
    settings: params.Params, splits: tuple[Split, Split], where: str
) -> list[Fitted]:
    """Train the networks of the ensemble, which is often one, each from a seed of its own.

    Raises
    ------
    fitting.DivergenceError
        Where a loss is not finite.
    """
    recipe, wanted = settings.recipe, settings.train
    train = splits[0]
    sounds = Sounds.of(train.store, train.entries, settings)
    dynamics = fitting.dynamics(recipe, train)
    fitted = []
    for k in range(wanted.ensemble):
        seed = wanted.seed + k
        file, mark = CHECKPOINTS / f"{seed}.npz", fingerprint(settings, seed)
        if wanted.fresh:
            discard(file)
        init = None if wanted.init is None else artifacts.from_project(wanted.init)
        task = TrainingRun(
            recipe, *splits, seed, file, mark, wanted.devices, sounds, dynamics, init
        )
        model = fitting.build(task)
        if k == 0:
            announce(model, task, wanted, where)
        else:
            say(f"train: network {k + 1} of {wanted.ensemble}, seed {seed}")
        with monitor(wanted.tensorboard, str(seed) if wanted.ensemble > 1 else "") as log:
            fitted.append((task, fitting.fit(model, task, log)))
    return fitted


def announce(model: Regressor, task: TrainingRun, wanted: params.Train, where: str) -> None:
    """Say what is about to be trained."""
    own, rng = task.train.lengths, np.random.default_rng(0)
    lengths = Augmentation(task.recipe.augment, len(own), rng, task.sounds).lengths(own)
    plan = task.plan(lengths, rng)
    say(
        f"train: recipe {wanted.recipe}, {model.count_params():,} weights on {where};"
        f" {len(own)} utterances, {own.sum()} frames, {len(plan)} updates per epoch,"
        f" {batching.padding_share(plan, lengths):.0%} padding"
    )


def keep_diverged(settings: params.Params, stop: fitting.DivergenceError) -> str:
    """Write the best model before a loss that was not finite; return where it is, for a message."""
    if stop.trained is None:
        return ""
    model = fitting.network(stop.task)
    model.set_weights(stop.trained.best)
    epoch, error = (stop.trained.best_row[key] for key in ("epoch", "validation_z_mse"))
    about = describe(settings, stop.task, epoch, error)
    about |= {"ensemble": 1, "seed": stop.task.seed}
    write(DIVERGED, model, about, [stop.trained.history])
    return f"; the weights of epoch {epoch}, the best before, are in {DIVERGED}"


def finish(settings: params.Params, fitted: list[Fitted]) -> tuple[float, int | list[int]]:
    """Write the trained folder; return the error of the best epochs, and which those are."""
    from models.regressor import Ensemble

    models = [fitting.network(task) for task, _ in fitted]  # on one device, without an optimizer
    for model, (_, trained) in zip(models, fitted, strict=True):
        model.set_weights(trained.best)
    task, first = fitted[0]
    whole: Regressor | Ensemble = models[0]
    epochs, error = first.best_row["epoch"], first.best_row["validation_z_mse"]
    if len(models) > 1:
        whole, epochs = Ensemble(models), [trained.best_row["epoch"] for _, trained in fitted]
        _, error = fitting.validate(whole, task, task.validation, fitting.held_out(task))
    smooth = choose_smoothing(whole, task, settings.train, Known.read(task.train.store))
    about = describe(settings, task, epochs, error)
    about["smoothing"] = msgspec.to_builtins(smooth)
    with atomic_path(artifacts.TRAINED) as part:
        save(part, whole, about, [trained.history for _, trained in fitted])
        for model, (_, trained) in zip(models, fitted, strict=True):
            model.set_weights(trained.last)
        about["trained_on"]["last_epoch"] = [len(trained.history) for _, trained in fitted]
        save(part / LAST, whole, about, [])
    write_timing([trained.history for _, trained in fitted])
    return error, epochs


def main() -> None:
    """Run the stage."""
    stage_parser(__doc__, "train").parse_args()
    settings = params.load()
    recipe, wanted = settings.recipe, settings.train
    store = Store(artifacts.STANDARDIZED, "standardize")
    store.verify()
    train, validation = (
        Split.open(store, split, recipe.context)
        for split in (protocols.TRAIN, protocols.VALIDATION)
    )
    smoothing.check(wanted.smoothing, store.about["deltas"] or recipe.deltas)
    if wanted.init is not None:
        init = artifacts.from_project(wanted.init)
        if init.resolve() == artifacts.TRAINED.resolve():
            raise UsageError("train.init: trained/ is replaced by this stage; name a copy of it")
        read_about(init / "model.json")
    where = device.choose(wanted.device, wanted.devices)

    from models import parallel

    device.make_deterministic(compiled=recipe.compile)
    started = time.perf_counter()
    try:
        with parallel.scope(wanted.devices):
            fitted = train_networks(settings, (train, validation), where)
    except fitting.DivergenceError as stop:
        kept = keep_diverged(settings, stop)
        raise InputError(f"{stop}; lower learning_rate{kept}") from None
    error, epochs = finish(settings, fitted)
    discard(CHECKPOINTS)
    say(
        f"train: {time.perf_counter() - started:.0f} s, kept epoch {str(epochs).strip('[]')},"
        f" validation z-MSE {error:.4f} -> {artifacts.TRAINED}"
    )


if __name__ == "__main__":
    run(main)
