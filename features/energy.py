"""Loudness of a sound on the frame grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.frames import frame_count, frame_times

WINDOW_S = 0.025
RANGE_DB = 60  # below the loudest frame; what is softer is room and recorder


def log_energy(audio: NDArray[np.floating], sample_rate: int) -> NDArray[np.float64]:
    """Return the mean power of the 25 ms around each frame, in dB below full scale.

    Parameters
    ----------
    audio : float [samples]
        Full scale is 1.
    sample_rate : int
        Hz.

    Returns
    -------
    float64 [T]
        Not more than 60 dB below the loudest frame.
    """
    centres = np.round(frame_times(frame_count(len(audio), sample_rate)) * sample_rate).astype(int)
    half = round(WINDOW_S * sample_rate / 2)
    power = np.concatenate([[0.0], np.cumsum(np.asarray(audio, np.float64) ** 2)])
    last = np.minimum(centres + half, len(audio))
    first = np.maximum(centres - half, 0)
    mean = (power[last] - power[first]) / np.maximum(last - first, 1)
    floor = max(mean.max(initial=0) * 10 ** (-RANGE_DB / 10), np.finfo(float).tiny)
    return 10 * np.log10(np.maximum(mean, floor))
