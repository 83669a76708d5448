"""How the population's vowels move beside those of seven people of the X-ray microbeam database.

``python -m studies.population`` reads the embedded corpus and ../shared/data/xrmb_vowels and prints
of both the deviations over vowels of lips, pellets and jaw in mm, and their slopes on the jaw's
height: the lowest speaker, the mean and the highest. A vowel is the middle third of its label.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from features.phones import phone_classes
from pipeline.corpora import manifest, vocaltractlab
from pipeline.ground import params
from pipeline.ground.console import InputError, progress, run, say
from pipeline.ground.storage import read_json
from pipeline.ground.utterance import Utterance
from studies.targets import POINTS, STATISTICS

Array = NDArray[np.float64]
JAW = POINTS.index("LI_y")
SLOPES = ("UL_y", "LL_y", "T1_y", "T2_y", "T3_y", "T4_y", "LI_x")


def middles(utterance: Utterance) -> Array:
    """Return the mean of `POINTS` over the middle third of each vowel, [vowels, 14] in mm."""
    tracks = utterance.tracks
    values = tracks.values[:, [tracks.channels.index(name) for name in POINTS]]
    kind = phone_classes(p.text for p in utterance.phones)
    found = []
    for phone in utterance.phones:
        third = (phone.end - phone.start) / 3
        inside = (tracks.time >= phone.start + third) & (tracks.time <= phone.end - third)
        if kind[phone.text] == "vowel" and inside.any():
            found.append(values[inside].mean(axis=0))
    return np.array(found).reshape(-1, len(POINTS))


def figures(covariance: Array) -> tuple[Array, Array]:
    """Return deviations, and slopes on the jaw's height, of a covariance [14, 14]."""
    return np.sqrt(np.diag(covariance)), covariance[JAW] / covariance[JAW, JAW]


def show(title: str, everybody: list[tuple[Array, Array]]) -> None:
    """Print lowest, mean and highest of all figures over speakers."""
    say(f"{title}, {len(everybody)} speakers: lowest, mean and highest")
    for name, rows, wanted in (
        ("deviation, mm", np.array([d for d, _ in everybody]), POINTS),
        ("slope on LI_y", np.array([s for _, s in everybody]), SLOPES),
    ):
        cells = []
        for point in wanted:
            own = rows[:, POINTS.index(point)]
            cells.append(f"{point} {own.min():.2f} {own.mean():.2f} {own.max():.2f}")
        say(f"  {name}: " + "; ".join(cells))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m studies.population", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.parse_args()
    corpus = params.load().corpus
    if corpus.reader != "vocaltractlab":
        raise InputError("corpus.reader: only the embedded corpus, vocaltractlab, is a population")
    own: dict[str, list[Array]] = defaultdict(list)
    for item, _ in progress(list(manifest.read()), unit="utterances"):
        own[item.speaker].append(middles(vocaltractlab.read(item, corpus)))
    people = [figures(np.cov(np.concatenate(rows).T)) for rows in own.values()]
    show("embedded corpus", people)
    if STATISTICS.is_file():
        measured = read_json(STATISTICS, "")["speakers"].values()
        show("XRMB", [figures(np.array(one["cov"])) for one in measured])


if __name__ == "__main__":
    run(main)
