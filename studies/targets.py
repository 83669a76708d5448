"""Where the tract shapes come from that a population starts with: ``vocaltractlab/targets.csv``.

``python -m studies.targets [OUTPUT]`` fits VocalTractLab's tract, in speaker JD3's mouth, to vowels
as people have them: the mean pellets of seven speakers of the X-ray microbeam database
(../shared/data/xrmb_vowels), each about the mean of his eight vowels, and formants of men's vowels
(Hillenbrand et al. 1995). JD3's own vowels lie up to 20 mm apart where theirs lie 5 to 10. Tongue
positions of consonants are what phonetic descriptions say (Recasens et al. 1997 on how much of the
vowel is left of them), held to his constrictions. Two minutes on one core.

Many shapes have the same pellets: a run finds others than the shipped file has, as near to what is
wanted. Name an output to look at; without one the shipped file is replaced, and with it everybody.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from pipeline.corpora import manifest
from pipeline.corpora.vocaltractlab import anatomy
from pipeline.corpora.vocaltractlab.anatomy import AT, NAMES, Shape, Shapes
from pipeline.ground.console import InputError, progress, run, say
from pipeline.ground.storage import read_json

Array = NDArray[np.float64]

STATISTICS = Path(__file__).resolve().parents[2] / "shared/data/xrmb_vowels/vowel_stats.json"
POINTS = [
    f"{point}_{axis}" for point in ("UL", "LL", "T1", "T2", "T3", "T4", "LI") for axis in "xy"
]
LIPS, TONGUE, JAW = slice(0, 4), slice(4, 12), slice(12, 14)
XRMB = ("IY", "IH", "EH", "AE", "AH", "AA", "AO", "UH")
MIDDLE = ("i", "I", "E", "6", "@", "a", "O", "U")  # of JD3, about which his own are
FREE = [AT[name] for name in ("HY", "JA", "LP", "LD", "TCX", "TCY", "TTX", "TTY", "TBX", "TBY")]
STEP = np.array([1, 2, 0.5, 0.3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5])  # cm, degrees
PRIOR = np.array([1, 3, 1, 1, 2, 2, 2, 2, 2, 2])
FORMANTS = np.array([0.06, 0.05, 0.08])  # deviations of their logarithms
JAW_LOWEST = -9.0
OVERSHOOT = 1.2  # targets lie beyond what is reached in running speech
OPEN_CM2 = 0.25

# each from a mixture of the eight, mm: what it starts from, the mixture, more of it, and formants
ROUND = {"UL_x": 2.2, "LL_x": 3.0, "LL_y": 1.5}
BACK = {"T1_x": -2, "T1_y": -1, "T2_x": -2.5, "T2_y": 1.5, "T3_x": -3, "T3_y": 3, "T4_x": -3,
        "T4_y": 3.5, "LI_y": 0.8}  # fmt: skip
FRONTED = {"LL_y": 0.5, "T1_y": 1.2, "T2_y": 3.6, "T3_x": -0.3, "T3_y": 4.6, "T4_x": -0.5,
           "T4_y": 3.6, "LI_y": 1.4}  # fmt: skip
RHOTIC = {"UL_x": 0.6, "LL_x": 0.6, "LL_y": 0.5, "T1_x": -4, "T1_y": 3, "T2_x": -4, "T2_y": 2.5,
          "T3_x": -3.5, "T3_y": 1, "T4_x": -3, "T4_y": 0.5, "LI_y": 0.6}  # fmt: skip


class Vowel(NamedTuple):
    """What a vowel is fitted to."""

    start: str
    mixture: Mapping[str, float]
    rounded: float
    more: Mapping[str, float]
    formants: tuple[float, float, float]


VOWELS = {
    "i": Vowel("i", {"IY": 1.1}, 0, {}, (300, 2250, 2950)),
    "I": Vowel("I", {"IH": 1}, 0, {}, (410, 1950, 2600)),
    "e": Vowel("e", {"IY": 0.55, "IH": 0.5}, 0, {}, (370, 2150, 2700)),
    "E": Vowel("E", {"EH": 1}, 0, {}, (560, 1780, 2550)),
    "E:": Vowel("E:", {"EH": 0.8, "IH": 0.2}, 0, {}, (500, 1850, 2600)),
    "{": Vowel("E", {"AE": 1}, 0, {}, (640, 1800, 2500)),
    "@": Vowel("@", {"AH": 0.8}, 0, {}, (500, 1450, 2500)),
    "V": Vowel("6", {"AH": 0.6, "AA": 0.5}, 0, {}, (630, 1250, 2500)),
    "6": Vowel("6", {"AH": 0.5, "AA": 0.5, "AE": 0.1}, 0, {}, (620, 1300, 2450)),
    "a": Vowel("a", {"AA": 0.75, "AE": 0.3}, 0, {}, (740, 1330, 2450)),
    "A": Vowel("a", {"AA": 1}, 0, {}, (740, 1200, 2500)),
    "O": Vowel("O", {"AO": 1}, 0, {}, (590, 950, 2450)),
    "o": Vowel("U", {"AO": 0.45, "UH": 0.6}, 0.6, {}, (420, 850, 2350)),
    "U": Vowel("U", {"UH": 1}, 0, {}, (440, 1100, 2300)),
    "u": Vowel("U", {"UH": 1.2}, 1, BACK, (330, 850, 2250)),
    "u+": Vowel("Y", {}, 1, FRONTED, (330, 1350, 2250)),
    "3": Vowel("@", {}, 0, RHOTIC, (470, 1350, 1750)),
    "y": Vowel("y", {"IY": 0.95}, 1, {}, (300, 1800, 2150)),
    "Y": Vowel("Y", {"IH": 0.95}, 0.7, {}, (400, 1550, 2200)),
    "2": Vowel("2", {"IY": 0.5, "IH": 0.5}, 0.8, {}, (380, 1600, 2200)),
    "9": Vowel("9", {"EH": 0.9}, 0.6, {}, (520, 1450, 2250)),
}


class Consonant(NamedTuple):
    """The tongue's points about the mean vowel, mm; how much it resists the vowel; its opening."""

    tongue: tuple[float, ...]
    resistance: float
    opening_cm2: float


