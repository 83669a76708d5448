"""Positions of a Carstens articulograph as its software exports them to text (``.txt``).

A header row names the columns ``Ch1_X``, ``Ch1_Y``, ``Ch1_Z``, ``Ch1_phi``, ``Ch1_theta``,
``Ch1_RMS``, ``Ch1_Extra``, ``Ch2_X`` .., separated by tabs; a row per sample follows, in mm and
degrees, without a time. The channels are those of `pipeline.formats.carstens_pos`.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from pipeline.formats import checked
from pipeline.formats.carstens_pos import FIELDS
from pipeline.ground.console import InputError
from pipeline.ground.utterance import Tracks

COLUMNS = ("X", "Y", "Z", "phi", "theta", "RMS", "Extra")
FIRST = b"Ch1_X"


def recognised(path: Path) -> bool:
    """Say whether a text file starts as an export does."""
    try:
        with path.open("rb") as file:
            return file.read(len(FIRST)).lower() == FIRST.lower()
    except OSError:
        return False


def read(path: Path, rate_hz: float) -> Tracks:
    """Read a sweep: time stamps from 0, seven channels per sensor.

    Raises
    ------
    InputError
        Naming the line and column that are wrong.
    """
    header, _, body = checked.text(path, "latin-1").partition("\n")
    names = header.split()
    sensors, rest = divmod(len(names), len(COLUMNS))
    expected = [f"Ch{k + 1}_{name}" for k in range(sensors) for name in COLUMNS]
    if rest or not sensors or [n.lower() for n in names] != [n.lower() for n in expected]:
        raise InputError(f"{path}: line 1: not the columns {FIRST.decode()}, Ch1_Y .. of an export")
    # a decimal comma, as exports have it on machines that are set to German
    rows = checked.numbers(path, re.sub(r"(?<=\d),(?=\d)", ".", body), first_line=2)
    if rows.shape[1] != len(names):
        raise InputError(f"{path}: line 2: {rows.shape[1]} columns, the header has {len(names)}")
    channels = [f"{k + 1}_{field}" for k in range(sensors) for field in FIELDS]
    return checked.tracks(path, np.arange(len(rows)) / rate_hz, rows, channels)
