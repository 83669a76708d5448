"""Print what the pipeline made: the table of figures and where the pictures lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.console import run, say, stage_parser
from pipeline.storage import read_json

METRICS = Path("reports/metrics.json")
PLOTS = Path("reports/plots")


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Return the figures on the test side of each model, floor or run as text."""
    wide = max(len(name) for name in (*rows, "test side")) + 1
    lines = [f"{'test side':<{wide}}{'z-MSE':>8}{'RMSE mm':>10}{'Pearson r':>11}"]
    for name, row in rows.items():
        r = "-" if row["pearson_r"] is None else f"{row['pearson_r']:.3f}"
        lines.append(f"{name:<{wide}}{row['z_mse']:>8.3f}{row['rmse_mm']:>10.2f}{r:>11}")
    return "\n".join(lines)


def main() -> None:
    """Print the summary."""
    stage_parser(__doc__, "summary").parse_args()
    metrics = read_json(METRICS, "evaluate")
    say(table({"model": metrics["test"], **metrics["floors"]}))
    say(f"figures: {METRICS}   pictures: {PLOTS}/")


if __name__ == "__main__":
    run(main)
