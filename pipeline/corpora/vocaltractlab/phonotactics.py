"""What the embedded corpus says: random phone strings that are pronounceable, and their rhythm.

Four styles, as speech corpora have them: ``sentence`` (syllables with clusters and codas), ``cv``
(open syllables), ``vcv`` (consonants between vowels) and ``vowels`` (vowels in a row). Phones are
written in SAMPA. No string means anything, and hardly any occurs twice. Speaker JD3 has the sounds
that his file has, `JD3`; people of a population speak with those of `ENGLISH` or `GERMAN`, at rates
of their own and with pauses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.ground.utterance import Label


@dataclass(frozen=True)
class Repertoire:
    """The sounds of a speaker: how often each is drawn, relative to the others of its table."""

    vowels: Mapping[str, float]
    consonants: Mapping[str, float]
    clusters: tuple[str, ...]
    codas: Mapping[str, float]

    @property
    def onsets(self) -> dict[str, float]:
        """What a syllable may begin with."""
        return {"": 4.0, **self.consonants, **dict.fromkeys(self.clusters, 0.5)}

    @property
    def monophthongs(self) -> dict[str, float]:
        """The vowels that stay where they are."""
        return {vowel: odds for vowel, odds in self.vowels.items() if len(vowel.strip(":")) == 1}


CODAS = {
    "": 14, "p": 1, "t": 2, "k": 1.5, "f": 1, "s": 2, "S": 1, "m": 2, "n": 3, "N": 1, "l": 2,
    "n t": 0.6, "s t": 0.6, "l t": 0.4, "k s": 0.4, "m p": 0.4,
}  # fmt: skip
JD3 = Repertoire(
    {
        "a:": 4, "a": 4, "e:": 3, "E": 4, "i:": 4, "I": 4, "o:": 3, "O": 4, "u:": 3, "U": 3, "@": 4,
        "aI": 2, "aU": 2, "OY": 1,
    },
    {
        "p": 3, "b": 3, "t": 4, "d": 4, "k": 3, "g": 3, "f": 2.5, "v": 2, "s": 4, "z": 2.5,
        "S": 2.5, "T": 1.5, "D": 1.5, "h": 1.5, "m": 4, "n": 4, "l": 4, "j": 1.5, "R": 2,
    },
    ("p l", "b l", "k l", "g l", "p R", "t R", "k R", "S t", "s p", "s k", "s l", "S m", "s n"),
    CODAS,
)  # fmt: skip
ENGLISH = Repertoire(
    {
        "i:": 4, "I": 5, "eI": 3, "E": 4, "{": 4, "@": 5, "V": 3, "A:": 3, "O:": 3, "oU": 3,
        "U": 2, "u:": 3, "3:": 2.5, "aI": 3, "aU": 2, "OY": 1,
    },
    {
        "p": 3, "b": 3, "t": 5, "d": 4, "k": 4, "g": 2.5, "f": 2.5, "v": 2, "s": 5, "z": 3,
        "S": 2, "Z": 0.5, "T": 1.5, "D": 3, "h": 2, "m": 4, "n": 5, "l": 4, "j": 1.5, "r": 4,
        "w": 3,
    },
    (
        "p l", "b l", "k l", "g l", "p r", "t r", "k r", "d r", "s p", "s t", "s k", "s l", "s m",
        "s n", "t S", "d Z", "k w", "s w",
    ),
    CODAS | {"r": 1.5, "z": 1.5, "d": 1, "v": 0.7, "t S": 0.7, "n d": 0.6},
)  # fmt: skip
GERMAN = Repertoire(
    {
        "a:": 4, "a": 4, "e:": 3, "E": 3, "E:": 1, "i:": 4, "I": 4, "o:": 3, "O": 3, "u:": 3,
        "U": 3, "y:": 2, "Y": 1.5, "2:": 1.5, "9": 1.5, "@": 5, "6": 3, "aI": 2, "aU": 2, "OY": 1,
    },
    {**JD3.consonants, "T": 0, "D": 0, "R": 3},
    (*JD3.clusters, "t s", "p f", "g R", "d R", "b R", "f l", "S v"),
    CODAS | {"C": 1.5, "x": 1, "t s": 0.7},
)  # fmt: skip
LANGUAGES = {"English": ENGLISH, "German": GERMAN}
VOWELS = dict.fromkeys([*JD3.vowels, *ENGLISH.vowels, *GERMAN.vowels])
CONSONANTS = dict.fromkeys([*JD3.consonants, *ENGLISH.consonants, "C", "x", "N"])
STYLES = {"sentence": 3, "cv": 1, "vcv": 1, "vowels": 1}

SECONDS = (  # the shortest and the longest duration at an average rate
    ("p b t d k g", 0.075, 0.120),
    ("f v s z S Z T D C x h", 0.080, 0.130),
    ("m n N", 0.060, 0.100),
    ("l j R r w", 0.055, 0.090),
    ("@ 6", 0.050, 0.080),
    ("a E I O U { V Y 9", 0.070, 0.130),
    ("a: e: i: o: u: E: A: O: 3: y: 2: aI aU OY eI oU", 0.130, 0.220),
)
DURATION = {phone: span for phones, *span in SECONDS for phone in phones.split()}
FINAL_LENGTHENING = 1.3  # of the last syllable
SILENCE = 0.12  # s, before and after, of JD3


@dataclass(frozen=True)
class Pace:
    """How fast a speaker speaks, and where he stops.

    Attributes
    ----------
    slowness : float
        A factor on all durations.
    spread : float
        Standard deviation of its logarithm from utterance to utterance.
    pauses : float
        Share of the syllables of a sentence that end in one.
    pause_s, silence_s : (float, float)
        Shortest and longest, within the utterance and before or after it.
    """

    slowness: float = 1.0
    spread: float = 0.12
    pauses: float = 0.0
    pause_s: tuple[float, float] = (0.15, 0.6)
    silence_s: tuple[float, float] | None = None


@dataclass(frozen=True)
class Prompt:
    """What one utterance says.

    Attributes
    ----------
    style : str
        A key of `STYLES`.
    syllables : tuple of tuple of Label
        From ``lead`` on; between two of them there is a pause or nothing.
    duration : float
        s, silences included.
    lead, tail : float
        s, the silences before and after.
    """

    style: str
    syllables: tuple[tuple[Label, ...], ...]
    duration: float
    lead: float = SILENCE
    tail: float = SILENCE

    @property
    def phones(self) -> tuple[Label, ...]:
        """All phones in order."""
        return tuple(phone for syllable in self.syllables for phone in syllable)

    @property
    def text(self) -> str:
        """The phone string, syllables separated by a full stop."""
        return " . ".join(" ".join(phone.text for phone in s) for s in self.syllables)

    @property
    def stretches(self) -> list[tuple[float, float]]:
        """Start and end of all that is said without a pause."""
        spans = [[self.syllables[0][0].start, self.syllables[0][-1].end]]
        for syllable in self.syllables[1:]:
            if syllable[0].start > spans[-1][1]:
                spans.append([syllable[0].start, syllable[-1].end])
            spans[-1][1] = syllable[-1].end
        return [(start, end) for start, end in spans]


NO_HURRY = Pace()


def prompt(rng: np.random.Generator, repertoire: Repertoire = JD3, pace: Pace = NO_HURRY) -> Prompt:
    """Draw the prompt of one utterance."""
    style = draw(rng, STYLES)
    slowness = pace.slowness * float(np.exp(rng.normal(0, pace.spread)))
    texts = SYLLABLES[style](rng, repertoire)
    lead, tail = (
        (SILENCE, SILENCE) if pace.silence_s is None else rng.uniform(*pace.silence_s, 2).round(4)
    )
    syllables, now = [], float(lead)
    for number, text in enumerate(texts):
        last = number == len(texts) - 1
        pause = not last and style == "sentence" and pace.pauses and rng.random() < pace.pauses
        stretch = slowness * (FINAL_LENGTHENING if last or pause else 1)
        phones = []
        for phone in text.split():
            shortest, longest = DURATION[phone]
            if style in ("vcv", "vowels") and phone in repertoire.vowels:
                shortest, longest = (0.12, 0.20) if style == "vcv" else (0.15, 0.35)
            seconds = round(stretch * rng.uniform(shortest, longest), 4)
            phones.append(Label(round(now, 4), round(now + seconds, 4), phone))
            now += seconds
        syllables.append(tuple(phones))
        now += round(rng.uniform(*pace.pause_s), 4) if pause else 0
    duration = round(now + float(tail), 4)
    return Prompt(style, tuple(syllables), duration, float(lead), float(tail))


def draw(rng: np.random.Generator, table: Mapping[str, float]) -> str:
    """Draw a key with the table's odds."""
    odds = np.array(list(table.values()), float)
    return str(rng.choice(list(table), p=odds / odds.sum()))


