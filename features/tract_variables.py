"""Tract variables: what the lips and the tongue do, in place of where their points are.

LA lip aperture, LP lip protrusion, TTCD and TBCD the degree of constriction of tongue tip and
tongue body (distance to the palate), TTCL and TBCL its location (along the palate), as articulatory
phonology defines them (Browman and Goldstein 1989) and Ji et al. and Sivaraman et al. compute them
from fleshpoints; all in mm here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

TONGUE_TIP = ("TT", "T1")  # names of the same fleshpoint, the first that is there is taken
TONGUE_BODY = ("TD", "T3", "TB")


def estimate_palate(tongue: NDArray[Any], step: float = 0.5) -> Values:
    """Estimate the palate as the upper envelope of all that the tongue reached.

    Where no palate was traced: the tongue touches it now and then in every stretch of speech of
    some minutes. Too low wherever the tongue never touched it, so that degrees of constriction are
    too small there; say so beside any figure that stands on it.

    Parameters
    ----------
    tongue : float [N, 2]
        x and height of any tongue points at any time, in mm; rows that are not finite are ignored.
    step : float
        Width of the columns of which only the highest point is looked at, in mm.

    Returns
    -------
    float64 [P, 2]
        Corners of the upper convex hull from back to front, x increasing; P >= 2.
    """
    tongue = np.asarray(tongue, np.float64)
    tongue = tongue[np.isfinite(tongue).all(axis=1)]
    column = np.floor(tongue[:, 0] / step)
    order = np.lexsort((tongue[:, 1], column))
    highest = np.flatnonzero(np.diff(column[order], append=np.inf))  # the last row of each column
    hull: list[Values] = []
    for point in tongue[order[highest]]:
        while len(hull) > 1 and _turn(hull[-2], hull[-1], point) >= 0:
            hull.pop()
        hull.append(point)
    if len(hull) < 2:
        raise ValueError(f"{len(tongue)} tongue positions do not span a palate")
    return np.stack(hull)


def _turn(a: Values, b: Values, c: Values) -> float:
    """Return twice the area of the triangle a b c: positive when it turns left."""
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def constriction(point: NDArray[Any], palate: NDArray[Any]) -> tuple[Values, Values]:
    """Return the degree and the location of the constriction that a tongue point makes.

    Parameters
    ----------
    point : float [T, 2]
        x and height over time, in mm.
    palate : float [P, 2]
        Corners of the palate, in order along it; P >= 2.

    Returns
    -------
    degree : float64 [T]
        Distance to the nearest place of the palate, in mm.
    location : float64 [T]
        Where that place is: the way along the palate from its front end, in mm.
    """
    palate = np.asarray(palate, np.float64)
    if palate[0, 0] < palate[-1, 0]:
        palate = palate[::-1]
    along = np.diff(palate, axis=0)  # [P - 1, 2]
    lengths = np.hypot(*along.T)
    from_start = np.asarray(point, np.float64)[:, None] - palate[:-1]  # [T, P - 1, 2]
    share = ((from_start * along).sum(axis=2) / lengths**2).clip(0, 1)
    apart = from_start - share[..., None] * along
    distances = np.hypot(apart[..., 0], apart[..., 1])  # [T, P - 1]
    nearest = distances.argmin(axis=1)
    rows = np.arange(len(nearest))
    before = np.cumsum(lengths) - lengths
    return distances[rows, nearest], before[nearest] + share[rows, nearest] * lengths[nearest]


def tract_variables(
    tracks: NDArray[Any],
    channels: Sequence[str],
    palate: NDArray[Any],
    *,
    tip: Sequence[str] = TONGUE_TIP,
    body: Sequence[str] = TONGUE_BODY,
) -> dict[str, Values]:
    """Return the tract variables that the channels allow.

    Parameters
    ----------
    tracks : float [T, D]
        In mm; x positive toward the lips, y height.
    channels : sequence of str, length D
        Such as ``TT_x``, ``TT_y``, ``UL_x``.
    palate : float [P, 2]
        Traced, or from `estimate_palate`.
    tip, body : sequences of str
        Names under which the tongue tip and the tongue body may go.

    Returns
    -------
    dict of str to float64 [T]
        LA, the distance between the lips; LP, how far forward they are in the mean, in the
        coordinates of the tracks; TTCD and TTCL, TBCD and TBCL: `constriction`. Those whose points
        are not among the channels are left out.
    """
    tracks = np.asarray(tracks, np.float64)
    columns = {name: i for i, name in enumerate(channels)}

    def point(names: Sequence[str]) -> Values | None:
        for name in names:
            if f"{name}_x" in columns and f"{name}_y" in columns:
                return tracks[:, [columns[f"{name}_x"], columns[f"{name}_y"]]]
        return None

    variables: dict[str, Values] = {}
    upper, lower = point(["UL"]), point(["LL"])
    if upper is not None and lower is not None:
        variables["LA"] = np.hypot(*(upper - lower).T)
        variables["LP"] = (upper[:, 0] + lower[:, 0]) / 2
    for prefix, names in (("TT", tip), ("TB", body)):
        tongue = point(names)
        if tongue is not None:
            variables[f"{prefix}CD"], variables[f"{prefix}CL"] = constriction(tongue, palate)
    return variables
