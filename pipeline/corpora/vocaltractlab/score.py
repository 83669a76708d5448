"""How it is said: a prompt as a gestural score, the notation that VocalTractLab moves its tract by.

A score has one tier per organ, and on each a sequence of gestures; a gesture pulls its organ toward
a target from its start to its end (Browman and Goldstein 1992; as targets with time constants,
Birkholz 2013). Vowels follow one another without a gap; consonants lie over them, so that every
consonant is coloured by its vowels. An organ needs about seven time constants to arrive, hence a
gesture starts that much before its phone; the leads below were read off utterances that
VocalTractLab aligned itself.
"""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.corpora.vocaltractlab.phonotactics import VOWELS, Prompt, draw

DIPHTHONGS = {
    "aI": ("a", "e"),
    "aU": ("a", "o"),
    "OY": ("O", "e"),
    "eI": ("e", "I"),
    "oU": ("o", "U"),
}
VOWEL_TARGETS = {vowel: (vowel.strip(":"),) for vowel in VOWELS} | DIPHTHONGS


@dataclass(frozen=True)
class Articulation:
    """How a consonant is made; times in time constants before the phone's start and its end."""

    tier: str
    target: str
    lead: float
    release: float
    glottis: str = ""
    velum: str = ""


def closure(tier: str, target: str, lead: float, voiced: bool) -> Articulation:
    """Return a stop; a voiceless one is released earlier and leaves time for its breath."""
    glottis = "voiced-plosive" if voiced else "voiceless-plosive"
    return Articulation(tier, target, lead, 4.5 if voiced else 6.5, glottis)


def nasal(tier: str, target: str, lead: float) -> Articulation:
    """Return a nasal: a closure of the mouth and an open velum."""
    return Articulation(tier, target, lead, 3.0, velum="0.5")


def fricative(tier: str, target: str, glottis: str) -> Articulation:
    """Return a fricative."""
    return Articulation(tier, target, 6.2, 4.0, glottis)


LIPS, TIP, BODY = "lip-gestures", "tongue-tip-gestures", "tongue-body-gestures"
LABIAL = (LIPS, "ll-labial-closure", 7.3)
ALVEOLAR = (TIP, "tt-alveolar-closure", 6.7)
VELAR = (BODY, "tb-velar-closure", 8.3)
VOICELESS, VOICED = "voiceless-fricative", "voiced-fricative"
CONSONANTS = {
    "p": closure(*LABIAL, voiced=False),
    "b": closure(*LABIAL, voiced=True),
    "t": closure(*ALVEOLAR, voiced=False),
    "d": closure(*ALVEOLAR, voiced=True),
    "k": closure(*VELAR, voiced=False),
    "g": closure(*VELAR, voiced=True),
    "m": nasal(*LABIAL),
    "n": nasal(*ALVEOLAR),
    "N": nasal(*VELAR),
    "f": fricative(LIPS, "ll-dental-fricative", VOICELESS),
    "v": fricative(LIPS, "ll-dental-fricative", VOICED),
    "T": fricative(TIP, "tt-dental-fricative", VOICELESS),
    "D": fricative(TIP, "tt-dental-fricative", VOICED),
    "s": fricative(TIP, "tt-alveolar-fricative", VOICELESS),
    "z": fricative(TIP, "tt-alveolar-fricative", VOICED),
    "S": fricative(TIP, "tt-postalveolar-fricative", VOICELESS),
    "l": Articulation(TIP, "tt-alveolar-lateral", 5.4, 4.6),
    "j": fricative(BODY, "tb-palatal-fricative", ""),
    "R": fricative(BODY, "tb-uvular-fricative", VOICED),
    "Z": fricative(TIP, "tt-postalveolar-fricative", VOICED),
    "C": fricative(BODY, "tb-palatal-fricative", VOICELESS),
    "x": fricative(BODY, "tb-uvular-fricative", VOICELESS),
    "r": Articulation(TIP, "tt-rhotic", 5.4, 4.6),
    "w": Articulation(BODY, "tb-labiovelar", 5.4, 4.6),
    "h": Articulation("", "", 0, 0, glottis="h"),
}
SHORTEST = 8.5  # time constants that a closure needs to close at all
BRIEFEST_S = 0.002  # VocalTractLab refuses a gesture of less than 1 ms
VELUM_LEAD = 5.0
VOWEL_LEAD = 1.7
GLOTTIS_LEAD = {"voiceless-plosive": (0.8, 3.3), "voiced-plosive": (0.8, 3.3)}
FRICATIVE_GLOTTIS_LEAD = (4.8, 4.8)
QUALITIES = {"modal": 3, "breathy": 1, "pressed": 1}
BREATH = 0.06  # of the pressure of speech, in a pause: enough to be heard


