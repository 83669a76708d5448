"""The files of a sound's results: all there or none, and nobody else's ever replaced.

They are made in a hidden folder beside their places and moved there one after the other, the
description last. What a run that was stopped on the way had moved is known by a journal, so that
the next run may finish what was begun.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.ground.console import InputError
from pipeline.ground.storage import discard, hidden, write_json
from pipeline.prediction import outputs

Mark = list[str | int]  # name, bytes and date of a file: which one it is


def room(stem: Path) -> Path:
    """Return the hidden folder in which a sound's results are made."""
    return hidden(stem, ".part")


@contextmanager
def together(stem: Path) -> Iterator[Path]:
    """Give a stem for results that take their places when the block succeeds, or else are gone.

    Raises
    ------
    OSError
        Naming the place of the file that could not be written.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    shared = room(stem)
    own, journal = shared / str(os.getpid()), shared / f"{os.getpid()}.json"
    try:
        discard(own)
        own.mkdir(parents=True)
        yield own / stem.name
        move(own, stem, journal)
        clear(shared)
    except OSError as error:
        name = Path(error.filename2 or error.filename or stem).name
        raise OSError(error.errno, error.strerror, str(stem.with_name(name))) from None
    finally:
        discard(own)
        discard(journal)
        with suppress(OSError):  # another process has its own there
            shared.rmdir()


def move(own: Path, stem: Path, journal: Path) -> None:
    """Move what was made to its places, the description last."""
    description = outputs.beside(stem, outputs.DESCRIPTION)
    made = sorted(own.iterdir(), key=lambda path: path.name == description.name)
    for path in made:
        if stem.with_name(path.name).is_dir():
            raise InputError(f"{stem.with_name(path.name)}: is a folder; choose another --output")
    write_json(journal, [*map(mark, made), *map(mark, own_files(stem))])
    earlier = hidden(own / description.name, ".earlier")
    moved: list[Path] = []
    try:
        if description.exists():  # it tells of the files that are replaced
            description.replace(earlier)
        for path in made:
            moved.append(path.replace(stem.with_name(path.name)))
    except BaseException:
        for path in moved:
            path.unlink(missing_ok=True)
        if earlier.exists():
            earlier.replace(description)
        raise


def mark(path: Path) -> Mark:
    """Return what tells a file from any other that may come to lie at its place."""
    about = path.stat()
    return [path.name, about.st_size, about.st_mtime_ns]


def clear(shared: Path) -> None:
    """Remove what processes left that are no more."""
    for path in shared.iterdir():
        process = re.match(r"\.?(\d+)", path.name)
        with suppress(PermissionError):  # a process of somebody else's
            try:
                os.kill(int(process[1]) if process else 0, 0)
            except ProcessLookupError:
                discard(path)


def begun(stem: Path) -> Iterator[Path]:
    """Yield the files that a run which was stopped moved to their places, or had there before."""
    for journal in room(stem).glob("*.json"):
        with suppress(OSError, ValueError, TypeError, LookupError):
            for known in json.loads(journal.read_text(encoding="utf-8")):
                path = stem.with_name(known[0])
                if path.is_file() and mark(path) == known:
                    yield path


def own_files(stem: Path) -> list[Path]:
    """Return the files there that predictions made, this kind or another."""
    earlier = outputs.read_description(stem)
    names: list[str] = []
    if earlier is not None:
        told = [name for key in ("files", "other_files") for name in listed(earlier.get(key))]
        names = [*told, outputs.beside(stem, outputs.DESCRIPTION).name]
    known = [*(stem.with_name(name) for name in names), *begun(stem)]
    return [path for path in dict.fromkeys(known) if path.is_file()]


def listed(names: Any) -> list[str]:
    """Return those of a list, if it is one, that are names of files."""
    names = names if isinstance(names, list) else []
    return [n for n in names if isinstance(n, str) and n not in ("", ".") and Path(n).name == n]


def guard(stem: Path, suffixes: Iterable[str]) -> None:
    """Refuse to write over files that are no predictions, such as a corpus's measured tracks.

    Raises
    ------
    InputError
        Naming the file in the way.
    """
    own = own_files(stem)
    for path in (outputs.beside(stem, suffix) for suffix in [*suffixes, outputs.DESCRIPTION]):
        if os.path.lexists(path) and path not in own:
            raise InputError(
                f"{path}: exists and is no prediction; choose another place by --output, or"
                " --overwrite it"
            )
