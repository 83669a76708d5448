"""The people of a population: drawn from ``[seed, number]`` alone, then held to what speech needs.

A person is a speaker file with another anatomy, other habits and another voice. Whoever is drawn
may be unable to speak: a closure that leaves a hole in a mouth of another shape, a vowel that
closes it. `mend` puts right what a small change puts right and says what it did; who cannot be
mended is drawn anew.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.corpora.vocaltractlab import anatomy, habits, phonotactics
from pipeline.corpora.vocaltractlab.anatomy import AT, Shape, Size, found
from pipeline.corpora.vocaltractlab.habits import CONTEXTS, Habits
from pipeline.corpora.vocaltractlab.phonotactics import Pace
from pipeline.corpora.vocaltractlab.score import Voice

# Length of the tract beside a man's: women 0.85 (Fitch and Giedd 1999; Vorperian et al. 2009), and
# deviations of 6 % within a sex. JD3 is a man with a long tract.
LENGTH = {"f": (0.80, 0.93), "m": (0.91, 1.05)}
PROPORTION = 0.04  # deviation of log height over length, XRMB's palates (Westbury 1994)
DOME = (0.88, 1.12)  # palates differ by more than that (Lammert, Proctor and Narayanan 2013)
LARYNX_CM = {"f": (-0.35, 0.25), "m": (-0.2, 0.7)}  # a man's pharynx is longer (Fitch and Giedd)
F0_HZ = {"f": (205, 0.14), "m": (119, 0.17)}  # Traunmueller and Eriksson 1995; deviation of the log
FOLDS = {"f": {"RL": 1.15, "RT": 0.36}, "m": {"RL": 1.6, "RT": 0.45}}  # cm; Titze 1989
GLOTTIS = {"CA": (-0.02, 0.03), "XB": (-0.002, 0.005), "XT": (-0.002, 0.005), "PL": (-0.2, 0.2),
           "AS": (-15, 3)}  # fmt: skip
SLOWNESS = (0.8, 1.3)  # 3.9 to 6.3 syllables per s (Jacewicz et al. 2009; Tsao and Weismer 1997)
PAUSES = (0.0, 0.12)
SILENCE_S = (0.15, 0.5)
SIZES = {"small": 0.87, "medium": 0.95, "large": np.inf}  # up to, of JD3's length

OPEN_CM2 = 0.15  # a vowel's narrowest place: no friction
CLOSED_CM2 = 0.01
NARROW_CM2 = 0.20  # Stevens 1998: fricatives have 0.05 to 0.20
CLOSURES = {
    "ll-labial-closure": ("LD", -0.03),
    "tt-alveolar-closure": ("TTY", 0.04),
    "tb-velar-closure": ("TCY", 0.03),
}  # what closes them, and a step that way, cm
FRICATIVES = {
    "tt-alveolar-fricative": ("TTY", 0.03),
    "tt-postalveolar-fricative": ("TTY", 0.03),
    "tt-dental-fricative": ("TTY", 0.03),
    "tb-palatal-fricative": ("TCY", 0.02),
    "tb-uvular-fricative": ("TCY", 0.02),
    "ll-dental-fricative": ("LD", -0.03),
}
LABIALS = ("ll-labial-closure", "ll-dental-fricative")
APPROXIMANTS = ("tt-rhotic", "tb-labiovelar")
STEPS = 25
OPENING = 0.06
# formants in rising order, as all languages have them: 1 height, 2 front to back
HIGHER = {1: ("i", "e", "E", "a"), 2: ("o", "@", "E", "i")}

Area = Callable[[Shape], float]
Formants = Callable[[Shape], NDArray[np.float64]]


class UnableError(Exception):
    """A person who cannot speak, and why."""


@dataclass(frozen=True)
class Person:
    """One speaker of a population.

    Attributes
    ----------
    name : str
        ``p000`` and so on.
    sex : str
        ``f`` or ``m``.
    language : str
        A key of `phonotactics.LANGUAGES`.
    size : Size
    habits : Habits
    voice : Voice
    pace : Pace
    root : xml.etree.ElementTree.Element
        The speaker file.
    rest : float64 [19]
        Where the tract is before and after speech.
    """

    name: str
    sex: str
    language: str
    size: Size
    habits: Habits
    voice: Voice
    pace: Pace
    root: ET.Element
    rest: Shape

    @property
    def about(self) -> dict[str, Any]:
        """What was drawn: a row of ``speakers.csv``."""
        length = (self.size.forward * self.size.height) ** 0.5
        f0 = float(np.mean(self.voice.f0_hz))
        numbers = {
            "length": length,
            **{f"size_{key}": value for key, value in asdict(self.size).items()},
            "f0_hz": f0,
            "slowness": self.pace.slowness,
            "pauses": self.pace.pauses,
            **asdict(self.habits),
        }
        return {
            "speaker": self.name,
            "sex": self.sex,
            "size": next(name for name, limit in SIZES.items() if length < limit),
            "language": self.language,
            **{key: round(value, 3) for key, value in numbers.items()},
        }

    def write(self, path: Path) -> None:
        """Write the speaker file."""
        ET.ElementTree(self.root).write(path)


def draw(
    seed: int, number: int, attempt: int = 0, held: Mapping[str, float] | None = None
) -> Person:
    """Draw a person; another attempt is another person under the same number.

    The habits in ``held`` have these values; all else is drawn as without them.
    """
    rng = np.random.default_rng([seed, number, attempt])
    sex = "fm"[number % 2]  # as many of each
    language = list(phonotactics.LANGUAGES)[number // 2 % 2]
    length = rng.uniform(*LENGTH[sex])
    tall, wide = np.exp(rng.normal(0, PROPORTION, 2))
    size = Size(
        length / tall,
        length * tall,
        length * wide,
        rng.uniform(*DOME),
        rng.uniform(*LARYNX_CM[sex]),
    )
    own = replace(Habits.draw(rng), **(held or {}))
    base = anatomy.read_targets()
    spoken = habits.vowels(base, own, rng)
    table = spoken | habits.consonants(base, spoken, own, rng)
    rest = habits.rest(spoken, own)
    root = anatomy.jd3()
    anatomy.put_shapes(root, table | {"rest": rest})
    anatomy.resize(root, size)
    f0 = float(np.exp(rng.normal(np.log(F0_HZ[sex][0]), F0_HZ[sex][1])))
    change_glottis(root, sex, f0, rng)
    tau = own.time_constant_ms / 1000
    voice = Voice(
        (0.9 * f0, 1.1 * f0),
        (0.93 * tau, 1.07 * tau),
        dict(zip(("modal", "breathy", "pressed"), rng.dirichlet([2, 1, 1]), strict=True)),
    )
    pace = Pace(
        rng.uniform(*SLOWNESS), pauses=rng.uniform(*PAUSES), spread=0.15, silence_s=SILENCE_S
    )
    rest = anatomy.shapes(root)["rest"]
    return Person(f"p{number:03d}", sex, language, size, own, voice, pace, root, rest)


def change_glottis(root: ET.Element, sex: str, f0: float, rng: np.random.Generator) -> None:
    """Give a speaker other vocal folds, and other ways to set them."""
    model = found(root, ".//glottis_model[@selected='1']")
    neutral = {"RF0": f0} | {
        name: length * rng.uniform(0.9, 1.1) for name, length in FOLDS[sex].items()
    }
    for parameter in found(model, "static_params"):
        name = parameter.get("name", "")
        if name in neutral:
            parameter.set("neutral", f"{neutral[name]:.4f}")
    change = {name: rng.uniform(*span) for name, span in GLOTTIS.items()}
    for shape in found(model, "shapes"):
        if shape.get("name") in ("modal", "breathy", "pressed"):
            for value in shape:
                name = value.get("name", "")
                if name in change:
                    value.set("value", f"{float(value.get('value', '')) + change[name]:.5f}")


def mend(person: Person, area: Area, formants: Formants) -> int:
    """Make a person able to speak: closures close, fricatives are narrow, vowels open.

    Parameters
    ----------
    person : Person
        Loaded; the shapes in ``person.root`` are changed in place.
    area : callable
        The narrowest cross-section of a tract shape above the larynx, cm^2.
    formants : callable
        The first formants of a tract shape, Hz.

    Returns
    -------
    int
        How many shapes had to be changed.

    Raises
    ------
    UnableError
        Where small changes do not help.
    """
    table = anatomy.shapes(person.root)
    before = {name: shape.copy() for name, shape in table.items()}
    known: dict[bytes, float] = {}  # a tube takes 5 ms

    def narrowest(shape: Shape) -> float:
        key = shape.tobytes()
        if key not in known:
            known[key] = area(shape)
        return known[key]

    def step(name: str, parameter: str, by: float, enough: Callable[[float], bool]) -> None:
        shape = table[name]
        for _ in range(STEPS):
            if enough(narrowest(shape)):
                return
            shape[AT[parameter]] += by
            if parameter == "TCY":
                shape[AT["TBY"]] += by
        if not enough(narrowest(shape)):
            raise UnableError(f"{name}: {narrowest(shape):.2f} cm2")

    opened = [name for name in habits.VOWEL_LOW if name in table]
    opened += [f"{name}({context})" for name in APPROXIMANTS for context in CONTEXTS]
    for name in opened:
        shape = table[name]
        for _ in range(STEPS):
            if narrowest(shape) >= OPEN_CM2:
                break
            shape += OPENING * (table["@"] - shape)  # wherever it is narrow, schwa is not
        if narrowest(shape) < OPEN_CM2:
            raise UnableError(f"{name}: {narrowest(shape):.2f} cm2")
    for name in (f"{labial}({context})" for labial in LABIALS for context in CONTEXTS):
        shape = table[name]
        for _ in range(STEPS):  # the tongue, riding on the jaw, must not close the mouth as well
            apart = shape.copy()
            apart[[AT["LD"], AT["JX"]]] = 1.0, 0.0
            if narrowest(apart) >= OPEN_CM2:
                break
            shape[habits.TONGUE] += OPENING * (table["@"] - shape)[habits.TONGUE]
    for context in CONTEXTS:
        for name, (parameter, by) in CLOSURES.items():
            step(f"{name}({context})", parameter, by, lambda cm2: cm2 <= CLOSED_CM2)
        for name, (parameter, by) in FRICATIVES.items():
            step(f"{name}({context})", parameter, by, lambda cm2: cm2 <= NARROW_CM2)
            shape = table[f"{name}({context})"]
            for _ in range(STEPS):
                if narrowest(shape) > CLOSED_CM2:
                    break
                shape[AT[parameter]] -= by
            if not CLOSED_CM2 < narrowest(shape) <= NARROW_CM2:
                raise UnableError(f"{name}({context}): {narrowest(shape):.2f} cm2")
    check_order(table, formants)
    anatomy.put_shapes(person.root, table)
    return sum(not np.array_equal(table[name], before[name]) for name in table)


def check_order(table: Mapping[str, Shape], formants: Formants) -> None:
    """Raise `UnableError` where two vowels have changed places."""
    heard = {name: formants(table[name]) for name in {n for row in HIGHER.values() for n in row}}
    for number, row in HIGHER.items():
        hz = [float(heard[name][number - 1]) for name in row]
        if hz != sorted(hz):
            raise UnableError(
                f"F{number} of {' '.join(row)} is {', '.join(f'{x:.0f}' for x in hz)} Hz"
            )
