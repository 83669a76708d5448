"""What people do with the same mouth: how far the jaw goes, what rides on it, how sounds are made.

Two speakers who say the same at the same times do not move alike, and the size of their tracts has
little to do with it. What differs is drawn here, each from a range that was published or measured:

- XRMB: vowels of seven speakers of the X-ray microbeam database (Westbury 1994), whose statistics
  `studies.population` prints beside the population's own
- jaw: Keating, Lindblom, Lubker and Kreiman 1994; Mooshammer, Hoole and Geumann 2007
- resistance of consonants to their vowels: Recasens, Pallares and Fontdevila 1997
- /r/: Delattre and Freeman 1968; Westbury, Hashi and Lindstrom 1998; of /u/: Harrington, Kleber
  and Reubold 2008; of /l/: Sproat and Fujimura 1993
- where the tract waits for speech: Gick, Wilson, Koch and Cook 2004; Ramanarayanan et al. 2013

The shapes of ``targets.csv`` are what they start from: vowels whose fleshpoints lie where those of
the seven speakers do, in JD3's mouth.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.corpora.vocaltractlab.anatomy import AT, NAMES, Shape, Shapes

# How low the jaw is: 0 for the highest sibilant, 1 for the lowest vowel. Vowels: the means of XRMB
# (IY +1.7 mm, IH 1.7, EH 0.7, AH 1.1, UH 1.7, AA -1.8, AO -2.1, AE -3.0) on a range of 7 mm.
# Consonants: the order of Keating et al. and of Mooshammer et al.
VOWEL_LOW = {
    "i": 0.28, "y": 0.28, "I": 0.30, "Y": 0.32, "e": 0.32, "2": 0.34, "u": 0.26, "u+": 0.26,
    "U": 0.30, "o": 0.42, "@": 0.38, "3": 0.32, "E:": 0.46, "E": 0.48, "9": 0.48, "V": 0.62,
    "6": 0.62, "O": 0.80, "A": 0.80, "a": 0.84, "{": 0.94,
}  # fmt: skip
CONSONANT_LOW = {
    "tt-alveolar-fricative": 0.02, "tt-postalveolar-fricative": 0.04, "tt-alveolar-closure": 0.14,
    "tt-dental-fricative": 0.30, "ll-dental-fricative": 0.22, "ll-labial-closure": 0.34,
    "tt-alveolar-lateral": 0.44, "tb-velar-closure": 0.42, "tb-palatal-fricative": 0.24,
    "tb-uvular-fricative": 0.48, "tt-rhotic": 0.34, "tb-labiovelar": 0.36,
}  # fmt: skip
SIBILANTS = ("tt-alveolar-fricative", "tt-postalveolar-fricative")
CONTEXTS = ("a", "i", "u")  # VocalTractLab keeps three shapes of a consonant, and mixes them
ROUNDED = ("u", "u+", "U", "o", "O", "y", "Y", "2", "9")
TURN = 0.3
JAW_PLACE = -0.25  # cm, in the middle of what VocalTractLab allows
MM_PER_DEGREE = 1.9  # at the lower incisor: 110 mm from the joint
TYPICAL_JAW_MM = 8.5  # from /s/ to the lowest vowel, in targets.csv
MIDDLE = 0.45  # of the jaw's range, about the mean of running speech
LIPS_AND_JAW = ("JX", "JA", "LP", "LD")
TONGUE = [AT[n] for n in NAMES if n not in (*LIPS_AND_JAW, "VO")]
BODY = [AT[n] for n in ("HX", "HY", "TCX", "TCY", "TBX", "TBY", "TRX", "TRY")]
HEIGHTS = {"TCY": "ride_body", "TBY": "ride_body", "TTY": "ride_tip"}
PLACES = [AT[n] for n in ("TCX", "TCY", "TTX", "TTY", "TBX", "TBY")]


def drawn(low: float, high: float) -> float:
    """Declare a habit and its range."""
    return field(metadata={"range": (low, high)})


@dataclass(frozen=True)
class Habits:
    """One speaker's; see the module. Shares and factors have no unit."""

    # jaw: XRMB has deviations of 1.9 to 4.4 mm over vowels, 3.0 on average; they take a range of
    # targets this large. Forward on height: slopes of -0.08 to 0.45
    jaw_mm: float = drawn(10.0, 20.0)
    jaw_closed_deg: float = drawn(0.3, 2.0)
    jaw_forward: float = drawn(-0.05, 0.45)
    jaw_sibilant_mm: float = drawn(0.0, 2.0)
    jaw_coarticulation: float = drawn(0.15, 0.45)  # Keating et al.: labials and velars most
    # what rides on it: slopes of XRMB on jaw height, lower lip 0.75 to 1.12; of the tongue's 0.87
    # to 1.69 (T1) and 0.11 to 0.61 (T4), the part that is not the vowels' own
    lip_on_jaw: float = drawn(0.5, 0.9)
    ride_tip: float = drawn(0.4, 1.0)
    ride_body: float = drawn(0.1, 0.5)
    # vowels: how far from schwa beside JD3, so that T1 and T3 move by what XRMB's speakers have;
    # deviations of single vowels between these, 0.6 to 1.6 mm
    vowel_spread: float = drawn(1.1, 1.8)
    vowel_own_mm: float = drawn(0.4, 1.2)
    front_u: float = drawn(0.0, 1.0)
    rounding: float = drawn(0.7, 1.4)
    # tongue body of consonants: 0 follows the vowel as targets.csv does, 1 not at all
    body_s: float = drawn(0.0, 0.6)
    body_sh: float = drawn(0.0, 0.6)
    body_t: float = drawn(-0.2, 0.5)
    body_th: float = drawn(-0.2, 0.5)
    body_l: float = drawn(-0.2, 0.5)
    dark_l_mm: float = drawn(-2.0, 3.0)  # Sproat and Fujimura: retraction and lowering
    bunched_r: float = drawn(0.0, 1.0)
    # lips: XRMB's upper one hardly moves in vowels, deviations 0.8 to 1.0 mm, slopes on the jaw
    # 0.01 to 0.20, and comes down to close them (Loefqvist and Gracco 1997); the lower one comes
    # forward as it rises, slopes 0.14 to 0.53, which its protrusion is part of
    upper_lip: float = drawn(0.3, 0.9)
    upper_lip_on_jaw: float = drawn(0.0, 0.2)
    lower_lip_forward: float = drawn(0.0, 0.3)
    # before and after speech, beside schwa
    rest_jaw: float = drawn(0.1, 0.5)
    rest_lips_cm: float = drawn(-0.05, 0.5)
    rest_forward_mm: float = drawn(-1.0, 4.0)
    rest_up_mm: float = drawn(1.0, 8.0)
    # movement: a jaw is heavier than a tongue tip
    time_constant_ms: float = drawn(10.8, 17.0)
    jaw_inertia_ms: float = drawn(6.0, 18.0)
    effort: float = drawn(0.05, 0.15)  # deviation of the jaw's range between utterances

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Habits:
        """Draw a speaker's habits, each evenly from its range."""
        return cls(
            **{
                name: float(rng.uniform(*one.metadata["range"]))
                for name, one in cls.__dataclass_fields__.items()
            }
        )


