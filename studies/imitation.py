"""What the synthesised speaker himself would do: the phones of a recording, said at its times.

A network that was trained on one speaker and is given another can at best tell how its own would
have articulated the same sound. How far that lies from what the other one did is a matter of two
people, not of a network, and tells what a network of that training can be expected to reach.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from features.frames import HOP_S
from pipeline.corpora.vocaltractlab import phonotactics, score
from pipeline.ground.console import InputError
from pipeline.ground.utterance import Label, Tracks

SEED = 1  # of the voice, which the tracks hardly depend on


def imitate(phones: Sequence[Label], sampa: Mapping[str, str], frames: int) -> Tracks:
    """Let VocalTractLab's speaker say the phones of a recording.

    Parameters
    ----------
    phones : sequence of Label
        Without pauses but at the beginning and the end.
    sampa : mapping of str to str
        What each of them is in SAMPA, phones separated by spaces, which share its time; empty for
        silence.
    frames : int
        Of 10 ms, in the recording.

    Returns
    -------
    Tracks
        All points of the embedded corpus on the frame grid of the recording, in mm; before and
        after speech as at its first and last instant.

    Raises
    ------
    InputError
        Where a phone has no SAMPA, or VocalTractLab is not installed.
    """
    said = in_sampa(phones, sampa)
    lead = said[0].start - phonotactics.SILENCE
    voice = score.compose(prompt(said, lead), np.random.default_rng(SEED))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:  # its state is global: not in this one
        tracks = pool.submit(speak, voice.xml).result()
    time = np.arange(frames, dtype=np.float64) * HOP_S
    values = [np.interp(time, tracks.time + lead, column) for column in tracks.values.T]
    return Tracks(time, np.stack(values, axis=1), tracks.channels)


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


def prompt(said: Sequence[Label], lead: float) -> phonotactics.Prompt:
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
    duration = round(syllables[-1][-1].end + phonotactics.SILENCE, 4)
    return phonotactics.Prompt("imitation", tuple(map(tuple, syllables)), duration)


def has_vowel(syllable: Sequence[Label]) -> bool:
    """Say whether a syllable has its nucleus."""
    return any(phone.text in phonotactics.VOWELS for phone in syllable)


def speak(xml: str) -> Tracks:
    """Return the tracks of a score; runs in a process of its own."""
    try:
        from pipeline.corpora.vocaltractlab import speaker
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed; run `pip install 'articulatory-inversion[synthesis]'`"
        ) from None
    return speaker.speak(xml)[1]
