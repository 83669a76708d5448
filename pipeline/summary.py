"""Print what the pipeline made: the table of figures and where the pictures lie."""

from __future__ import annotations

from pathlib import Path

from pipeline.console import run, say, stage_parser
from pipeline.storage import read_json

METRICS = Path("reports/metrics.json")
PLOTS = Path("reports/plots")


def table(metrics: dict) -> str:
    """Return the figures on the test side as text: the model, then the floors."""
    rows = {"model": metrics["test"], **metrics["floors"]}
    lines = [f"{'test side':<10}{'z-MSE':>8}{'RMSE mm':>10}{'Pearson r':>11}"]
    for name, row in rows.items():
        r = "-" if row["pearson_r"] is None else f"{row['pearson_r']:.3f}"
        lines.append(f"{name:<10}{row['z_mse']:>8.3f}{row['rmse_mm']:>10.2f}{r:>11}")
    return "\n".join(lines)


def main() -> None:
    """Print the summary."""
    stage_parser(__doc__, "summary").parse_args()
    say(table(read_json(METRICS, "evaluate")))
    say(f"figures: {METRICS}   pictures: {PLOTS}/")


if __name__ == "__main__":
    run(main)
