"""Trainings whose parameters differ in a few keys, each in a folder of its own, and their figures.

A trial runs the stages that its overrides touch and those after them, on links to the outputs of
those before. Its figures go into a JSON file as soon as it ends, so that a command of many trials,
interrupted at any moment, goes on: with its next trial, and within one from its last epoch.
"""

from __future__ import annotations

import datetime
import json
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features import metrics
from pipeline import Predictor
from pipeline.corpora.protocols import VALIDATION
from pipeline.evaluation import tables
from pipeline.evaluation.calibration import DEVIATION
from pipeline.evaluation.scores import DELTAS, FIGURES, OWN_Z, SEED, Predictions, Scored, Z
from pipeline.ground import artifacts, params, workspaces
from pipeline.ground.console import say
from pipeline.ground.storage import Store, discard, read_json, write_json, write_text
from pipeline.trained import onnx_graph
from pipeline.trained.description import read_about

OUTPUTS = {
    "corpus": artifacts.CORPUS,
    "extract": artifacts.FRAMES,
    "standardize": artifacts.STANDARDIZED,
    "train": artifacts.TRAINED,
    "evaluate": artifacts.PREDICTIONS,
}
STAGES = tuple(OUTPUTS)
READ_BY = {"layouts": "extract", "recipes": "train"}  # blocks that are no stage's own
SHOWN = FIGURES[:3]
VALIDATED = ("predicted", "unsmoothed")
NO_PREDICTIONS = ("measured", DELTAS, DEVIATION)

Array = NDArray[np.float64]
Result = dict[str, Any]
Results = dict[str, Result]


@dataclass(frozen=True)
class Trial:
    """A training.

    Attributes
    ----------
    name : str
    overrides : mapping
        Keys of params.yaml with dots, and their values.
    seed : int
        Of weights, order and variation.
    files : mapping of str to str
        What else the folder has to hold, such as lists of utterances: path and text.
    there : mapping
        What the project whose outputs the trial starts from has set already: it touches no stage.
    """

    name: str
    overrides: Mapping[str, Any]
    seed: int = 1
    files: Mapping[str, str] = field(default_factory=dict)
    there: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What identifies it among results."""
        return f"{self.name}/{self.seed}"

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that have to run: those that read an override, and all after them."""
        blocks = [key.partition(".")[0] for key in self.overrides]
        touched = [STAGES.index(READ_BY.get(block, block)) for block in blocks]
        return STAGES[min([*touched, STAGES.index("train")]) :]

    def tree(self) -> workspaces.Tree:
        """Return the whole of its parameters."""
        own = {**self.there, **self.overrides, "train.seed": self.seed}
        return workspaces.overridden(workspaces.read(), own)


def command(overrides: Mapping[str, Any]) -> str:
    """Return how to run a trial by hand."""
    if not overrides:
        return "make repro"
    return "dvc exp run " + " ".join(f"-S {shlex.quote(word)}" for word in words(overrides))


def words(overrides: Mapping[str, Any]) -> list[str]:
    """Return overrides as Hydra has them: ``+`` before a key that params.yaml does not have."""
    tree = workspaces.read()

    def known(key: str) -> bool:
        place: Any = tree
        for block in key.split("."):
            if block not in place:
                return False
            place = place[block]
        return True

    return [f"{'' if known(k) else '+'}{k}={as_text(v)}" for k, v in overrides.items()]


def as_text(value: Any) -> str:
    """Return a value as Hydra's command line has it."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{k}:{as_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(map(as_text, value)) + "]"
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def settings_of(tree: workspaces.Tree) -> dict[str, Any]:
    """Return the parameters that a result depends on."""
    blocks = ("corpus", "extract", "standardize", "train", "evaluate")
    layout = tree["layouts"].get(tree["extract"]["layout"])
    recipe = params.whole_recipe(tree["recipes"], tree["train"]["recipe"])
    own = {"recipe": recipe, "layout": layout}
    return {**{name: tree[name] for name in blocks}, **own}


def is_done(results: Results, trial: Trial) -> bool:
    """Tell whether a trial has run with the parameters that it has now.

    A key that params.yaml has got since does not count: what is new there changes nothing by
    itself.
    """
    found = results.get(trial.key)
    return found is not None and agrees(found["settings"], settings_of(trial.tree()))


def agrees(old: Any, new: Any) -> bool:
    """Tell whether a tree has all that an older one has."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(key in new and agrees(value, new[key]) for key, value in old.items())
    return bool(old == new)


def load(path: Path) -> Results:
    """Return the results so far."""
    return read_json(path, "the benchmark") if path.exists() else {}


def run(
    trial: Trial, folder: Path, path: Path, source: Path = Path(), keep: Path | None = None
) -> Result:
    """Run a trial if it has not run, and return its figures.

    Parameters
    ----------
    folder : Path
        Of all trials; the trial's own is one in it, and is removed when its figures are safe.
    path : Path
        Of the results.
    source : Path
        The project whose outputs the trial starts from.
    keep : Path, optional
        Where the trained folder goes, for more than these figures.
    """
    results = load(path)
    if is_done(results, trial):
        return results[trial.key]
    say(f"{trial.key}: {command(trial.overrides)}")
    own, tree, stages = folder / trial.key, trial.tree(), trial.stages
    if stages[0] == "extract" and tree["corpus"]["path"]:
        stages = STAGES  # a manifest has the way to recordings from where it was made
    for name, text in trial.files.items():
        write_text(own / name, text)
    before = STAGES[: STAGES.index(stages[0])]
    workspaces.lay_out(own, tree, [OUTPUTS[stage] for stage in before], source)
    workspaces.run_stages(own, stages, trial.key, source)
    result = {
        "settings": settings_of(tree),
        "date": datetime.date.today().isoformat(),
        **measure(own),
    }
    if keep is not None:
        discard(keep)
        keep.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(own / artifacts.TRAINED, keep)
    write_json(path, load(path) | {trial.key: result})
    discard(own)
    return result


