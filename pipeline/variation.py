"""How training utterances are varied, drawn anew in every epoch: `recipes.NAME.augment`.

What is drawn follows from the epoch's generator alone, so that a run that goes on from a checkpoint
varies what it would have varied, and the order in which utterances are read does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features import augmentation
from features.frames import FRAME_RATE
from features.standardization import Standardizer
from pipeline import corpora, corpus, params, standardize
from pipeline.console import InputError
from pipeline.storage import Array, Entry, Store
from pipeline.utterance import Utterance


class Sounds:
    """The sound of utterances, read again by the corpus's reader and varied.

    Parameters
    ----------
    store : Store
        Of the stage standardize.
    entries : sequence of Entry
        Those of its utterances that are varied.
    settings : params.Params

    Raises
    ------
    InputError
        Where the corpus gives features in place of sound.
    """

    def __init__(
        self, store: Store, entries: Sequence[Entry], sound: params.Sound, settings: params.Params
    ) -> None:
        self.sound = sound
        self.settings = settings.corpus
        self.entries = entries
        self.utterance_mode = settings.standardize.mode == "utterance"
        rows = {entry.id: row for row, entry in enumerate(store.entries)}
        self.rows = [rows[entry.id] for entry in entries]
        self.statistics = standardize.load_statistics()
        items = {item.id: item for item, _ in corpus.read_manifest()}
        self.items = [items[entry.id] for entry in entries]
        if self.read(0).audio is None:
            raise InputError(
                f"recipes.{settings.train.recipe}.augment.sound: the corpus"
                f" {settings.corpus.reader} has features and no sound to vary; set it to null"
            )

    def read(self, k: int) -> Utterance:
        """Read utterance ``k``."""
        return corpora.reader(self.settings.reader).read(self.items[k], self.settings)

    def features(self, k: int, rng: np.random.Generator) -> Array:
        """Return the features of utterance ``k``, varied and standardised, float32 [T, 39]."""
        utterance, entry = self.read(k), self.entries[k]
        assert utterance.audio is not None
        first = round(entry.about["start_s"] * FRAME_RATE)
        cepstra = vary(utterance.audio, utterance.sample_rate, self.sound, rng)
        cepstra = cepstra[first : first + entry.frames]
        return self.standardizer(k, cepstra).transform(cepstra)

    def standardizer(self, k: int, cepstra: Array) -> Standardizer:
        """Return what the stage standardize would take: the sound's own statistics, or others'."""
        if self.utterance_mode:
            return Standardizer().fit(cepstra)
        pooled = Standardizer()
        pooled.mean_, pooled.scale_ = (
            self.statistics[f"input_{key}"][self.rows[k]] for key in ("mean", "scale")
        )
        return pooled


def vary(
    audio: NDArray[np.float32], sample_rate: int, sound: params.Sound, rng: np.random.Generator
) -> Array:
    """Return the MFCCs of a sound as another speaker, room and microphone would have made them.

    Each change is made with `sound.probability`, and in the order in which sound travels: mouth,
    room, noise, microphone; the voice last, since it is a matter of the features.
    """

    def chosen(drawn: params.Range | None) -> params.Range | None:
        return drawn if drawn is not None and rng.random() < sound.probability else None

    if tilt := chosen(sound.tilt):
        audio = augmentation.tilt_spectrum(audio, rng, db_per_octave=tilt)
    if decay := chosen(sound.decay_s):
        room = {"decay_s": decay, "direct_db": sound.direct_db}
        audio = augmentation.add_room(audio, sample_rate, rng, **room)
    if snr := chosen(sound.snr_db):
        audio = augmentation.add_noise(audio, rng, snr_db=snr, slope=sound.slope)
    if gain := chosen(sound.gain_db):
        audio = augmentation.change_level(audio, rng, gain_db=gain)
    warp, pitch = chosen(sound.warp) or (1.0, 1.0), chosen(sound.pitch) or (1.0, 1.0)
    return augmentation.change_voice(audio, sample_rate, rng, warp=warp, pitch=pitch)


class Variation:
    """How each utterance is varied in one epoch, drawn beforehand so that lengths are known.

    Parameters
    ----------
    augment : params.Augment
    utterances : int
        How many there are.
    rng : numpy.random.Generator
        The epoch's.
    sounds : Sounds or None
        Of the same utterances; None where their sound stays as it is.
    """

    def __init__(
        self,
        augment: params.Augment,
        utterances: int,
        rng: np.random.Generator,
        sounds: Sounds | None = None,
    ) -> None:
        self.augment = augment
        self.sounds = sounds
        self.factors = rng.uniform(1 - augment.rate, 1 + augment.rate, utterances)
        self.seeds = rng.integers(2**63, size=utterances)

    def lengths(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the frames of each utterance after the change of rate."""
        if not self.augment.rate:
            return lengths
        return np.ceil((lengths - 1 + 1e-9) / self.factors).astype(np.int64)

    def apply(self, k: int, x: Array, y: Array) -> tuple[Array, Array]:
        """Return inputs and targets of utterance ``k`` as this epoch hears and sees them."""
        augment, rng = self.augment, np.random.default_rng(self.seeds[k])
        if self.sounds is not None:
            x = self.sounds.features(k, rng)
        if augment.rate:
            factor = (self.factors[k], self.factors[k])
            x, y = augmentation.change_rate(x, y, rng, factor=factor)
        hidden = {key: getattr(augment, key) for key in ("stretches", "frames", "bands", "width")}
        x = augmentation.mask(x, rng, **hidden)
        if augment.noise:
            x = x + augment.noise * rng.standard_normal(x.shape, np.float32)
        return x, y
