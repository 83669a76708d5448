"""Where the sensors of a speaker were: a cloud and a mean for each, in the midsagittal plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from pipeline.plots import style

WIDTH, LOWEST, HIGHEST = 110, 60, 130  # mm, of the figure
FRAME = 14, 16  # mm that axis labels and title take of width and height
MARGIN = 0.1  # of the extent, on every side
OFF_MIDLINE = 8  # mm; a sensor further to a side is not where the picture suggests
DIRECTIONS = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)]
DISTANCES = 6, 12, 18, 26  # points, from a mean to its name

Array = NDArray[np.floating]


def cloud(
    places: Mapping[str, Array],
    means: Mapping[str, Array],
    title: str,
    *,
    unit: str = "mm",
    palate: Array | None = None,
) -> Figure:
    """Draw the sensors of a speaker.

    Parameters
    ----------
    places : mapping of str to float [n, 2]
        Forward and height of each sensor in some frames, mm; NaN where missing.
    means : mapping of str to float [3]
        Forward, height and, or NaN, lateral, over all frames, mm.
    title : str
    unit : str
        Of the positions.
    palate : float [P, 2] or None
        Forward and height of the palate, if it was traced.

    Returns
    -------
    Figure
        Equal scales; the lips are on the right. A sensor without any sample is left out.
    """
    seen = [sensor for sensor in places if np.isfinite(places[sensor]).any()]
    points = np.concatenate([places[sensor] for sensor in seen])
    low, high = np.nanpercentile(points, [0.2, 99.8], axis=0)
    if palate is not None:
        low, high = np.minimum(low, palate.min(axis=0)), np.maximum(high, palate.max(axis=0))
    low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)
    ratio = (high[1] - low[1]) / max(high[0] - low[0], 1e-6)
    height = np.clip((WIDTH - FRAME[0]) * ratio + FRAME[1], LOWEST, HIGHEST)
    drawn = style.figure(WIDTH, float(height))
    axes = drawn.subplots()
    for k, sensor in enumerate(seen):
        x, y = places[sensor].T
        colour = style.SERIES[k % len(style.SERIES)]
        axes.scatter(x, y, s=2.5, color=colour, alpha=0.35, linewidths=0, rasterized=True)
        axes.plot(*means[sensor][:2], "o", color=colour, markersize=4.5, markeredgecolor="white")
    if palate is not None:
        axes.plot(*palate.T, **style.stroke("palate (traced)"))
        axes.annotate("palate", palate[0], (0, -3), textcoords="offset points", va="top")
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), title=title)
    axes.set(xlabel=f"forward ({unit}), lips on the right", ylabel=f"height ({unit})")
    axes.set_aspect("equal")
    name_sensors(drawn, axes, {sensor: means[sensor] for sensor in seen})
    return drawn


def name_sensors(drawn: Figure, axes: Axes, means: Mapping[str, Array]) -> None:
    """Write each sensor's name beside its mean, where it covers no other name and no mean."""
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    dots = axes.transData.transform([mean[:2] for mean in means.values()])
    taken: list[Bbox] = [Bbox.from_bounds(x - 8, y - 8, 16, 16) for x, y in dots]
    for sensor, mean in means.items():
        side = f" ({mean[2]:+.0f} mm)" if abs(mean[2]) > OFF_MIDLINE else ""
        best = None
        for distance, (right, up) in product(DISTANCES, DIRECTIONS):
            text = axes.annotate(
                sensor + side,
                (mean[0], mean[1]),
                (distance * right, distance * up),
                textcoords="offset points",
                ha=("right", "center", "left")[right + 1],
                va=("top", "center", "bottom")[up + 1],
                path_effects=[withStroke(linewidth=1.5, foreground="white")],
            )
            box = text.get_window_extent(canvas.get_renderer())
            if not overlaps(box, taken) and inside(box, axes.get_window_extent()):
                best = text
                taken.append(box)
                break
            text.remove()
        if best is None:  # nowhere is free: over the dot, where it can at least be read
            axes.annotate(sensor + side, (mean[0], mean[1]), ha="center", va="center")


def overlaps(box: Bbox, others: Sequence[Bbox]) -> bool:
    """Say whether a box covers a part of another one."""
    return any(Bbox.intersection(box, other) is not None for other in others)


def inside(box: Bbox, frame: Bbox) -> bool:
    """Say whether a box lies within a frame."""
    return bool(
        box.x0 >= frame.x0 and box.x1 <= frame.x1 and box.y0 >= frame.y0 and box.y1 <= frame.y1
    )
