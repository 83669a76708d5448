"""Articulator tracks from the rate and the gaps of a corpus to the frame grid.

`onto_grid` is the whole way: repair short gaps, low-pass, evaluate at the frame centres. Every step
works on each channel by itself and goes by the time stamps, never by counting rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import Akima1DInterpolator, CubicSpline
from scipy.signal import butter, sosfiltfilt

from features.frames import FRAME_RATE, frame_times

ORDER = 5  # of the Butterworth filter, before it runs a second time, backwards


@dataclass(frozen=True)
class Gap:
    """A stretch of one channel without samples.

    Attributes
    ----------
    column : int
        Of the array of tracks.
    start, end : float
        The last sample before it and the first after it, in s.
    """

    column: int
    start: float
    end: float


def gaps(time: NDArray[Any], values: NDArray[Any], max_gap_s: float) -> list[Gap]:
    """Return the gaps that are too long to repair.

    Parameters
    ----------
    time : float [T]
        Time stamps in s, increasing.
    values : float [T, D]
        Not finite where a sample is missing; a missing row is a gap as well.
    max_gap_s : float
        The longest time between two samples that may be bridged.

    Returns
    -------
    list of Gap
        A channel with fewer than two samples is one gap from the first to the last time stamp. What
        lies before a channel's first sample or after its last one is no gap: the grid of the
        utterance starts later or ends sooner.
    """
    found = []
    for column, channel in enumerate(np.asarray(values).T):
        known = time[np.isfinite(channel)]
        if len(known) < 2:
            found.append(Gap(column, *(time[[0, -1]].tolist() if len(time) else (0.0, 0.0))))
        for i in np.flatnonzero(np.diff(known) > max_gap_s):
            found.append(Gap(column, float(known[i]), float(known[i + 1])))
    return found


def repair(time: NDArray[Any], values: NDArray[Any], max_gap_s: float) -> NDArray[np.float64]:
    """Fill short gaps by one spline per channel.

    Parameters
    ----------
    time, values, max_gap_s
        As in `gaps`.

    Returns
    -------
    float64 [T, D]
        A copy in which missing samples are interpolated by Akima's spline (1970), which the noise
        of the samples beside a gap throws off less than a cubic one. NaN stays in longer gaps,
        before the first sample and after the last one of a channel.
    """
    repaired = np.array(values, np.float64)
    repaired[~np.isfinite(repaired)] = np.nan
    for channel in repaired.T:
        known = np.isfinite(channel)
        if known.all() or known.sum() < 2:
            continue
        before = np.searchsorted(time[known], time)  # known samples before each stamp
        inside = ~known & (before > 0) & (before < known.sum())
        width = np.diff(time[known])[before[inside] - 1]
        fill = np.flatnonzero(inside)[width <= max_gap_s]
        spline = Akima1DInterpolator(time[known], channel[known], method="akima")
        channel[fill] = spline(time[fill])
    return repaired


def low_pass(values: NDArray[Any], rate: float, cutoff_hz: float = 20.0) -> NDArray[np.float64]:
    """Smooth tracks without delaying them.

    Parameters
    ----------
    values : float [T, D]
        Sampled at equal intervals; T of any length, finite.
    rate : float
        Hz.
    cutoff_hz : float
        Where a Butterworth filter of order 5, run forward and backward, halves the amplitude; up to
        0.63 of it the error is below 1 %. At half of `rate` or more there is nothing to remove.

    Returns
    -------
    float64 [T, D]
        A constant stays exactly what it is.

    Raises
    ------
    ValueError
        A cut-off or a rate that is not positive, or samples that are not finite.
    """
    if not (cutoff_hz > 0 and rate > 0):
        raise ValueError(f"cutoff_hz={cutoff_hz} and rate={rate} must be positive")
    values = np.array(values, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("tracks with missing samples cannot be filtered; repair them first")
    if len(values) < 2 or cutoff_hz >= rate / 2:
        return values
    sections = butter(ORDER, cutoff_hz, fs=rate, output="sos")
    padding = min(len(values) - 1, int(np.ceil(3 * rate / cutoff_hz)))  # what the filter remembers
    offset = values[:1]  # taken away, so that a constant is filtered as exact zeros
    return sosfiltfilt(sections, values - offset, axis=0, padlen=padding) + offset


def resample(time: NDArray[Any], values: NDArray[Any], at: NDArray[Any]) -> NDArray[np.float64]:
    """Evaluate tracks at other instants, by a cubic spline through their samples.

    Parameters
    ----------
    time : float [T]
        Time stamps in s, increasing; T >= 2.
    values : float [T, D]
        Finite, and without anything above half the rate of `at`: see `low_pass`.
    at : float [N]
        Instants within `time`, in s.

    Returns
    -------
    float64 [N, D]

    Raises
    ------
    ValueError
        Too few or missing samples, or an instant that lies outside: nothing is extrapolated.
    """
    if len(time) < 2:
        raise ValueError(f"{len(time)} samples are too few to be resampled")
    if len(at) and (at.min() < time[0] or at.max() > time[-1]):
        raise ValueError(
            f"tracks from {time[0]:g} to {time[-1]:g} s say nothing of {at.min():g}..{at.max():g} s"
        )
    return CubicSpline(time, values, axis=0)(at)


def onto_grid(
    time: NDArray[Any],
    values: NDArray[Any],
    cutoff_hz: float,
    max_gap_s: float,
    n_frames: int,
) -> tuple[int, NDArray[np.float64]]:
    """Bring tracks onto the frame grid of their sound.

    Parameters
    ----------
    time : float [T]
        Time stamps in s from the start of the audio, increasing; their intervals need not be equal.
    values : float [T, D]
        NaN where a sample is missing.
    cutoff_hz : float
        Of the zero-phase low-pass, applied at the tracks' own rate before decimation.
    max_gap_s : float
        The longest gap that is repaired.
    n_frames : int
        Frames of the sound.

    Returns
    -------
    first : int
        The first frame at which every channel is known.
    values : float64 [N, D]
        Frames `first` to `first` + N - 1.

    Raises
    ------
    ValueError
        A gap that is too long, naming its column; or tracks that cover no frame of the sound.
    """
    for gap in gaps(time, values, max_gap_s):
        raise ValueError(
            f"column {gap.column} has no samples between {gap.start:.3f} and {gap.end:.3f} s,"
            f" more than {max_gap_s:g} s"
        )
    values = repair(time, values, max_gap_s)
    covered = np.flatnonzero(np.isfinite(values).all(axis=1))
    if len(covered) < 2:
        raise ValueError("there is no stretch of time in which every channel has samples")
    time, values = time[covered], values[covered]
    even = np.linspace(time[0], time[-1], len(time))
    rate = (len(time) - 1) / (time[-1] - time[0])
    smooth = low_pass(resample(time, values, even), rate, cutoff_hz)
    # a time stamp that was rounded to microseconds still counts as on its frame
    first = max(0, int(np.ceil(time[0] * FRAME_RATE - 1e-4)))
    last = min(n_frames - 1, int(np.floor(time[-1] * FRAME_RATE + 1e-4)))
    if last < first:
        raise ValueError(
            f"tracks from {time[0]:.3f} to {time[-1]:.3f} s cover none of the {n_frames} frames"
        )
    at = frame_times(last - first + 1, first).clip(time[0], time[-1])
    return first, resample(even, smooth, at)
