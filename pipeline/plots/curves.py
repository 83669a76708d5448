"""What training did: learning curves, and runs and floors held against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from pipeline.plots import style

ERROR = "mean squared error of z-scores,\nas the network gives them"
Rows = Sequence[Mapping[str, float]]

QUANTITIES = {"rmse_mm": "RMSE (mm)", "pearson_r": "Pearson's r"}


def quantities(unit: str) -> dict[str, str]:
    """Return `QUANTITIES` for tracks in a unit; the columns of tables keep their names."""
    return {key: name.replace("mm", unit) for key, name in QUANTITIES.items()}


def learning_curves(epochs: Rows, *, title: str = "") -> Figure:
    """Draw the error on the training and the validation utterances against the epoch.

    Parameters
    ----------
    epochs : sequence of mapping
        One row per epoch: ``epoch``, ``train_z_mse``, ``validation_z_mse``, ``validation_loss``,
        ``learning_rate``.

    Returns
    -------
    Figure
        A column wide. The epoch that is kept, that of the least loss in validation, is marked.
    """
    page = style.figure(style.COLUMN, 60)
    axes = page.subplots()
    epoch = [row["epoch"] for row in epochs]
    for side, key in (("training", style.BLUE), ("validation", style.VERMILION)):
        error = [row["train_z_mse" if side == "training" else "validation_z_mse"] for row in epochs]
        axes.plot(epoch, error, color=key, marker="o", markersize=2, label=side)
    if epochs:
        best = min(epochs, key=lambda row: row["validation_loss"])
        axes.plot(
            best["epoch"],
            best["validation_z_mse"],
            "o",
            markersize=6,
            fillstyle="none",
            color=style.VERMILION,
            label=f"kept: {best['validation_z_mse']:.3f}",
        )
    axes.set(xlabel="epoch", ylabel=ERROR, title=title)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.minorticks_off()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return page


def comparison(
    runs: Mapping[str, Mapping[str, Mapping[str, float]]],
    quantities: Mapping[str, str],
    *,
    title: str = "",
) -> Figure:
    """Draw figures of several runs side by side, one row per channel, articulator or class.

    Parameters
    ----------
    runs : mapping of run to mapping of row to mapping of str to float
        For each quantity ``q`` of a row its value ``q`` and, if known, the ends of its interval,
        ``q_low`` and ``q_high``.
    quantities : mapping of str to str
        Key of each quantity and the text below its axis; one panel for each.

    Returns
    -------
    Figure
        A page wide; a dot for each value, a line for its interval.
    """
    rows = list(dict.fromkeys(row for run in runs.values() for row in run))
    page = style.figure(style.PAGE, 16 + len(rows) * (1.6 * len(runs) + 1.2))
    panels = np.atleast_1d(page.subplots(1, len(quantities), sharey=True))
    for axes, (quantity, name) in zip(panels, quantities.items(), strict=True):
        for k, (run, values) in enumerate(runs.items()):
            offset = (k - (len(runs) - 1) / 2) * 0.6 / len(runs)
            draw_dots(axes, [values.get(row, {}) for row in rows], quantity, offset, run, k)
        axes.set(xlabel=name, xlim=(min(0, axes.get_xlim()[0]), None))
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), rows)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", linewidth=0.3, color=style.GREY, alpha=0.5)
        axes.set_axisbelow(True)
        for line in range(1, len(rows)):
            axes.axhline(line - 0.5, linewidth=0.3, color=style.GREY, alpha=0.4)
    panels[0].set_title(title)
    page.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=len(runs))
    return page


def draw_dots(
    axes: Axes, rows: Rows, quantity: str, offset: float, run: str, position: int
) -> None:
    """Draw one run: a dot per row, and the line of its interval."""
    value = np.array([row.get(quantity, np.nan) for row in rows], float)
    low, high = (
        np.array([row.get(f"{quantity}_{end}", np.nan) for row in rows], float)
        for end in ("low", "high")
    )
    colour = style.COLOURS.get(run, style.SERIES[position % len(style.SERIES)])
    height = np.arange(len(rows)) + offset
    axes.hlines(height, low, high, color=colour, linewidth=1)
    axes.plot(value, height, "o", color=colour, markersize=3, label=run)
