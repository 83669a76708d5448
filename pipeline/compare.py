"""Compare runs: print their figures, and draw error and correlation per articulator.

A run is anything that DVC or Git can name: an experiment, a commit, a branch; ``workspace`` is what
lies in reports/ now::

    python -m pipeline.compare main brave-lynx workspace
"""

from __future__ import annotations

import json
from pathlib import Path

from pipeline import summary
from pipeline.console import InputError, run, say, stage_parser
from pipeline.evaluation import tables
from pipeline.plot import QUANTITIES
from pipeline.plots import curves, style

SENSORS = tables.FOLDER / "sensors.csv"


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


def main() -> None:
    """Run the command."""
    parser = stage_parser(__doc__, "compare")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="what DVC or Git can name")
    parser.add_argument(
        "--output", type=Path, default=Path("reports/runs"), help="of the picture, without ending"
    )
    arguments = parser.parse_args()
    runs = list(dict.fromkeys(arguments.runs))
    say(summary.table({name: json.loads(read(name, summary.METRICS))["test"] for name in runs}))
    rows = {
        name: {style.sensor_name(row["sensor"]): row for row in tables.parse(read(name, SENSORS))}
        for name in runs
    }
    style.save(curves.comparison(rows, QUANTITIES), arguments.output)
    say(f"compare: {len(runs)} runs -> {arguments.output}.png, {arguments.output.name}.pdf")


if __name__ == "__main__":
    run(main)