def jaw_angle(habits: Habits, low: float) -> float:
    """Return VocalTractLab's angle of the jaw, degrees, for a height between 0 and 1."""
    reach = habits.jaw_mm / MM_PER_DEGREE
    return min(-(habits.jaw_closed_deg + reach * max(low, -0.05)), -0.1)


def jaw_place(habits: Habits, low: float, forward_mm: float = 0.0) -> float:
    """Return VocalTractLab's forward place of the jaw, cm, for a height between 0 and 1.

    By turning alone the incisor goes back by `TURN` of what it goes down.
    """
    lowered = habits.jaw_mm / 10 * (low - MIDDLE)
    place = JAW_PLACE + (TURN - habits.jaw_forward) * lowered + forward_mm / 10
    return float(np.clip(place, -0.5, 0.0))


def ride(shape: Shape, habits: Habits, raised_cm: float, share: float = 1.0) -> None:
    """Lift the tongue with the jaw, in place."""
    for name, habit in HEIGHTS.items():
        shape[AT[name]] += share * getattr(habits, habit) * raised_cm


def vowels(base: Shapes, habits: Habits, rng: np.random.Generator) -> Shapes:
    """Return a speaker's vowels."""
    made = {}
    centre = base["@"]
    for name, low in VOWEL_LOW.items():
        shape = base[name].copy()
        if name == "u":
            shape[BODY] += habits.front_u * (base["u+"] - base["u"])[BODY]
        shape[PLACES] += (habits.vowel_spread - 1) * (shape - centre)[PLACES]
        shape[PLACES] += rng.normal(0, habits.vowel_own_mm / 10, len(PLACES))
        low = low + rng.normal(0, 0.04)
        raised = (MIDDLE - low) * (habits.jaw_mm - TYPICAL_JAW_MM) / 10
        ride(shape, habits, raised)
        shape[AT["JA"]] = jaw_angle(habits, low)
        spread = spread_lips(habits, low)
        if name in ROUNDED:
            shape[AT["LP"]] *= habits.rounding
            shape[AT["LD"]] = max(0.14, shape[AT["LD"]] + 0.4 * (spread - 0.8))
        else:
            shape[AT["LD"]] = spread
        shape[AT["JX"]] = jaw_place(habits, low)
        made[name] = shape
    return made


