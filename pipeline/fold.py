"""One fold of a cross-validation: standardise, train and evaluate with its own test set.

`cross-validation/dvc.yaml` calls this once per fold and then with `--aggregate`; `--all` does both,
several folds at a time or on a Dask cluster. The fold is a speaker's name for the protocol
leave-one-speaker-out and a number for k-fold. Each runs in a folder of its own under data/folds, so
that folds can run side by side, and leaves its figures in cross-validation/folds/FOLD.json.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.ground import artifacts, params, workers, workspaces
from pipeline.ground.console import InputError, progress, run, say, stage_parser
from pipeline.ground.storage import atomic_path, read_json, write_json

FOLDER = Path("data/folds")
RESULTS = Path("cross-validation/folds")
METRICS = Path("cross-validation/metrics.json")
STAGES = ("standardize", "train", "evaluate")
FIGURES = ("rmse_mm", "pearson_r")  # as delivered


def fold_params(fold: str) -> dict[str, Any]:
    """Return params.yaml with the protocol and the test set of a fold."""
    protocol = params.load().cross_validation.protocol
    split: dict[str, Any] = {"standardize.protocol": protocol}
    if protocol == "k-fold":
        if not fold.isdecimal():
            raise InputError(f"fold {fold}: k-fold counts its folds: 0, 1, ...")
        split["standardize.fold"] = int(fold)
    else:
        split["standardize.speaker"] = fold
    return workspaces.overridden(workspaces.read(), split)


def run_fold(root: Path, fold: str, tree: workspaces.Tree) -> str:
    """Run the stages of a fold, keep its figures and return a line about them.

    Parameters
    ----------
    root : Path
        The project's folder; absolute, since a worker may stand in another.
    tree : dict
        From `fold_params`.
    """
    with atomic_path(root / FOLDER / fold) as part:
        workspaces.lay_out(
            part, tree, (artifacts.FRAMES, artifacts.FRAMES.with_name("corpus")), root
        )
        workspaces.run_stages(part, STAGES, f"fold {fold}", root)
        figures = read_json(part / artifacts.METRICS, "evaluate")
        shutil.rmtree(part / "data")  # the folds share the frames; their copies in z are the bulk
    write_json(root / RESULTS / f"{fold}.json", figures)
    test = figures["test"]["delivered"]
    return f"fold {fold}: RMSE {test['rmse_mm']:.2f} mm, r {test['pearson_r']:.3f} -> {RESULTS}"


def run_folds(folds: Sequence[str], jobs: int = 1, cluster: str | None = None) -> None:
    """Run folds, several at a time or on the workers of a Dask cluster.

    A fold whose worker dies is run again by another: what is left of the first is no result.
    """
    if not artifacts.FRAMES.is_dir():
        raise InputError(f"{artifacts.FRAMES}: not found; run `dvc repro extract` first")
    calls = [(Path.cwd(), fold, fold_params(fold)) for fold in folds]
    lines = workers.spread(run_fold, calls, jobs, cluster)
    for line in progress(lines, total=len(calls), unit="folds"):
        say(line)


def aggregate() -> None:
    """Write mean and standard deviation over the folds to cross-validation/metrics.json."""
    folds = params.load().cross_validation.folds
    rows = [read_json(RESULTS / f"{fold}.json", "cross-validation/dvc.yaml") for fold in folds]
    table: dict[str, Any] = {"folds": len(folds)}
    for name in FIGURES:
        values = np.array([row["test"]["delivered"][name] for row in rows], float)
        table[name] = {"mean": float(values.mean()), "deviation": float(values.std(ddof=1))}
    write_json(METRICS, table)
    say(f"{len(folds)} folds: " + ", ".join(f"{k} {table[k]['mean']:.3f}" for k in FIGURES))


def main() -> None:
    """Run a fold, or all, or aggregate all."""
    parser = stage_parser(__doc__, "fold")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("fold", nargs="?", help="a speaker, or the number of a fold")
    what.add_argument("--all", action="store_true", help="every fold, and then their mean")
    what.add_argument("--aggregate", action="store_true", help="mean and deviation over all folds")
    parser.add_argument("--resume", action="store_true", help="--all without those that are there")
    workers.add_options(parser)
    arguments = parser.parse_args()
    if arguments.all:
        folds = params.load().cross_validation.folds
        done = [f for f in folds if arguments.resume and (RESULTS / f"{f}.json").exists()]
        left = [fold for fold in folds if fold not in done]
        run_folds(left, arguments.jobs, arguments.cluster)
    elif arguments.fold is not None:
        run_folds([arguments.fold])
    if arguments.all or arguments.aggregate:
        aggregate()


if __name__ == "__main__":
    run(main)