CONSONANTS = {
    "tt-alveolar-closure": Consonant((2.5, 8, 1.5, 4, 1, 1, 0.5, 0), 0.5, 0),
    "tt-alveolar-fricative": Consonant((2, 6, 1.5, 3.5, 1, 0.5, 0, -1), 0.7, 0.15),
    "tt-postalveolar-fricative": Consonant((-1.5, 7.5, -1.5, 7, -1, 4.5, -0.5, 1), 0.85, 0.15),
    "tt-dental-fricative": Consonant((5, 3.5, 3.5, 2, 2.5, 0, 1.5, -1), 0.4, 0.15),
    "tt-alveolar-lateral": Consonant((2, 8, 0, 2, -1.5, -2, -2, -2), 0.5, 0.25),
    "tt-rhotic": Consonant((-6, 5.5, -5.5, 2, -4.5, 0, -4, 0), 0.8, 0.45),
    "tt-bunched": Consonant((-4, 1, -4.5, 5, -4, 4, -4, 1), 0.8, 0.45),
    "tb-palatal-fricative": Consonant((2.5, 4, 4, 8, 4, 8, 4.5, 4), 0.8, 0.2),
    "tb-uvular-fricative": Consonant((-3, -1, -4, 0, -4, 3.5, -6, 7), 0.7, 0.15),
}
VELAR = {  # its place follows the vowel altogether
    "a": (-1, 0, 0, 5, -0.5, 9, -1, 8),
    "i": (2.5, 3, 4, 9, 3.5, 10, 5, 6),
    "u": (-2, 0, -2.5, 4, -3, 8, -3, 8),
}
RHOTICS = {"tt-rhotic": (3.9, -0.3), "tt-bunched": (3.7, -1.1)}  # where the tip starts, cm
RHOTIC_HZ = (480.0, 1250.0, 1650.0)
LABIALS = ("ll-labial-closure", "ll-dental-fricative")  # his own: people say them with their vowels
VOWEL_MM = np.array(
    [1.2, 1.2, 1.2, 1.0, 1, 1, 1, 1, 1, 1, 1.3, 1.3, 3, 0.6]
)  # what counts how much
CONSONANT_MM = np.array([3, 3, 3, 3, 2, 2, 1.5, 1.5, 1.5, 1.5, 2, 2, 5, 3])


def displacements() -> dict[str, Array]:
    """Return the mean pellets of each vowel about the mean of the eight, mm, over speakers."""
    if not STATISTICS.is_file():
        raise InputError(f"{STATISTICS}: not there; it is not part of the project")
    own: dict[str, list[Array]] = {}
    for speaker in read_json(STATISTICS, "")["speakers"].values():
        means = {name: np.array(one["mean"]) for name, one in speaker["vowels"].items()}
        middle = np.mean([means[name] for name in XRMB], axis=0)
        for name in XRMB:
            own.setdefault(name, []).append(means[name] - middle)
    return {name: np.mean(rows, axis=0) for name, rows in own.items()}


def wanted(vowel: Vowel, known: Mapping[str, Array]) -> Array:
    """Return the displacement of a vowel, [14] mm."""
    moved = sum((share * known[name] for name, share in vowel.mixture.items()), np.zeros(14))
    for table, share in ((ROUND, vowel.rounded), (vowel.more, 1.0)):
        for point, mm in table.items():
            moved[POINTS.index(point)] += share * mm
    return moved