def sentence(rng: np.random.Generator, repertoire: Repertoire) -> list[str]:
    """Syllables with clusters and codas."""
    return [
        f"{draw(rng, repertoire.onsets)} {draw(rng, repertoire.vowels)}"
        f" {draw(rng, repertoire.codas)}"
        for _ in range(rng.integers(6, 13))
    ]


def cv(rng: np.random.Generator, repertoire: Repertoire) -> list[str]:
    """Open syllables."""
    return [
        f"{draw(rng, repertoire.consonants)} {draw(rng, repertoire.vowels)}"
        for _ in range(rng.integers(5, 10))
    ]


def vcv(rng: np.random.Generator, repertoire: Repertoire) -> list[str]:
    """Consonants between vowels, half of them between twice the same one."""
    vowel = draw(rng, repertoire.monophthongs)
    syllables = [vowel]
    for _ in range(rng.integers(4, 7)):
        vowel = draw(rng, repertoire.monophthongs) if rng.random() < 0.5 else vowel
        syllables.append(f"{draw(rng, repertoire.consonants)} {vowel}")
    return syllables


def vowels(rng: np.random.Generator, repertoire: Repertoire) -> list[str]:
    """Vowels in a row."""
    return [draw(rng, repertoire.vowels) for _ in range(rng.integers(5, 10))]


SYLLABLES = {"sentence": sentence, "cv": cv, "vcv": vcv, "vowels": vowels}
