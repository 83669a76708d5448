"""Recordings in MATLAB files as MVIEW keeps them (Haskins, USC-TIMIT): sound, sensors and labels.

A file holds one array of structs, named after the file. Each struct has NAME, SRATE in Hz and
SIGNAL. The one called AUDIO has the sound and, where there are any, SENTENCE, WORDS and PHONES
(LABEL and OFFS = [start, end] in s); all others are sensors, in an order that differs between
files. The first columns of a sensor's SIGNAL are positions in mm, NaN where missing; orientations
may follow. Which column is which axis differs between corpora.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

from pipeline.formats import checked, matlab
from pipeline.ground.console import InputError
from pipeline.ground.storage import atomic_path
from pipeline.ground.utterance import Label, Tracks, Utterance

SOUND = "AUDIO"
OVERSHOOT = 100  # times full scale that no resampling makes of fractions
FULL_SCALE = 32768  # of 16-bit samples, which some files keep as they are


def read(path: Path, axes: Sequence[str]) -> Utterance:
    """Read a recording.

    Parameters
    ----------
    path : Path
    axes : sequence of str
        Axis of each leading column of SIGNAL, such as ``xzy``: forward, lateral, up.

    Returns
    -------
    Utterance
        ``id`` is the file's name; ``sentence`` the text that was read.

    Raises
    ------
    InputError
        Naming the struct and the field that is wrong, or the offset in a damaged file.
    """
    structs = recording(path, matlab.load(path))
    sound = structs.pop(SOUND)
    audio, sample_rate = signal(path, SOUND, sound, 1)[:, 0], rate(path, SOUND, sound)
    if not np.isfinite(audio).all():
        raise InputError(f"{path}: {SOUND}: NaN or infinite samples")
    peak = float(np.abs(audio).max(initial=0))
    if peak > OVERSHOOT or (peak > 1 and (audio == np.round(audio)).all()):
        audio = audio / FULL_SCALE
    text = sound.get("SENTENCE")
    return Utterance(
        id=path.stem,
        tracks=sensors(path, structs, axes),
        audio=audio.astype(np.float32),
        sample_rate=round(sample_rate),
        sentence=text if isinstance(text, str) else "",
        phones=labels(path, sound.get("PHONES")),
        words=labels(path, sound.get("WORDS")),
    )


def recording(path: Path, variables: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the structs of the file's recording by name."""
    for value in variables.values():
        rows = list(value) if isinstance(value, np.ndarray | list) else [value]
        if rows and all(isinstance(row, dict) and "SIGNAL" in row for row in rows):
            names = [row.get("NAME") for row in rows]
            if not all(isinstance(name, str) and name for name in names):
                raise InputError(f"{path}: a struct without a NAME")
            if twice := checked.repeated(names):
                raise InputError(f"{path}: {', '.join(twice)} more than once")
            if SOUND not in names or len(names) == 1:
                raise InputError(f"{path}: no struct {SOUND}, or no sensor beside it")
            return dict(zip(names, rows, strict=True))
    raise InputError(f"{path}: no array of structs with NAME, SRATE and SIGNAL")


def rate(path: Path, name: str, row: dict[str, Any]) -> float:
    """Return a struct's SRATE in Hz."""
    value = row.get("SRATE")
    if not isinstance(value, int | float | np.number) or not 1 <= value <= 1e6:
        raise InputError(f"{path}: {name}: SRATE is {str(value)[:20]!r}, not a rate in Hz")
    return float(value)


def signal(path: Path, name: str, row: dict[str, Any], width: int) -> NDArray[np.floating]:
    """Return a struct's SIGNAL [T, at least ``width`` columns]."""
    value = row["SIGNAL"]
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or value.ndim > 2:
        raise InputError(f"{path}: {name}: SIGNAL is not a table of numbers")
    table = value[:, None] if value.ndim == 1 and width == 1 else np.atleast_2d(value)
    if table.shape[1] < width:
        raise InputError(f"{path}: {name}: SIGNAL has {table.shape[1]} columns, not {width}")
    return table