class Tract:
    """JD3's, as functions of a shape."""

    def __init__(self, scratch: Path) -> None:
        from pipeline.corpora.vocaltractlab import speaker

        self.speaker = speaker
        self.scratch = scratch
        self.columns = [speaker.CHANNELS.index(name) for name in POINTS]

    def points(self, shape: Shape) -> Array:
        """Return the places of `POINTS`, mm."""
        return self.speaker.contour_points(shape, self.scratch)[self.columns]

    def fit(
        self,
        start: Shape,
        places: Array,
        weight_mm: Array,
        prior: Array,
        formants: tuple[float, ...] | None,
        opening_cm2: float,
        at_least: bool,
    ) -> Shape:
        """Return the shape nearest to places and formants that is open as it should be."""
        lowest, highest = np.full(len(FREE), -6.0), np.full(len(FREE), 5.5)
        lowest[1], highest[1] = JAW_LOWEST, 0.0

        def residuals(values: Array) -> Array:
            shape = start.copy()
            shape[FREE] = values
            area = self.speaker.area(shape)
            short = 40 * max(0.0, opening_cm2 - area) if at_least else 10 * (area - opening_cm2)
            parts = [
                (self.points(shape) - places) / weight_mm,
                (values - start[FREE]) / prior,
                np.array([short]),
            ]
            if formants:
                heard = np.maximum(self.speaker.formants(shape), 100)
                parts.append(np.log(heard / np.array(formants)) / FORMANTS)
            return np.concatenate(parts)

        found = least_squares(
            residuals,
            np.clip(start[FREE], lowest + 1e-3, highest - 1e-3),
            bounds=(lowest, highest),
            diff_step=0.01,
            max_nfev=16,
            x_scale=STEP,
        )
        shape = start.copy()
        shape[FREE] = found.x
        return shape


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(prog="python -m studies.targets", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("output", nargs="?", type=Path, default=anatomy.TARGETS)
    output = parser.parse_args().output
    known, own = displacements(), anatomy.shapes(anatomy.jd3())
    with tempfile.TemporaryDirectory() as folder:
        tract = Tract(Path(folder) / "tract.svg")
        middle = np.mean([tract.points(own[name]) for name in MIDDLE], axis=0)
        made: Shapes = {}
        moved = {name: OVERSHOOT * wanted(vowel, known) for name, vowel in VOWELS.items()}
        for name, vowel in progress(VOWELS.items(), unit="vowels"):
            start = own[vowel.start].copy()
            start[AT["JX"]] = 0
            places = middle + moved[name]
            prior = PRIOR / 0.7
            made[name] = tract.fit(start, places, VOWEL_MM, prior, vowel.formants, OPEN_CM2, True)
        contexts = [(name, vowel) for name in (*CONSONANTS, "tb-velar-closure") for vowel in "aiu"]
        for name, context in progress(contexts, unit="consonants"):
            places = middle + np.array([0.0] * 13 + [2.0])
            places[LIPS] += moved[context][LIPS]
            prior = PRIOR / 0.5
            if name in CONSONANTS:
                spec = CONSONANTS[name]
                left = (1 - spec.resistance) * moved[context][TONGUE]
                places[TONGUE] += np.array(spec.tongue) + left
                opening = spec.opening_cm2
            else:
                places[TONGUE] += VELAR[context]
                opening = 0.0
            if name in RHOTICS:
                start = made["3"].copy()
                start[[AT["TTX"], AT["TTY"]]] = RHOTICS[name]
                prior[6:8] = 0.6
            else:
                start = own[f"{name}({context})"].copy()
                if name.startswith("tt"):
                    prior[6:8] = 0.15  # the tip makes the constriction: as he does
            start[AT["JX"]] = 0
            hz = RHOTIC_HZ if name in RHOTICS else None
            made[f"{name}({context})"] = tract.fit(
                start, places, CONSONANT_MM, prior, hz, opening, name in RHOTICS
            )
        made |= {f"{name}({v})": own[f"{name}({v})"] for name in LABIALS for v in "aiu"}
        for name in VOWELS:
            error = tract.points(made[name]) - middle - moved[name]
            heard = ", ".join(f"{x:.0f}" for x in tract.speaker.formants(made[name]))
            say(f"{name:3} tongue off by {np.abs(error[TONGUE]).max():.1f} mm at most; {heard} Hz")
    rows = [
        {"shape": name, **{k: f"{x:.3f}" for k, x in zip(NAMES, shape, strict=True)}}
        for name, shape in made.items()
    ]
    manifest.write(output, rows, ["shape", *NAMES])


if __name__ == "__main__":
    run(main)
