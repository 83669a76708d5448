"""MFCCs by HTK's conventions, equal to librosa's without the wait for its imports.

The choices, each of which another toolkit makes otherwise:

- 16 kHz; other rates are resampled by soxr at its quality HQ, librosa's own default
- pre-emphasis y[n] = x[n] - 0.97 x[n-1] over the whole sound, not per frame, with x[-1] = 0; then
  zeros before and after
- frame k is centred on sample 160 k exactly: a periodic Hamming window of 400 samples, whose peak
  lies on a sample (HTK's symmetric one has it between two)
- power spectrum of 512 points; 26 triangles of height 1, linear in Hz, with their corners equally
  spaced from 0 to 8000 Hz on the scale mel = 2595 log10(1 + f / 700)
- natural logarithm; energies below 1 on the scale of 16-bit samples count as 1, HTK's floor: so
  digital silence has a defined value and is like the faintest 16-bit noise
- orthonormal DCT-II, c0..c12 (c0 is not replaced by the energy)
- lifter 1 + 11 sin(pi n / 22) for coefficient n: HTK's, which leaves c0 as it is (librosa's own
  `lifter` argument is shifted by one coefficient)
- deltas and delta-deltas as in `features.deltas`; no normalisation

Importing what `librosa.feature.mfcc` needs takes two seconds and `librosa.filters.mel` one, mostly
SciPy's signal package and Numba. The mel scale is librosa's here, which is cheaper; the few lines
of arithmetic around it are NumPy's and soxr's, and tests hold them to librosa's own result.

A frame's values depend on its samples alone, to the last bit: not on the frames computed with it,
on threads or on the instructions that a processor has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import librosa
import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from features.deltas import WINDOW, with_deltas
from features.frames import FRAME_RATE, frame_count

SAMPLE_RATE = 16_000  # Hz
HOP = SAMPLE_RATE // FRAME_RATE  # samples
FRAME = 400  # samples, 25 ms
FFT = 512
PRE_EMPHASIS = 0.97
BANDS = 26
COEFFICIENTS = 13
LIFTER = 22
ENERGY_FLOOR = 2.0**-30  # (1 / 32768)^2
WIDTH = 3 * COEFFICIENTS

_CONTEXT = 2 * WINDOW  # frames on each side that a delta-delta sees
_BLOCK = 400  # frames worked on at once: they fit the cache
_GROUP = 3  # bands filtered at once: fewer are more calls, more are more zeros


def mfcc(
    audio: NDArray[np.floating], sample_rate: int, *, warp: float = 1.0
) -> NDArray[np.float32]:
    """Return 13 MFCCs with their deltas and delta-deltas, a frame every 10 ms.

    Parameters
    ----------
    audio : float [N]
        One channel, full scale is 1; at least 25 ms.
    sample_rate : int
        Hz.
    warp : float
        Vocal-tract length by which the frequency axis is warped; see `mel_filters`.

    Returns
    -------
    float32 [T, 39]
        T = `features.frames.frame_count(N, sample_rate)`; frame k is centred at k * 10 ms. Silence
        gives the floor: a constant c0 and zeros.

    Raises
    ------
    ValueError
        Sound that is not one channel of finite floats, is too short or has no positive rate.
    """
    audio = np.asarray(audio)
    if audio.ndim != 1:
        raise ValueError(f"expected one channel of sound, not an array of shape {audio.shape}")
    step = max(1, _BLOCK * sample_rate // FRAME_RATE)
    blocks = (audio[start : start + step] for start in range(0, len(audio), step))
    return with_deltas(np.concatenate(list(_cepstra(blocks, sample_rate, warp))), 2)


def mfcc_blocks(
    blocks: Iterable[NDArray[np.floating]], sample_rate: int, *, warp: float = 1.0
) -> Iterator[NDArray[np.float32]]:
    """Give the MFCCs of a sound that arrives block by block, in memory bounded by the block.

    Parameters
    ----------
    blocks : iterable of float [n]
        Successive stretches of one sound, of any lengths.
    sample_rate, warp
        As in `mfcc`.

    Yields
    ------
    float32 [t, 39]
        Laid end to end, these are `mfcc` of the whole sound, wherever it was cut.
    """
    held: NDArray[np.float32] = np.empty((0, COEFFICIENTS), np.float32)
    before = 0  # frames of `held` that were given already and serve as context
    for cepstra in _cepstra(blocks, sample_rate, warp):
        held = np.concatenate([held, cepstra])
        ready = len(held) - _CONTEXT  # later frames wait for their own context
        if ready > before:
            yield with_deltas(held, 2)[before:ready]
            held, before = held[max(0, ready - _CONTEXT) :], min(ready, _CONTEXT)
    yield with_deltas(held, 2)[before:]


def _cepstra(
    blocks: Iterable[NDArray[np.floating]], sample_rate: int, warp: float
) -> Iterator[NDArray[np.float32]]:
    """Give the static coefficients, float32 [t, 13], of a sound that arrives in blocks."""
    if sample_rate <= 0:
        raise ValueError(f"sample_rate={sample_rate} must be positive")
    resample = _resampler(sample_rate)
    _filter_groups(warp)  # refuses a wrong warp before any work
    seen = given = 0  # samples of the sound, frames
    previous: NDArray[np.float32] = np.zeros(1, np.float32)
    waiting: NDArray[np.float32] = np.zeros(FRAME // 2, np.float32)
    for block in blocks:
        _check(block, seen)
        seen += len(block)
        sound = np.concatenate([previous, resample(block, last=False)])
        waiting = np.concatenate([waiting, _emphasise(sound)])
        previous = sound[-1:]
        frames = max(0, 1 + (len(waiting) - FRAME) // HOP)
        for start in range(0, frames, _BLOCK):
            stop = min(start + _BLOCK, frames)
            yield _frame_cepstra(waiting[start * HOP : (stop - 1) * HOP + FRAME], warp)
        waiting = waiting[frames * HOP :]
        given += frames
    if seen * SAMPLE_RATE < FRAME * sample_rate:
        raise ValueError(
            f"{seen / sample_rate:g} s of sound is less than a frame, {FRAME / SAMPLE_RATE:g} s"
        )
    sound = np.concatenate([previous, resample(np.empty(0, np.float32), last=True)])
    waiting = np.concatenate([waiting, _emphasise(sound)])
    length = (frame_count(seen, sample_rate) - given - 1) * HOP + FRAME
    yield _frame_cepstra(np.pad(waiting[:length], (0, max(0, length - len(waiting)))), warp)


def _check(block: NDArray[np.floating], seen: int) -> None:
    """Raise a ValueError unless the block is one channel of finite floats."""
    if block.ndim != 1:
        raise ValueError(f"expected one channel of sound, not an array of shape {block.shape}")
    if not np.issubdtype(block.dtype, np.floating):
        raise ValueError(f"expected float samples within -1..1, not {block.dtype}")
    finite = np.isfinite(block)
    if not finite.all():
        bad = int(np.argmin(finite))
        raise ValueError(f"sample {seen + bad} of the sound is {block[bad]}")


def _resampler(sample_rate: int) -> Callable[..., NDArray[np.float32]]:
    """Return a function that takes successive blocks to 16 kHz; `last` ends the sound."""
    if sample_rate == SAMPLE_RATE:
        return lambda block, last: block.astype(np.float32, copy=False)
    stream = soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
    return lambda block, last: stream.resample_chunk(block.astype(np.float32, copy=False), last)


def _emphasise(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return [n - 1]: each sample less 0.97 of the one before."""
    return sound[1:] - np.float32(PRE_EMPHASIS) * sound[:-1]


