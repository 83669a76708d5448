"""One look for all pictures: colours, sizes, names of channels, and how a figure is saved.

Colours are Okabe and Ito's, told apart by every common kind of colour vision. Sizes are those of a
journal: a column is 85 mm wide, a page 180 mm, and no text is smaller than 6 points.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pipeline.ground.storage import atomic_path

MM = 1 / 25.4  # inches
COLUMN, PAGE = 85, 180  # mm

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#8C8C8C"
COLOURS = {"measured": "#4D4D4D", "predicted": VERMILION, "network": VERMILION} | {
    "palate (estimated)": BLACK,
    "palate (traced)": BLACK,
    "ridge": BLUE,
    "mean": GREY,
}
SERIES = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK, YELLOW)

NAMES = {
    "TT": "tongue tip",
    "TB": "tongue blade or body",  # as the corpus has it
    "TF": "tongue front",
    "TM": "tongue mid",
    "TD": "tongue dorsum",
    "TR": "tongue root",
    "UL": "upper lip",
    "LL": "lower lip",
    "LI": "lower incisor",
    "JAW": "jaw",
    "VL": "velum",
    "EP": "epiglottis",
    "HY": "hyoid",
}
VARIABLES = {
    "LA": "lip aperture",
    "LP": "lip protrusion",
    "TTCD": "tongue tip, degree",
    "TTCL": "tongue tip, location",
    "TBCD": "tongue body, degree",
    "TBCL": "tongue body, location",
}
AXES = {"x": "forward", "y": "height", "z": "lateral"}

RC: Any = {
    "figure.dpi": 150,
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "axes.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 3,
    "axes.labelpad": 2,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.size": 2,
    "ytick.major.size": 2,
    "xtick.major.pad": 2,
    "ytick.major.pad": 2,
    "lines.linewidth": 1,
    "lines.solid_capstyle": "round",
    "pdf.fonttype": 42,  # letters stay letters in the file
}


def figure(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    """Return an empty figure of a size in mm, laid out so that no text overlaps."""
    matplotlib.rcParams.update(RC)
    return Figure(figsize=(width * MM, height * MM), layout=layout)


def save(drawn: Figure, stem: Path, dpi: int = 300) -> None:
    """Write ``STEM.png`` and, for print, ``STEM.pdf``; the same figure gives the same bytes."""
    for suffix, about in ((".png", {"Software": None}), (".pdf", {"CreationDate": None})):
        with atomic_path(stem.with_name(stem.name + suffix)) as part:
            drawn.savefig(part, format=suffix[1:], metadata=about, dpi=dpi)


def colour(series: str) -> str:
    """Return the colour of a series: the same in every picture."""
    return COLOURS.get(series, BLUE)


def stroke(series: str) -> dict[str, Any]:
    """Return how a series is drawn: what is measured broad and behind, what is predicted fine."""
    return {"linewidth": 1.6 if series == "measured" else 0.9, "color": colour(series)}


def name_series(owner: Figure | Axes, series: Iterable[str], **where: Any) -> None:
    """Say which colour is which, in one row; ``where`` as for a legend of Matplotlib."""
    handles = [Line2D([], [], label=name, **stroke(name)) for name in series]
    owner.legend(handles=handles, ncols=len(handles) or 1, **where)


def sensor_name(sensor: str) -> str:
    """Return a sensor or a tract variable in words, such as ``tongue tip TT``."""
    words = (NAMES | VARIABLES).get(sensor)
    return f"{words} {sensor}" if words else sensor


def channel_name(channel: str) -> str:
    """Return a channel in words, such as ``tongue tip height, TT_y``."""
    sensor, _, axis = channel.partition("_")
    if axis not in AXES:
        return channel
    return f"{NAMES.get(sensor, sensor)} {AXES[axis]}, {channel}"


def position_axis(axes: Axes, ticks: int = 3) -> None:
    """Give a vertical axis in mm a few round numbers and at least 1 mm, so that noise stays small.

    Call it when everything is drawn.
    """
    low, high = axes.get_ylim()
    spare = max(1 - (high - low), 0) / 2
    axes.set_ylim(low - spare, high + spare)
    axes.yaxis.set_major_locator(MaxNLocator(ticks, min_n_ticks=2))
