"""What each habit of the population earns: imitation with and without it, no network involved.

``python -m studies.habits`` lets people of the population say the phones of the labelled recordings
of real_speech.yaml at the times of the labels, and compares their own fleshpoints with the sensors:
JD3, then people who differ from him in anatomy and voice alone, then with one group of habits after
the other, then with all but one. A habit that a row leaves out has the value in `WITHOUT`, the same
for everybody. ``--hold NAME=VALUE`` adds a row in which that habit has that value for everybody.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from features import metrics
from features.frames import frame_count
from pipeline.corpora.vocaltractlab import habits
from pipeline.corpora.vocaltractlab.delivery import Delivery
from pipeline.ground import params
from pipeline.ground.console import UsageError, run, say
from pipeline.ground.storage import read_yaml
from pipeline.ground.utterance import Tracks, Utterance
from studies.imitation import Alike, Person, Request, consensus, imitate
from studies.real_speech import RECORDINGS, Recording, correlate, read, tongue

SCHWA = "@"
LIPS = "which lip closes the lips"
WITHOUT: dict[str, dict[str, float]] = {
    "rest before and after speech": {
        "rest_jaw": habits.VOWEL_LOW[SCHWA],
        "rest_lips_cm": 0.7,
        "rest_forward_mm": 0,
        "rest_up_mm": 0,
    },
    "how far the jaw goes": {
        "jaw_mm": habits.TYPICAL_JAW_MM,
        "jaw_closed_deg": 1,
        "jaw_forward": habits.TURN,
        "jaw_sibilant_mm": 0,
        "jaw_coarticulation": 0.3,
    },
    "what rides on the jaw": {"lip_on_jaw": 0, "ride_tip": 0, "ride_body": 0},
    "vowels": {"vowel_spread": 1, "vowel_own_mm": 0, "front_u": 0, "rounding": 1},
    "tongue body of consonants": {
        "body_s": 0,
        "body_sh": 0,
        "body_t": 0,
        "body_th": 0,
        "body_l": 0,
        "dark_l_mm": 0,
        "bunched_r": 0,
    },
    LIPS: {},
    "time constants, effort": {"time_constant_ms": 12.5, "jaw_inertia_ms": 0.1, "effort": 0},
}


class Row(NamedTuple):
    """A line of the table: r of single people, of the mean of them all, and of its tongue."""

    single: list[float]
    together: list[float]
    tongue: list[float]


def person(seed: int, number: int, without: Iterable[str], more: Mapping[str, float]) -> Person:
    """Return a person who lacks some groups of habits."""
    lacking = set(without)
    held = {name: value for group in lacking for name, value in WITHOUT[group].items()}
    return Person(seed, number, held | dict(more), Alike if LIPS in lacking else Delivery)


def compare(
    spoken: Sequence[Sequence[Tracks]], material: Mapping[str, tuple[Recording, list[Utterance]]]
) -> Row:
    """Compare what everybody said, [people][utterances], with what was measured."""
    row, first = Row([], [], []), 0
    for recording, utterances in material.values():
        part = [own[first : first + len(utterances)] for own in spoken]
        first += len(utterances)
        channels = recording.channels
        singles = [metrics.mean(correlate(utterances, own, channels).r) for own in part]
        whole = [consensus(same) for same in zip(*part, strict=True)]
        together = correlate(utterances, whole, channels)
        row.single.append(float(np.mean(singles)))
        row.together.append(float(metrics.mean(together.r)))
        row.tongue.append(tongue(recording, together))
    return row


def line(title: str, row: Row) -> str:
    """Return a row of the table, Markdown."""
    cells = [
        f"{np.mean(row.single):.3f}",
        f"{np.mean(row.together):.3f} ({np.mean(row.tongue):.3f})",
        *(f"{r:.2f} ({t:.2f})" for r, t in zip(row.together, row.tongue, strict=True)),
    ]
    return f"| {title} | {' | '.join(cells)} |"


def held(wanted: Sequence[str]) -> dict[str, float]:
    """Return the habits of ``NAME=VALUE``."""
    found: dict[str, float] = {}
    for text in wanted:
        name, _, value = text.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            raise UsageError(f"--hold {text}: give NAME=VALUE, a number") from None
        if name not in habits.Habits.__dataclass_fields__:
            known = ", ".join(habits.Habits.__dataclass_fields__)
            raise UsageError(f"--hold {text}: no habit is {name!r}; there are {known}")
    return found


def main() -> None:
    """Print the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m studies.habits", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--people", type=int, default=6, metavar="N", help="how many speak, 6")
    parser.add_argument("--hold", nargs="+", default=[], metavar="NAME=VALUE", help="see above")
    options = parser.parse_args()
    seed = params.load().corpus.synthesis.seed
    more = held(options.hold)
    recordings = msgspec.convert(read_yaml(RECORDINGS), dict[str, Recording])
    material = {name: (one, read(one)) for name, one in recordings.items() if one.phones}
    requests = [
        Request(u.phones, recording.phones, frame_count(len(u.audio), u.sample_rate))
        for recording, utterances in material.values()
        for u in utterances
        if u.audio is not None
    ]

    def show(title: str, without: Iterable[str], **changed: Any) -> None:
        people = [person(seed, n, without, changed) for n in range(options.people)]
        say(line(title, compare([imitate(requests, one) for one in people], material)))

    say(f"| {options.people} people | single | their mean (tongue) | {' | '.join(material)} |")
    say("| --- |" + " --- |" * (2 + len(material)))
    if more:
        show(", ".join(options.hold), (), **more)
        return
    say(line("JD3", compare([imitate(requests)], material)))
    groups = list(WITHOUT)
    show("another anatomy and voice", groups)
    for k, group in enumerate(groups, 1):
        show(f"+ {group}" + (" = everything" if k == len(groups) else ""), groups[k:])
    for group in groups:
        show(f"everything but: {group}", [group])


if __name__ == "__main__":
    run(main)
