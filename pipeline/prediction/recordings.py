"""Which sounds a command is about, and where what is made of each of them goes."""

from __future__ import annotations

import csv
import glob
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.formats.audio import FOREIGN_SUFFIXES, SUFFIXES, what_was_passed_over
from pipeline.ground.console import InputError, UsageError
from pipeline.ground.storage import walk

OWN_SOUND = ".tracks.wav"  # ends the name of tracks written as sound: a result, no recording
DATABASE = "_DBconfig.json"  # ends the name of what EMU wants to know of a folder
PATHS = ("audio", "files", "path")  # columns of a manifest that may hold the sound


@dataclass(frozen=True)
class Recording:
    """A sound that was asked for; it may turn out to be missing or unusable.

    Attributes
    ----------
    audio : Path
    name : str
        Its place below the folder that was asked for, without the suffix, such as ``day1/u01``.
    """

    audio: Path
    name: str


def find(
    arguments: Sequence[str],
    manifest: Path | None = None,
    passed_over: Counter[str] | None = None,
) -> list[Recording]:
    """Return the sounds that files, folders, glob patterns and a manifest stand for.

    Parameters
    ----------
    arguments : sequence of str
        Folders are searched at any depth, in order of name.
    manifest : Path or None
        A path in each line, or CSV with a column ``audio``, ``files`` or ``path``; relative paths
        are looked for below the manifest's folder and, failing that, below the current one.
    passed_over : Counter or None
        Is told how many files of each suffix lie in the folders and are no sounds.

    Raises
    ------
    InputError
        Where a folder or a pattern holds no sound, or the manifest cannot be read.
    """
    found: list[Recording] = []
    passed = Counter[str]() if passed_over is None else passed_over
    for argument in arguments:
        path = Path(argument)
        if is_there(path) and path.is_dir():
            here = in_folder(path, passed)
            told = f"; {what_was_passed_over(passed)}" if passed else ""
            found += some(here, f"{path}: no sound in this folder ({suffixes()}){told}")
        elif is_there(path) or not glob.has_magic(argument):
            found.append(Recording(path, path.stem))
        else:
            found += some(list(in_pattern(argument)), f"{argument}: matches no file")
    if manifest is not None:
        found += some(list(in_manifest(manifest)), f"{manifest}: names no sound")
    return list({recording.audio: recording for recording in found}.values())


def is_there(path: Path) -> bool:
    """Tell whether a file or folder exists; a name that is too long is that of none."""
    with suppress(OSError):
        return path.exists()
    return False


def some(found: list[Recording], otherwise: str) -> list[Recording]:
    """Return the recordings; without any, raise an InputError."""
    if not found:
        raise InputError(otherwise)
    return found


def suffixes() -> str:
    """Return the known suffixes as text."""
    return " ".join(sorted(SUFFIXES))


def is_sound(path: Path) -> bool:
    """Tell by its name whether a file is a recording."""
    return path.suffix.lower() in SUFFIXES and not path.name.endswith(OWN_SOUND)


def below(folder: Path, path: Path) -> Recording:
    """Return a recording that is named by its place below a folder."""
    return Recording(path, path.relative_to(folder).with_suffix("").as_posix())


def in_folder(folder: Path, passed_over: Counter[str]) -> list[Recording]:
    """Return the sounds in a folder, at any depth, and count the other files that lie there."""
    sounds: list[Path] = []
    others: list[Path] = []
    for path in sorted(walk(folder)):
        (sounds if is_sound(path) else others).append(path)
    names = {sound.with_suffix("") for sound in sounds}
    for path in others:
        suffix = path.suffix.lower()
        result = path.name.endswith((OWN_SOUND, DATABASE))
        companion = any(path.with_name(name) in names for name in shorter(path.name))
        if suffix in FOREIGN_SUFFIXES or not (result or companion):
            passed_over[suffix] += 1
    return [below(folder, sound) for sound in sounds]


def shorter(name: str) -> Iterator[str]:
    """Yield a name without its last suffix, without its last two, and so on."""
    while (end := name.rfind(".")) > 0:
        name = name[:end]
        yield name


def in_pattern(pattern: str) -> Iterator[Recording]:
    """Yield the files that a glob pattern matches, named from its first wildcard on."""
    parts = Path(pattern).parts
    fixed = next(k for k, part in enumerate(parts) if glob.has_magic(part))
    folder = Path(*parts[:fixed])
    for path in sorted(folder.glob(str(Path(*parts[fixed:])))):
        if path.is_file():
            yield below(folder, path)


def in_manifest(manifest: Path) -> Iterator[Recording]:
    """Yield the sounds that a manifest names."""
    try:
        lines = manifest.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(f"{manifest}: not found") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{manifest}: not a text file ({error})") from None
    try:
        header, *rows = [*csv.reader(lines)] or [[]]
    except csv.Error:
        header, rows = [], []
    column = next((header.index(name) for name in PATHS if name in header), None)
    if column is None:
        names = [line.strip() for line in lines]
    else:
        names = [row[column] for row in rows if len(row) > column]
    for name in names:
        first = name.split("|")[0]  # the pipeline's own manifest names the tracks after the sound
        if first and not first.startswith("#"):
            if "\0" in first or PurePosixPath(first).name in ("", ".."):
                raise InputError(f"{manifest}: {first!r} is no name of a sound")
            beside = manifest.parent / first
            audio = beside if is_there(beside) else Path(first)
            yield Recording(audio, safe_name(first))


def safe_name(path: str) -> str:
    """Return a path without suffix if it stays below where it starts, else its last part."""
    pure = PurePosixPath(path)
    inside = not pure.is_absolute() and ".." not in pure.parts
    return (pure if inside else PurePosixPath(pure.name)).with_suffix("").as_posix()


def place(recordings: Sequence[Recording], output: Path | None) -> list[Path]:
    """Return, for each recording, the path of its results without a suffix.

    Parameters
    ----------
    output : Path or None
        The folder of all results; None for beside each recording.

    Raises
    ------
    UsageError
        Where two recordings would have the same results, or some would leave the folder.
    """
    taken: dict[Path, Path] = {}
    root = None if output is None else output.resolve()
    for recording in recordings:
        audio = recording.audio
        stem = audio.with_name(audio.stem) if output is None else output / recording.name
        if root is not None and not stem.resolve().is_relative_to(root):
            raise UsageError(f"{audio}: its results would leave {output}, at {stem.resolve()}")
        if stem in taken:
            raise UsageError(
                f"{audio} and {taken[stem]} would have the same results, {stem}.*; predict one of"
                " them apart with another --output"
            )
        taken[stem] = audio
    return list(taken)
