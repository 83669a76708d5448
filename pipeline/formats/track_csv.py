"""Tracks as CSV: a column ``time_s`` and one named column per channel, in mm; empty = missing.

The project's own format, made to be opened by anything::

    time_s,TT_x,TT_y
    0.0,12.3456,-3.21
    0.01,,-3.1987
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from pipeline.formats import checked
from pipeline.ground.console import InputError
from pipeline.ground.storage import atomic_path
from pipeline.ground.utterance import Tracks

TIME = "time_s"
EMPTY_CELL = re.compile(r"(?:(?<=,)|^)[ \t]*(?=,)|(?<=,)[ \t]*$", re.MULTILINE)


def read(path: Path) -> Tracks:
    """Read tracks.

    Returns
    -------
    Tracks
        An empty or ``nan`` cell is NaN.

    Raises
    ------
    InputError
        Naming the file and, where one is to blame, the line and the column.
    """
    text = checked.text(path, "utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    first, _, body = text.partition("\n")
    try:
        names = [name.strip() for name in next(csv.reader([first], skipinitialspace=True), [])]
    except csv.Error as error:
        raise InputError(f"{path}: line 1: not names of columns ({error})") from None
    check_header(path, names)
    table = checked.numbers(path, EMPTY_CELL.sub("nan", body), ",", first_line=2)
    if table.shape[1] != len(names):
        raise InputError(f"{path}: {table.shape[1]} columns, but line 1 names {len(names)}")
    time = names.index(TIME)
    channels = names[:time] + names[time + 1 :]
    return checked.tracks(path, table[:, time], np.delete(table, time, axis=1), channels)


def check_header(path: Path, names: list[str]) -> None:
    """Refuse a header without ``time_s``, without channels, or with a name missing or twice."""
    if TIME not in names:
        raise InputError(
            f"{path}: line 1: no column {TIME!r}; the first line names the columns, comma-separated"
        )
    if len(names) < 2:
        raise InputError(f"{path}: line 1: no channel beside {TIME!r}")
    if "" in names:
        raise InputError(f"{path}: line 1: column {names.index('') + 1} has no name")
    if twice := checked.repeated(names):
        raise InputError(f"{path}: line 1: column {', '.join(twice)} more than once")


def header(channels: Sequence[str]) -> str:
    """Return the first line."""
    return ",".join((TIME, *channels)) + "\n"


def rows(tracks: Tracks) -> str:
    """Return the lines of some frames: time to the microsecond, positions to 0.1 micrometre."""
    if not len(tracks.time):
        return ""
    rounded = np.column_stack([np.round(tracks.time, 6), np.round(tracks.values, 4)])
    rounded += 0.0  # no -0.0
    # as JSON, since that takes a third of the time that Python's own formatting does
    text = msgspec.json.encode(rounded.tolist()).decode()
    return text[2:-2].replace("],[", "\n").replace("null", "") + "\n"


def write(path: Path, tracks: Tracks) -> None:
    """Write tracks, atomically."""
    write_blocks(path, [tracks])


def write_blocks(path: Path, blocks: Iterable[Tracks]) -> int:
    """Write tracks that arrive in successive stretches, atomically, in memory of one stretch.

    Returns
    -------
    int
        Number of frames.
    """
    frames = 0
    with atomic_path(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        for number, block in enumerate(blocks):
            if number == 0:
                file.write(header(block.channels))
            file.write(rows(block))
            frames += len(block.time)
    return frames
