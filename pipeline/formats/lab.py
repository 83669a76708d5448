"""Label files: lines of ``start end text``; ESPS writes ``end colour text`` after a line ``#``."""

from __future__ import annotations

import math
from pathlib import Path

from pipeline.formats import checked
from pipeline.ground.console import InputError
from pipeline.ground.utterance import Label


def read(path: Path, units_per_second: float = 1.0) -> tuple[Label, ...]:
    """Read labels.

    Parameters
    ----------
    path : Path
    units_per_second : float
        1 where the file has seconds; the sample rate where it counts samples, as TIMIT does.

    Returns
    -------
    tuple of Label
        Words after the third of a line are not part of the label.

    Raises
    ------
    InputError
        Naming the line that is not a label.
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
            raise InputError(f"{path}: line {number}: {line[:40]!r} is not a label") from None
        if heads:  # the second number is a colour; a label starts where the one before ends
            start, end = found[-1].end if found else 0.0, start
        if not 0 <= start <= end < math.inf:
            raise InputError(f"{path}: line {number}: a label from {start:g} to {end:g} s")
        found.append(Label(start, end, words[2] if len(words) > 2 else ""))
    return tuple(found)
