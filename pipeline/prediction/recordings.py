"""Which sounds a command is about, and where what is made of each of them goes."""

from __future__ import annotations

import csv
import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.ground.console import InputError, UsageError

SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".sph"}
OWN_SOUND = ".tracks.wav"  # ends the name of tracks written as sound: a result, no recording
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


def find(arguments: Sequence[str], manifest: Path | None = None) -> list[Recording]:
    """Return the sounds that files, folders, glob patterns and a manifest stand for.

    Parameters
    ----------
    arguments : sequence of str
        Folders are searched at any depth, in order of name.
    manifest : Path or None
        A path in each line, or CSV with a column ``audio``, ``files`` or ``path``; relative paths
        are looked for below the manifest's folder and, failing that, below the current one.

    Raises
    ------
    InputError
        Where a folder or a pattern holds no sound, or the manifest cannot be read.
    """
    found: list[Recording] = []
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found += some(in_folder(path), f"{path}: no sound in this folder ({suffixes()})")
        elif path.exists() or not glob.has_magic(argument):
            found.append(Recording(path, path.stem))
        else:
            found += some(in_pattern(argument), f"{argument}: matches no file")
    if manifest is not None:
        found += some(in_manifest(manifest), f"{manifest}: names no sound")
    return list({recording.audio: recording for recording in found}.values())


def some(recordings: Iterator[Recording], otherwise: str) -> list[Recording]:
    """Return the recordings; without any, raise an InputError."""
    found = list(recordings)
    if not found:
        raise InputError(otherwise)
    return found


def suffixes() -> str:
    """Return the known suffixes as text."""
    return " ".join(sorted(SUFFIXES))


def is_sound(path: Path) -> bool:
    """Tell by its name whether a file is a recording."""
    hidden = path.name.startswith(".")
    return path.suffix.lower() in SUFFIXES and not hidden and not path.name.endswith(OWN_SOUND)


def below(folder: Path, path: Path) -> Recording:
    """Return a recording that is named by its place below a folder."""
    return Recording(path, path.relative_to(folder).with_suffix("").as_posix())


def in_folder(folder: Path) -> Iterator[Recording]:
    """Yield the sounds in a folder, at any depth."""
    for path in sorted(folder.rglob("*")):
        if is_sound(path) and path.is_file():
            yield below(folder, path)


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
    header = next(csv.reader(lines[:1]), [])
    column = next((header.index(name) for name in PATHS if name in header), None)
    if column is None:
        names = [line.strip() for line in lines]
    else:
        names = [row[column] for row in csv.reader(lines[1:]) if len(row) > column]
    for name in names:
        first = name.split("|")[0]  # the pipeline's own manifest names the tracks after the sound
        if first and not first.startswith("#"):
            beside = manifest.parent / first
            audio = beside if beside.exists() else Path(first)
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
