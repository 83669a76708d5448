"""STEM-E2VA: Mandarin speakers who act emotions, EMA at 250 Hz (Carstens AG501).

Zhang, Huang and Xiao 2025: 22 students of Suzhou and Taiyuan. Two men, DP and JJW, go round
as a sample of 214 sentences.

Layout on disk, in folders of any name::

    matfiles/DPMIA07.mat    one array [T, 42] called as the file, mm and degrees
    wavfiles/DPMIA07.wav    48 kHz

A name is the speaker, M or F, the emotion as two letters (NE is neutral) and the number of the
text, which is the same for every speaker and emotion. The columns are seven sensors, each x
(forward), y (to the left), z (up), phi, theta and the error of the fit; head movement is taken out.
There is no sensor on the jaw, and there are no labels. Sound and tracks start together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.corpora import Item
from pipeline.corpora.files import Companions, below, read_together
from pipeline.corpora.layouts import midsagittal
from pipeline.formats import checked, matlab
from pipeline.ground.console import InputError
from pipeline.ground.params import Corpus, Layout
from pipeline.ground.utterance import Tracks, Utterance

# upper and lower lip; left and right corner of the mouth; tongue back, middle and tip
SENSORS = ("UL", "LL", "LC", "RC", "TB", "TM", "TT")
LAYOUT = Layout(midsagittal(*SENSORS), 0)
FIELDS = 6  # of a sensor: position, two angles, error of the fit
RATE = 250.0  # Hz
NAME = re.compile(r"([A-Z]+)[MF]([A-Z]{2})(\d+)")


def find(folder: Path, params: Corpus) -> Iterator[Item]:
    """List the sentences."""
    sounds = Companions(folder, ".wav", unique=True)
    for path in below(folder, ".mat"):
        if match := NAME.fullmatch(path.stem):
            speaker, style, text = match.groups()
            files = (sounds.expected(path, ".wav"), path)
            yield Item(path.stem, files, speaker=speaker, style=style, sentence=text)


def read(item: Item, params: Corpus) -> Utterance:
    """Read one sentence."""
    return read_together(item, params, read_tracks)


def read_tracks(path: Path) -> Tracks:
    """Read the seven sensors: x forward, y up, z to the left."""
    tables = [value for value in matlab.load(path).values() if isinstance(value, np.ndarray)]
    if len(tables) != 1 or tables[0].dtype.kind not in "fiu" or tables[0].ndim != 2:
        raise InputError(f"{path}: not one table of numbers")
    table = tables[0].astype(np.float64)
    if table.shape[1] != len(SENSORS) * FIELDS:
        raise InputError(
            f"{path}: {table.shape[1]} columns, not {FIELDS} for each of {len(SENSORS)} sensors"
        )
    points = checked.connected(table.reshape(len(table), len(SENSORS), FIELDS)[:, :, :3])
    channels = [f"{name}_{axis}" for name in SENSORS for axis in "xzy"]
    time = np.arange(len(points)) / RATE
    return checked.tracks(path, time, points.reshape(len(points), -1), channels)