def _frame_cepstra(sound: NDArray[np.float32], warp: float) -> NDArray[np.float32]:
    """Return float32 [t, 13] of the t frames in (t - 1) * 160 + 400 pre-emphasised samples."""
    frames = sliding_window_view(sound, FRAME)[::HOP]  # [t, 400]
    padded = np.zeros((len(frames), FFT), np.float32)
    np.multiply(frames, _hamming(), out=padded[:, :FRAME])
    spectrum = np.fft.rfft(padded)  # [t, 257]
    power = np.ascontiguousarray((spectrum.real**2 + spectrum.imag**2).T, np.float32)  # [257, t]
    energies = np.empty((BANDS, len(frames)), np.float32)
    for bins, bands, weights in _filter_groups(warp):
        energies[bands] = _weighted_sums(weights, power[bins])
    np.maximum(energies, np.float32(ENERGY_FLOOR), out=energies)
    return np.ascontiguousarray(_weighted_sums(_liftered_dct(), _log(energies)).T)


def _weighted_sums(weights: NDArray[np.float32], x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return weights' x, [m, t], of weights [n, m] and x [n, t]; m is 2 or more.

    Each is summed in the order of n, by einsum's own loop. A matrix product of BLAS adds and rounds
    in ways that depend on the processor, on t and on a column's place among the t.
    """
    return np.einsum("nm,nt->mt", weights, x, optimize=False)


def _log(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the natural logarithm of positive numbers.

    By additions, multiplications and one division, whose results IEEE 754 prescribes; NumPy's own
    logarithm differs in its last bit between processors. With x = m 2^e and s = (m - c) / (m + c),
    log x = e log 2 + log c + 2 artanh s; c = sqrt(1/2) keeps s within 0.172, where seven terms of
    the series of artanh are exact to 1e-12.
    """
    mantissa, exponent = np.frexp(x)  # m from 1/2 to 1
    m = mantissa.astype(np.float64)
    c = np.sqrt(0.5)
    s = (m - c) / (m + c)
    square = s * s
    series = square / 13
    for k in (11, 9, 7, 5, 3):
        series = (series + 1 / k) * square
    return (exponent * np.log(2) + (np.log(c) + 2 * s * (1 + series))).astype(np.float32)


@lru_cache
def _hamming() -> NDArray[np.float32]:
    """Return the periodic Hamming window, [400]; its peak is sample 200."""
    return (0.54 - 0.46 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)).astype(np.float32)


