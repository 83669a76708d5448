"""Frames on disk: sharded, memory-mapped, checksummed, written atomically.

A store is a folder of ``NAME-00000.npy`` shards, each the frames of many utterances end to end, and
an ``index.json`` that says where each utterance lies. Reading maps the shards, so that a corpus of
any size costs no more memory than the frames in use. ``index.json`` is written last and the folder
renamed into place: a store that exists is whole.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML, YAMLError

from pipeline.ground.console import InputError

SHARD_FRAMES = 250_000  # about 40 minutes; 63 float32 columns of it are 60 MiB
VERSION = 1
LONGEST_NAME = 255  # bytes

Array = NDArray[np.float32]


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary neighbour of ``path`` that takes its place when the block succeeds.

    Works for files and folders. Nothing is left behind when the block fails.

    Raises
    ------
    OSError
        Naming ``path`` where what fails in the block names no file, as a write to a full disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = hidden(path, f".part{os.getpid()}")
    discard(part)
    try:
        yield part
        if path.is_dir():
            shutil.rmtree(path)
        part.replace(path)
    except OSError as error:
        if error.filename is not None:
            raise
        # NumPy tells how much it wrote, and no number
        reason = error.strerror or f"no space for it ({error})"
        raise OSError(error.errno or errno.ENOSPC, reason, str(path)) from error
    finally:
        discard(part)


def hidden(path: Path, ending: str) -> Path:
    """Return a hidden neighbour of a path, its name cut to what file systems take."""
    name = f".{path.name}{ending}"
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}{ending}"
    return path.with_name(name)


def discard(path: Path) -> None:
    """Remove a file or a folder if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, hidden ones left out.

    Links to folders are followed; a folder to which several ways lead is entered once.
    """
    seen: set[tuple[int, int]] = set()
    waiting, links = [folder], list[Path]()  # links last: a folder goes by its own name if it can
    while waiting or links:
        place = waiting.pop() if waiting else links.pop(0)
        try:
            about = place.stat()
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError:
            continue  # a link to nowhere, or a folder that may not be read
        if (about.st_dev, about.st_ino) in seen:
            continue
        seen.add((about.st_dev, about.st_ino))
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                (links if entry.is_symlink() else waiting).append(place / entry.name)
            elif entry.is_file():
                yield place / entry.name


def write_text(path: Path, text: str) -> None:
    r"""Write a text file atomically; bytes of a file's name that are no text become ``\udcXX``."""
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, tree: Any) -> None:
    """Write JSON atomically, indented and with a final newline."""
    write_text(path, json.dumps(tree, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path, made_by: str) -> Any:
    """Read a JSON file that the stage ``made_by`` writes.

    Raises
    ------
    InputError
        Where it is missing or not JSON, saying which stage to run.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: not found; run `dvc repro {made_by}` first") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path}: damaged; run `dvc repro --force {made_by}`") from None


def read_yaml(path: Path) -> Any:
    """Read YAML 1.2, as DVC does: ``7e-5`` is a number, ``no`` a word, a key given twice an error.

    Raises
    ------
    InputError
        Where it is not YAML, saying where it stops being so.
    FileNotFoundError
        Where it is missing.
    """
    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8-sig"))
    except (YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
        # the last four are what ruamel makes of dates, keys and depths that no one writes
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None


def write_yaml(path: Path, tree: Any) -> None:
    """Write YAML 1.2 atomically."""
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    with atomic_path(path) as part, part.open("w", encoding="utf-8") as file:
        writer.dump(tree, file)


def checksum(*paths: Path) -> str:
    """Return the SHA-256 over the bytes of some files, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


class StoreWriter:
    """Writes a store utterance by utterance; use it as a context manager.

    Parameters
    ----------
    folder : Path
        Where the store will be, whole, once the block ends without an error.
    columns : mapping of str to int
        Name and width of each array that every utterance has, such as ``{"inputs": 39}``.
    about : mapping
        Whatever holds for the whole store: channel names, units, hop.
    """

    def __init__(self, folder: Path, columns: Mapping[str, int], about: Mapping[str, Any]) -> None:
        self.folder = folder
        self.columns = dict(columns)
        self.about = dict(about)
        self.rows: list[dict[str, Any]] = []
        self.pending: list[dict[str, Array]] = []
        self.pending_frames = 0
        self.shards: list[dict[str, Any]] = []

    def __enter__(self) -> StoreWriter:
        self._atomic = atomic_path(self.folder)
        self.part = self._atomic.__enter__()
        self.part.mkdir()
        return self

    def add(self, name: str, arrays: Mapping[str, NDArray[Any]], **about: Any) -> None:
        """Append an utterance: its arrays ``[T, width]``, all of one length, and what is known."""
        frames = {len(array) for array in arrays.values()}
        widths = {key: array.shape[1] for key, array in arrays.items()}
        if len(frames) != 1 or widths != self.columns:
            raise ValueError(f"{name}: arrays {widths} of lengths {frames} are not {self.columns}")
        self.rows.append(
            {"id": name, "shard": len(self.shards), "start": self.pending_frames}
            | {"frames": frames.pop()}
            | about
        )
        self.pending.append({key: np.asarray(array, np.float32) for key, array in arrays.items()})
        self.pending_frames += self.rows[-1]["frames"]
        if self.pending_frames >= SHARD_FRAMES:
            self._flush()

    def _flush(self) -> None:
        shard = {}
        for key in self.columns:
            path = self.part / f"{key}-{len(self.shards):05d}.npy"
            np.save(path, np.concatenate([arrays[key] for arrays in self.pending]))
            shard[key] = {"file": path.name, "sha256": checksum(path)}
        self.shards.append(shard)
        self.pending, self.pending_frames = [], 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._atomic.__exit__(kind, error, trace)
            return
        with ExitStack() as stack:
            stack.push(self._atomic.__exit__)  # which removes what the last of it cannot complete
            if self.pending:
                self._flush()
            index = {"version": VERSION, "columns": self.columns, "about": self.about}
            write_json(
                self.part / "index.json",
                index | {"shards": self.shards, "utterances": self.rows},
            )


@dataclass(frozen=True)
class Entry:
    """One utterance of a store: where it lies and what is known of it."""

    id: str
    shard: int
    start: int
    frames: int
    about: dict[str, Any]


class Shard(msgspec.Struct, frozen=True):
    """An array on disk."""

    file: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]+\.npy\Z")]
    sha256: str


