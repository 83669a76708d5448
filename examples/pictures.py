"""The pictures of the tutorials: accuracy over time, perplexity over updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from examples.results import Check, Run
from pipeline.ground.storage import atomic_path
from pipeline.plots import style

TUTORIAL: Any = {"linestyle": (0, (4, 2)), "linewidth": 0.8}


def accuracy(runs: Mapping[str, Sequence[Run]], published: Mapping[str, float]) -> Figure:
    """Draw validation accuracy over time, and the test accuracy beside that of the tutorial.

    Parameters
    ----------
    runs : mapping of str to sequence of Run
        By network; one for each seed.
    published : mapping of str to float
        Test accuracy in the tutorial.
    """
    page = style.figure(1.4 * style.COLUMN, 70)
    axes = page.subplots()
    for (name, several), colour in zip(runs.items(), style.SERIES, strict=False):
        for run in several:
            _, seconds, score = np.array(run.checks).T
            held = np.append(seconds, run.seconds), 100 * np.append(score, score[-1])
            axes.plot(*held, color=colour, linewidth=0.7, drawstyle="steps-post")
            axes.plot(run.seconds, 100 * run.test, "o", color=colour, markersize=3.5, clip_on=False)
        shared = list(published.values()).count(published[name]) > 1
        axes.axhline(100 * published[name], color=style.GREY if shared else colour, **TUTORIAL)
        test = np.mean([100 * run.test for run in several])
        reached = f"{name}: test {test:.2f} %, tutorial {100 * published[name]:.2f} %"
        axes.plot([], [], color=colour, linewidth=2, label=reached)
    key: dict[str, Any] = {
        "validation": {"linewidth": 0.7},
        "test, once, at the end": {"marker": "o", "markersize": 3.5, "linestyle": ""},
        "test in the tutorial": TUTORIAL,
    }
    for meaning, look in key.items():
        axes.plot([], [], color=style.GREY, label=meaning, **look)
    axes.set(xlabel="time (s)", ylabel="images read right (%)", xlim=(0, None))
    low = min(*(run.test for several in runs.values() for run in several), *published.values())
    axes.set_ylim(max(0, 100 * low - 2), 100)
    axes.legend(loc="lower right")
    return page


def perplexity(runs: Mapping[str, Sequence[Check]]) -> Figure:
    """Draw the perplexity of held-out text over updates, a curve for each run."""
    page = style.figure(style.COLUMN, 60)
    axes = page.subplots()
    for (name, checks), colour in zip(runs.items(), style.SERIES, strict=False):
        updates, values, _ = np.array(checks).T
        axes.plot(updates, values, color=colour, label=f"{name}: {values[-1]:.2f}")
    axes.set_yscale("log")
    axes.set_yticks([3, 4, 5, 7, 10, 15, 20, 27], minor=False)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.minorticks_off()
    axes.set(xlabel="update", ylabel="perplexity of held-out text", xlim=(0, None))
    axes.legend()
    return page


def save(drawn: Figure, path: Path) -> None:
    """Write a picture as PNG; the same figure gives the same bytes."""
    with atomic_path(path) as part:
        drawn.savefig(part, format="png", metadata={"Software": None})
