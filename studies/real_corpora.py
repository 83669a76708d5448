"""Real mouths: the default, the tutorial's network and others', on measured speech.

``python -m studies.real_corpora`` trains every row of `ROWS` in every setting of `SETTINGS`, with
three seeds each, on the corpora in ``../shared/data``, and prints a table: RMSE in mm and Pearson's
r as delivered, the squared error in the utterance's own z, and minutes of training. A correlation
is that of each track in each utterance, averaged. Figures are kept in
``studies/results/real_corpora.json`` as soon as they are known; an interrupted command resumes.
``--settings``, ``--rows`` and ``--seeds`` choose; ``--table`` trains nothing.

Settings and recipes were chosen on validation sets; the test sets were read by this command alone.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import ROOT, machine
from features import metrics
from pipeline.corpora import protocols
from pipeline.evaluation.scores import OWN_Z, Z, correlation
from pipeline.ground import artifacts, params, workspaces
from pipeline.ground.console import InputError, UsageError, run, say, say_text
from pipeline.ground.storage import Entry, Store, write_json, write_text
from studies import trials
from studies.compare import PLAIN, PUBLISHED, TUTORIAL
from studies.trials import Result, Results, Trial

FOLDER = Path("data/real-corpora")
DATA = ROOT.parent / "shared" / "data"
RESULTS = ROOT / "studies" / "results" / "real_corpora.json"
SEEDS = 3
TWIN = "twin"
RIDGE = "ridge"
HEADER = ("setting", "network", "RMSE (mm)", "Pearson's r", "MSE in own z", "minutes")

Overrides = Mapping[str, Any]


@dataclass(frozen=True)
class Setting:
    """A corpus and how it is split."""

    text: str
    reader: str
    folder: str
    split: Overrides

    @property
    def overrides(self) -> dict[str, Any]:
        """Return what it sets in params.yaml, the recordings relative to a folder in `FOLDER`."""
        path = os.path.relpath(DATA / self.folder, FOLDER / "any")
        split = {f"standardize.{key}": value for key, value in self.split.items()}
        return {
            "corpus.reader": self.reader,
            "corpus.path": path,
            "extract.layout": "auto",
            **split,
        }


def stem(text: str, protocol: str, speaker: str | None = None) -> Setting:
    """Return a setting of the two speakers of STEM-E2VA."""
    split = {"protocol": protocol, "speaker": speaker}
    return Setting(f"STEM-E2VA, {text}", "stem-e2va", "stem_e2va", split)


SETTINGS = {
    "pooled": stem("both, held-out sentences", "held-out-sentences"),
    "DP": stem("DP alone, held-out sentences", "speaker-dependent", "DP"),
    "JJW": stem("JJW alone, held-out sentences", "speaker-dependent", "JJW"),
    "new-DP": stem("DP never heard", "leave-one-speaker-out", "DP"),
    "new-JJW": stem("JJW never heard", "leave-one-speaker-out", "JJW"),
    "mngu0": Setting(
        "mngu0, six sentences (z over the corpus, no mm)",
        "mngu0",
        "mngu0",
        {"protocol": "random", "validation": 0.17, "test": 0.34},
    ),
}

ROWS: dict[str, tuple[str, Overrides]] = {
    "default": ("default", {"standardize.targets": "speaker"}),
    "short": (
        "default, 12 epochs",
        {"recipes.default.epochs": 12, "standardize.targets": "speaker"},
    ),
    "population": (
        "from the population's network",
        {
            "train.recipe": "measured",
            "train.init": "../../population",
            "standardize.targets": "speaker",
        },
    ),
    RIDGE: ("ridge regression on 11 frames", {}),
    TWIN: ("torch: 2 bidirectional LSTM of 128, mel warp, targets by utterance", {}),
    "published": (
        "2 dense of 300, 2 bidirectional LSTM of 300, 11 frames",
        {
            **PUBLISHED,
            "recipes.default.augment": PLAIN,
            "recipes.default.loss": "mse",
            "recipes.default.deltas": 0,
            "recipes.default.patience": 5,
            "standardize.inputs": "utterance",
            "standardize.targets": "utterance",
        },
    ),
    "tutorial": (
        "tutorial: 1 LSTM of 1,024 in one direction",
        TUTORIAL,
    ),
}
FLOOR_BESIDE = ("default", "short", "population")  # rows whose stages fit a ridge, too


def prepare(name: str) -> Path:
    """Return a project in which a setting's corpus is read and split, tracks in z by utterance."""
    setting, folder = SETTINGS[name], FOLDER / name
    tree = workspaces.overridden(workspaces.read(), setting.overrides)
    tree = workspaces.overridden(tree, {"standardize.targets": "utterance"})
    if not (folder / artifacts.STANDARDIZED).exists():
        workspaces.lay_out(folder, tree, [], folder)
        workspaces.run_stages(folder, ("corpus", "extract", "standardize"), setting.text)
    return folder


def population() -> Path:
    """Return the folder with the network of the synthesised population, a copy of ``trained/``."""
    folder = FOLDER / "population"
    if not folder.exists():
        if not (artifacts.TRAINED / "model.json").exists():
            raise InputError(f"{artifacts.TRAINED}: no model there; make repro trains it")
        shutil.copytree(artifacts.TRAINED, folder)
    return folder


def key_of(setting: str, row: str, seed: int) -> str:
    """Return what identifies a training among results."""
    return f"{setting}-{row}/{seed}"


def train(setting: str, row: str, seed: int, path: Path) -> None:
    """Train a row in a setting and keep its figures, unless they are there."""
    source = prepare(setting)
    if row == TWIN:
        train_twin(setting, seed, path, source)
    else:
        if "train.init" in ROWS[row][1]:
            population()
        there = SETTINGS[setting].overrides
        one = Trial(f"{setting}-{row}", ROWS[row][1], seed, there=there)
        trials.run(one, FOLDER, path, source)


