"""Sound files whose header is wrong or tells no length, as recorders and pipes leave them.

A program that writes to a pipe, or a recorder whose battery dies, cannot go back and put the length
into the header: it says 0, 2**32 - 1, or counts the header as sound. Every player plays such a
file; libsndfile reads none of it, or only the start, without a word. `mended` finds out how much
sound is there and gives libsndfile the file behind a header that says so.
"""

from __future__ import annotations

import io
import mmap
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pipeline.formats import flac, mpeg
from pipeline.ground.console import InputError

MARGIN = 1 << 16  # bytes by which writers to a pipe stay below or above 2**31 or 2**32
NO_LENGTH = "its header does not tell its length: all that is there was read"
WRONG_LENGTH = "its header gives a wrong length: all that is there was read"
CHAIN = "{} streams one after the other, read as one"
COUNTED = "MP3 that does not tell its length: its frames were counted"
MORE_FRAMES = "MP3 of more frames than its header tells: all were read"
STRANGE = "MP3 with bytes in it that are no sound: they were left out"
W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # ends the name of every chunk but the first
MPEG_TAGS = (0x50, 0x55)  # WAVE's numbers of MPEG audio: layers 1 and 2, layer 3
OGG_FIRST = 2  # flag of the page that begins a stream
WINDOW = 1 << 20
AU_HEADER = 24  # bytes at least

Bytes = Any  # bytes or mmap, which has the same slices


@dataclass(frozen=True)
class Piece:
    """What libsndfile is to read: some bytes, then a stretch of the file."""

    head: bytes
    start: int
    end: int


@dataclass(frozen=True)
class Mended:
    """A file as libsndfile reads it whole.

    Attributes
    ----------
    pieces : tuple of Piece
        Read one after the other; none where the file may be read as it is.
    note : str
        What was wrong with it; empty for nothing.
    """

    pieces: tuple[Piece, ...] = ()
    note: str = ""


class Spliced(io.RawIOBase):
    """Some bytes, then a stretch of a file, as one file."""

    def __init__(self, path: Path, piece: Piece) -> None:
        self.file = path.open("rb")
        self.piece = piece
        self.place = 0

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self.piece.head) + self.piece.end - self.piece.start

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it has places."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self.place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.place, os.SEEK_END: self.size}[whence]
        self.place = max(0, base + offset)
        return self.place

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there are bytes; return their number."""
        head = self.piece.head[self.place : self.place + len(buffer)]
        buffer[: len(head)] = head
        filled = len(head)
        start = self.piece.start + self.place + filled - len(self.piece.head)
        wanted = min(len(buffer) - filled, max(0, self.piece.end - start))
        if wanted:
            self.file.seek(start)
            data = self.file.read(wanted)
            buffer[filled : filled + len(data)] = data
            filled += len(data)
        self.place += filled
        return filled

    def close(self) -> None:
        """Close the file."""
        self.file.close()
        super().close()


@dataclass(frozen=True)
class Chunks:
    """How a format of chunks names and measures them.

    Attributes
    ----------
    data : bytes
        Name of the chunk of samples.
    size : str
        Format of a size, as in `struct`.
    first : int
        Where the first chunk lies.
    own : int
        Bytes of a chunk's own head that its size counts.
    align : int
        Chunks start at multiples of it.
    before : int
        Bytes of the data chunk that come before the samples.
    """

    data: bytes
    size: str
    first: int
    own: int = 0
    align: int = 2
    before: int = 0

    @property
    def head(self) -> int:
        """Bytes of name and size."""
        return len(self.data) + struct.calcsize(self.size)

    def named(self, name: bytes) -> bool:
        """Tell whether bytes can be the name of a chunk."""
        letters = name[:4]
        return all(32 <= byte < 127 for byte in letters) and name[4:] in (b"", W64_TAIL)

    def at(self, data: Bytes, place: int) -> tuple[bytes, int, int] | None:
        """Return name, size and body's place of the chunk at a place; None at the end."""
        body = place + self.head
        if body > len(data):
            return None
        name = bytes(data[place : place + len(self.data)])
        (size,) = struct.unpack_from(self.size, data, place + len(self.data))
        return name, size - self.own, body

    def after(self, body: int, size: int) -> int:
        """Return where the chunk that follows one of this place and size lies."""
        return body + size + -(body + size) % self.align


