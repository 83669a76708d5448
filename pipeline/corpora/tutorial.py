"""The tutorial's pair of files: features and articulation of 103 utterances, already on one grid.

The tutorial that this system grew from handed its data on as two object arrays; the recordings
behind them were not.

Layout on disk::

    X.npy    float [T, 39] per utterance: MFCCs with delta and delta-delta, 10 ms frames
    Y.npy    float [T, 24] per utterance: x and y of four tongue points in mm, delta, delta-delta

Frame k is taken to stand at k * 10 ms in both. Of Y the positions are kept; their deltas follow
from them by the same rule (`features.deltas`) to within 1.3e-4 mm. The files are pickles and are
read without running what they hold (`pipeline.formats.object_array`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.frames import HOP_S
from pipeline.corpora import Item
from pipeline.corpora.layouts import BUILT_IN
from pipeline.formats import checked, object_array
from pipeline.ground.console import InputError
from pipeline.ground.params import Corpus
from pipeline.ground.utterance import Utterance

LAYOUT = BUILT_IN["pellets"]
INPUTS = 39
TARGETS = 3 * len(LAYOUT.channels)


def find(folder: Path, params: Corpus) -> Iterator[Item]:
    """List the utterances, which have numbers and no names."""
    files = (folder / "X.npy", folder / "Y.npy")
    for number in range(len(pairs(*files))):
        yield Item(f"utterance-{number:04d}", files)


def read(item: Item, params: Corpus) -> Utterance:
    """Read one utterance: features in place of sound."""
    both, path = pairs(item.files[0], item.files[1]), item.files[1]
    inputs, targets = both[int(item.id.rpartition("-")[2])]
    if inputs.shape != (len(targets), INPUTS) or targets.shape[1:] != (TARGETS,):
        raise InputError(
            f"{path}: {item.id}: {inputs.shape} and {targets.shape} are not the same frames"
            f" x {INPUTS} and x {TARGETS}"
        )
    for file, table in zip(item.files, (inputs, targets), strict=True):
        if not np.isfinite(table).all():
            raise InputError(f"{file}: {item.id}: NaN or infinite values")
    positions = targets[:, : len(LAYOUT.channels)].astype(np.float64)
    tracks = checked.tracks(path, np.arange(len(positions)) * HOP_S, positions, LAYOUT.channels)
    return item.utterance(tracks, inputs=inputs.astype(np.float32))


@lru_cache(maxsize=1)
def pairs(inputs: Path, targets: Path) -> list[tuple[NDArray[np.number], NDArray[np.number]]]:
    """Return the arrays of both files, utterance by utterance."""
    X, Y = object_array.read(inputs), object_array.read(targets)
    if len(X) != len(Y):
        raise InputError(f"{inputs}: {len(X)} utterances, {targets.name} has {len(Y)}")
    return list(zip(X, Y, strict=True))
