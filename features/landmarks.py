"""Landmarks of articulation: when a fleshpoint starts to move, moves fastest and arrives.

A movement is a peak of tangential speed with what lies around it above a fifth of the way from the
neighbouring minimum up to the peak: the criterion of MVIEW (Tiede, Haskins Laboratories) and of
most studies of articulatory gestures. Between two movements the point holds its target.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

THRESHOLD = 0.2  # of the rise from the minimum of speed to its peak
LEAST_SPEED = 10.0  # mm/s; slower peaks are drift


@dataclass(frozen=True)
class Movement:
    """One movement of a fleshpoint.

    Attributes
    ----------
    onset, peak, end : float
        Times in s.
    speed : float
        At the peak, mm/s.
    displacement : float64 [axes]
        From onset to end, mm.
    """

    onset: float
    peak: float
    end: float
    speed: float
    displacement: NDArray[np.float64]


def movements(time: NDArray[np.floating], position: NDArray[np.floating]) -> list[Movement]:
    """Find the movements of a fleshpoint.

    Parameters
    ----------
    time : float [T]
        In s, increasing.
    position : float [T, axes]
        In mm, without gaps, smooth: noise has peaks of speed as well.

    Returns
    -------
    list of Movement
        In order of time; they do not overlap.
    """
    if len(time) < 3:
        return []
    speed = np.linalg.norm(np.gradient(position, time, axis=0), axis=1)
    least = max(LEAST_SPEED, 0.1 * float(speed.max()))
    peaks, _ = find_peaks(np.pad(speed, 1), prominence=least)  # one at either end is a peak, too
    peaks = peaks - 1
    if not len(peaks):
        return []
    valleys = [int(np.argmin(speed[a:b])) + a for a, b in pairwise(peaks)]
    found = []
    for low, peak, high in zip([0, *valleys], peaks, [*valleys, len(speed) - 1], strict=True):
        onset = time[peak] - crossing(time[low : peak + 1], speed[low : peak + 1], backwards=True)
        end = time[peak] + crossing(time[peak : high + 1], speed[peak : high + 1])
        places = [[np.interp(t, time, axis) for axis in position.T] for t in (onset, end)]
        moved = np.subtract(places[1], places[0])
        found.append(Movement(onset, float(time[peak]), end, float(speed[peak]), moved))
    return found


def crossing(
    time: NDArray[np.floating], speed: NDArray[np.floating], *, backwards: bool = False
) -> float:
    """Return how long after its start, a peak, the speed falls below the threshold.

    With ``backwards`` the peak is the end, and the time is counted towards the start.
    """
    if backwards:
        time, speed = time[-1] - time[::-1], speed[::-1]
    threshold = speed.min() + THRESHOLD * (speed[0] - speed.min())
    below = np.flatnonzero(speed <= threshold)
    if not len(below) or below[0] == 0:
        return float(time[-1] - time[0])
    after = below[0]
    ends = speed[[after, after - 1]], time[[after, after - 1]]
    return float(np.interp(threshold, *ends) - time[0])
