"""How alike readings of one sentence are: what a speaker's other readings say of his tracks.

``python -m studies.readings`` takes every test utterance of STEM-E2VA in ``../shared/data`` (split
as for ``python -m studies.real_corpora --settings pooled``), aligns the other readings of that
sentence by the same speaker with it, by the sound alone, and correlates their measured tracks with
its own: each by itself, and their mean. No network is asked. It prints Pearson's r of each track in
each utterance, averaged, by speaker and style: a measure of what follows from the words.
"""

from __future__ import annotations

from collections.abc import Sequence

import librosa
import numpy as np
from numpy.typing import NDArray

from features import metrics
from pipeline.corpora import protocols
from pipeline.ground import artifacts
from pipeline.ground.console import run, say_text
from pipeline.ground.storage import Entry, Store
from studies import real_corpora

STYLE = slice(-4, -2)  # of an id such as DPMIA07: speaker, gender, style, sentence

Array = NDArray[np.floating]


def aligned(features: Array, others: Array, tracks: Array) -> NDArray[np.float64]:
    """Return the tracks of another reading at the times of this one.

    Parameters
    ----------
    features, others : float [T, W], float [U, W]
        In z, of this reading and of the other one.
    tracks : float [U, D]
        Of the other one.

    Returns
    -------
    float64 [T, D]
        The mean over the frames that dynamic time warping matches with a frame of this reading.
    """
    _, path = librosa.sequence.dtw(X=features.T, Y=others.T, metric="euclidean")
    here, there = path.T
    total = np.zeros((len(features), tracks.shape[1]))
    np.add.at(total, here, tracks[there])
    return total / np.bincount(here, minlength=len(features))[:, None]


def correlations(store: Store, entry: Entry, others: Sequence[Entry]) -> tuple[float, float]:
    """Return r of single other readings, averaged, and of the mean of them all."""
    x, y = (store.frames(entry, name) for name in ("inputs", "targets"))
    readings = [
        aligned(x, store.frames(other, "inputs"), store.frames(other, "targets"))
        for other in others
    ]
    single = np.mean([metrics.pearson(y, reading).mean() for reading in readings])
    return float(single), float(metrics.pearson(y, np.mean(readings, axis=0)).mean())


def main() -> None:
    """Align and print."""
    folder = real_corpora.prepare("pooled")
    store = Store(folder / artifacts.STANDARDIZED, "standardize")
    found: dict[str, list[tuple[float, float]]] = {}
    for entry in store.entries:
        about = entry.about
        if about["split"] != protocols.TEST:
            continue
        same = [
            other
            for other in store.entries
            if other.id != entry.id
            and all(other.about[key] == about[key] for key in ("speaker", "sentence"))
        ]
        pair = correlations(store, entry, same)
        for group in ("all", about["speaker"], f"style {entry.id[STYLE]}"):
            found.setdefault(group, []).append(pair)
    lines = [("test utterances", "of them", "one other reading", "the mean of all others")]
    lines.append(("---",) * 4)
    for group in sorted(found):
        single, mean = np.mean(found[group], axis=0)
        lines.append((group, str(len(found[group])), f"{single:.3f}", f"{mean:.3f}"))
    say_text("".join(f"| {' | '.join(line)} |\n" for line in lines))


if __name__ == "__main__":
    run(main)