class Index(msgspec.Struct, frozen=True):
    """``index.json``."""

    columns: dict[str, int]
    about: dict[str, Any]
    shards: list[dict[str, Shard]]
    utterances: list[dict[str, Any]]


class Place(msgspec.Struct, frozen=True):
    """Where an utterance lies."""

    id: str
    shard: Annotated[int, msgspec.Meta(ge=0)]
    start: Annotated[int, msgspec.Meta(ge=0)]
    frames: Annotated[int, msgspec.Meta(ge=1)]


def entry(row: dict[str, Any]) -> Entry:
    """Return an utterance of ``index.json``."""
    place = msgspec.convert(row, Place)
    about = {key: value for key, value in row.items() if key not in Place.__struct_fields__}
    return Entry(place.id, place.shard, place.start, place.frames, about)


class Store:
    """A store, opened for reading.

    Parameters
    ----------
    folder : Path
        Written by `StoreWriter`.
    made_by : str
        The stage to name when the folder is missing.

    Raises
    ------
    InputError
        Where the folder is missing, damaged or of another version.
    """

    def __init__(self, folder: Path, made_by: str) -> None:
        self.folder = folder
        self.made_by = made_by
        index = read_json(folder / "index.json", made_by)
        if isinstance(index, dict) and index.get("version") != VERSION:
            raise InputError(f"{folder}: another version's; run `dvc repro --force {made_by}`")
        try:
            known = msgspec.convert(index, Index)
            self.columns, self.about, self._shards = known.columns, known.about, known.shards
            self.entries = [entry(row) for row in known.utterances]
        except msgspec.ValidationError as error:
            raise InputError(
                f"{folder / 'index.json'}: damaged ({error}); run `dvc repro --force {made_by}`"
            ) from None

    def __len__(self) -> int:
        return len(self.entries)

    def frames(self, entry: Entry, column: str) -> Array:
        """Read an utterance's array ``[T, width]``."""
        try:
            part = self._shards[entry.shard][column]
            # mapped for this read alone: pages of a map that stays open count as memory in use
            shard = np.load(self.folder / part.file, mmap_mode="r", allow_pickle=False)
            found = np.array(shard[entry.start : entry.start + entry.frames])
            if found.shape != (entry.frames, self.columns[column]):
                raise ValueError(f"{found.shape}")
            return found
        except Exception:  # NumPy tokenizes the header as Python; anything can come of it
            raise InputError(
                f"{self.folder}: damaged; run `dvc repro --force {self.made_by}`"
            ) from None

    def verify(self) -> None:
        """Compare every shard with its checksum; raise `InputError` naming one that differs."""
        for shard in self._shards:
            for part in shard.values():
                path = self.folder / part.file
                if not path.is_file() or checksum(path) != part.sha256:
                    raise InputError(f"{path}: damaged; run `dvc repro --force {self.made_by}`")
