"""What the error is made of: how large how often, and in which phones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.plots import style

Rows = Sequence[Mapping[str, float]]
SHOWN = 0.99  # of the frames: the tail beyond would flatten the rest


def error_cdf(rows: Rows, groups: Mapping[str, Sequence[str]], unit: str = "mm") -> Figure:
    """Draw which share of the frames is predicted more nearly than a distance.

    Parameters
    ----------
    rows : sequence of mapping
        ``share`` from 0 to 1, and for each sensor the distance below which it lies.
    groups : mapping of str to sequence of str
        Title of each panel, and the sensors that it shows.
    unit : str
        Of the distances.

    Returns
    -------
    Figure
        A page wide.
    """
    page = style.figure(style.PAGE, 62)
    share = np.array([row["share"] for row in rows], float)
    panels = np.atleast_1d(page.subplots(1, len(groups), sharex=True, sharey=True))
    for axes, (title, sensors) in zip(panels, groups.items(), strict=True):
        for sensor, colour, dashes in zip(sensors, style.SERIES, cycle(("-", "--")), strict=False):
            distance = [row[sensor] for row in rows]
            median = float(np.interp(0.5, share, distance))
            label = f"{sensor}  {median:.2f}"
            axes.plot(distance, share, dashes, color=colour, label=label)
        axes.set_title(title)
        axes.grid(linewidth=0.3, color=style.GREY, alpha=0.5)
        axes.legend(loc="lower right", title=f"median ({unit})", title_fontsize=6.5)
    last = [row for row in rows if row["share"] <= SHOWN][-1]
    longest = np.nanmax([last[sensor] for sensors in groups.values() for sensor in sensors])
    panels[0].set(xlim=(0, float(longest) or 1), ylim=(0, 1), ylabel="share of frames")
    page.supxlabel(f"distance from the measured position ({unit})", fontsize=7)
    return page


def phone_errors(
    rows: Sequence[Mapping[str, str | float]],
    key: str,
    columns: Mapping[str, Sequence[str]],
    unit: str = "mm",
) -> Figure:
    """Draw the error of every sensor in every phone, or class of phones, as a table of colours.

    Parameters
    ----------
    rows : sequence of mapping
        One per phone: its name under ``key``, its number of ``frames``, and RMSE per channel.
    key : str
        ``phone`` or ``class``.
    columns : mapping of str to sequence of str
        Sensor to its channels; the root of the mean of their squares is shown.
    unit : str
        Of the errors.

    Returns
    -------
    Figure
        A page wide.
    """
    error = np.array(
        [
            [np.sqrt(np.mean([float(row[c]) ** 2 for c in own])) for own in columns.values()]
            for row in rows
        ]
    ).reshape(len(rows), len(columns))
    height = 18 + 4.2 * max(len(rows), 6)
    page = style.figure(style.PAGE, height)
    axes = page.subplots()
    top = float(np.nanmax(error)) if error.size else 1.0
    image = axes.imshow(error, cmap="Blues", vmin=0, vmax=top, aspect="auto")
    for (row, column), value in np.ndenumerate(error):
        if np.isfinite(value):
            ink = "white" if value > 0.6 * top else "black"
            axes.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=6, color=ink)
    axes.set_xticks(range(len(columns)), list(columns))
    axes.set_yticks(
        range(len(rows)), [f"{row[key] or 'silence'}  ({row['frames']:.0f})" for row in rows]
    )
    axes.set_ylabel(f"{key} (frames)")
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    bar = page.colorbar(image, ax=axes, shrink=min(1, 25 / height + 0.4), aspect=25)
    bar.set_label(f"RMSE of the position ({unit})")
    bar.outline.set_visible(False)
    if key == "phone":
        mark_classes(axes, [str(row["class"]) for row in rows])
    return page


def mark_classes(axes: Axes, classes: Sequence[str]) -> None:
    """Draw a line between classes of phones and write each class at the right."""
    starts = [k for k in range(len(classes)) if k == 0 or classes[k] != classes[k - 1]]
    for start, end in zip(starts, [*starts[1:], len(classes)], strict=True):
        axes.axhline(start - 0.5, color="white", linewidth=1.5)
        axes.annotate(
            classes[start],
            (1.01, (start + end - 1) / 2),
            xycoords=("axes fraction", "data"),
            va="center",
            annotation_clip=False,
        )