def train_twin(setting: str, seed: int, path: Path, source: Path) -> None:
    """Train the network in torch and keep its figures, unless they are there."""
    key = key_of(setting, TWIN, seed)
    if key in trials.load(path):
        return
    say(f"{key}: torch")
    from studies import twin

    here = Path.cwd()
    os.chdir(source)
    try:
        store = Store(artifacts.STANDARDIZED, "standardize")
        statistics, corpus = artifacts.statistics(), params.load().corpus
        of: dict[str, list[Any]] = {split: [] for split in protocols.SPLITS}
        for row, entry in enumerate(store.entries):
            of.setdefault(entry.about["split"], []).append((row, entry))
        entries = [entry for _, entry in of[protocols.TRAIN]]
        targets = [store.frames(entry, "targets") for entry in entries]
        held_out = [
            (store.frames(entry, "inputs"), store.frames(entry, "targets"))
            for _, entry in of[protocols.VALIDATION]
        ]
        model, about = twin.train(twin.warped(store, entries, corpus), targets, held_out, seed)
        average = averages(of[protocols.TRAIN], statistics)
        figures: dict[str, list[Any]] = {name: [] for name in trials.SHOWN}
        own_z: dict[str, list[Any]] = {name: [] for name in trials.SHOWN}
        for row, entry in of[protocols.TEST]:
            own = Z(statistics["target_mean"][row], statistics["target_scale"][row])
            z = store.frames(entry, "targets"), twin.predict(model, store.frames(entry, "inputs"))
            known = average.get(entry.about["speaker"], average[""])
            add(figures, own, own.to_mm(z[0]), known.to_mm(z[1]))
            add(own_z, own, own.to_mm(z[0]), own.to_mm(z[1]))
        frames = [entry.frames for _, entry in of[protocols.TEST]]
    finally:
        os.chdir(here)
    test = {"predicted": figures, OWN_Z["predicted"]: own_z}
    result = {"date": datetime.date.today().isoformat(), "test_frames": frames, "test": test}
    write_json(path, trials.load(path) | {key: result | about})


def averages(
    train: Sequence[tuple[int, Entry]], statistics: Mapping[str, np.ndarray]
) -> dict[str, Z]:
    """Return mean and deviation of the tracks of each training speaker, and of all under ``""``."""
    rows: dict[str, list[int]] = {"": [row for row, _ in train]}
    for row, entry in train:
        rows.setdefault(entry.about["speaker"], []).append(row)
    mean, scale = statistics["target_mean"], statistics["target_scale"]
    return {name: Z(mean[own].mean(axis=0), scale[own].mean(axis=0)) for name, own in rows.items()}


def add(figures: dict[str, list[float]], own: Z, measured: Any, predicted: Any) -> None:
    """Add the figures of an utterance, each averaged over tracks."""
    values = {
        "z_mse": metrics.z_mse(own.of_mm(measured), own.of_mm(predicted)),
        "rmse_mm": metrics.rmse(measured, predicted),
        "pearson_r": correlation(measured, predicted),
    }
    for name, value in values.items():
        figures[name].append(round(float(metrics.mean(value)), 6))


def made(results: Results, setting: str, row: str) -> list[Result]:
    """Return the seeds of a row in a setting; those of the ridge are any training's, one of it."""
    if row == RIDGE:
        beside = (made(results, setting, other) for other in FLOOR_BESIDE)
        return next(filter(None, beside), [])[:1]
    start = f"{setting}-{row}/"
    return [result for key, result in results.items() if key.startswith(start)]


def markdown(results: Results) -> str:
    """Return the table of all that was trained."""
    lines: list[Sequence[str]] = [HEADER, ("---",) * len(HEADER)]
    for setting, about in SETTINGS.items():
        for row, (text, _) in ROWS.items():
            if own := made(results, setting, row):
                source = RIDGE if row == RIDGE else "predicted"
                test = {name: trials.figure(own, source, name) for name in trials.SHOWN}
                own_z = trials.figure(own, OWN_Z[source], "z_mse")
                minutes = sum(result["seconds"] for result in own) / len(own) / 60
                rmse = test["rmse_mm"].text(2) if setting != "mngu0" else ""
                spent = "" if row == RIDGE else f"{minutes:.1f}"
                cells = (rmse, test["pearson_r"].text(3), own_z.text(3), spent)
                seeds = f" ({len(own)} seeds)" * (len(own) > 1)
                lines.append((about.text, text + seeds, *cells))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    command = argparse.ArgumentParser(prog="python -m studies.real_corpora", description=__doc__)
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    trained = [row for row in ROWS if row != RIDGE]
    command.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    command.add_argument("--rows", nargs="+", choices=trained, default=trained)
    command.add_argument("--seeds", type=int, default=SEEDS, help="default: %(default)s")
    command.add_argument("--table", action="store_true", help="train nothing; show what there is")
    command.add_argument("--results", type=Path, default=RESULTS, help="default: %(default)s")
    return command


def main() -> None:
    """Train, print and write."""
    options = parser().parse_args()
    if options.seeds < 1:
        raise UsageError("--seeds: one or more")
    if not options.table:
        if not DATA.is_dir():
            raise InputError(f"{DATA}: not found; the corpora are no part of this project")
        for seed in range(1, options.seeds + 1):
            for setting in options.settings:
                for row in options.rows:
                    train(setting, row, seed, options.results)
    table, facts = markdown(trials.load(options.results)), machine()
    write_text(options.results.with_suffix(".md"), table)
    say_text(f"{table}\n{facts['cores']} cores of {facts['processor']}, {facts['system']}")


if __name__ == "__main__":
    run(main)
