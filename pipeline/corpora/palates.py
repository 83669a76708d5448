"""The palates that came with a corpus: `corpus.palates` names, for a speaker, what traced it.

Either a sweep in which a sensor was drawn along the palate, of a reader of raw sweeps, or a CSV
file with columns ``x_mm`` and ``y_mm`` in the coordinates of the speaker's tracks.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline import corpora
from pipeline.corpora import sweeps
from pipeline.formats import checked
from pipeline.ground import artifacts
from pipeline.ground.console import InputError, UsageError
from pipeline.ground.params import Corpus, PalateTrace

NAME = "palate"  # of the sensor that was drawn along it
COLUMNS = ("x_mm", "y_mm")
STEP_MM = 1.0  # width of the columns that are summed up in one corner
FEWEST = 10  # corners
TOUCHING = 90  # percentile of a column's heights: the sensor leaves the palate downward only

Array = NDArray[np.float64]


def traced(corpus: Corpus) -> dict[str, Array]:
    """Return the palate [P, 2] of each speaker of whom there is one, forward and height, mm.

    Raises
    ------
    UsageError
        Where `corpus.palates` names a sensor for a corpus without sweeps.
    InputError
        Where a file is broken, or its points are no palate.
    """
    return {speaker: read(trace, corpus) for speaker, trace in corpus.palates.items()}


def read(trace: PalateTrace, corpus: Corpus) -> Array:
    """Read one palate."""
    path = artifacts.from_project(trace.file)
    if trace.sensor is None:
        return from_csv(path)
    read_sweep = getattr(corpora.reader(corpus.reader), "read_sweep", None)
    if read_sweep is None:
        raise UsageError(
            f"corpus.palates: {path}: the reader {corpus.reader} has no sweeps with sensors by"
            f" number; give a CSV file with {', '.join(COLUMNS)}"
        )
    reference = corpus.head_correction.reference
    kept = {number: name for number, name in corpus.channel_map.items() if name in reference}
    alone = msgspec.structs.replace(corpus, channel_map=kept | {trace.sensor: NAME})
    tracks = sweeps.tracks(path, read_sweep, alone)
    points = tracks.values[:, [tracks.channels.index(f"{NAME}_{axis}") for axis in "xy"]]
    return outline(points, f"{path}: sensor {trace.sensor}")


def from_csv(path: Path) -> Array:
    """Read the corners of a palate, and put them in order from back to front."""
    lines = checked.text(path, "utf-8-sig").splitlines()
    try:
        rows = list(csv.DictReader(lines))
        points = np.array([[float(row[name]) for name in COLUMNS] for row in rows])
    except (KeyError, TypeError, ValueError, csv.Error):
        raise InputError(f"{path}: not rows of numbers {', '.join(COLUMNS)}") from None
    if len(points) < 2 or not np.isfinite(points).all():
        raise InputError(f"{path}: {len(points)} rows, or one that is not finite")
    return points[np.argsort(points[:, 0], kind="stable")]


def outline(points: NDArray[Any], place: str) -> Array:
    """Return the palate along which a sensor was drawn, back and forth as fingers do.

    Parameters
    ----------
    points : float [N, 2]
        Forward and height of the sensor over time, mm; rows that are not finite are ignored.
    place : str
        Named in the error.

    Returns
    -------
    float64 [P, 2]
        Corners from back to front.

    Raises
    ------
    InputError
        Where the points spread over less than a palate.
    """
    points = points[np.isfinite(points).all(axis=1)]
    column = np.floor(points[:, 0] / STEP_MM).astype(np.int64)
    corners = [
        (part[:, 0].mean(), np.percentile(part[:, 1], TOUCHING))
        for part in (points[column == k] for k in np.unique(column))
    ]
    if len(corners) < FEWEST:
        raise InputError(f"{place}: it moved over {len(corners) * STEP_MM:g} mm: no palate")
    return np.array(corners)
