"""What no reader of tracks lets through: bytes and numbers that cannot be a recording.

Every reader of this package takes its bytes from `contents` and gives its arrays through `tracks`,
so that one broken file is refused in the same words whatever its format.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.console import InputError
from pipeline.ground.utterance import Tracks

# Numbers read in the wrong byte order are spread over all exponents; positions, angles and errors
# of fit, in whatever unit a corpus keeps them, stay well inside.
SMALLEST, LARGEST = 1e-30, 1e9


def contents(path: Path) -> bytes:
    """Return the bytes of a file; `InputError` where there are none."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: not found") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if not data:
        raise InputError(f"{path}: empty file")
    return data


def headed(path: Path, magic: bytes, last_line: re.Pattern[bytes]) -> tuple[bytes, bytes, int]:
    """Return a file's text header, all its bytes, and the offset at which its body starts.

    Raises
    ------
    InputError
        Where the file does not start with ``magic`` or no line is the header's ``last_line``.
    """
    data = contents(path)
    if not data.startswith(magic):
        raise InputError(f"{path}: offset 0: does not start with {magic.decode()!r}")
    end = last_line.search(data)
    if not end:
        raise InputError(f"{path}: no line ends the header")
    return data[: end.start()], data, end.end()


def text(path: Path, encoding: str = "ascii") -> str:
    """Return the text of a file; `InputError` names the offset of a byte that is not text."""
    try:
        return contents(path).decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: offset {error.start}: not {encoding} text") from None


def numbers(
    path: Path, text: str, delimiter: str | None = None, first_line: int = 1
) -> NDArray[np.float64]:
    """Parse a table of numbers, one row a line.

    Parameters
    ----------
    path : Path
        Named in errors.
    text : str
        Empty lines are skipped.
    delimiter : str or None
        Between columns; None is any white space.
    first_line : int
        The number that the text's first line has in the file.

    Returns
    -------
    float64 [rows, columns]

    Raises
    ------
    InputError
        Naming the line and the column of what is not a number, or the line of another length.
    """
    if not text.strip():
        raise InputError(f"{path}: line {first_line}: no numbers")
    try:
        return np.loadtxt(text.splitlines(), delimiter=delimiter, comments=None, ndmin=2)
    except ValueError as error:
        refuse_line(path, text, delimiter, first_line, error)


def refuse_line(
    path: Path, text: str, delimiter: str | None, first_line: int, error: Exception
) -> NoReturn:
    """Find the line that is not a row of numbers and raise the error that names it."""
    columns = None
    for number, line in enumerate(text.splitlines(), first_line):
        cells = line.split(delimiter) if line.strip() else []
        columns = columns or len(cells)
        if cells and len(cells) != columns:
            raise InputError(f"{path}: line {number}: {len(cells)} columns, not {columns}")
        for column, cell in enumerate(cells, 1):
            try:
                float(cell)
            except ValueError:
                raise InputError(
                    f"{path}: line {number}, column {column}: {cell[:20]!r} is not a number"
                ) from None
    raise InputError(f"{path}: not a table of numbers ({error})")


def tracks(
    path: Path,
    time: NDArray[np.floating],
    values: NDArray[np.floating],
    channels: Sequence[str],
) -> Tracks:
    """Make tracks of what was read, or say why the file cannot be a recording.

    Parameters
    ----------
    path : Path
        Named in errors.
    time : float [T]
        s.
    values : float [T, D]
        NaN where a sample is missing.
    channels : sequence of str, length D

    Raises
    ------
    InputError
        Without frames or channels; with a time stamp that is missing, negative or not later than
        the one before; with a channel twice; with a value that is infinite or of a size that no
        measurement has; with nothing but NaN.
    """
    if not len(time) or not channels:
        raise InputError(f"{path}: {len(time)} frames of {len(channels)} channels")
    if twice := repeated(channels):
        raise InputError(f"{path}: channel {', '.join(twice)} more than once")
    check_time(path, time)
    check_values(path, values, channels)
    return Tracks(np.asarray(time, np.float64), np.asarray(values, np.float64), tuple(channels))


def connected(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return positions [.., 3] of sensors, NaN where all three are exactly 0.

    That is what articulographs report of a sensor that is not connected, and what a sweep is filled
    up with.
    """
    found = np.array(points, np.float64)
    found[~found.any(axis=-1)] = np.nan
    return found


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that stand more than once."""
    return sorted(name for name, times in Counter(names).items() if times > 1)


def check_time(path: Path, time: NDArray[np.floating]) -> None:
    """Refuse time stamps that are missing, negative or do not increase."""
    wrong = ~np.isfinite(time)
    if wrong.any():
        raise InputError(f"{path}: frame {int(np.argmax(wrong))}: time stamp is not a number")
    if time[0] < 0:
        raise InputError(f"{path}: frame 0: time {time[0]:g} s is negative")
    back = np.diff(time) <= 0
    if back.any():
        frame = int(np.argmax(back)) + 1
        raise InputError(
            f"{path}: frame {frame}: time {time[frame]:g} s does not follow {time[frame - 1]:g} s"
        )


def check_values(path: Path, values: NDArray[np.floating], channels: Sequence[str]) -> None:
    """Refuse values that nothing measures, and tracks without any value."""
    missing = np.isnan(values)
    if missing.all():
        raise InputError(f"{path}: no sample in any of {len(channels)} channels, all are NaN")
    size = np.abs(values)
    possible = (size <= LARGEST) & ((size >= SMALLEST) | (size == 0)) | missing
    if not possible.all():
        frame, channel = np.argwhere(~possible)[0]
        raise InputError(
            f"{path}: frame {frame}, channel {channels[channel]}: {values[frame, channel]:g} is not"
            " a measurement; is the byte order right?"
        )
