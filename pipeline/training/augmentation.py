"""How training utterances are varied, drawn anew in every epoch: `recipes.NAME.augment`.

What is drawn follows from the epoch's generator alone, so that a run resumed from a checkpoint
varies what it would have varied, and the order in which utterances are read does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from features import augmentation, speech
from features.frames import FRAME_RATE
from features.standardization import Standardizer
from pipeline import corpora
from pipeline.corpora import manifest
from pipeline.ground import artifacts, params
from pipeline.ground.console import InputError
from pipeline.ground.storage import Array, Entry, Store
from pipeline.ground.utterance import Utterance


class Sounds:
    """The sound of utterances, read again by the corpus's reader and varied.

    Parameters
    ----------
    store : Store
        Of the stage standardize, as which varied features are standardised.
    entries : sequence of Entry
        Those of its utterances that are varied.
    sound : params.Sound
    settings : params.Params

    Raises
    ------
    InputError
        Where the corpus gives features in place of sound.
    """

    def __init__(
        self, store: Store, entries: Sequence[Entry], sound: params.Sound, settings: params.Params
    ) -> None:
        self.store = store
        self.entries = entries
        self.sound = sound
        self.settings = settings.corpus
        self.over = store.about["standardize"]
        rows = {entry.id: row for row, entry in enumerate(store.entries)}
        own = [rows[entry.id] for entry in entries]
        statistics = artifacts.statistics()
        self.mean, self.scale = (statistics[f"input_{key}"][own] for key in ("mean", "scale"))
        items = {item.id: item for item, _ in manifest.read()}
        self.items = [manifest.located(items[entry.id]) for entry in entries]
        if self.read(0).audio is None:
            raise InputError(
                f"recipes.{settings.train.recipe}.augment.sound: the corpus"
                f" {settings.corpus.reader} has features and no sound to vary; set it to null"
            )

    @classmethod
    def of(cls, store: Store, entries: Sequence[Entry], settings: params.Params) -> Sounds | None:
        """Open the sounds that the recipe varies; None if it varies none, or not for these."""
        sound = settings.recipe.augment.sound
        if sound is None or (sound.when == "new-speakers" and store.about.get("known_speakers")):
            return None
        return cls(store, entries, sound, settings)

    def read(self, k: int) -> Utterance:
        """Read utterance ``k``."""
        return corpora.reader(self.settings.reader).read(self.items[k], self.settings)

    def features(self, k: int, rng: np.random.Generator) -> Array:
        """Return the features of utterance ``k``, varied and standardised, float32 [T, 39].

        Raises
        ------
        speech.NoSpeechError
            Where it holds none, or no more.
        """
        utterance, entry = self.read(k), self.entries[k]
        assert utterance.audio is not None
        first = round(entry.about["start_s"] * FRAME_RATE)
        part = slice(first, first + entry.frames)
        cepstra = vary(utterance.audio, utterance.sample_rate, self.sound, rng, part)
        if self.over["inputs"] == "utterance":
            z = Standardizer().fit_transform(cepstra, self.counted(k))
        else:
            z = (cepstra - self.mean[k]) / self.scale[k]
        return z.astype(np.float32)

    def counted(self, k: int) -> NDArray[np.bool_] | None:
        """Return which frames the statistics of utterance ``k`` are taken over; None for all."""
        if self.over["frames"] == "all":
            return None
        return self.store.frames(self.entries[k], "speech")[:, 0] > 0


def vary(
    audio: NDArray[np.float32],
    sample_rate: int,
    sound: params.Sound,
    rng: np.random.Generator,
    part: slice = slice(None),
) -> Array:
    """Return the MFCCs of a sound as another speaker, room and microphone would have made them.

    Those of the frames ``part`` of it; `speech.NoSpeechError` where these hold none, or no more.
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
    speech.check(audio, sample_rate, part)
    warp, pitch = chosen(sound.warp) or (1.0, 1.0), chosen(sound.pitch) or (1.0, 1.0)
    return augmentation.change_voice(audio, sample_rate, rng, warp=warp, pitch=pitch)[part]


class Augmentation:
    """How each utterance is varied in one epoch, drawn beforehand so that lengths are known.

    Parameters
    ----------
    augment : params.Augment
    utterances : int
        How many there are.
    rng : numpy.random.Generator
        The epoch's.
    sounds : Sounds, optional
        Of the same utterances; without them features are varied as they are stored.
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
        """Return the frames of each utterance after its rate was changed."""
        if not self.augment.rate:
            return lengths
        return np.ceil((lengths - 1 + 1e-9) / self.factors).astype(np.int64)

    def apply(self, k: int, x: Array, y: Array) -> tuple[Array, Array]:
        """Return inputs and targets of utterance ``k`` as this epoch uses them."""
        augment, rng = self.augment, np.random.default_rng(self.seeds[k])
        if self.sounds:
            with suppress(speech.NoSpeechError):  # silence stays as it is stored
                x = self.sounds.features(k, rng)
        if augment.rate:
            factor = (self.factors[k], self.factors[k])
            x, y = augmentation.change_rate(x, y, rng, factor=factor)
        hidden = {key: getattr(augment, key) for key in ("stretches", "frames", "bands", "width")}
        x = augmentation.mask(x, rng, **hidden)
        if augment.noise:
            x = x + augment.noise * rng.standard_normal(x.shape, np.float32)
        return x, y
