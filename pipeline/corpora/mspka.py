"""MSPKA: three Italian speakers, about 500 sentences each, EMA at 400 Hz.

Canevari, Badino and Fadiga 2015 (session 1 of the corpus, free for research).

Layout on disk::

    lls_1.0.0/ema_1.0.0/lls_1.ema     text: a ROW per channel, a column per sample, mm
    lls_1.0.0/wav_1.0.0/lls_1.wav     22.05 kHz
    lls_1.0.0/lab_1.0.0/lls_1.lab     optional: phones
    lls_1.0.0/list_sentences          optional: lines of "number) text"

The rows are x, lateral and height of both lips, both incisors, and the tongue's back, dorsum and
tip. Which way x counts is not documented; the lips are in front of the tongue, and x is turned
round where it says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.corpora import Item
from pipeline.corpora.files import Companions, below, present, read_together
from pipeline.corpora.layouts import midsagittal
from pipeline.formats import checked
from pipeline.ground.console import InputError
from pipeline.ground.params import Corpus, Layout
from pipeline.ground.utterance import Tracks, Utterance

SENSORS = ("UL", "LL", "UI", "LI", "TB", "TD", "TT")
LAYOUT = Layout(midsagittal("UL", "LL", "LI", "TB", "TD", "TT"), 0)  # UI is a reference
CHANNELS = tuple(f"{sensor}_{axis}" for sensor in SENSORS for axis in "xzy")
FRONT, BACK = ("UL_x", "LL_x"), ("TB_x", "TD_x")
RATE = 400.0  # Hz
NAME = re.compile(r"([a-z]+)_?(\d+)")
LIST = "list_sentences"


def find(folder: Path, params: Corpus) -> Iterator[Item]:
    """List the sentences."""
    sounds, labels = (Companions(folder, ending, unique=True) for ending in (".wav", ".lab"))
    texts: dict[Path, dict[int, str]] = {}
    for path in below(folder, ".ema"):
        if match := NAME.fullmatch(path.stem):
            home = path.parent.parent
            if home not in texts:
                texts[home] = sentences(home / LIST)
            yield Item(
                path.stem,
                present(sounds.expected(path, ".wav"), path, labels.of(path)),
                speaker=match[1],
                sentence=texts[home].get(int(match[2]), match[2]),
            )


def sentences(path: Path) -> dict[int, str]:
    """Return the texts of a speaker by number; none where the list is missing."""
    lines = path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
    matches = (re.match(r"\s*(\d+)\s*\)\s*(.+)", line) for line in lines)
    return {int(match[1]): match[2].strip() for match in matches if match}


def read(item: Item, params: Corpus) -> Utterance:
    """Read one sentence."""
    return read_together(item, params, read_tracks)


def read_tracks(path: Path) -> Tracks:
    """Read the tracks, x toward the lips."""
    values = checked.numbers(path, checked.text(path)).T
    if values.shape[1] != len(CHANNELS):
        raise InputError(
            f"{path}: {values.shape[1]} rows, not one for each of {len(CHANNELS)} channels"
        )
    tracks = checked.tracks(path, np.arange(len(values)) / RATE, values, CHANNELS)
    front, back = (
        np.nanmean(values[:, [CHANNELS.index(name) for name in names]]) for names in (FRONT, BACK)
    )
    forward = [name.endswith("_x") for name in CHANNELS]
    if front < back:
        tracks.values[:, forward] *= -1
    return tracks
