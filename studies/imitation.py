"""What a synthesised speaker himself would do: the phones of a recording, said at its times.

A network that was trained on synthesised speakers and is given another can at best tell how they
would have articulated the same sound. How far that lies from what the other one did is a matter of
people, not of a network, and tells what a network of that training can be expected to reach.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from features.frames import HOP_S
from pipeline.corpora.vocaltractlab import delivery, phonotactics, score
from pipeline.ground.console import InputError
from pipeline.ground.utterance import Label, Tracks

SEED = 1  # of the voice, which the tracks hardly depend on
SILENCE_S = 0.4  # before and after, of a person: to come from rest and to go
NEAREST = {  # sounds that JD3 lacks
    "{": "E", "V": "a", "A:": "a:", "O:": "O", "3:": "@", "6": "a", "eI": "e:", "oU": "o:",
    "y:": "i:", "Y": "I", "2:": "e:", "9": "E", "E:": "E", "r": "R", "w": "U", "Z": "S",
    "C": "j", "x": "R",
}  # fmt: skip


class Alike(delivery.Delivery):
    """A delivery that moves both lips alike, as VocalTractLab does."""

    def share_lips(
        self, tracks: delivery.Values, channels: tuple[str, ...], tract: delivery.Values
    ) -> delivery.Values:
        """Return the fleshpoints as they are."""
        return tracks


class Person(NamedTuple):
    """Somebody of a population; ``held`` are habits with these values in place of drawn ones."""

    seed: int
    number: int
    held: Mapping[str, float] = {}
    delivered: type[delivery.Delivery] = delivery.Delivery


class Request(NamedTuple):
    """The phones of a recording, without pauses but at the beginning and the end.

    ``sampa`` says what each of them is in SAMPA, phones separated by spaces, which share its time;
    empty for silence. ``frames`` of 10 ms are in the recording.
    """

    phones: Sequence[Label]
    sampa: Mapping[str, str]
    frames: int


def imitate(requests: Sequence[Request], person: Person | None = None) -> list[Tracks]:
    """Let a synthesised speaker say the phones of recordings.

    Parameters
    ----------
    requests : sequence of Request
    person : Person or None
        Of a population; None is VocalTractLab's own speaker JD3.

    Returns
    -------
    list of Tracks
        Of each: all points of the embedded corpus on the frame grid of the recording, in mm; before
        and after speech as at its first and last instant.

    Raises
    ------
    InputError
        Where a phone has no SAMPA, or VocalTractLab is not installed.
    """
    silence = SILENCE_S if person else phonotactics.SILENCE
    prompts, leads = [], []
    for request in requests:
        said = in_sampa(request.phones, request.sampa)
        if not person:
            said = [Label(p.start, p.end, NEAREST.get(p.text, p.text)) for p in said]
        leads.append(said[0].start - silence)
        prompts.append(prompt(said, leads[-1], silence))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:  # its state is global: not in this one
        spoken = pool.submit(speak, prompts, person).result()
    found = []
    for request, lead, tracks in zip(requests, leads, spoken, strict=True):
        time = np.arange(request.frames, dtype=np.float64) * HOP_S
        values = [np.interp(time, tracks.time + lead, column) for column in tracks.values.T]
        found.append(Tracks(time, np.stack(values, axis=1), tracks.channels))
    return found


def consensus(everybody: Sequence[Tracks]) -> Tracks:
    """Return the mean of several speakers who said the same, each in z, [T, D]."""
    z = [(t.values - t.values.mean(axis=0)) / t.values.std(axis=0) for t in everybody]
    return Tracks(everybody[0].time, np.mean(z, axis=0), everybody[0].channels)


def in_sampa(phones: Sequence[Label], sampa: Mapping[str, str]) -> list[Label]:
    """Return the phones as the embedded corpus writes them, without silences."""
    said = []
    for phone in phones:
        if phone.text not in sampa:
            raise InputError(f"phone {phone.text!r}: no SAMPA under `phones`")
        parts = sampa[phone.text].split()
        bounds = np.linspace(phone.start, phone.end, len(parts) + 1)
        said += [Label(bounds[k], bounds[k + 1], text) for k, text in enumerate(parts)]
    return said


def prompt(said: Sequence[Label], lead: float, silence: float) -> phonotactics.Prompt:
    """Return the prompt of phones, ``lead`` s earlier; consonants go with the next vowel."""
    syllables: list[list[Label]] = [[]]
    for phone in said:
        if has_vowel(syllables[-1]):
            syllables.append([])
        # rounded as prompts are: VocalTractLab refuses gaps of rounding errors
        start, end = round(phone.start - lead, 4), round(phone.end - lead, 4)
        syllables[-1].append(Label(start, end, phone.text))
    if len(syllables) > 1 and not has_vowel(syllables[-1]):
        coda = syllables.pop()
        syllables[-1] += coda
    duration = round(syllables[-1][-1].end + silence, 4)
    return phonotactics.Prompt(
        "imitation", tuple(map(tuple, syllables)), duration, silence, silence
    )


def has_vowel(syllable: Sequence[Label]) -> bool:
    """Say whether a syllable has its nucleus."""
    return any(phone.text in phonotactics.VOWELS for phone in syllable)


def speak(prompts: Sequence[phonotactics.Prompt], person: Person | None) -> list[Tracks]:
    """Return the tracks of prompts; runs in a process of its own."""
    try:
        from pipeline.corpora.vocaltractlab import speaker, synthesis
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed; run `pip install 'articulatory-inversion[synthesis]'`"
        ) from None
    if person is None:
        scores = [score.compose(prompt, np.random.default_rng(SEED)) for prompt in prompts]
        return [speaker.speak(voice.xml, sound=False)[1] for voice in scores]
    with TemporaryDirectory() as folder:
        who = synthesis.become(Path(folder), person.seed, "", person.number, person.held)
    spoken = []
    for said in prompts:
        rng = np.random.default_rng([person.seed, person.number, SEED])
        voice = score.compose(said, rng, who.voice)
        own = person.delivered.draw(said, who.rest, who.habits, rng)
        spoken.append(speaker.speak(voice.xml, own, sound=False)[1])
    return spoken
