"""Compare runs: print their figures, and draw error and correlation per articulator.

A run is anything that DVC or Git can name: an experiment, a commit, a branch; ``workspace`` is what
lies in reports/ now::

    python -m pipeline.compare main brave-lynx workspace

Without a run, the workspace is compared with its floors, ridge regression and the mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.evaluation import tables
from pipeline.ground import artifacts
from pipeline.ground.console import InputError, run, say, stage_parser
from pipeline.ground.storage import read_json

SENSORS = artifacts.TABLES / "sensors.csv"


def show(rows: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Print the figures on the test set of each network, floor or run.

    RMSE and r as delivered, and the squared error in the utterance's own z.
    """
    wide = max(len(name) for name in (*rows, "test set")) + 1
    say(f"{'test set':<{wide}}{'RMSE mm':>8}{'Pearson r':>11}{'own z-MSE':>11}")
    for name, row in rows.items():
        test, z_mse = row["delivered"], row["own_z"]["z_mse"]
        r = "-" if test["pearson_r"] is None else f"{test['pearson_r']:.3f}"
        say(f"{name:<{wide}}{test['rmse_mm']:>8.2f}{r:>11}{z_mse:>11.3f}")


def read(run_name: str, path: Path) -> str:
    """Return a file of a run as text.

    Raises
    ------
    InputError
        Where there is no such run, or the run has no such file.
    """
    if run_name == "workspace":
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise InputError(f"{path}: not found; run `dvc repro evaluate` first") from None
    import dvc.api
    from dvc.exceptions import DvcException
    from dvc.scm import RevError, SCMError

    try:
        return dvc.api.read(path.as_posix(), rev=run_name, encoding="utf-8")
    except (DvcException, RevError, SCMError, FileNotFoundError, OSError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{run_name}: no {path} there ({reason}); see `dvc exp show`") from None


def draw(runs: Sequence[str], stem: Path) -> None:
    """Draw error and correlation of several runs, articulator by articulator."""
    from pipeline.plots import curves, style  # Matplotlib takes a second to import

    rows = {}
    for name in runs:
        table = tables.parse(read(name, SENSORS))
        sensors = [row["sensor"] for row in table]
        rows[name] = {style.sensor_name(row["sensor"], sensors): row for row in table}
    style.save(curves.comparison(rows, curves.QUANTITIES), stem)
    say(f"compare: {len(runs)} runs -> {stem}.png, {stem.name}.pdf")


def main() -> None:
    """Run the command."""
    parser = stage_parser(__doc__, "compare")
    parser.add_argument("runs", nargs="*", metavar="RUN", help="what DVC or Git can name")
    parser.add_argument(
        "--output", type=Path, default=Path("reports/runs"), help="of the picture, without ending"
    )
    arguments = parser.parse_args()
    runs = list(dict.fromkeys(arguments.runs))
    if runs:
        show({name: json.loads(read(name, artifacts.METRICS))["test"] for name in runs})
        draw(runs, arguments.output)
        return
    metrics = read_json(artifacts.METRICS, "evaluate")
    show({"model": metrics["test"], **metrics["floors"]})
    say(f"figures: {artifacts.METRICS}   pictures: {artifacts.PLOTS}/")


if __name__ == "__main__":
    run(main)
