"""HPRC, the Haskins Production Rate Comparison: eight American speakers, fast and normal, 100 Hz.

Tiede et al. 2017: 720 IEEE sentences a speaker, read at two rates, with an AG501 (from Haskins
Laboratories, on request).

Layout on disk: one MATLAB file per sentence, with the sound (44.1 kHz), eight sensors in mm and
labels::

    F01/data/F01_B01_S01_R01_N.mat   speaker, block, sentence, repetition, Normal or Fast

A sensor's SIGNAL is x (forward), lateral, height, and three orientations. JAW is at the lower
incisors; ML (corner of the mouth) and JAWL are to the left of the midline. Files differ in the
order of their sensors, which are found by name. Palate traces have other names.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.corpora import Item
from pipeline.corpora.files import below
from pipeline.formats import mview
from pipeline.ground.params import Corpus, Layout
from pipeline.ground.utterance import Utterance

AXES = "xzy"  # of the columns of SIGNAL
SENSORS = ("TR", "TB", "TT", "UL", "LL", "ML", "JAW", "JAWL")
LAYOUT = Layout(tuple(f"{sensor}_{axis}" for sensor in SENSORS for axis in "xyz"), 0)
NAME = re.compile(r"([FM]\d\d)_(B\d\d)_(S\d\d\d?)_(R\d\d)_([NF])")
STYLES = {"N": "normal", "F": "fast"}


def find(folder: Path, params: Corpus) -> Iterator[Item]:
    """List the sentences."""
    for path in below(folder, ".mat"):
        if match := NAME.fullmatch(path.stem):
            speaker, block, _, _, style = match.groups()
            yield Item(path.stem, (path,), speaker=speaker, session=block, style=STYLES[style])


def read(item: Item, params: Corpus) -> Utterance:
    """Read one sentence; what identifies it is its text."""
    recording = mview.read(item.files[0], AXES)
    return dataclasses.replace(
        recording, id=item.id, speaker=item.speaker, session=item.session, style=item.style
    )