def measure(folder: Path) -> Result:
    """Return the figures of a project's folder.

    Seconds are those of updates, reading and variation included, validation not. Errors are those
    of positions: deltas, where a layout has them, do not count.
    """
    history = tables.read_csv(folder / artifacts.TRAINED / "history.csv", "train")
    times = tables.read_csv(folder / artifacts.TIMING, "train")
    times = [row for row in times if row["network"] == 1]
    about = read_about(folder / artifacts.TRAINED / "model.json")
    predictions = Predictions(Store(folder / artifacts.PREDICTIONS, "evaluate"))
    # the network's own deviations, where it has any, are no prediction
    columns = [name for name in predictions.store.columns if name not in NO_PREDICTIONS]
    floors = ("mean", OWN_Z["mean"])
    sources = {name: partial(predictions.z, source=name) for name in (*columns, *floors)}
    scored = Scored.of(predictions, sources)
    return {
        "weights": weights(about.network),
        "utterances": about.trained_on["utterances"],
        "frames": about.trained_on["frames"],
        "epochs": len(history),
        "best_epoch": about.trained_on["best_epoch"],
        "seconds": round(sum(row["seconds"] for row in times), 1),
        "frames_per_s": round(median(row["frames_per_s"] for row in times)),
        "smoothing": str(about.smoothing),
        "validation": validation(folder),
        "test_frames": [entry.frames for entry in predictions.entries],
        "test": {
            source: per_utterance(scored, source, predictions.positions) for source in sources
        },
    }


def weights(network: onnx_graph.Network) -> int:
    """Return how many numbers a network learned."""
    # ONNX has a bias of the input and one of the recurrence, of which Keras learns the sum
    learned = 1 if network.cell == "gru" and network.reset_after else 2
    return sum(
        int(np.prod(shape)) // (learned if "B_" in name else 1)
        for name, shape in network.weight_shapes()
    )


def per_utterance(scored: Scored, source: str, positions: slice) -> dict[str, list[float]]:
    """Return every figure of each test utterance, averaged over the positions."""
    figures = scored.figures[source]
    means = {name: metrics.mean(figures[name][:, positions].T) for name in SHOWN}
    return {name: values.round(6).tolist() for name, values in means.items()}


def validation(folder: Path) -> dict[str, float]:
    """Return the RMSE of the positions in mm on the validation set, smoothed or not.

    As delivered: tracks come to mm by what the training set says of the speaker.
    """
    store = Store(folder / artifacts.STANDARDIZED, "standardize")
    model = Predictor.load(folder / artifacts.TRAINED)
    statistics = artifacts.statistics(folder)
    of_each: dict[str, list[float]] = {name: [] for name in VALIDATED}
    for row, entry in enumerate(store.entries):
        if entry.about["split"] != VALIDATION:
            continue
        speaker = entry.about["speaker"]
        known = model.of(speaker if speaker in model.about.speakers else None)
        own = Z(statistics["target_mean"][row], statistics["target_scale"][row])
        measured = own.to_mm(store.frames(entry, "targets"))
        (given,) = known.outputs([store.frames(entry, "inputs")])
        for name, z in zip(VALIDATED, (known.smooth(given), given), strict=True):
            positions = measured.shape[1] // (1 + store.about["deltas"])
            predicted = Z(*known.to_mm).to_mm(z[:, : measured.shape[1]])
            error = metrics.rmse(measured[:, :positions], predicted[:, :positions])
            of_each[name].append(float(error.mean()))
    return {name: round(float(np.mean(values)), 6) for name, values in of_each.items()}


@dataclass(frozen=True)
class Figure:
    """A figure over all test utterances and seeds."""

    mean: float
    low: float
    high: float
    spread: tuple[float, float]

    def text(self, digits: int) -> str:
        """Return mean, interval, and the seeds' lowest and highest where they differ."""
        a, b, c, d, e = (
            f"{value:.{digits}f}" for value in (self.mean, self.low, self.high, *self.spread)
        )
        return f"{a} ({b}-{c})" + (f" [{d}-{e}]" if d != e else "")


def figure(results: Sequence[Result], source: str, name: str) -> Figure:
    """Return a figure of the seeds of one row.

    An utterance's value is the mean over the seeds; the interval is that of the mean over
    utterances, by bootstrap.
    """
    values = np.array([result["test"][source][name] for result in results])  # [seeds, utterances]
    weight = np.array(results[0]["test_frames"]) if name == "z_mse" else None
    seeds = metrics.mean(values.T, None if weight is None else weight[:, None])
    low, high = metrics.bootstrap_interval(
        values.mean(axis=0), np.random.default_rng(SEED), weights=weight
    )
    spread = float(seeds.min()), float(seeds.max())
    return Figure(float(seeds.mean()), float(low), float(high), spread)


def difference(
    results: tuple[Sequence[Result], Sequence[Result]], sources: tuple[str, str]
) -> Figure:
    """Return by how many mm the RMSE of the second of two rows is higher, by utterance."""
    first, second = (
        np.mean([result["test"][source]["rmse_mm"] for result in own], axis=0)
        for own, source in zip(results, sources, strict=True)
    )
    paired = {"rmse_mm": (second - first).tolist()}
    return figure([{"test": {"": paired}}], "", "rmse_mm")
