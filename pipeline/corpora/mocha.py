"""MOCHA-TIMIT: British English, 460 TIMIT sentences a speaker, EMA at 500 Hz.

Recorded by Alan Wrench at Queen Margaret University College, Edinburgh, 1999 (free for research:
https://data.cstr.ed.ac.uk/mocha/). The speakers in common use are ``fsew0`` and ``msak0``.

Layout on disk::

    SPEAKER/fsew0_001.ema    EST track (or its ascii rows alone, without a header), 1e-5 m
    SPEAKER/fsew0_001.wav    16 kHz, NIST SPHERE in spite of its name
    SPEAKER/fsew0_001.lab    optional: phones

Positions have their head movement removed; x grows toward the lips. ``v`` is the velum and ``bn``
the bridge of the nose; the upper incisor ``ui`` is a reference and hardly moves. Channels called
``****`` were not connected. The number of a sentence means the same text for every speaker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.corpora import Item
from pipeline.corpora.files import Companions, below, present, read_together
from pipeline.corpora.layouts import midsagittal
from pipeline.formats import checked, est_track
from pipeline.ground.params import Corpus, Layout
from pipeline.ground.utterance import Tracks, Utterance

LAYOUT = Layout(midsagittal("LI", "UL", "LL", "TT", "TB", "TD", "VL"), 0)
MM = 1 / 100  # per unit of the file
NAMES = {"v": "VL"}
# the channels of every .ema file, for those that lost their header
CHANNELS = (
    *("ui_x", "li_x", "ul_x", "ll_x", "tt_x", "ui_y", "li_y", "ul_y", "ll_y", "tt_y"),
    *("tb_x", "td_x", "v_x", "", "bn_x", "tb_y", "td_y", "v_y", "", "bn_y"),
)


def find(folder: Path, params: Corpus) -> Iterator[Item]:
    """List the sentences; palate traces and other recordings have other names."""
    sounds, labels = (Companions(folder, ending, unique=True) for ending in (".wav", ".lab"))
    for path in below(folder, ".ema"):
        if match := re.fullmatch(r"([a-z]+\d)_(\d{3})", path.stem):
            files = present(sounds.expected(path, ".wav"), path, labels.of(path))
            yield Item(path.stem, files, speaker=match[1], sentence=match[2])


def read(item: Item, params: Corpus) -> Utterance:
    """Read one sentence."""
    return read_together(item, params, read_tracks)


def read_tracks(path: Path) -> Tracks:
    """Read the tracks in mm, named as the other corpora name them."""
    if checked.contents(path).startswith(est_track.MAGIC):
        tracks = est_track.read(path)
    else:
        tracks = est_track.read_rows(path, CHANNELS)
    points = (name.rpartition("_") for name in tracks.channels)
    names = tuple(f"{NAMES.get(point, point.upper())}_{axis}" for point, _, axis in points)
    return Tracks(tracks.time, tracks.values * MM, names)
