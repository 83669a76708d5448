"""The frame grid that sound and articulation share, stated here and nowhere else.

Frame k is centred at k * 10 ms from the start of the audio: the analysis window of the sound lies
symmetrically about that instant, and the tracks are evaluated at it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FRAME_RATE = 100  # Hz
HOP_S = 0.010  # s, from one frame to the next


def frame_count(samples: int, sample_rate: int) -> int:
    """Return how many frames have their centre within a sound.

    Parameters
    ----------
    samples : int
        Length of the sound.
    sample_rate : int
        Hz.

    Returns
    -------
    int
        Number of k >= 0 with k * 10 ms <= samples / sample_rate; 0 without a sample.
    """
    return 1 + samples * FRAME_RATE // sample_rate if samples > 0 else 0


def frame_times(n: int, first: int = 0) -> NDArray[np.float64]:
    """Return the centres of `n` frames from frame `first` on, float64 [n], in s."""
    return np.arange(first, first + n) / FRAME_RATE
