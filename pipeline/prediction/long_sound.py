"""Sound that comes piece by piece: recordings longer than memory, and live sound.

A network of one direction carries its states from piece to piece; its result is that of the whole.
A bidirectional network is run on overlapping windows: what it says of a window's middle hardly
depends on what lies beyond its ends. Where two windows meet, both say something of the same frame,
and by how much they differ tells how much "hardly" is; more than 1e-3 is a warning.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from features import speech
from features.mfcc import WIDTH, mfcc_blocks
from features.standardization import Standardizer
from pipeline.formats.audio import SoundWarning
from pipeline.prediction.predictor import Predictor
from pipeline.trained.smoothing import in_pieces

WINDOW = 3000  # frames of which a window is believed
CONTEXT = 500  # frames before and after them, its context
LANES = 4  # windows at once
TOLERANCE = 1e-3  # standard deviations by which windows may differ where they meet
PIECE = 1000  # frames that a unidirectional network is run on at once

Array = NDArray[np.float32]


def predict_blocks(
    predictor: Predictor, sound: Iterable[NDArray[np.floating]], sample_rate: int
) -> Iterator[Array]:
    """Predict a sound that arrives in stretches, in memory that does not grow with it.

    Parameters
    ----------
    sound : iterable of float [n]
        Successive stretches of one channel, of any lengths.
    sample_rate : int
        Hz.

    Yields
    ------
    float32 [t, channels]
        Tracks in z; laid end to end, those of the whole sound.

    Raises
    ------
    ValueError
        As `Predictor` does; where there is no speech, at the end of the sound.
    """
    features = standardized(predictor, sound, sample_rate)
    if predictor.network.bidirectional:
        return windows(predictor, features)
    return in_pieces(carried(predictor, features), predictor.smooth)


def standardized(
    predictor: Predictor, sound: Iterable[NDArray[np.floating]], sample_rate: int
) -> Iterator[Array]:
    """Yield features [t, 39] in z.

    A recording's own mean, and which of its frames are speech, are known only at its end: the
    features wait in a temporary file.
    """
    checked, levels = speech.checked(sound, speech.LevelMeter(sample_rate)), []
    if not predictor.own_statistics:
        for block in mfcc_blocks(checked, sample_rate):
            yield predictor.average_inputs.transform(block)
        return

    def measured() -> Iterator[NDArray[np.floating]]:
        levels.append((yield from checked))

    with tempfile.TemporaryFile() as file:

        def again() -> Iterator[Array]:
            file.seek(0)
            for piece in iter(partial(file.read, PIECE * WIDTH * 4), b""):
                yield np.frombuffer(piece, np.float32).reshape(-1, WIDTH)

        for block in mfcc_blocks(measured(), sample_rate):
            file.write(block.tobytes())
        on = predictor.counted(*levels)
        own, first = Standardizer(), 0
        for block in again():
            part = block if on is None else block[on[first : first + len(block)]]
            own = own.partial_fit(part) if len(part) else own
            first += len(block)
        yield from map(own.transform, again())


def carried(predictor: Predictor, features: Iterable[Array]) -> Iterator[Array]:
    """Yield what a network of one direction gives, in z, ``delay`` frames after the features.

    It is not smoothed: that has to wait for later frames.
    """
    states = predictor.zero_states(1)
    waiting = predictor.network.delay  # what is known after so many frames is of no frame yet
    last: Array = np.empty((0, predictor.network.outputs), np.float32)
    for block in features:
        if len(block):
            tracks, states = predictor.advance(block, states)
            last = tracks[-1:]
            yield tracks[waiting:]
            waiting = max(0, waiting - len(tracks))
    # the frames at the end are told what is known at the end
    yield np.repeat(last, predictor.network.delay - waiting, axis=0)


def windows(predictor: Predictor, features: Iterable[Array]) -> Iterator[Array]:
    """Yield tracks in z of a network of two directions, window by window."""
    held: list[Array] = []
    before = 0  # frames of `held` that were predicted already and serve as context
    for block in features:
        held.append(block)
        if sum(map(len, held)) >= before + LANES * WINDOW + CONTEXT:
            sound = np.concatenate(held)
            stop = before + LANES * WINDOW
            yield from together(predictor, sound, before, stop)
            before = min(CONTEXT, stop)
            held = [sound[stop - before :]]
    if held:
        sound = np.concatenate(held)
        yield from together(predictor, sound, before, len(sound))


def together(predictor: Predictor, sound: Array, start: int, stop: int) -> Iterator[Array]:
    """Yield tracks of frames ``start`` to ``stop`` of the features ``sound``, a window each."""
    starts = range(start, stop, WINDOW)
    if not starts:
        return
    windowed = [sound[max(0, a - CONTEXT) : min(a + WINDOW, stop) + CONTEXT] for a in starts]
    predicted = predictor.run(windowed)
    for a, tracks, after in zip_longest(starts, predicted, predicted[1:]):
        first, last = min(CONTEXT, a), min(CONTEXT, a) + min(WINDOW, stop - a)
        yield tracks[first:last]
        if after is not None:
            apart = float(np.abs(after[min(CONTEXT, a + WINDOW)] - tracks[last]).max())
            if apart > TOLERANCE:
                warnings.warn(
                    f"windows differ by {apart:.1g} standard deviations where they meet: this"
                    f" network remembers more than {CONTEXT} frames",
                    SoundWarning,
                    stacklevel=2,
                )
