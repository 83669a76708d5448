"""What the embedded corpus says: random phone strings that are pronounceable, and their rhythm.

Four styles, as speech corpora have them: ``sentence`` (syllables with clusters and codas), ``cv``
(open syllables), ``vcv`` (consonants between vowels) and ``vowels`` (vowels in a row). Phones are
written in SAMPA. No string means anything, and hardly any occurs twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.ground.utterance import Label

# how often each is drawn, relative to the others of its table
VOWELS = {
    "a:": 4, "a": 4, "e:": 3, "E": 4, "i:": 4, "I": 4, "o:": 3, "O": 4, "u:": 3, "U": 3, "@": 4,
    "aI": 2, "aU": 2, "OY": 1,
}  # fmt: skip
CONSONANTS = {
    "p": 3, "b": 3, "t": 4, "d": 4, "k": 3, "g": 3, "f": 2.5, "v": 2, "s": 4, "z": 2.5, "S": 2.5,
    "T": 1.5, "D": 1.5, "h": 1.5, "m": 4, "n": 4, "l": 4, "j": 1.5, "R": 2,
}  # fmt: skip
CLUSTERS = (
    "p l", "b l", "k l", "g l", "p R", "t R", "k R", "S t", "s p", "s k", "s l", "S m", "s n",
)  # fmt: skip
ONSETS = {"": 4.0, **CONSONANTS, **dict.fromkeys(CLUSTERS, 0.5)}
CODAS = {
    "": 14, "p": 1, "t": 2, "k": 1.5, "f": 1, "s": 2, "S": 1, "m": 2, "n": 3, "N": 1, "l": 2,
    "n t": 0.6, "s t": 0.6, "l t": 0.4, "k s": 0.4, "m p": 0.4,
}  # fmt: skip
STYLES = {"sentence": 3, "cv": 1, "vcv": 1, "vowels": 1}

SECONDS = (  # the shortest and the longest duration at an average rate
    ("p b t d k g", 0.075, 0.120),
    ("f v s z S T D h", 0.080, 0.130),
    ("m n N", 0.060, 0.100),
    ("l j R", 0.055, 0.090),
    ("@", 0.050, 0.080),
    ("a E I O U", 0.070, 0.130),
    ("a: e: i: o: u: aI aU OY", 0.130, 0.220),
)
DURATION = {phone: span for phones, *span in SECONDS for phone in phones.split()}
FINAL_LENGTHENING = 1.3  # of the last syllable
SILENCE = 0.12  # s, before and after


@dataclass(frozen=True)
class Prompt:
    """What one utterance says.

    Attributes
    ----------
    style : str
        A key of `STYLES`.
    syllables : tuple of tuple of Label
        Without gaps, from `SILENCE` on.
    duration : float
        s, silences included.
    """

    style: str
    syllables: tuple[tuple[Label, ...], ...]
    duration: float

    @property
    def phones(self) -> tuple[Label, ...]:
        """All phones in order."""
        return tuple(phone for syllable in self.syllables for phone in syllable)

    @property
    def text(self) -> str:
        """The phone string, syllables separated by a full stop."""
        return " . ".join(" ".join(phone.text for phone in s) for s in self.syllables)


def prompt(rng: np.random.Generator) -> Prompt:
    """Draw the prompt of one utterance."""
    style = draw(rng, STYLES)
    slowness = float(np.exp(rng.normal(0, 0.12)))
    texts = SYLLABLES[style](rng)
    syllables, now = [], SILENCE
    for number, text in enumerate(texts):
        stretch = slowness * (FINAL_LENGTHENING if number == len(texts) - 1 else 1)
        phones = []
        for phone in text.split():
            shortest, longest = DURATION[phone]
            if style in ("vcv", "vowels") and phone in VOWELS:
                shortest, longest = (0.12, 0.20) if style == "vcv" else (0.15, 0.35)
            seconds = round(stretch * rng.uniform(shortest, longest), 4)
            phones.append(Label(round(now, 4), round(now + seconds, 4), phone))
            now += seconds
        syllables.append(tuple(phones))
    return Prompt(style, tuple(syllables), round(now + SILENCE, 4))


def draw(rng: np.random.Generator, table: Mapping[str, float]) -> str:
    """Draw a key with the table's odds."""
    odds = np.array(list(table.values()), float)
    return str(rng.choice(list(table), p=odds / odds.sum()))


def sentence(rng: np.random.Generator) -> list[str]:
    """Syllables with clusters and codas."""
    return [
        f"{draw(rng, ONSETS)} {draw(rng, VOWELS)} {draw(rng, CODAS)}"
        for _ in range(rng.integers(6, 13))
    ]


def cv(rng: np.random.Generator) -> list[str]:
    """Open syllables."""
    return [f"{draw(rng, CONSONANTS)} {draw(rng, VOWELS)}" for _ in range(rng.integers(5, 10))]


def vcv(rng: np.random.Generator) -> list[str]:
    """Consonants between vowels, half of them between twice the same one."""
    monophthongs = {vowel: odds for vowel, odds in VOWELS.items() if len(vowel.strip(":")) == 1}
    vowel = draw(rng, monophthongs)
    syllables = [vowel]
    for _ in range(rng.integers(4, 7)):
        vowel = draw(rng, monophthongs) if rng.random() < 0.5 else vowel
        syllables.append(f"{draw(rng, CONSONANTS)} {vowel}")
    return syllables


def vowels(rng: np.random.Generator) -> list[str]:
    """Vowels in a row."""
    return [draw(rng, VOWELS) for _ in range(rng.integers(5, 10))]


SYLLABLES = {"sentence": sentence, "cv": cv, "vcv": vcv, "vowels": vowels}