@lru_cache
def _liftered_dct() -> NDArray[np.float32]:
    """Return the orthonormal DCT-II with the lifter on its columns, [26, 13]."""
    n = np.arange(COEFFICIENTS)
    basis = np.cos(np.pi * np.outer(np.arange(BANDS) + 0.5, n) / BANDS) * np.sqrt(2 / BANDS)
    basis[:, 0] /= np.sqrt(2)
    lifter = 1 + LIFTER / 2 * np.sin(np.pi * n / LIFTER)
    return (basis * lifter).astype(np.float32)


@lru_cache
def _filter_groups(warp: float) -> list[tuple[slice, slice, NDArray[np.float32]]]:
    """Return `mel_filters` in groups of neighbouring bands: bins, bands, weights [bins, bands].

    No bin lies in more than two bands, so that nearly all weights of the whole matrix are zero.
    """
    filters = mel_filters(warp)
    groups = []
    for first in range(0, BANDS, _GROUP):
        bands = slice(first, first + _GROUP)
        used = np.flatnonzero(filters[:, bands].any(axis=1))
        bins = slice(int(used[0]), int(used[-1]) + 1)
        groups.append((bins, bands, np.ascontiguousarray(filters[bins, bands])))
    return groups


@lru_cache
def mel_filters(warp: float = 1.0) -> NDArray[np.float32]:
    """Return the triangular filters, their corners moved as a tract of another length moves them.

    Parameters
    ----------
    warp : float
        A tract `warp` times as short has its resonances at `warp` times the frequency; filters
        whose corners follow see the same spectrum. Between 0.5 and 2; 1 leaves all in place. The
        map is linear up to 4800 Hz (or where it reaches that) and linear again from there to
        8000 Hz, which stays, so that no filter leaves the spectrum (piecewise linear, as in HTK and
        Kaldi's vocal-tract length normalisation).

    Returns
    -------
    float32 [257, 26]
        Weights of the power spectrum, one column per band.
    """
    if not 0.5 <= warp <= 2:
        raise ValueError(f"warp={warp} must lie between 0.5 and 2")
    nyquist = SAMPLE_RATE / 2
    knee = 0.6 * nyquist * min(1, 1 / warp)
    corners = np.interp(
        librosa.mel_frequencies(BANDS + 2, fmin=0, fmax=nyquist, htk=True),
        [0, knee, nyquist],
        [0, knee * warp, nyquist],
    )
    low, peak, high = corners[:-2], corners[1:-1], corners[2:]
    bins = np.arange(FFT // 2 + 1)[:, None] * (SAMPLE_RATE / FFT)  # [257, 1]
    rising = (bins - low) / (peak - low)
    falling = (high - bins) / (high - peak)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
