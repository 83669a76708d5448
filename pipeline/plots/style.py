"""One look for all pictures: colours, sizes, names of channels, and how a figure is saved.

Colours are Okabe and Ito's, told apart by every common kind of colour vision. Sizes are those of a
journal: a column is 85 mm wide, a page 180 mm, and no text is smaller than 6 points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, Literal
from unicodedata import east_asian_width

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager, get_font
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pipeline.ground.sensors import tongue_sensors
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
    "TB": "tongue body",  # or blade or back: see `words`
    "TF": "tongue front",
    "TM": "tongue mid",
    "TD": "tongue dorsum",
    "TR": "tongue root",
    "T1": "tongue tip",
    "T2": "tongue front",
    "T3": "tongue mid",
    "T4": "tongue dorsum",
    "UL": "upper lip",
    "LL": "lower lip",
    "LC": "left corner of the mouth",
    "RC": "right corner of the mouth",
    "ML": "mouth, left",
    "LI": "lower incisor",
    "JAW": "jaw",
    "JAWL": "jaw, left",
    "MNI": "lower incisor",
    "MNM": "lower molar",
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

FONT = "DejaVu Sans"
LETTER = 0.64  # width of a letter of this font, as a share of its size
SAMPLE = 14  # mm, of a line in a legend, with the space around it
PLAIN = (400, "normal", "regular", "book")  # weights of a font
BOXES = "Last Resort"  # begins the name of a font that has a box for every letter
RC: Any = {
    "figure.dpi": 150,
    "font.family": FONT,
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
    "text.parse_math": False,  # a name with two dollar signs is a name
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
        write(drawn, stem.with_name(stem.name + suffix), dpi, metadata=about)


def write(drawn: Figure, path: Path, dpi: int, **options: Any) -> None:
    """Write a figure, its format by the suffix; ``options`` as for Matplotlib's ``savefig``."""
    make_legible(drawn)
    with atomic_path(path) as part:
        drawn.savefig(part, format=path.suffix[1:], dpi=dpi, **options)


def make_legible(drawn: Figure) -> None:
    r"""Give every text, names of speakers and sounds among them, a font that has its letters.

    Letters that no font of this machine has become their numbers, such as ``\u7530``.
    """
    for axes in drawn.axes:
        for axis in (axes.xaxis, axes.yaxis):
            form = axis.get_major_formatter()
            if isinstance(form, FuncFormatter):  # names in place of numbers
                texts = [form(place, k) for k, place in enumerate(axis.get_majorticklocs())]
                families = font_families("".join(texts))
                axis.set_tick_params(labelfontfamily=families)
                form.func = partial(legible_tick, form.func, families)
    for text in drawn.findobj(Text):
        written = text.get_text()
        if not (written.isascii() and written.replace("\n", "").isprintable()):
            families = font_families(written)
            text.set_fontfamily(families)
            text.set_text(legible(written, families))


def legible_tick(form: Callable[..., str], families: Sequence[str], *place: Any) -> str:
    """Return the name of a tick as these fonts can write it."""
    return legible(form(*place), families)


def legible(text: str, families: Sequence[str]) -> str:
    """Return a text with the numbers of the letters that none of these fonts has."""
    known = frozenset().union(*(letters(fonts()[family]) for family in families))
    return "".join(c if c == "\n" or c in known else ascii(c)[1:-1] for c in text)


def font_families(text: str) -> list[str]:
    """Return the fonts that a text needs: the project's and, if it lacks letters, another."""
    missing = frozenset(text) - letters(fonts()[FONT]) - {"\n"}
    other = font_with(missing) if missing else None
    return [FONT, *([other] if other else [])]


@lru_cache(maxsize=64)
def font_with(wanted: frozenset[str]) -> str | None:
    """Return the family of the installed font that has most of some letters; None without any."""
    best, most = None, 0
    for name, file in fonts().items():
        if (found := len(wanted & letters(file))) > most:
            best, most = name, found
        if most == len(wanted):
            break
    return best


