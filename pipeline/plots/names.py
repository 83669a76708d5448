"""Where the names of points go in a picture: beside each, over no other name, point or line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

SIZE = 6  # points, of a name's letters
WIDE = 0.68  # mean width of a letter, as a share of its size
DOT = 2.5  # points, from the middle of a dot to its edge
GAPS = 1.5, 5, 9, 14  # points, between dot and name
DIRECTIONS = ((0, -1), (0, 1), (1, 0), (-1, 0), (1, -1), (-1, -1), (1, 1), (-1, 1))
NAME, PLACE, LINE = 8.0, 4.0, 1.0  # what covering another name, a dot, a point of a line costs
TURNED, FAR, OUT = (
    0.3,
    0.08,
    10.0,
)  # and standing elsewhere than wanted, each point of a gap, outside

Array = NDArray[np.float64]


def beside(
    dots: Array,
    texts: Sequence[str],
    wanted: Array | None = None,
    *,
    others: Array | None = None,
    lines: Array | None = None,
    frame: Array | None = None,
    size: float = SIZE,
) -> Array:
    """Return where the middle of each name goes, as an offset from its dot.

    Parameters
    ----------
    dots : float [n, 2]
        Right and up, in points of print; NaN for a dot that is not shown.
    texts : sequence of str, length n
        Names.
    wanted : float [n, 2] or None
        Direction in which each name stands best; None where one is as good as another.
    others, lines : float [m, 2] or None
        Dots without a name, and points along lines, that are better not covered.
    frame : float [2, 2] or None
        Lower left and upper right corner of the panel, beyond which no name goes.
    size : float
        Of the letters, in points.

    Returns
    -------
    float [n, 2]
        In points of print, in the same axes.
    """
    dots = np.asarray(dots, float)
    taken = known([dots] if others is None else [dots, others])
    drawn = known([] if lines is None else [lines])
    found, names = np.zeros((len(dots), 2)), np.empty((0, 4))  # names: left, bottom, right, top
    crowded = np.argsort([-near(taken, dot, 3 * size) for dot in dots], kind="stable")
    for k in crowded:
        half = np.array([WIDE * size * len(texts[k]) / 2, size / 2])
        best = np.inf
        for gap, direction in product(GAPS, DIRECTIONS):
            slant = 0.7 if all(direction) else 1.0
            offset = np.array(direction) * (slant * (DOT + gap) + half)
            box = np.concatenate([dots[k] + offset - half, dots[k] + offset + half])
            cost = FAR * gap + NAME * covered(names, box) + PLACE * within(taken, box, DOT)
            cost += LINE * within(drawn, box, 1)
            if wanted is not None:
                unit = np.array(direction) / np.hypot(*direction)
                cost += TURNED * (1 - float(unit @ wanted[k]))
            if frame is not None and ((box[:2] < frame[0]).any() or (box[2:] > frame[1]).any()):
                cost += OUT
            if cost < best:
                best, found[k], chosen = cost, offset, box
        if np.isfinite(dots[k]).all():
            names = np.vstack([names, chosen])
    return found


def known(points: Sequence[Array]) -> Array:
    """Return all points [m, 2] that are somewhere."""
    every = np.concatenate([np.empty((0, 2)), *(np.reshape(p, (-1, 2)) for p in points)])
    return every[np.isfinite(every).all(axis=1)]


def near(points: Array, place: Array, distance: float) -> int:
    """Return how many points are nearer to a place than a distance."""
    return int((np.hypot(*(points - place).T) < distance).sum())


def within(points: Array, box: Array, margin: float) -> int:
    """Return how many points are covered by a box: left, bottom, right, top."""
    inside = (points > box[:2] - margin) & (points < box[2:] + margin)
    return int(inside.all(axis=1).sum())


def covered(boxes: Array, box: Array) -> int:
    """Return how many boxes a box overlaps."""
    apart = (boxes[:, :2] >= box[2:]) | (boxes[:, 2:] <= box[:2])
    return int((~apart.any(axis=1)).sum())
