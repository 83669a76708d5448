"""Simple Signal File Format of the EMU speech database system: text header, interleaved records.

::

    SSFF -- (c) SHLRC
    Machine IBM-PC
    Record_Freq 200.0
    Start_Time 0.0
    Column TT_x DOUBLE 1
    -----------------

``Machine`` is the byte order: ``IBM-PC`` little-endian, ``SPARC`` big-endian. Frame i stands at
``Start_Time + i / Record_Freq``. A column of n values gives the channels ``NAME_1`` to ``NAME_n``.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.formats import checked
from pipeline.ground.console import InputError
from pipeline.ground.storage import atomic_path
from pipeline.ground.utterance import Tracks

MAGIC = b"SSFF -- (c) SHLRC"
LAST_LINE = re.compile(rb"^-+[ \t]*\r?\n", re.MULTILINE)
BYTE_ORDER: dict[str, Literal["<", ">"]] = {"IBM-PC": "<", "SPARC": ">"}
TYPES = {"CHAR": "i1", "BYTE": "u1", "SHORT": "i2", "LONG": "i4", "FLOAT": "f4", "DOUBLE": "f8"}
MOST_COLUMNS = 10_000


def read(path: Path) -> Tracks:
    """Read tracks; values keep the unit of the file.

    Raises
    ------
    InputError
        Naming the header field or the offset that is wrong.
    """
    header, data, body = checked.headed(path, MAGIC, LAST_LINE)
    lines = [line.split() for line in header.decode("latin-1").splitlines()]
    fields = {line[0]: line[1] for line in lines if len(line) == 2}
    machine = fields.get("Machine", "")
    if machine not in BYTE_ORDER:
        raise InputError(f"{path}: header field Machine is {machine!r}, not IBM-PC or SPARC")
    record = record_type(path, [line[1:] for line in lines if line[:1] == ["Column"]])
    frames, rest = divmod(len(data) - body, record.itemsize)
    if rest:
        raise InputError(
            f"{path}: offset {len(data) - rest}: {rest} bytes are left over after {frames} records"
            f" of {record.itemsize} bytes"
        )
    rows = np.frombuffer(data, record.newbyteorder(BYTE_ORDER[machine]), offset=body)
    names = record.names or ()
    values = np.column_stack([rows[name].astype(np.float64) for name in names])
    rate, start = (positive(path, fields, key) for key in ("Record_Freq", "Start_Time"))
    if rate == 0:
        raise InputError(f"{path}: header field Record_Freq is 0")
    return checked.tracks(path, start + np.arange(frames) / rate, values, names)


def record_type(path: Path, columns: list[list[str]]) -> np.dtype:
    """Return the type of a record, one field per channel."""
    fields: list[tuple[str, str]] = []
    for column in columns:
        if len(column) != 3 or column[1] not in TYPES or not re.fullmatch(r"\d{1,4}", column[2]):
            raise InputError(
                f"{path}: header field Column is {' '.join(column)!r}, not NAME TYPE n"
            )
        name, kind, size = column[0], TYPES[column[1]], int(column[2])
        fields += [(name if size == 1 else f"{name}_{k + 1}", kind) for k in range(size)]
        if len(fields) > MOST_COLUMNS:
            raise InputError(f"{path}: header field Column: more than {MOST_COLUMNS} channels")
    if not fields:
        raise InputError(f"{path}: no header field Column")
    if twice := checked.repeated(name for name, _ in fields):
        raise InputError(f"{path}: header field Column: {', '.join(twice)} more than once")
    return np.dtype(fields)


def positive(path: Path, fields: dict[str, str], key: str) -> float:
    """Return a header field that is a number, 0 or above."""
    try:
        value = float(fields.get(key, ""))
    except ValueError:
        value = math.nan
    if not 0 <= value < 1e9:
        raise InputError(f"{path}: header field {key} is {fields.get(key, '')!r}, not a number")
    return value


def write(path: Path, tracks: Tracks, *, big_endian: bool = False) -> None:
    """Write tracks as one DOUBLE column per channel, atomically.

    Raises
    ------
    ValueError
        Where the time stamps are not evenly spaced: the format has a rate alone.
    """
    step = np.diff(tracks.time).mean() if len(tracks.time) > 1 else 1.0
    even = tracks.time[0] + np.arange(len(tracks.time)) * step
    if not np.allclose(tracks.time, even, rtol=0, atol=1e-6):
        raise ValueError("SSFF needs evenly spaced time stamps; resample the tracks first")
    if any(name.split() != [name] for name in tracks.channels):
        raise ValueError(f"SSFF column names cannot have white space: {tracks.channels}")
    header = [
        MAGIC.decode(),
        f"Machine {'SPARC' if big_endian else 'IBM-PC'}",
        f"Record_Freq {round(float(1 / step), 9)!r}",
        f"Start_Time {float(tracks.time[0])!r}",
        *(f"Column {name} DOUBLE 1" for name in tracks.channels),
        "-----------------\n",
    ]
    content = tracks.values.astype(">f8" if big_endian else "<f8").tobytes()
    with atomic_path(path) as part:
        part.write_bytes("\n".join(header).encode("ascii") + content)
