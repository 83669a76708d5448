"""Midsagittal pictures of a population: a row for each person, a column for each sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipeline.plots import style

IPA = {
    "i": "i", "{": "æ", "A": "ɑ", "u": "u", "ll-labial-closure(a)": "p(a)",
    "tt-alveolar-closure(a)": "t(a)", "tb-velar-closure(a)": "k(a)",
    "tt-alveolar-fricative(a)": "s(a)", "tt-postalveolar-fricative(a)": "ʃ(a)",
    "tt-rhotic(a)": "ɹ(a)", "tt-alveolar-lateral(a)": "l(a)", "rest": "at rest",
}  # fmt: skip
TITLES = {"f": "woman", "m": "man"}
MARGIN_MM = 3
ROW_MM, HEAD_MM = 17, 8


def portraits(people: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw a page.

    Parameters
    ----------
    people : sequence of dict
        Of each: ``about``, a row of ``speakers.csv``, and ``outlines``, the contours of each sound
        as lists of points in mm, the tongue's last.
    """
    sounds = list(people[0]["outlines"])
    page = style.figure(style.PAGE, ROW_MM * len(people) + HEAD_MM)
    panels = page.subplots(len(people), len(sounds), squeeze=False)
    contours = [line for one in people for lines in one["outlines"].values() for line in lines]
    points = np.concatenate([np.array(line) for line in contours])
    low, high = points.min(axis=0) - MARGIN_MM, points.max(axis=0) + MARGIN_MM
    for row, one in zip(panels, people, strict=True):
        for panel, sound in zip(row, sounds, strict=True):
            *around, tongue = (np.array(line) for line in one["outlines"][sound])
            for line in around:
                panel.plot(*line.T, color=style.BLACK, linewidth=0.4)
            panel.plot(*tongue.T, color=style.VERMILION, linewidth=0.8)
            panel.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
            panel.set_axis_off()
        about = one["about"]
        name = row[0].annotate(
            f"{about['speaker']}: {TITLES[about['sex']]}, {about['language']}, tract"
            f" {about['length']:.2f} of JD3's, jaw {about['jaw_mm']:.0f} mm",
            (0, 1), xycoords="axes fraction", fontsize=6,
        )  # fmt: skip
        name.set_in_layout(False)  # it reaches over the whole row
    for panel, sound in zip(panels[0], sounds, strict=True):
        panel.annotate(
            IPA[sound], (0.5, 1), xycoords="axes fraction", xytext=(0, 11),
            textcoords="offset points", ha="center", fontsize=8,
        )  # fmt: skip
    return page
