"""The files of an utterance: found by name and nearness, and read together."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.corpora import Item
from pipeline.formats import audio, lab
from pipeline.ground.utterance import Tracks, Utterance


def below(folder: Path, *endings: str) -> list[Path]:
    """Return the files below a folder by their endings, whatever the case, in a fixed order."""
    wanted = {ending.lower() for ending in endings}
    found = (path for path in folder.rglob("*") if path.suffix.lower() in wanted)
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


class Companions:
    """The files that may belong to another file, by name and nearness.

    Corpora keep sound, tracks and labels of an utterance under one name, side by side or in folders
    of their own; the name may come again for another speaker or session.
    """

    def __init__(self, folder: Path, *endings: str) -> None:
        self.by_name: dict[str, list[Path]] = {}
        for path in below(folder, *endings):
            self.by_name.setdefault(path.stem.lower(), []).append(path)

    def of(self, path: Path) -> Path | None:
        """Return the file of the same name that shares most folders with ``path``, if any."""

        def shared(other: Path) -> int:
            return len(Path(os.path.commonpath([path, other])).parts)

        return max(self.by_name.get(path.stem.lower(), []), key=shared, default=None)

    def expected(self, path: Path, ending: str) -> Path:
        """Return the companion or, where there is none, the path whose absence can be reported."""
        return self.of(path) or path.with_suffix(ending)


def present(*paths: Path | None) -> tuple[Path, ...]:
    """Return the paths that are there."""
    return tuple(path for path in paths if path is not None)


def by_ending(paths: Iterable[Path]) -> dict[str, Path]:
    """Return files by their lower-case ending, such as ``.lab``."""
    return {path.suffix.lower(): path for path in paths}


def identifier(*words: str) -> str:
    """Join words to an id of letters, digits, ``_``, ``-`` and ``.``."""
    return "_".join(re.sub(r"[^A-Za-z0-9_.-]", "_", word) for word in words if word)


def read_together(
    item: Item, read_tracks: Callable[[Path], Tracks], label_units: float = 1.0
) -> Utterance:
    """Read an utterance whose files are the sound, the tracks and perhaps the phone labels.

    Parameters
    ----------
    item : Item
    read_tracks : callable
    label_units : float
        Units of the labels' times per second.
    """
    sound, sample_rate = audio.read(item.files[0])
    return item.utterance(
        read_tracks(item.files[1]),
        audio=sound,
        sample_rate=sample_rate,
        phones=lab.read(item.files[2], label_units) if len(item.files) > 2 else (),
    )