def sensors(path: Path, structs: dict[str, dict[str, Any]], axes: Sequence[str]) -> Tracks:
    """Return the tracks of all sensors, which share one rate and one length."""
    tables = [signal(path, name, row, len(axes))[:, : len(axes)] for name, row in structs.items()]
    rates = {rate(path, name, row) for name, row in structs.items()}
    lengths = {len(table) for table in tables}
    if len(rates) > 1 or len(lengths) > 1:
        raise InputError(f"{path}: sensors of {sorted(rates)} Hz, {sorted(lengths)} frames")
    time = np.arange(lengths.pop()) / rates.pop()
    channels = [f"{name}_{axis}" for name in structs for axis in axes]
    return checked.tracks(path, time, np.hstack(tables), channels)


def labels(path: Path, rows: Any) -> tuple[Label, ...]:
    """Return the labels of a WORDS or PHONES array; none where there is none."""
    rows = list(rows) if isinstance(rows, np.ndarray | list) else [rows] if rows else []
    found: list[Label] = []
    for row in rows:
        limits = np.ravel(row.get("OFFS", ())) if isinstance(row, dict) else np.zeros(0)
        if len(limits) != 2 or limits.dtype.kind not in "fiu" or not 0 <= limits[0] <= limits[1]:
            raise InputError(f"{path}: {SOUND}: label {len(found) + 1} has no start and end")
        text = row.get("LABEL")
        start, end = limits.tolist()
        found.append(Label(start, end, text if isinstance(text, str) else ""))
    return tuple(found)


def write(path: Path, utterance: Utterance, axes: Sequence[str]) -> None:
    """Write a recording, atomically, every sensor with the same axes.

    Raises
    ------
    ValueError
        Where the utterance has no sound, or a sensor lacks an axis.
    """
    if utterance.audio is None:
        raise ValueError("a recording needs sound")
    tracks = utterance.tracks
    names = list(dict.fromkeys(name.rpartition("_")[0] for name in tracks.channels))
    wanted = [f"{name}_{axis}" for name in names for axis in axes]
    if sorted(wanted) != sorted(tracks.channels):
        raise ValueError(f"channels {tracks.channels} are not every sensor's {', '.join(axes)}")
    columns = tracks.values[:, [tracks.channels.index(name) for name in wanted]]
    none: list[dict[str, Any]] = []
    rows = [
        {
            "NAME": SOUND,
            "SRATE": utterance.sample_rate,
            "SIGNAL": utterance.audio[:, None],
            "SENTENCE": utterance.sentence,
            "WORDS": struct_array(utterance.words),
            "PHONES": struct_array(utterance.phones),
        }
    ]
    for k, name in enumerate(names):
        table = columns[:, k * len(axes) : (k + 1) * len(axes)]
        sensor = {"NAME": name, "SRATE": tracks.rate, "SIGNAL": table}
        rows.append(sensor | {"SENTENCE": none, "WORDS": none, "PHONES": none})
    variable = path.stem if path.stem.isidentifier() else "recording"
    with atomic_path(path) as part, part.open("wb") as file:
        scipy.io.savemat(file, {variable: records(rows)}, do_compression=True)


def struct_array(labels: Sequence[Label]) -> Any:
    """Return labels as an array of structs; an empty array where there are none."""
    rows = [{"LABEL": label.text, "OFFS": [[label.start, label.end]]} for label in labels]
    return records(rows) if rows else rows


def records(rows: list[dict[str, Any]]) -> NDArray[np.void]:
    """Return an array of structs [1, n], which SciPy makes of a structured array alone."""
    array = np.empty((1, len(rows)), [(name, object) for name in rows[0]])
    for k, row in enumerate(rows):
        for name, value in row.items():
            array[name][0, k] = value
    return array
