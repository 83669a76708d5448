"""XRMB, the X-ray microbeam speech production database: 57 American speakers, 145.65 Hz.

Westbury 1994, University of Wisconsin. Gold pellets on tongue, lips and jaw, followed by a narrow
X-ray beam, relative to the upper teeth: the origin is at their tips, x grows toward the lips.

Layout on disk::

    JW11/TP005.TXY   or jw11_tp005.txy; rows of numbers, no header
    JW11/TP005.WAV   the sound
    JW11/TP005.lab   optional: phones

A row is the time in microseconds and then x and y of eight pellets in micrometres: both lips, the
tongue from front (T1) to back (T4), and two on the jaw, at the incisors (MNI) and a molar (MNM).
1000000 says that a pellet was lost. The number of a task means the same text for every speaker;
``_2`` behind it is a second trial.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.corpora import Item
from pipeline.corpora.files import Companions, below, home, identifier, present, read_together
from pipeline.corpora.layouts import midsagittal
from pipeline.formats import checked
from pipeline.ground.console import InputError
from pipeline.ground.params import Corpus, Layout
from pipeline.ground.utterance import Tracks, Utterance

LAYOUT = Layout(midsagittal("UL", "LL", "T1", "T2", "T3", "T4", "MNI", "MNM"), 0)
SECOND, MM = 1e-6, 1e-3  # per unit of the file
LOST = 1_000_000
NAME = re.compile(r"(?:(jw\d+)_)?(tp\d+)(_\d+)?", re.IGNORECASE)


def find(folder: Path, params: Corpus) -> Iterator[Item]:
    """List the tasks of every speaker."""
    sounds, labels = Companions(folder, ".wav"), Companions(folder, ".lab")
    for path in below(folder, ".txy"):
        if match := NAME.fullmatch(path.stem):
            named = match[1] is not None  # every speaker has the same tasks
            speaker = (match[1] or [folder.name, *home(path.relative_to(folder))][-1]).upper()
            yield Item(
                identifier(speaker, match[2].lower() + (match[3] or "")),
                present(
                    sounds.expected(path, ".wav", unique=named),
                    path,
                    labels.of(path, unique=named),
                ),
                speaker=speaker,
                sentence=match[2].lower(),
            )


def read(item: Item, params: Corpus) -> Utterance:
    """Read one task."""
    return read_together(item, params, read_tracks)


def read_tracks(path: Path) -> Tracks:
    """Read the pellets in mm; NaN where one was lost."""
    rows = checked.numbers(path, checked.text(path))
    if rows.shape[1] != 1 + len(LAYOUT.channels):
        raise InputError(f"{path}: {rows.shape[1]} columns, not {1 + len(LAYOUT.channels)}")
    values = np.where(rows[:, 1:] == LOST, np.nan, rows[:, 1:] * MM)
    return checked.tracks(path, rows[:, 0] * SECOND, values, LAYOUT.channels)
