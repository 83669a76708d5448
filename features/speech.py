"""Which frames of a sound hold speech, and whether any does: by their level and nothing else.

The level of a frame is that of the second softest of four stretches of 5 ms around its centre, each
without its mean. So a constant offset has no level, and neither has a click, which touches two
neighbouring stretches at most: what is to count must last. A frame's level depends on the 20 ms
around it alone, so that levels are known while a sound goes on.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable

import numpy as np
from numpy.typing import NDArray

from features.frames import FRAME_RATE, frame_count

FLOOR = 1 / 32768  # rms, the lowest bit of 16-bit sound: dither is softer than that, a whisper not
FEWEST = 3  # frames above it that a sound needs: as many as 25 ms have
RANGE_DB = 30  # from the loudest frames of speech down to the softest
LOUDEST = 10  # frames: what is as loud for 0.1 s is no bang
PAUSE = 20  # frames of a closure or a short pause, which belong to the speech around it

_STRETCHES = 2 * FRAME_RATE  # a second
_BLOCK = 1 << 14  # samples worked on at once: they fit the cache
_AROUND = np.arange(-2, 2)  # the stretches around the centre of frame k, from stretch 2 k on

Levels = NDArray[np.float64]


class NoSpeechError(ValueError):
    """A sound holds nothing but silence, clicks or a constant offset."""

    def __init__(self) -> None:
        super().__init__(
            f"silence: nothing in it but clicks is above {20 * np.log10(FLOOR):.0f} dB of full"
            " scale; check the recording"
        )


class LevelMeter:
    """Levels of a sound that arrives block by block.

    Parameters
    ----------
    sample_rate : int
        Hz.

    Attributes
    ----------
    heard : bool
        Whether there was speech so far: `FEWEST` frames above `FLOOR`.
    """

    def __init__(self, sample_rate: int) -> None:
        if sample_rate < _STRETCHES:
            raise ValueError(f"sample_rate={sample_rate} must be {_STRETCHES} or more")
        self.heard = False
        self._rate = sample_rate
        self._samples = self._stretches = self._frames = self._above = 0  # so far
        self._rest: NDArray[np.float64] = np.empty(0)  # samples of the stretch that goes on
        self._powers: NDArray[np.float64] = np.empty(0)  # of the last stretches

    def add(self, block: NDArray[np.floating]) -> Levels:
        """Take the next samples, float [n].

        Returns
        -------
        float64 [t]
            Root mean squares of the frames that are known now and were not before; full scale is 1.
        """
        sound = np.append(self._rest, np.asarray(block, np.float64))
        self._samples += len(block)
        stop = self._samples * _STRETCHES // self._rate
        edges = np.arange(self._stretches, stop + 1) * self._rate // _STRETCHES
        edges -= self._samples - len(sound)
        if len(edges) > 1:
            whole, samples = sound[: edges[-1]], np.diff(edges)
            mean = np.add.reduceat(whole, edges[:-1]) / samples
            square = np.add.reduceat(whole * whole, edges[:-1]) / samples
            self._powers = np.append(self._powers, np.maximum(square - mean * mean, 0))
        self._rest, self._stretches = sound[edges[-1] :], stop
        return self._next(stop // 2)

    def end(self) -> Levels:
        """Return the levels of the frames at the end of the sound, which is mirrored there."""
        return self._next(frame_count(self._samples, self._rate))

    def _next(self, stop: int) -> Levels:
        """Return the levels up to frame ``stop``."""
        at = 2 * np.arange(self._frames, stop)[:, None] + _AROUND
        at = np.where(at < 0, -1 - at, at)
        at = np.where(at < self._stretches, at, 2 * self._stretches - 1 - at)
        first = self._stretches - len(self._powers)
        powers = self._powers[at - first] if len(self._powers) else np.zeros(at.shape)
        levels = np.sqrt(np.sort(powers, axis=1)[:, 1])
        self._powers = self._powers[max(0, 2 * stop - 2 - first) :]
        self._frames = stop
        self._above += int(np.count_nonzero(levels > FLOOR))
        self.heard = self._above >= FEWEST
        return levels


def levels(audio: NDArray[np.floating], sample_rate: int) -> Levels:
    """Return the level of every frame.

    Parameters
    ----------
    audio : float [N]
        One channel, full scale is 1.
    sample_rate : int
        Hz.

    Returns
    -------
    float64 [T]
        Root mean squares; frame k is that of `features.mfcc.mfcc`.
    """
    meter = LevelMeter(sample_rate)
    known = [meter.add(audio[start : start + _BLOCK]) for start in range(0, len(audio), _BLOCK)]
    return np.concatenate([*known, meter.end()])


def speech_frames(level: Levels) -> NDArray[np.bool_]:
    """Return which frames hold speech, given the level of each, float [T].

    Those within `RANGE_DB` of the loudest, and short pauses between them. Silence before, between
    or after the speech does not change which of its frames they are, however long it is.

    Returns
    -------
    bool [T]
    """
    loud = np.sort(level[level > FLOOR])[-LOUDEST:]
    if len(loud) < FEWEST:
        return np.zeros(len(level), np.bool_)
    found = level > max(FLOOR, loud[0] * 10 ** (-RANGE_DB / 20))
    at = np.flatnonzero(found)
    for pause in np.flatnonzero((np.diff(at) > 1) & (np.diff(at) <= PAUSE)):
        found[at[pause] : at[pause + 1]] = True
    return found


def check(audio: NDArray[np.floating], sample_rate: int, frames: slice = slice(None)) -> None:
    """Raise `NoSpeechError` where these frames of a sound hold none; see `levels`."""
    if np.count_nonzero(levels(audio, sample_rate)[frames] > FLOOR) < FEWEST:
        raise NoSpeechError


def checked(
    sound: Iterable[NDArray[np.floating]], meter: LevelMeter
) -> Generator[NDArray[np.floating], None, Levels]:
    """Give on the blocks of a sound, and raise `NoSpeechError` at its end if it held none.

    The meter knows a block before those to whom it is given do. A sound of less than `FEWEST`
    frames is theirs to refuse. Returns the levels of all frames to a ``yield from``.
    """
    known = []
    for block in sound:
        known.append(meter.add(block))
        yield block
    level = np.concatenate([*known, meter.end()])
    if len(level) >= FEWEST and not meter.heard:
        raise NoSpeechError
    return level
