"""The wide-band spectrogram that phoneticians read: formants as bars, glottal pulses as stripes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import ShortTimeFFT, lfilter
from scipy.signal.windows import gaussian

WINDOW_S = 0.005  # effective length of the Gaussian, Praat's default: 260 Hz wide
PREEMPHASIS_HZ = 50  # +6 dB per octave above it, so that high formants show


def spectrogram(
    audio: NDArray[np.floating],
    sample_rate: int,
    *,
    highest_hz: float = 8000,
    hop_s: float = 0.002,
    range_db: float = 50,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
    """Return a wide-band spectrogram as a page of a phonetics journal shows it.

    Parameters
    ----------
    audio : float [samples]
    sample_rate : int
        Hz.
    highest_hz : float
        Upper edge; half the sample rate where that is lower.
    hop_s : float
        Between columns, in s.
    range_db : float
        What lies further below the loudest point is white.

    Returns
    -------
    time : float64 [T]
        Centre of each column, s.
    frequency : float64 [F]
        Hz.
    level : float32 [F, T]
        From 0 (``range_db`` below the loudest point, or silence) to 1 (the loudest).
    """
    hop = max(round(hop_s * sample_rate), 1)
    sigma = WINDOW_S * sample_rate / 4  # the Gaussian of Praat falls to exp(-8) at both ends
    window = gaussian(2 * round(4 * sigma) + 1, sigma)
    width = max(512, 2 ** int(np.ceil(np.log2(len(window)))))
    transform = ShortTimeFFT(window, hop, sample_rate, mfft=width, scale_to="magnitude")
    emphasis = np.exp(-2 * np.pi * PREEMPHASIS_HZ / sample_rate)
    emphasised = lfilter([1, -emphasis], [1], np.nan_to_num(audio))
    if len(emphasised) < len(window):  # shorter than one window: silence follows
        emphasised = np.pad(emphasised, (0, len(window) - len(emphasised)))
    columns = -(-max(len(audio), 1) // hop)
    power = transform.spectrogram(emphasised, p0=0, p1=columns)
    frequency = transform.f
    kept = frequency <= highest_hz
    level = 10 * np.log10(np.maximum(power[kept], 1e-20))
    level = np.clip(1 + (level - max(level.max(), -120)) / range_db, 0, 1)
    return np.arange(columns) * hop / sample_rate, frequency[kept], level.astype(np.float32)
