"""Edinburgh Speech Tools tracks (MOCHA-TIMIT, mngu0): a text header, then ascii or binary rows.

A row is the time in seconds, a break flag where the header says ``BreaksPresent`` (0: the frame
holds no values), and then the channels: channel k is column k + 2, an offset that is easily
forgotten. Binary rows are float32, of the byte order that the header names. Values keep the unit
of the file, which the format does not say.

The authority is the library's own reader and writer, ``speech_class/EST_TrackFile.cc``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.formats import checked
from pipeline.ground.console import InputError
from pipeline.ground.storage import atomic_path
from pipeline.ground.utterance import Tracks

MAGIC = b"EST_File Track"
LAST_LINE = re.compile(rb"^EST_Header_End[ \t]*\r?\n", re.MULTILINE)
UNNAMED = "*"  # MOCHA calls channels that were not used ****


def read(path: Path) -> Tracks:
    """Read a track; channels that have no name are left out.

    Returns
    -------
    Tracks
        NaN in frames that are breaks.

    Raises
    ------
    InputError
        Naming the header field or the offset that is wrong.
    """
    header, data, start = checked.headed(path, MAGIC, LAST_LINE)
    fields = header_fields(header)
    frames, width = (count(path, fields, key) for key in ("NumFrames", "NumChannels"))
    rows = body(path, fields, data, start, frames, width)
    names = [fields.get(f"Channel_{k}", f"channel_{k}").strip('" ') for k in range(width)]
    return from_rows(path, rows, names)


def read_rows(path: Path, names: Sequence[str]) -> Tracks:
    """Read the ascii rows of a track that lost its header: time, break flag, channels.

    Parameters
    ----------
    path : Path
    names : sequence of str
        Of all channels; the empty ones are left out.
    """
    rows = checked.numbers(path, checked.text(path))
    if rows.shape[1] != 2 + len(names):
        raise InputError(f"{path}: line 1: {rows.shape[1]} columns, not {2 + len(names)}")
    return from_rows(path, rows, names)


def from_rows(path: Path, rows: NDArray[np.floating], names: Sequence[str]) -> Tracks:
    """Return the tracks of rows with or without break flags."""
    values = rows[:, -len(names) :].astype(np.float64)
    if rows.shape[1] == len(names) + 2:
        values[rows[:, 1] == 0] = np.nan
    named = [k for k, name in enumerate(names) if name.strip(UNNAMED)]
    return checked.tracks(path, rows[:, 0], values[:, named], [names[k] for k in named])


def header_fields(header: bytes) -> dict[str, str]:
    """Return the header's lines as key and value."""
    lines = (line.strip().partition(" ") for line in header.decode("latin-1").splitlines())
    return {key: value.strip() for key, _, value in lines}


def count(path: Path, fields: dict[str, str], key: str) -> int:
    """Return a header field that is a whole number above 0."""
    value = fields.get(key, "")
    if not re.fullmatch(r"\d{1,9}", value) or int(value) == 0:
        raise InputError(f"{path}: header field {key} is {value!r}, not a count")
    return int(value)


def body(
    path: Path, fields: dict[str, str], data: bytes, start: int, frames: int, width: int
) -> NDArray[np.floating]:
    """Return the rows [frames, 1 + width] or, with break flags, [frames, 2 + width]."""
    leads = (2,) if "BreaksPresent" in fields else (1, 2)  # some writers leave the field out
    kind = fields.get("DataType", "")
    if kind == "binary":
        floats, rest = divmod(len(data) - start, 4)
        lead = next((n for n in leads if not rest and frames * (width + n) == floats), None)
        if lead is None:
            raise InputError(
                f"{path}: offset {start}: {len(data) - start} bytes, not the"
                f" {frames * (width + leads[0]) * 4} of NumFrames {frames}, NumChannels {width}"
            )
        order = "<f4" if fields.get("ByteOrder", "01") == "01" else ">f4"
        return np.frombuffer(data, order, offset=start).reshape(frames, width + lead)
    if kind != "ascii":
        raise InputError(f"{path}: header field DataType is {kind!r}, neither binary nor ascii")
    first_line = data.count(b"\n", 0, start) + 1
    rows = checked.numbers(path, data[start:].decode("latin-1"), first_line=first_line)
    if rows.shape not in [(frames, width + n) for n in leads]:
        raise InputError(
            f"{path}: line {first_line}: {rows.shape[0]} rows of {rows.shape[1]} columns do not fit"
            f" NumFrames {frames}, NumChannels {width}"
        )
    return rows


def write(path: Path, tracks: Tracks, *, ascii: bool = False, big_endian: bool = False) -> None:
    """Write a track, atomically; a frame without any value becomes a break.

    Parameters
    ----------
    path : Path
    tracks : Tracks
        Channel names without white space.
    ascii : bool
        Text that keeps every digit, in place of float32.
    big_endian : bool
        ``ByteOrder 10`` in place of ``01``; binary only.
    """
    if any(name.split() != [name] for name in tracks.channels):
        raise ValueError(f"EST channel names cannot have white space: {tracks.channels}")
    steps = np.diff(tracks.time)
    header = [
        MAGIC.decode(),
        f"DataType {'ascii' if ascii else 'binary'}",
        *([] if ascii else [f"ByteOrder {'10' if big_endian else '01'}"]),
        f"NumFrames {len(tracks.time)}",
        f"NumChannels {len(tracks.channels)}",
        *(["NumAuxChannels 0"] if ascii else []),
        f"EqualSpace {int(np.allclose(steps, steps.mean() if len(steps) else 0, atol=1e-6))}",
        "BreaksPresent true",
        *(f"Channel_{k} {name}" for k, name in enumerate(tracks.channels)),
        "EST_Header_End\n",
    ]
    present = ~np.isnan(tracks.values).all(axis=1)
    rows = np.column_stack([tracks.time, present, tracks.values])
    if ascii:
        lines = ("\t".join(map(repr, row)) for row in rows.tolist())
        content = "".join(f"{line}\n" for line in lines).encode("ascii")
    else:
        content = rows.astype(">f4" if big_endian else "<f4").tobytes()
    with atomic_path(path) as part:
        part.write_bytes("\n".join(header).encode("ascii") + content)
