"""Tracks as CSV: a column ``time_s`` and one named column per channel, in mm; empty = missing.

The project's own format, made to be opened by anything::

    time_s,TT_x,TT_y
    0.000000,12.3456,-3.2100
    0.010000,,-3.1987
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from pipeline.console import InputError
from pipeline.storage import atomic_path
from pipeline.utterance import Tracks

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
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: not found") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a text file ({error})") from None
    header, _, body = text.partition("\n")
    names = [name.strip() for name in next(csv.reader([header], skipinitialspace=True), [])]
    check_header(path, names)
    if not body.strip():
        raise InputError(f"{path}: no rows below the header")
    try:
        table = np.loadtxt(
            EMPTY_CELL.sub("nan", body).splitlines(), delimiter=",", comments=None, ndmin=2
        )
    except ValueError as error:
        refuse_line(path, names, body, str(error))
    if table.shape[1] != len(names):
        refuse_line(path, names, body, "")
    check_values(path, names, table, body)
    column = names.index(TIME)
    channels = tuple(name for name in names if name != TIME)
    return Tracks(table[:, column].copy(), np.delete(table, column, axis=1), channels)


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
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: line 1: column {', '.join(twice)} more than once")


def check_values(path: Path, names: list[str], table: NDArray[np.float64], body: str) -> None:
    """Refuse infinities and time stamps that are missing or do not increase."""
    lines = [number for number, line in enumerate(body.splitlines(), 2) if line.strip()]
    infinite = np.argwhere(np.isinf(table))
    if len(infinite):
        row, column = infinite[0]
        raise InputError(f"{path}: line {lines[row]}, column {names[column]}: infinite")
    time = table[:, names.index(TIME)]
    if np.isnan(time).any():
        raise InputError(f"{path}: line {lines[int(np.argmax(np.isnan(time)))]}: no {TIME}")
    back = np.diff(time) <= 0
    if back.any():
        row = int(np.argmax(back)) + 1
        raise InputError(
            f"{path}: line {lines[row]}: {TIME} {time[row]:g} does not follow {time[row - 1]:g}"
        )


def refuse_line(path: Path, names: list[str], body: str, otherwise: str) -> NoReturn:
    """Find the line that is not a row of numbers and raise the error that names it."""
    for number, line in enumerate(body.splitlines(), 2):
        cells = line.split(",")
        if line.strip() and len(cells) != len(names):
            raise InputError(
                f"{path}: line {number}: {len(cells)} cells where the header names {len(names)}"
            )
        for name, cell in zip(names, cells, strict=False):
            try:
                float(cell.strip() or "nan")
            except ValueError:
                raise InputError(
                    f"{path}: line {number}, column {name}: {cell.strip()!r} is not a number"
                ) from None
    raise InputError(f"{path}: not a table of numbers ({otherwise})")


def header(channels: Sequence[str]) -> str:
    """Return the first line."""
    return ",".join((TIME, *channels)) + "\n"


def rows(tracks: Tracks) -> str:
    """Return the lines of some frames: time to the microsecond, positions to 0.1 micrometre."""
    line = ",".join(["%.6f"] + ["%.4f"] * len(tracks.channels)) + "\n"
    table = np.column_stack([tracks.time, tracks.values])
    return "".join([line % tuple(values) for values in table.tolist()]).replace("nan", "")


def write(path: Path, tracks: Tracks) -> None:
    """Write tracks, atomically."""
    write_blocks(path, [tracks])


def write_blocks(path: Path, blocks: Iterable[Tracks]) -> None:
    """Write tracks that arrive in successive stretches, atomically, in memory of one stretch."""
    with atomic_path(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        for number, block in enumerate(blocks):
            if number == 0:
                file.write(header(block.channels))
            file.write(rows(block))
