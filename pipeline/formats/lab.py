"""Label files: lines of ``start end text``; ESPS writes ``end colour text`` after a line ``#``."""

from __future__ import annotations

import math
from pathlib import Path

from pipeline.formats import checked
from pipeline.ground.console import InputError
from pipeline.ground.utterance import Label


def read(
    path: Path, units_per_second: float = 1.0, notes: list[str] | None = None
) -> tuple[Label, ...]:
    """Read labels.

    Parameters
    ----------
    path : Path
    units_per_second : float
        1 where the file has seconds; the sample rate where it counts samples, as TIMIT does.
    notes : list of str or None
        Gets a line for every label that cannot be used; None: the first of them is an error.

    Returns
    -------
    tuple of Label
        Words after the third of a line are not part of the label.

    Raises
    ------
    InputError
        Where the file cannot be read or, without ``notes``, naming the line that is not a label.
    """
    lines = checked.text(path, "latin-1").splitlines()
    heads = [number for number, line in enumerate(lines) if line.strip() == "#"]
    first = heads[0] + 1 if heads else 0
    found: list[Label] = []
    for number, line in enumerate(lines[first:], first + 1):
        words = line.split()
        if not words:
            continue
        try:
            start, end = (float(word) / units_per_second for word in words[:2])
        except ValueError:
            unusable(f"{path}: line {number}: {line[:40]!r} is not a label", notes)
            continue
        if heads:  # the second number is a colour; a label starts where the one before ends
            start, end = found[-1].end if found else 0.0, start
        if 0 <= start <= end < math.inf:
            found.append(Label(start, end, words[2] if len(words) > 2 else ""))
        else:
            unusable(f"{path}: line {number}: a label from {start:g} to {end:g} s", notes)
    return tuple(found)


def unusable(reason: str, notes: list[str] | None) -> None:
    """Note why a label cannot be used, or raise it."""
    if notes is None:
        raise InputError(reason)
    notes.append(reason)