RIFF = Chunks(b"data", "<I", 12)
RIFX = Chunks(b"data", ">I", 12)
AIFF = Chunks(b"SSND", ">I", 12, before=8)
W64 = Chunks(b"data" + W64_TAIL, "<Q", 40, own=24, align=8)
CAF = Chunks(b"data", ">Q", 8, align=1, before=4)
LAYOUTS = {b"RIFF": RIFF, b"RF64": RIFF, b"BW64": RIFF, b"RIFX": RIFX, b"FORM": AIFF} | {
    b"riff": W64,
    b"caff": CAF,
}


def mended(path: Path) -> Mended:
    """Look at a file's own account of its length.

    Raises
    ------
    InputError
        Where the file lost its end: it is shorter than its header says.
    """
    with path.open("rb") as file, mapped(file) as data:
        start = mpeg.after_tags(data, 0)
        magic = bytes(data[start : start + 4])
        if magic in LAYOUTS and start == 0:
            return chunked(path, data, LAYOUTS[magic])
        look = OTHERS.get(magic)
        if look is not None:
            return look(path, data, start)
        if start or path.suffix.lower() == ".mp3" or mpeg.frame(bytes(data[start : start + 4])):
            return mp3(path, data, start, len(data))
        return Mended()


@contextmanager
def mapped(file: Any) -> Iterator[Bytes]:
    """Give the bytes of a file without reading those that nobody looks at."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def chunked(path: Path, data: Bytes, layout: Chunks) -> Mended:
    """Look at a file of chunks, among which one holds the samples."""
    place, found, true_size, kind = layout.first, None, None, None
    while (chunk := layout.at(data, place)) is not None:
        name, size, body = chunk
        if name == layout.data:
            found = chunk
            break
        if name == b"ds64":
            (true_size,) = struct.unpack_from("<Q", data, body + 8)
        if name == b"fmt " and layout is not W64:
            kind = data[body : body + 16]
        if size < 0:  # less than its own head: it leads nowhere
            break
        place = layout.after(body, size)
    if found is None:
        return Mended()
    _, size, body = found
    if true_size is not None and size == 0xFFFF_FFFF:
        size = true_size
    real = length(path, data, layout, body, size)
    if kind is not None and int.from_bytes(kind[:2], "big" if layout is RIFX else "little") in (
        MPEG_TAGS
    ):
        return mp3(path, data, body, body + real)
    note = ""
    if real != size:
        note = NO_LENGTH if unknown(size) or size <= layout.before else WRONG_LENGTH
    if real == size:
        return Mended()
    return Mended((Piece(header(data, layout, place, real), body, body + real),), note)


def length(path: Path, data: Bytes, layout: Chunks, body: int, size: int) -> int:
    """Return how many bytes the chunk of samples has, whatever it says of itself."""
    there = len(data) - body
    if size > there:
        if size > len(data) + layout.before and not unknown(size):
            refuse_truncated(path, f"its header promises {size} bytes of sound, {there} are there")
        return there
    after = layout.after(body, size)
    if after >= len(data):
        return there  # with the byte that fills it up
    if size > layout.before and (after + layout.head > len(data) or not nonzero(data, after)):
        return size
    return size if follows(data, layout, after) else there


def unknown(size: int) -> bool:
    """Tell whether a size is what a writer puts that does not know it: 2**31, 2**32 or 2**63."""
    return any(abs(size - 2**power) <= MARGIN for power in (31, 32, 63, 64))


def follows(data: Bytes, layout: Chunks, place: int) -> bool:
    """Tell whether chunks and nothing else lie from a place to the end."""
    while (chunk := layout.at(data, place)) is not None:
        name, size, body = chunk
        if not layout.named(name) or size < 0:
            return not nonzero(data, place)
        place = layout.after(body, size)
    return place <= len(data) + layout.align or name in (b"LIST", b"id3 ", b"ID3 ", b"bext")


def nonzero(data: Bytes, place: int) -> bool:
    """Tell whether a byte from a place on is not 0."""
    return any(data[at : at + WINDOW].strip(b"\0") for at in range(place, len(data), WINDOW))


def header(data: Bytes, layout: Chunks, place: int, size: int) -> bytes:
    """Return what comes before the samples, with the right sizes."""
    limit = 256 ** struct.calcsize(layout.size) - 1
    told = struct.pack(layout.size, min(size + layout.own, limit))
    head = bytearray(data[: place + len(layout.data)] + told)
    magic = bytes(head[:4])
    if magic in (b"RF64", b"BW64"):  # as RIFF: the size that ds64 tells is wrong, too
        if (ds64 := head.find(b"ds64")) >= 0:
            (own,) = struct.unpack_from("<I", head, ds64 + 4)
            del head[ds64 : ds64 + 8 + own]
        head[:4] = b"RIFF"
    if magic != b"caff":
        at = 16 if layout is W64 else 4
        whole = min(len(head) + size - (0 if layout is W64 else 8), limit)
        struct.pack_into(layout.size, head, at, whole)
    return bytes(head)


def au(path: Path, data: Bytes, start: int) -> Mended:
    """Look at a file of Sun's: its header has the offset of the samples and their size."""
    order = ">" if data[:4] == b".snd" else "<"
    if len(data) < AU_HEADER:
        return Mended()
    offset, size = struct.unpack_from(f"{order}II", data, 4)
    there = len(data) - offset
    if (
        offset < AU_HEADER
        or size == there
        or there <= 0
        or (0 < size < there and not nonzero(data, offset + size))
    ):
        return Mended()
    if size > len(data) and not unknown(size):
        refuse_truncated(path, f"its header promises {size} bytes of sound, {there} are there")
    head = bytearray(data[:offset])
    struct.pack_into(f"{order}I", head, 8, min(there, 0xFFFF_FFFF))
    note = NO_LENGTH if size == 0 or unknown(size) else WRONG_LENGTH
    return Mended((Piece(bytes(head), offset, len(data)),), note)


