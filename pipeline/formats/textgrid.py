"""Praat's TextGrid: read as Praat reads it, long, short or chronological; written by praatio.

Of a text file Praat takes the free-standing numbers, the strings in double quotes (a quote inside
is doubled) and nothing else; ``!`` starts a comment. See "TextGrid file formats" in its manual.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from praatio import textgrid
from praatio.data_classes.interval_tier import IntervalTier

from pipeline.formats import checked
from pipeline.ground.console import InputError, escaped
from pipeline.ground.storage import atomic_path
from pipeline.ground.utterance import Label

TOKEN = re.compile(r'"((?:[^"]++|"")*+)"|(![^\r\n]*)|([^\s"]\S*)')
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
CHRONOLOGICAL = "Praat chronological TextGrid text file"
BINARY = b"ooBinaryFile"
INTERVALS, POINTS = "IntervalTier", "TextTier"
ROUNDING_S = 1e-3  # by which an interval may reach into the next

Rows = list[tuple[float, float, str]]


def read(path: Path, notes: list[str] | None = None) -> dict[str, tuple[Label, ...]]:
    """Read the interval tiers; point tiers, whose labels have no duration, are left out.

    Parameters
    ----------
    path : Path
    notes : list of str or None
        Gets a line for every label that cannot be used: one that has no duration, ends before it
        starts, or lies in another one. Ends that rounding moved apart are brought together.

    Returns
    -------
    dict of str to tuple of Label
        Tier name to labels in order of time, silences (empty texts) included. A second tier of the
        same name is called ``NAME_2``.

    Raises
    ------
    InputError
        Where the file is missing, or not a TextGrid.
    """
    tokens = tokenized(decoded(path, checked.contents(path)))
    try:
        first = text(tokens)
        tiers = list(chronological(tokens) if first == CHRONOLOGICAL else by_tier(tokens))
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: not a TextGrid ({error})") from None
    found: dict[str, tuple[Label, ...]] = {}
    for name, rows in tiers:
        again = sum(known == name or known.startswith(f"{name}_") for known in found)
        key = f"{name}_{again + 1}" if name in found else name
        found[key] = usable(f"{path}: tier {escaped(name)}", rows, [] if notes is None else notes)
    return found


def decoded(path: Path, data: bytes) -> str:
    """Return the text of a file in one of the encodings that Praat takes."""
    if data.startswith(BINARY):
        raise InputError(f"{path}: a binary TextGrid; save it from Praat as a text file")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def tokenized(content: str) -> Iterator[str | float]:
    """Yield the strings and the numbers of a text file."""
    for match in TOKEN.finditer(content):
        quoted, _, other = match.groups()
        if quoted is not None:
            yield quoted.replace('""', '"')
        elif other is not None and NUMBER.fullmatch(other):
            yield float(other)


def text(tokens: Iterator[str | float]) -> str:
    """Return the next token, which has to be a string."""
    token = next(tokens, None)
    if not isinstance(token, str):
        raise TypeError("it ends too soon" if token is None else f"{token:g} in place of a text")
    return token


def number(tokens: Iterator[str | float]) -> float:
    """Return the next token, which has to be a number."""
    token = next(tokens, None)
    if not isinstance(token, float):
        raise TypeError(f"{token[:20]!r} in place of a number" if token else "it ends too soon")
    return token


def whole(token: str | float | None) -> int:
    """Return a token that has to be a number of things."""
    if not isinstance(token, float) or not token.is_integer():
        raise ValueError(f"{str(token)[:20]!r} in place of a whole number")
    return int(token)


def by_tier(tokens: Iterator[str | float]) -> Iterator[tuple[str, Rows]]:
    """Yield the interval tiers of the usual form: one tier after the other."""
    if (kind := text(tokens)) != "TextGrid":
        raise TypeError(f"a {kind[:20]!r}")
    number(tokens), number(tokens)
    for _ in range(whole(next(tokens, None))):
        kind, name = text(tokens), text(tokens)
        if kind not in (INTERVALS, POINTS):
            raise TypeError(f"a tier of class {kind[:20]!r}")
        number(tokens), number(tokens)
        count = whole(next(tokens, None))
        if kind == INTERVALS:
            yield name, [(number(tokens), number(tokens), text(tokens)) for _ in range(count)]
        else:
            for _ in range(count):
                number(tokens), text(tokens)


def chronological(tokens: Iterator[str | float]) -> Iterator[tuple[str, Rows]]:
    """Yield the interval tiers of the chronological form: all tiers, then all labels."""
    number(tokens), number(tokens)
    tiers: list[tuple[str, str, Rows]] = []
    for _ in range(whole(next(tokens, None))):
        tiers.append((text(tokens), text(tokens), []))
        number(tokens), number(tokens)
    for token in tokens:
        place = whole(token)
        if not 1 <= place <= len(tiers):
            raise ValueError(f"a label of tier {place} of {len(tiers)}")
        kind, _, rows = tiers[place - 1]
        start = number(tokens)
        end = number(tokens) if kind == INTERVALS else start
        rows.append((start, end, text(tokens)))
    yield from ((name, rows) for kind, name, rows in tiers if kind == INTERVALS)


def usable(place: str, rows: Rows, notes: list[str]) -> tuple[Label, ...]:
    """Return the rows that can be labels, in order of time."""
    found: list[Label] = []
    for start, end, label in sorted(rows, key=lambda row: row[:2]):
        before = found[-1].end if found else 0.0
        if before - ROUNDING_S < start < before:
            start = before
        if before <= start < end < math.inf:
            found.append(Label(start, end, label))
        elif label:
            notes.append(f"{place}: label {label!r} from {start:.9g} to {end:.9g} s")
    return tuple(found)


def write(path: Path, tiers: Mapping[str, Sequence[Label]], duration: float) -> None:
    """Write interval tiers of an utterance of ``duration`` s, atomically; gaps become silences."""
    grid = textgrid.Textgrid(0, duration)
    for name, labels in tiers.items():
        entries = [(label.start, label.end, label.text) for label in labels]
        grid.addTier(IntervalTier(name, entries, 0, duration), reportingMode="error")
    with atomic_path(path) as part:
        grid.save(
            str(part),
            format="long_textgrid",
            includeBlankSpaces=True,
            minimumIntervalLength=None,
            reportingMode="error",
        )
