"""Stage 3: split the utterances into train, validation and test, and standardise every channel.

Features (`standardize.inputs`) and tracks (`standardize.targets`) become z-scores: minus the mean,
over the standard deviation, per channel. The statistics are of the utterance itself, of its speaker
or of the whole corpus; in the latter two they see the training set alone. For features `auto` takes
those of the speaker where all who are tested are trained on, and otherwise the utterance's.
`standardize.frames` says whether silence counts. All are kept in data/standardized/statistics.npz,
so that every figure exists both in z and in mm.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.standardization import Standardizer
from pipeline.corpora import protocols
from pipeline.ground import artifacts, params
from pipeline.ground.console import progress, run, say, stage_parser
from pipeline.ground.storage import Entry, Store, StoreWriter

COLUMNS = ("inputs", "targets")


def counted(store: Store, entry: Entry, frames: str) -> NDArray[np.bool_] | None:
    """Return which frames of an utterance its statistics are taken over, bool [T]; None for all."""
    return store.frames(entry, "speech")[:, 0] > 0 if frames == "speech" else None


def pooled(
    store: Store, splits: list[str], column: str, over: str, frames: str
) -> dict[str, Standardizer]:
    """Fit one standardizer per speaker, or one for all under the name of nobody.

    Empty where every utterance has its own.
    """
    fitted: dict[str, Standardizer] = defaultdict(Standardizer)
    if over == "utterance":
        return fitted
    for entry, split in zip(store.entries, splits, strict=True):
        if split == protocols.TRAIN:
            x, on = store.frames(entry, column), counted(store, entry, frames)
            for name in ("", entry.about["speaker"])[: 2 if over == "speaker" else 1]:
                fitted[name].partial_fit(x if on is None or not on.any() else x[on])
    return fitted


def standardizer(
    store: Store, entry: Entry, column: str, fitted: dict[str, Standardizer], frames: str
) -> Standardizer:
    """Return the standardizer of an utterance: its own, its speaker's or the corpus's.

    A speaker without a train utterance has the corpus's for tracks, which nothing tells of, and
    each utterance's own for features.
    """
    new = entry.about["speaker"] not in fitted
    if not fitted or (column == "inputs" and new and len(fitted) > 1):
        return Standardizer().fit(store.frames(entry, column), counted(store, entry, frames))
    return fitted.get(entry.about["speaker"], fitted[""])


def main() -> None:
    """Run the stage."""
    stage_parser(__doc__, "standardize").parse_args()
    settings = params.load().standardize
    store = Store(artifacts.FRAMES, "extract")
    store.verify()
    splits = protocols.assign(store.entries, settings)
    known = protocols.known_speakers(store.entries, splits)
    over = {"inputs": settings.inputs, "targets": settings.targets}
    if settings.inputs == "auto":
        over["inputs"] = "speaker" if known else "utterance"
    fitted = {
        column: pooled(store, splits, column, over[column], settings.frames) for column in COLUMNS
    }
    statistics: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    protocol = protocols.name(store.entries, settings)
    about = {
        **store.about,
        "standardize": {**over, "frames": settings.frames},
        "protocol": protocol,
        "known_speakers": known,
    }
    with StoreWriter(artifacts.STANDARDIZED, store.columns, about) as writer:
        for entry, split in zip(progress(store.entries, unit="utterances"), splits, strict=True):
            arrays = {"speech": store.frames(entry, "speech")}
            for column in COLUMNS:
                own = standardizer(store, entry, column, fitted[column], settings.frames)
                arrays[column] = own.transform(store.frames(entry, column))
                statistics[f"{column[:-1]}_mean"].append(own.mean_)
                statistics[f"{column[:-1]}_scale"].append(own.scale_)
            writer.add(entry.id, arrays, **entry.about, split=split)
        stacked: dict[str, Any] = {key: np.stack(rows) for key, rows in statistics.items()}
        np.savez(writer.part / artifacts.STATISTICS, **stacked)
    counts = ", ".join(f"{splits.count(split)} {split}" for split in protocols.SPLITS)
    say(
        f"standardize: inputs per {over['inputs']}, targets per {settings.targets},"
        f" {protocol} split: {counts} -> {artifacts.STANDARDIZED}"
    )


if __name__ == "__main__":
    run(main)
