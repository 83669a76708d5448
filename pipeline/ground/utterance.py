"""The one thing that travels: an utterance, its sound and the tracks of its articulators."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# what tiers and levels of phones and of words are usually called, in lower case; the first counts
PHONES = (
    *("phones", "phone", "mau", "segments", "segment", "phonemes", "phoneme", "phonetic"),
    *("phn", "phon", "pho"),
)
WORDS = ("words", "word", "ort", "ort-mau", "orthography", "wrd")


@dataclass(frozen=True)
class Label:
    """A labelled stretch of an utterance, a phone or a word.

    Attributes
    ----------
    start, end : float
        Seconds from the start of the audio.
    text : str
        The label as the corpus writes it; empty or ``sil`` for silence.
    """

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Tracks:
    """Named articulator tracks with a time stamp per row.

    Attributes
    ----------
    time : float64 [T]
        Seconds from the start of the audio, strictly increasing.
    values : float64 [T, D]
        One column per channel, in mm (see ``unit``); NaN where a sample is missing.
    channels : tuple of str, length D
        Such as ``TT_x``; x is positive toward the lips, y is height, z is lateral.
    unit : str
        ``mm``, or ``z`` where the corpus gives z-scores alone.
    """

    time: NDArray[np.float64]
    values: NDArray[np.float64]
    channels: tuple[str, ...]
    unit: str = "mm"

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.time), len(self.channels)):
            raise ValueError(
                f"tracks of shape {self.values.shape} do not fit {len(self.time)} time stamps"
                f" and {len(self.channels)} channel names"
            )
        if len(set(self.channels)) != len(self.channels):
            twice = sorted({c for c in self.channels if self.channels.count(c) > 1})
            raise ValueError(f"duplicate channel name {', '.join(twice)}")
        if len(self.time) > 1 and not np.all(np.diff(self.time) > 0):
            raise ValueError("time stamps do not increase")

    @property
    def rate(self) -> float:
        """Mean number of rows per second, in Hz."""
        return (len(self.time) - 1) / float(self.time[-1] - self.time[0])


@dataclass(frozen=True)
class Utterance:
    """What every corpus reader gives, whatever lies on the disk.

    Attributes
    ----------
    id : str
        Unique in its corpus; letters, digits, ``_``, ``-`` and ``.`` only.
    speaker, session, style, sentence, sex, size : str
        Empty where the corpus does not say. ``sentence`` identifies the text that was read, so that
        a protocol can keep one sentence on one side; ``sex`` and ``size`` are the speaker's, in
        words.
    audio : float32 [samples] or None
        One channel, full scale is 1; None where the corpus gives features in place of sound.
    sample_rate : int
        Hz.
    tracks : Tracks
        Articulation at the rate of the corpus.
    phones, words : tuple of Label
        Empty where the corpus has no labels.
    inputs : float32 [T, 39] or None
        Acoustic features on the 10 ms grid, only where the corpus gives them in place of sound.
    notes : tuple of str
        A line for each label that could not be used.
    """

    id: str
    tracks: Tracks
    audio: NDArray[np.float32] | None = None
    sample_rate: int = 0
    speaker: str = ""
    session: str = ""
    style: str = ""
    sentence: str = ""
    sex: str = ""
    size: str = ""
    phones: tuple[Label, ...] = field(default=())
    words: tuple[Label, ...] = field(default=())
    inputs: NDArray[np.float32] | None = None
    notes: tuple[str, ...] = ()