def spread_lips(habits: Habits, low: float) -> float:
    """Return the distance of lips that do nothing of their own, in cm: they go with the jaw."""
    return max(0.35, 0.8 + habits.lip_on_jaw * habits.jaw_mm / 10 * (low - MIDDLE))


def consonants(base: Shapes, spoken: Shapes, habits: Habits, rng: np.random.Generator) -> Shapes:
    """Return a speaker's consonants, each between /a/, /i/ and /u/, given the vowels."""
    made: Shapes = {}
    resistance = {
        "tt-alveolar-fricative": habits.body_s,
        "tt-postalveolar-fricative": habits.body_sh,
        "tt-alveolar-closure": habits.body_t,
        "tt-dental-fricative": habits.body_th,
        "tt-alveolar-lateral": habits.body_l,
    }
    for consonant, height in CONSONANT_LOW.items():
        height = height + rng.normal(0, 0.05)
        share = habits.jaw_coarticulation
        mean = np.mean([starting(base, consonant, v, habits) for v in CONTEXTS], axis=0)
        for vowel in CONTEXTS:
            low = (1 - share) * height + share * VOWEL_LOW[vowel]
            raised = (VOWEL_LOW[vowel] - low) * habits.jaw_mm / 10  # over the vowel, cm
            shape = starting(base, consonant, vowel, habits)
            rounded = vowel == "u"
            if consonant in resistance:
                shape[BODY] += resistance[consonant] * (mean - shape)[BODY]
            if consonant == "tt-alveolar-lateral":
                shape[[AT["TCX"], AT["TBX"]]] -= habits.dark_l_mm / 10
                shape[[AT["TCY"], AT["TBY"]]] -= 0.5 * max(habits.dark_l_mm, 0) / 10
            shape[AT["JA"]] = jaw_angle(habits, low)
            sibilant = consonant in SIBILANTS
            forward = habits.jaw_sibilant_mm if sibilant else 0.0
            shape[AT["JX"]] = jaw_place(habits, low, forward)
            if consonant.startswith("ll-"):
                shape[TONGUE] = spoken[vowel][TONGUE]
                ride(shape, habits, raised)
                shape[AT["TCY"]] = min(shape[AT["TCY"]], max(-0.95, spoken[vowel][AT["TCY"]]))
            elif consonant == "tb-labiovelar":
                shape[TONGUE] = (0.8 * spoken["u"] + 0.2 * spoken[vowel])[TONGUE]
                shape[[AT["LP"], AT["LD"]]] = 0.6 * habits.rounding, 0.2
            else:
                spread = spread_lips(habits, low)
                shape[AT["LD"]] = 0.5 * (spread + spoken["u"][AT["LD"]]) if rounded else spread
                shape[AT["LP"]] = spoken[vowel][AT["LP"]] * (0.7 if rounded else 1)
                if consonant in ("tt-postalveolar-fricative", "tt-rhotic"):
                    shape[AT["LP"]] += 0.25 * habits.rounding
                    shape[AT["LD"]] = max(0.3, shape[AT["LD"]] - 0.2)
            if consonant == "ll-dental-fricative":
                shape[AT["JA"]] = np.clip(shape[AT["JA"]], -2.6, -0.8)  # teeth reach the lip
                shape[AT["JX"]] = -0.5  # as far back as it goes, or the lip misses the teeth
            made[f"{consonant}({vowel})"] = shape
    return made


def starting(base: Shapes, consonant: str, vowel: str, habits: Habits) -> Shape:
    """Return the shape of targets.csv; /r/ between its two ways, /w/ as /u/."""
    if consonant == "tb-labiovelar":
        return base["u"].copy()
    name = f"{consonant}({vowel})"
    if consonant != "tt-rhotic":
        return base[name].copy()
    bunched = base[f"tt-bunched({vowel})"]
    return (1 - habits.bunched_r) * base[name] + habits.bunched_r * bunched


def rest(spoken: Shapes, habits: Habits) -> Shape:
    """Return where the tract is before and after speech."""
    shape = spoken["@"].copy()
    shape[AT["JA"]] = jaw_angle(habits, habits.rest_jaw)
    shape[AT["LD"]] = habits.rest_lips_cm
    shape[[AT["TCX"], AT["TTX"], AT["TBX"]]] += habits.rest_forward_mm / 10 * np.array([1, 0.6, 1])
    shape[[AT["TCY"], AT["TTY"], AT["TBY"]]] += habits.rest_up_mm / 10
    shape[[AT["VS"], AT["VO"]]] = 0.3, 0.4  # breathing through the nose
    return shape