@dataclass(frozen=True)
class Gesture:
    """A pull toward ``value`` from ``start`` to ``end`` in s; slope per s, time constant in s."""

    start: float
    end: float
    value: str
    slope: float = 0.0
    time_constant: float = 0.0


@dataclass(frozen=True)
class Voice:
    """What is drawn for every utterance of a speaker, and from where; these are JD3's.

    ``time_constant_s``: the slower, the more the phones run into each other.
    """

    f0_hz: tuple[float, float] = (85, 150)
    time_constant_s: tuple[float, float] = (0.011, 0.014)
    qualities: Mapping[str, float] = field(default_factory=lambda: QUALITIES)


@dataclass(frozen=True)
class Score:
    """A gestural score and the voice that it asks for."""

    xml: str
    quality: str
    f0_hz: float
    pressure_dpa: float
    time_constant_s: float


JD3 = Voice()


def compose(prompt: Prompt, rng: np.random.Generator, voice: Voice = JD3) -> Score:
    """Write the score of a prompt, in a voice drawn for this utterance."""
    quality = draw(rng, voice.qualities)
    f0 = float(rng.uniform(*voice.f0_hz))
    pressure = 8000 * float(rng.uniform(0.75, 1.3))
    tau = float(rng.uniform(*voice.time_constant_s))
    tiers = {
        "vowel-gestures": vowel_gestures(prompt, tau),
        LIPS: consonant_gestures(prompt, LIPS, tau),
        TIP: consonant_gestures(prompt, TIP, tau),
        BODY: consonant_gestures(prompt, BODY, tau),
        "velic-gestures": velic_gestures(prompt, tau),
        "glottal-shape-gestures": glottal_gestures(prompt, quality, tau),
        "f0-gestures": f0_gestures(prompt, f0, rng),
        "lung-pressure-gestures": pressure_gestures(prompt, pressure, rng),
    }
    root = ET.Element("gestural_score")
    for kind, gestures in tiers.items():
        add_tier(root, kind, in_sequence(gestures, prompt.duration), prompt.duration, tau)
    return Score(ET.tostring(root, encoding="unicode"), quality, f0, pressure, tau)


def in_sequence(gestures: Sequence[Gesture], duration: float) -> list[Gesture]:
    """Clip gestures to the utterance, and each to the start of the next one on its tier.

    No gesture is left, and no gap, that is too brief for VocalTractLab.
    """
    clipped, limit = [], duration
    for gesture in reversed(gestures):
        start, end = max(gesture.start, 0.0), min(gesture.end, limit)
        start = 0.0 if start < BRIEFEST_S else start
        end = limit if limit - end < BRIEFEST_S else end
        if end - start >= BRIEFEST_S:
            clipped.append(replace(gesture, start=start, end=end))
            limit = start
    return clipped[::-1]


def add_tier(
    root: ET.Element, kind: str, gestures: Sequence[Gesture], duration: float, tau: float
) -> None:
    """Append a tier; what no gesture claims is neutral."""
    tier = ET.SubElement(root, "gesture_sequence", type=kind, unit="")

    def add(gesture: Gesture, neutral: bool) -> None:
        ET.SubElement(
            tier,
            "gesture",
            value=gesture.value,
            slope=f"{gesture.slope:.6f}",
            duration_s=f"{gesture.end - gesture.start:.6f}",
            time_constant_s=f"{gesture.time_constant or tau:.6f}",
            neutral=str(int(neutral)),
        )

    silent = "0.0" if kind == "velic-gestures" else ""
    now = 0.0
    for gesture in gestures:
        if gesture.start > now + 1e-6:
            add(Gesture(now, gesture.start, silent), neutral=True)
        add(gesture, neutral=False)
        now = gesture.end
    if gestures and duration > now + 1e-6:
        add(Gesture(now, duration, silent), neutral=True)


def vowel_gestures(prompt: Prompt, tau: float) -> list[Gesture]:
    """Vowels from syllable to syllable; they rest on schwa once the last phone is said."""
    starts: list[tuple[float, str]] = []
    for syllable in prompt.syllables:
        vowel = next(phone for phone in syllable if phone.text in VOWELS)
        targets = VOWEL_TARGETS[vowel.text]
        starts.append((syllable[0].start, targets[0]))
        if len(targets) == 2:
            starts.append(((vowel.start + vowel.end) / 2, targets[1]))
    starts.append((prompt.phones[-1].end, "@"))
    starts = [(start - VOWEL_LEAD * tau, target) for start, target in starts]
    starts[0] = (0.0, starts[0][1])
    return [Gesture(start, prompt.duration, target) for start, target in starts]