@cache
def fonts() -> dict[str, str]:
    """Return the upright fonts of this machine, family to file, those without serifs first."""
    plain = [
        font
        for font in fontManager.ttflist
        if font.style == "normal" and font.weight in PLAIN and not font.name.startswith(BOXES)
    ]
    plain.sort(key=lambda font: ("Sans" not in font.name and "Gothic" not in font.name, font.name))
    found: dict[str, str] = {}
    for font in plain:
        found.setdefault(font.name, font.fname)
    return found


@cache
def letters(file: str) -> frozenset[str]:
    """Return what a font can write."""
    return frozenset(map(chr, get_font(file).get_charmap()))


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


def head(page: Figure, series: Iterable[str], title: str) -> None:
    """Write what fits of a title at the left of the head of a page, and the legend at its right."""
    names = list(series)
    page.suptitle(fitting(title, PAGE - legend_width(names)), x=0.005, ha="left", fontsize=7)
    name_series(page, names, loc="outside upper right")


def legend_width(series: Iterable[str]) -> float:
    """Return how wide the legend of `name_series` is, in mm."""
    letter = RC["legend.fontsize"] * LETTER / 72 / MM
    return sum(SAMPLE + breadth(name) * letter for name in series)


def breadth(text: str) -> int:
    """Return how many Latin letters are as wide as a text; a Chinese one is as wide as two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def fitting(text: str, width: float) -> str:
    """Return a title, with ``…`` in place of its middle if it is wider than ``width`` mm."""
    room = int(width * MM * 72 / (LETTER * RC["axes.titlesize"]))
    if breadth(text) <= room:
        return text
    kept = text
    while len(kept) > 2 and breadth(kept) >= room:
        middle = len(kept) // 2
        kept = kept[:middle] + kept[middle + 1 :]
    middle = (len(kept) + 1) // 2
    return f"{kept[:middle]}…{kept[middle:]}"


def words(sensor: str, among: Iterable[str] = ()) -> str:
    """Return what a sensor or a tract variable is, such as ``tongue tip``; nothing if unknown.

    TB is the back of the tongue if it is the last of those ``among`` which it is, the blade in
    front of TF or TM, and else the body.
    """
    if sensor == "TB":
        tongue = tongue_sensors([f"{name}_{axis}" for name in among for axis in "xy"])
        after = tongue[tongue.index("TB") + 1 :] if len(tongue) > 1 else ("",)
        return {(): "tongue back", ("TF",): "tongue blade", ("TM",): "tongue blade"}.get(
            after[:1], NAMES["TB"]
        )
    return (NAMES | VARIABLES).get(sensor, "")


def sensor_name(sensor: str, among: Iterable[str] = ()) -> str:
    """Return a sensor or a tract variable in words, such as ``tongue tip TT``; see `words`."""
    return f"{words(sensor, among)} {sensor}".lstrip()


def channel_name(channel: str, among: Iterable[str] = ()) -> str:
    """Return a channel in words, in two lines: ``tongue tip``, ``height, TT_y``; see `words`."""
    sensor, _, axis = channel.partition("_")
    if axis not in AXES:
        return channel
    return f"{words(sensor, among) or sensor}\n{AXES[axis]}, {channel}"


def axes_note(channels: Iterable[str]) -> str:
    """Return what the axes of channels count, such as ``x forward, y height``."""
    found = {channel.rpartition("_")[2] for channel in channels}
    return ", ".join(f"{axis} {name}" for axis, name in AXES.items() if axis in found)


def signed(text: str) -> str:
    """Return a text whose numbers have the minus sign of the axes."""
    return text.replace("-", "\N{MINUS SIGN}")


def position_axis(axes: Axes, ticks: int = 3) -> None:
    """Give a vertical axis in mm a few round numbers and at least 1 mm, so that noise stays small.

    Call it when everything is drawn.
    """
    low, high = axes.get_ylim()
    spare = max(1 - (high - low), 0) / 2
    axes.set_ylim(low - spare, high + spare)
    axes.yaxis.set_major_locator(MaxNLocator(ticks, min_n_ticks=2))
