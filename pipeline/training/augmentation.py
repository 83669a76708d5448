"""How training utterances are varied, drawn anew in every epoch: `recipes.NAME.augment`.

What is drawn follows from the epoch's generator alone, so that a run resumed from a checkpoint
varies what it would have varied, and the order in which utterances are read does not matter.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features import augmentation, speech
from features.frames import FRAME_RATE
from features.standardization import Standardizer
from models.batching import even_lengths
from pipeline import corpora
from pipeline.corpora import manifest
from pipeline.ground import artifacts, params
from pipeline.ground.console import InputError
from pipeline.ground.storage import Array, Entry, Store
from pipeline.ground.utterance import Utterance


class Stretch(NamedTuple):
    """Frames ``start`` to ``start + frames`` of utterances end to end, one or two."""

    members: tuple[int, ...]
    start: int
    frames: int

    @property
    def part(self) -> slice:
        """Its frames."""
        return slice(self.start, self.start + self.frames)


class Pairs:
    """Which stretches of two there can be, and how long they are.

    Parameters
    ----------
    own : int [utterances]
        Frames of each.
    origins : sequence
        What utterances must share to be joined.
    batch_size : int
        Stretches are about as long as utterances are, in so few lengths that batches of so many of
        one length need no padding.

    Attributes
    ----------
    frames : int64 [utterances]
        Of a stretch of each utterance; its own, where there is no other that is long enough.
    """

    def __init__(
        self, own: NDArray[np.int64], origins: Sequence[Hashable], batch_size: int
    ) -> None:
        self.own = own
        groups: dict[Hashable, list[int]] = {}
        self.place = np.empty(len(own), np.int64)  # of each among its like, the shortest first
        for k in np.argsort(own, kind="stable").tolist():
            like = groups.setdefault(origins[k], [])
            self.place[k] = len(like)
            like.append(k)
        self.like = [groups[origin] for origin in origins]
        even = even_lengths(own, batch_size)
        self.frames = np.array([n if self.others(k, n) else own[k] for k, n in enumerate(even)])

    def others(self, k: int, frames: int) -> range:
        """Return the places of those that make ``frames`` frames or more with utterance ``k``."""
        like, missing = self.like[k], frames - self.own[k]
        first = bisect_left(like, missing, key=lambda other: self.own[other])
        # the last of them stands in for k itself, which is no other
        return range(first, len(like) - (self.place[k] >= first))

    def draw(self, k: int, rng: np.random.Generator) -> Stretch | None:
        """Return a stretch of ``frames[k]`` frames out of utterance ``k`` and one before or after.

        None where there is no other.
        """
        frames, like = int(self.frames[k]), self.like[k]
        others = self.others(k, frames)
        if not others:
            return None
        place = others[rng.integers(len(others))]
        other = like[-1] if place == self.place[k] else like[place]
        members = (k, other) if rng.random() < 0.5 else (other, k)
        latest = int(self.own[k] + self.own[other]) - frames
        return Stretch(members, int(rng.integers(latest + 1)), frames)

    def seam(self, stretch: Stretch) -> int:
        """Return the frame of a stretch at which its second utterance begins; 0 if none does."""
        border = int(self.own[stretch.members[0]]) - stretch.start
        return border if 0 < border < stretch.frames else 0


class Origin:
    """What stretches are made of, and standardised by: as the stage `standardize` does utterances.

    Parameters
    ----------
    store : Store
        Of the stage standardize.
    entries : sequence of Entry
        Those of its utterances that stretches are taken from.
    """

    def __init__(self, store: Store, entries: Sequence[Entry]) -> None:
        self.store = store
        self.entries = entries
        self.over = store.about["standardize"]
        rows = {entry.id: row for row, entry in enumerate(store.entries)}
        own = [rows[entry.id] for entry in entries]
        self.statistics = {name: all_[own] for name, all_ in artifacts.statistics().items()}

    def raw(self, k: int, name: str) -> Array:
        """Return ``input`` or ``target`` of utterance ``k``, [T, W], not standardised."""
        mean, scale = (self.statistics[f"{name}_{key}"][k] for key in ("mean", "scale"))
        z = self.store.frames(self.entries[k], name + "s")
        return (z * scale + mean).astype(np.float32)

    def standardized(self, stretch: Stretch, name: str, x: Array) -> Array:
        """Return ``input`` or ``target`` of a stretch, [T, W], in z.

        By the stretch's own statistics where utterances have theirs, else by those of its speaker
        or of the corpus.
        """
        if self.over[name + "s"] == "utterance":
            return Standardizer().fit_transform(x, self.counted(stretch)).astype(np.float32)
        k = stretch.members[0]
        mean, scale = (self.statistics[f"{name}_{key}"][k] for key in ("mean", "scale"))
        return ((x - mean) / scale).astype(np.float32)

    def counted(self, stretch: Stretch) -> NDArray[np.bool_] | None:
        """Return which frames of a stretch its statistics are taken over; None for all."""
        if self.over["frames"] == "all":
            return None
        speech = [self.store.frames(self.entries[k], "speech")[:, 0] for k in stretch.members]
        return np.concatenate(speech)[stretch.part] > 0


class Joins:
    """Utterances end to end with others of the same speaker and session.

    A stretch of two is an utterance that was never said, with a mean and a deviation of its own: a
    network cannot learn by heart those of the utterances that there are.

    Parameters
    ----------
    origin : Origin
    batch_size : int
        Of `Pairs`.
    """

    def __init__(self, origin: Origin, batch_size: int) -> None:
        self.origin = origin
        entries = origin.entries
        # what utterances must share: whose tract it is and where its sensors are
        alike = [(entry.about["speaker"], entry.about["session"]) for entry in entries]
        self.pairs = Pairs(np.array([entry.frames for entry in entries]), alike, batch_size)

    def cut(self, stretch: Stretch) -> tuple[Array, Array]:
        """Return inputs and targets of a stretch in z."""
        return self.column(stretch, "input"), self.column(stretch, "target")

    def column(self, stretch: Stretch, name: str) -> Array:
        """Return ``input`` or ``target`` of a stretch in z."""
        joined = np.concatenate([self.origin.raw(k, name) for k in stretch.members])
        return self.origin.standardized(stretch, name, joined[stretch.part])


class Sounds:
    """The sound of utterances, read again by the corpus's reader and varied.

    Parameters
    ----------
    origin : Origin
    settings : params.Params

    Raises
    ------
    InputError
        Where the corpus gives features in place of sound.
    """

    def __init__(self, origin: Origin, sound: params.Sound, settings: params.Params) -> None:
        self.origin = origin
        self.sound = sound
        self.settings = settings.corpus
        items = {item.id: item for item, _ in manifest.read()}
        self.items = [manifest.located(items[entry.id]) for entry in origin.entries]
        if self.read(0).audio is None:
            raise InputError(
                f"recipes.{settings.train.recipe}.augment.sound: the corpus"
                f" {settings.corpus.reader} has features and no sound to vary; set it to null,"
                " or take train.recipe: known-speakers"
            )

    def read(self, k: int) -> Utterance:
        """Read utterance ``k``."""
        return corpora.reader(self.settings.reader).read(self.items[k], self.settings)

    def features(self, k: int, rng: np.random.Generator) -> Array:
        """Return the features of utterance ``k``, varied and standardised, float32 [T, 39]."""
        utterance, entry = self.read(k), self.origin.entries[k]
        assert utterance.audio is not None
        first = round(entry.about["start_s"] * FRAME_RATE)
        part = slice(first, first + entry.frames)
        cepstra = vary(utterance.audio, utterance.sample_rate, self.sound, rng, part)
        return self.origin.standardized(Stretch((k,), 0, entry.frames), "input", cepstra)

    def stretch(self, stretch: Stretch, rng: np.random.Generator) -> Array:
        """Return the features of a stretch of two utterances, varied alike and standardised."""
        parts = []
        for k in stretch.members:
            utterance, entry = self.read(k), self.origin.entries[k]
            assert utterance.audio is not None
            rate = utterance.sample_rate
            first, n = round(rate * entry.about["start_s"]), round(rate * entry.frames / FRAME_RATE)
            sound = utterance.audio[first : first + n]
            parts.append(np.pad(sound, (0, n - len(sound))))  # the last frame reaches beyond it
        cepstra = vary(np.concatenate(parts), rate, self.sound, rng, stretch.part)
        return self.origin.standardized(stretch, "input", cepstra)


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


@dataclass(frozen=True)
class Material:
    """What utterances are made anew from, where stored frames alone will not do."""

    joins: Joins | None = None
    sounds: Sounds | None = None

    @classmethod
    def of(cls, store: Store, entries: Sequence[Entry], settings: params.Params) -> Material:
        """Open what the recipe's variation needs."""
        augment, origin = settings.recipe.augment, Origin(store, entries)
        joins = Joins(origin, settings.recipe.batch_size) if augment.join else None
        sound = augment.sound
        return cls(joins, Sounds(origin, sound, settings) if sound else None)

    def utterance(
        self, k: int, x: Array, y: Array, join: bool, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """Return inputs and targets of an utterance, or of a stretch of it and another.

        Parameters
        ----------
        x, y : float32 [T, W]
            As they are stored.
        join : bool
            Whether it is to be joined, if there is another.
        """
        stretch = self.joins.pairs.draw(k, rng) if self.joins and join else None
        if self.joins and stretch:
            x, y = self.joins.cut(stretch)
        if self.sounds:
            sounds = self.sounds
            with suppress(speech.NoSpeechError):  # a stretch of silence stays as it is stored
                x = sounds.stretch(stretch, rng) if stretch else sounds.features(k, rng)
        return x, y


STORED = Material()  # nothing else: utterances as they are stored


class Augmentation:
    """How each utterance is varied in one epoch, drawn beforehand so that lengths are known.

    Parameters
    ----------
    augment : params.Augment
    utterances : int
        How many there are.
    rng : numpy.random.Generator
        The epoch's.
    material : Material
        Of the same utterances.
    """

    def __init__(
        self,
        augment: params.Augment,
        utterances: int,
        rng: np.random.Generator,
        material: Material = STORED,
    ) -> None:
        self.augment = augment
        self.material = material
        self.factors = rng.uniform(1 - augment.rate, 1 + augment.rate, utterances)
        self.seeds = rng.integers(2**63, size=utterances)
        self.joined = rng.random(utterances) < augment.join

    def lengths(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the frames of each utterance after it was joined and its rate changed."""
        if self.material.joins:
            lengths = np.where(self.joined, self.material.joins.pairs.frames, lengths)
        if not self.augment.rate:
            return lengths
        return np.ceil((lengths - 1 + 1e-9) / self.factors).astype(np.int64)

    def seam(self, k: int) -> int:
        """Return the frame of utterance ``k`` at which another one begins; 0 if none does."""
        joins = self.material.joins
        if not (joins and self.joined[k]):
            return 0
        stretch = joins.pairs.draw(k, np.random.default_rng(self.seeds[k]))  # as `apply` draws it
        border = joins.pairs.seam(stretch) if stretch else 0
        return int(np.ceil(border / self.factors[k]))

    def apply(self, k: int, x: Array, y: Array) -> tuple[Array, Array]:
        """Return inputs and targets of utterance ``k`` as this epoch uses them."""
        augment, rng = self.augment, np.random.default_rng(self.seeds[k])
        x, y = self.material.utterance(k, x, y, bool(self.joined[k]), rng)
        if augment.rate:
            factor = (self.factors[k], self.factors[k])
            x, y = augmentation.change_rate(x, y, rng, factor=factor)
        hidden = {key: getattr(augment, key) for key in ("stretches", "frames", "bands", "width")}
        x = augmentation.mask(x, rng, **hidden)
        if augment.noise:
            x = x + augment.noise * rng.standard_normal(x.shape, np.float32)
        return x, y
