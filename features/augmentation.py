"""Variations of training material that leave its articulation as it is.

What differs between speakers, microphones and rooms is drawn at random, so that a network cannot
rely on it. Every function takes arrays and a generator, draws evenly from the ranges that it is
given (low and high, equal for a fixed value), and returns a new array; nothing moves in time unless
the articulation moves with it. Another speaker's voice is made in the features: `change_voice`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.signal import fftconvolve

from features.articulation import resample
from features.deltas import with_deltas
from features.frames import frame_count
from features.mfcc import COEFFICIENTS, mfcc

Audio = NDArray[np.float32]
Range = tuple[float, float]


def _rms(audio: NDArray[Any]) -> float:
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))


def add_noise(
    audio: Audio, rng: np.random.Generator, *, snr_db: Range, slope: Range = (0.0, 0.0)
) -> Audio:
    """Add Gaussian noise.

    Parameters
    ----------
    audio : float32 [N]
    rng : numpy.random.Generator
    snr_db : (low, high)
        Power of the whole sound over that of the noise, in dB.
    slope : (low, high)
        The noise falls by so many dB per octave: 0 is white, 3 pink, 6 brown.

    Returns
    -------
    float32 [N]
        Silence stays silence.
    """
    noise = _shape(rng.standard_normal(len(audio)), -rng.uniform(*slope))
    gain = _rms(audio) / _rms(noise) * 10 ** (-rng.uniform(*snr_db) / 20)
    return (audio + gain * noise).astype(np.float32)


def change_level(audio: Audio, rng: np.random.Generator, *, gain_db: Range) -> Audio:
    """Make a sound, float32 [N], louder by so many dB; nothing is clipped."""
    return (audio * 10 ** (rng.uniform(*gain_db) / 20)).astype(np.float32)


def tilt_spectrum(audio: Audio, rng: np.random.Generator, *, db_per_octave: Range) -> Audio:
    """Tilt the spectrum of a sound, float32 [N], without delay and at the same level.

    As another voice or microphone does; the tilt ends at a 64th of half the sampling rate.
    """
    tilted = _shape(audio, rng.uniform(*db_per_octave))
    return (tilted * (_rms(audio) / (_rms(tilted) or 1.0))).astype(np.float32)


def _shape(sound: NDArray[Any], db_per_octave: float) -> NDArray[np.float64]:
    """Filter by a gain that changes steadily per octave, with zero phase."""
    length = next_fast_len(2 * len(sound), real=True)  # room for what would wrap around
    octaves = np.log2(rfftfreq(length, 0.5).clip(1 / 64))  # below half the sampling rate
    gain = 10 ** (db_per_octave * octaves / 20)
    return irfft(rfft(np.asarray(sound, np.float64), length) * gain, length)[: len(sound)]


def add_room(
    audio: Audio,
    sample_rate: int,
    rng: np.random.Generator,
    *,
    decay_s: Range = (0.1, 0.4),
    direct_db: Range = (0.0, 15.0),
) -> Audio:
    """Add the reverberation of a small room, drawn as noise that dies away.

    Parameters
    ----------
    audio : float32 [N]
    sample_rate : int
        Hz.
    rng : numpy.random.Generator
    decay_s : (low, high)
        Seconds until the reverberation has fallen by 60 dB.
    direct_db : (low, high)
        Energy of the direct sound over that of the reverberation, in dB.

    Returns
    -------
    float32 [N]
        The direct sound is where it was; the reverberation starts 2 ms later (Polack's model).
    """
    decay = rng.uniform(*decay_s)
    time = np.arange(1, max(2, int(decay * sample_rate))) / sample_rate
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / decay) * (time >= 0.002)
    energy = np.square(tail).sum() or 1.0
    tail *= np.sqrt(10 ** (-rng.uniform(*direct_db) / 10) / energy)
    response = np.concatenate([[1.0], tail])
    return fftconvolve(audio, response)[: len(audio)].astype(np.float32)


def change_voice(
    audio: Audio,
    sample_rate: int,
    rng: np.random.Generator,
    *,
    warp: Range = (1.0, 1.0),
    pitch: Range = (1.0, 1.0),
) -> NDArray[np.float32]:
    """Return the MFCCs of a sound as if another speaker had said it.

    Parameters
    ----------
    audio : float32 [N]
    sample_rate : int
        Hz.
    rng : numpy.random.Generator
    warp : (low, high)
        Of the mel filters, drawn evenly on the logarithmic scale: the tract becomes so many times
        as long. See `features.mfcc.mel_filters`.
    pitch : (low, high)
        How many times as high the voice becomes. The sound is played faster; the filters move with
        its resonances, so that these stay, and the frames are brought back to their instants. What
        comes to lie above 8 kHz is lost. Within 0.5 and 2, multiplied by the warp too.

    Returns
    -------
    float32 [T, 39]
        The frames of `features.mfcc.mfcc` of the sound.
    """
    longer, higher = (float(np.exp(rng.uniform(*np.log(drawn)))) for drawn in (warp, pitch))
    if higher == 1:
        return mfcc(audio, sample_rate, warp=longer)
    played = round(sample_rate * higher)
    static = mfcc(audio, played, warp=longer * higher)[:, :COEFFICIENTS]
    at = np.arange(frame_count(len(audio), sample_rate)) * (sample_rate / played)
    there = np.arange(len(static), dtype=np.float64)
    return with_deltas(resample(there, static, at.clip(max=there[-1])), 2).astype(np.float32)


def mask(
    inputs: NDArray[np.float32],
    rng: np.random.Generator,
    *,
    stretches: int = 2,
    frames: int = 10,
    bands: int = 1,
    width: int = 3,
) -> NDArray[np.float32]:
    """Hide stretches of time and bands of coefficients (after SpecAugment, Park et al. 2019).

    Parameters
    ----------
    inputs : float32 [T, 39]
        Standardised: what is hidden becomes 0, the mean.
    rng : numpy.random.Generator
    stretches, frames : int
        How many stretches, each of 0 to `frames` frames and no more than a fifth of the utterance.
    bands, width : int
        How many bands, each of 0 to `width` neighbouring coefficients with their deltas.

    Returns
    -------
    float32 [T, 39]
    """
    masked = inputs.copy()
    length, coefficients = len(inputs), inputs.shape[1] // 3
    for _ in range(stretches):
        n = int(rng.integers(min(frames, length // 5) + 1))
        start = int(rng.integers(length - n + 1))
        masked[start : start + n] = 0
    for _ in range(bands):
        n = int(rng.integers(min(width, coefficients) + 1))
        first = int(rng.integers(coefficients - n + 1))
        masked.reshape(length, 3, coefficients)[:, :, first : first + n] = 0
    return masked


def change_rate(
    inputs: NDArray[np.float32],
    targets: NDArray[np.float32],
    rng: np.random.Generator,
    *,
    factor: Range = (0.9, 1.1),
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Speak faster or slower: both sides are evaluated at the same new instants.

    Parameters
    ----------
    inputs : float32 [T, W]
    targets : float32 [T, D]
        Both on the frame grid.
    rng : numpy.random.Generator
    factor : (low, high)
        Of speed; above 1 is faster and shorter.

    Returns
    -------
    inputs : float32 [N, W]
    targets : float32 [N, D]
        N is 1 + (T - 1) / factor, rounded down. Deltas among them keep the size that they had.
    """
    if len(inputs) != len(targets):
        raise ValueError(f"{len(inputs)} frames of inputs and {len(targets)} of targets")
    if len(inputs) < 2:
        return inputs.copy(), targets.copy()
    grid = np.arange(len(inputs), dtype=np.float64)
    at = np.arange(0, len(inputs) - 1 + 1e-9, rng.uniform(*factor)).clip(max=grid[-1])
    both = resample(grid, np.hstack([inputs, targets]), at).astype(np.float32)
    return both[:, : inputs.shape[1]], both[:, inputs.shape[1] :]
