"""Raw sweeps of the NDI Wave, as its own software exports them.

Layout on disk: positions and sound under one name, in folders of any structure::

    NAME.tsv    tab-separated, one header row, about 100 Hz, mm; an empty cell is a missing sample
    NAME.wav    recorded with it

A row has the time in s of the sound, two counters, and nine columns per sensor: its id, its
status, X Y Z, and a quaternion. Rows can be missing too: the time stamps count. Sensors go by the
numbers in the header, which may leave some out. X is taken for forward and Y for up, which is right
with ``corpus.head_correction`` and a bite plane, and otherwise up to the posture of the speaker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.corpora import Item, sweeps
from pipeline.formats import checked
from pipeline.ground.console import InputError
from pipeline.ground.params import Corpus
from pipeline.ground.utterance import Utterance

LAYOUT = sweeps.layout
TIME = "AudioTime[s]"
SENSOR = re.compile(r"Sensor (\d+) Id")
AXES = ["X[mm]", "Y[mm]", "Z[mm]"]
FORWARD_LEFT_UP = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])  # Z is to the right


def find(folder: Path, params: Corpus) -> Iterator[Item]:
    """List the sweeps; the first folder below the corpus is the speaker."""
    return sweeps.find(folder, params, ".tsv")


def read(item: Item, params: Corpus) -> Utterance:
    """Read one sweep."""
    return sweeps.read(item, read_sweep, params)


def read_sweep(path: Path, text_rate_hz: float = 0) -> sweeps.Sweep:
    """Read the positions of all sensors; the file has its own time stamps."""
    header, _, body = checked.text(path).partition("\n")
    names = [name.strip() for name in header.split("\t")]
    matches = ((column, SENSOR.fullmatch(name)) for column, name in enumerate(names))
    starts = {int(match[1]): column for column, match in matches if match}
    if names[0] != TIME or not starts:
        raise InputError(f"{path}: line 1: no column {TIME!r}, or no 'Sensor 1 Id'")
    for number, column in starts.items():
        if names[column + 2 : column + 5] != AXES:
            raise InputError(f"{path}: line 1: sensor {number} has no {', '.join(AXES)}")
    filled = re.sub(r"(?<=\t)(?=\t|\r?$)", "nan", body, flags=re.MULTILINE)
    rows = checked.numbers(path, filled, delimiter="\t", first_line=2)
    if rows.shape[1] != len(names):
        raise InputError(f"{path}: line 2: {rows.shape[1]} columns, the header has {len(names)}")
    points = np.stack([rows[:, column + 2 : column + 5] for column in starts.values()], axis=1)
    return sweeps.Sweep(rows[:, 0], points @ FORWARD_LEFT_UP.T, tuple(starts))
