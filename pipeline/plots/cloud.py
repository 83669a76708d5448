"""Where the sensors of a speaker were: a cloud and a mean for each, in the midsagittal plane."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from pipeline.plots import names, style

WIDTH, LOWEST, HIGHEST = 110, 60, 130  # mm, of the figure
FRAME = 14, 16  # mm that axis labels and title take of width and height
MARGIN = 0.1  # of the extent, on every side
OFF_MIDLINE = 8  # mm from the median sensor; one further to a side lies not in the plane

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
        Equal scales; the lips are on the right. A sensor without any sample is left out; one off
        the midline has its distance from it beside its name.
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
    """Write each sensor's name beside its mean, and how far it is off the midline."""
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()  # lays it out
    points = 72 / drawn.dpi  # of print, per pixel
    dots = points * axes.transData.transform([mean[:2] for mean in means.values()])
    frame = points * axes.get_window_extent().get_points()
    sides = np.array([mean[2] for mean in means.values()])
    aside = sides - (np.nanmedian(sides) if np.isfinite(sides).any() else 0)
    texts = [
        style.signed(f"{sensor} ({side:+.0f} mm)") if abs(side) > OFF_MIDLINE else sensor
        for sensor, side in zip(means, aside, strict=True)
    ]
    offsets = names.beside(dots, texts, frame=frame, size=style.RC["font.size"])
    for text, mean, offset in zip(texts, means.values(), offsets, strict=True):
        axes.annotate(
            text,
            tuple(mean[:2]),
            tuple(offset),
            textcoords="offset points",
            ha="center",
            va="center",
            path_effects=[withStroke(linewidth=1.5, foreground="white")],
        )