def flac_file(path: Path, data: Bytes, start: int) -> Mended:
    """Look at a FLAC file: whether it tells the number of its samples."""
    body = start + flac.STREAMINFO
    info = bytes(data[start:body])
    if len(info) < flac.STREAMINFO or flac.samples_told(info):
        return Mended()
    samples = flac.samples(info, data)
    if samples is None:
        refuse_truncated(path, "its last frame is not whole")
    return Mended((Piece(flac.telling(info, samples), body, len(data)),), NO_LENGTH)


def ogg(path: Path, data: Bytes, start: int) -> Mended:
    """Look at an Ogg file: libsndfile reads the first of streams that follow one another."""
    starts: list[int] = []
    place, first_before = start, False
    while data[place : place + 4] == b"OggS" and place + 27 <= len(data):
        first = bool(data[place + 5] & OGG_FIRST)
        if first and not first_before:
            starts.append(place)
        first_before = first
        segments = data[place + 26]
        place += 27 + segments + sum(data[place + 27 : place + 27 + segments])
    if len(starts) < 2:
        return Mended()
    ends = [*starts[1:], len(data)]
    pieces = tuple(Piece(b"", a, b) for a, b in zip(starts, ends, strict=True))
    return Mended(pieces, CHAIN.format(len(pieces)))


def mp3(path: Path, data: Bytes, start: int, stop: int) -> Mended:
    """Look at MPEG audio between two places: count its frames."""
    found = mpeg.stream(data, start, stop)
    if found is None or found.first.layer != 3:
        return Mended()
    if found.promised is not None and found.frames < found.promised:
        refuse_truncated(path, f"{found.frames} of {found.promised} frames are there")
    if found.lost:
        refuse_truncated(path, f"its last frame lacks {found.lost} bytes")
    note = MORE_FRAMES if found.promised is not None else COUNTED
    if found.promised == found.frames:
        if not found.strange:
            return Mended()
        note = STRANGE
    return Mended((Piece(mpeg.xing(found, data), found.start, found.end),), note)


OTHERS: dict[bytes, Callable[[Path, Bytes, int], Mended]] = {
    b".snd": au,
    b"dns.": au,
    b"fLaC": flac_file,
    b"OggS": ogg,
}


def refuse_truncated(path: Path, evidence: str) -> NoReturn:
    """Raise the error of a file that lost its end."""
    raise InputError(f"{path}: truncated: {evidence}; copy or download it again")