def consonant_gestures(prompt: Prompt, tier: str, tau: float) -> list[Gesture]:
    """Return the constrictions of one organ."""
    gestures = []
    for phone in prompt.phones:
        made = CONSONANTS.get(phone.text)
        if made and made.tier == tier:
            start = phone.start - made.lead * tau
            end = max(phone.end - made.release * tau, start + SHORTEST * tau)
            gestures.append(Gesture(start, end, made.target))
    return gestures


def velic_gestures(prompt: Prompt, tau: float) -> list[Gesture]:
    """Return the openings of the velum."""
    lead = VELUM_LEAD * tau
    return [
        Gesture(phone.start - lead, phone.end - lead, CONSONANTS[phone.text].velum)
        for phone in prompt.phones
        if phone.text in CONSONANTS and CONSONANTS[phone.text].velum
    ]


def glottal_gestures(prompt: Prompt, quality: str, tau: float) -> list[Gesture]:
    """Voice in the utterance's quality, opened or slackened for obstruents and /h/."""
    gestures = [Gesture(0.0, prompt.duration, quality)]
    for phone, next_ in itertools.zip_longest(prompt.phones, prompt.phones[1:]):
        shape = CONSONANTS[phone.text].glottis if phone.text in CONSONANTS else ""
        if shape:
            lead, release = GLOTTIS_LEAD.get(shape, FRICATIVE_GLOTTIS_LEAD)
            start, end = phone.start - lead * tau, phone.end - release * tau
            if phone is prompt.phones[-1]:
                end = prompt.duration  # or voice would come back after the last consonant
            gestures[-1] = replace(gestures[-1], end=start)
            gestures += [Gesture(start, end, shape), Gesture(end, prompt.duration, quality)]
        if next_ and next_.start > phone.end:  # a pause: the glottis opens, to breathe
            gestures[-1] = replace(gestures[-1], end=phone.end)
            gestures += [
                Gesture(phone.end, next_.start, "h"),
                Gesture(next_.start, prompt.duration, quality),
            ]
    return gestures


def f0_gestures(prompt: Prompt, f0: float, rng: np.random.Generator) -> list[Gesture]:
    """Intonation in semitones re 1 Hz: a falling line, and a pitch accent here and there."""
    base = 12 * np.log2(f0)
    spoken = prompt.duration - (prompt.lead + prompt.tail)
    gestures = [Gesture(0.0, prompt.lead, f"{base + 2:.3f}", time_constant=0.02)]
    for syllable, next_ in itertools.zip_longest(prompt.syllables, prompt.syllables[1:]):
        start = syllable[0].start
        end = next_[0].start if next_ else syllable[-1].end  # no pause without a pitch
        accent = rng.uniform(1, 5) if rng.random() < 0.45 else rng.uniform(-1, 1)
        pitch = base + 2 - 5 * (start - prompt.lead) / spoken + accent
        slope = float(rng.uniform(-12, 8))  # semitones per s
        gestures.append(Gesture(start, end, f"{pitch:.3f}", slope, 0.03))
    return [*gestures, Gesture(prompt.phones[-1].end, prompt.duration, f"{base - 4:.3f}", 0, 0.03)]


def pressure_gestures(prompt: Prompt, pressure: float, rng: np.random.Generator) -> list[Gesture]:
    """Lung pressure in dPa: on just before each stretch of speech, falling by a fifth, off after.

    In a pause there is a little of it: the breath is heard.
    """
    gestures: list[Gesture] = []
    before = 0.0
    for start, end in prompt.stretches:
        on, off = start - 0.02, end - 0.02
        bounds = np.linspace(on, off, max(1, int((off - on) / 0.3)) + 1)
        silent = BREATH * pressure if gestures else 0.0
        gestures.append(Gesture(before, on, f"{silent:.1f}", time_constant=0.012))
        for number, (now, later) in enumerate(itertools.pairwise(bounds)):
            share = (1 - 0.2 * number / (len(bounds) - 1)) * rng.uniform(0.93, 1.07)
            tau = 0.02 if number else 0.005
            gestures.append(Gesture(float(now), float(later), f"{pressure * share:.2f}", 0, tau))
        before = off
    return [*gestures, Gesture(before, prompt.duration, "0.0", time_constant=0.012)]
