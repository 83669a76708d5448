"""MATLAB 5 to 7 files (``.mat``), read by SciPy after a walk that trusts no size in them.

SciPy reserves memory for whatever dimensions a file states, and follows nested arrays to any depth.
Here every element is first held against the bytes that are there; what passes is unpacked once
and handed to SciPy, which then meets nothing that the walk has not seen. Objects, functions,
sparse and complex arrays are refused: no corpus has them.

The layout is that of the "MAT-File Format" document of MathWorks, level 5.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any, Literal, NamedTuple

import scipy.io

from pipeline.formats import checked
from pipeline.ground.console import InputError

HEADER_BYTES = 128
COMPRESSED, MATRIX = 15, 14
ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
CELL, STRUCT, CHAR = 1, 2, 4
NUMERIC = range(6, 16)
COMPLEX_FLAG = 0x08
DEEPEST = 16
MOST_UNPACKED = 8  # times the size of the file; real sound and sensors unpack to about twice
SMALL = 1 << 16  # bytes; a small file may unpack to more
PIECE = 1 << 10  # bytes unpacked at once: deflate cannot make more than a MiB of them


class Element(NamedTuple):
    """A tagged stretch of bytes: what it holds, where, and where the next one starts."""

    kind: int
    start: int
    end: int
    following: int


def load(path: Path) -> dict[str, Any]:
    """Return the variables of a file: structs as dict, arrays of structs as arrays of dict.

    Raises
    ------
    InputError
        Naming the offset, in the unpacked bytes, of what is wrong.
    """
    plain = unpack(path, checked.contents(path))
    with plain.getbuffer() as view:
        Walk(path, view).variables()
    plain.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of variables that stand twice
            tree = scipy.io.loadmat(plain, simplify_cells=True)
    except Exception as error:  # SciPy has no error class for what it does not expect
        raise InputError(f"{path}: not a MATLAB file that SciPy reads ({error})") from None
    return {name: value for name, value in tree.items() if not name.startswith("__")}


def unpack(path: Path, data: bytes) -> io.BytesIO:
    """Return the file with its compressed elements in plain form."""
    if data.startswith(b"MATLAB 7.3"):
        raise InputError(f"{path}: offset 0: MATLAB 7.3 (HDF5); save it in MATLAB with -v7")
    if len(data) < HEADER_BYTES or data[126:128] not in (b"IM", b"MI"):
        raise InputError(f"{path}: offset 126: not a MATLAB 5 to 7 file, no byte-order mark")
    walk = Walk(path, data)
    plain = io.BytesIO()
    plain.write(data[:HEADER_BYTES])
    offset = HEADER_BYTES
    while offset < len(data):
        element = walk.element(offset, len(data))
        if element.kind == COMPRESSED:
            inflate(path, data, element, plain)
        else:
            plain.write(memoryview(data)[offset : element.following])
        offset = element.following
    return plain


def inflate(path: Path, data: bytes, element: Element, plain: io.BytesIO) -> None:
    """Decompress an element onto the end of ``plain``, which may not outgrow the file by much."""
    decompressor, first = zlib.decompressobj(), plain.tell()
    try:
        for start in range(element.start, element.end, PIECE):
            piece = memoryview(data)[start : min(start + PIECE, element.end)]
            plain.write(decompressor.decompress(piece))
            if plain.tell() > MOST_UNPACKED * max(len(data), SMALL):
                raise InputError(
                    f"{path}: offset {start}: unpacks to more than {MOST_UNPACKED} times the file"
                )
    except zlib.error as error:
        raise InputError(f"{path}: offset {element.start}: cannot be unpacked ({error})") from None
    # MATLAB leaves the end mark out where the contents fill its buffer to the last byte
    if not decompressor.eof and not complete(data, memoryview(plain.getvalue())[first:]):
        raise InputError(f"{path}: offset {element.start}: truncated inside a compressed variable")


def complete(data: bytes, element: memoryview) -> bool:
    """Say whether an unpacked element is as long as its tag says, in the file's byte order."""
    order: Literal["little", "big"] = "little" if data[126:128] == b"IM" else "big"
    return len(element) >= 8 and len(element) - 8 == int.from_bytes(element[4:8], order)


class Walk:
    """The elements of a file in plain form, each held against the bytes around it.

    SciPy reads the parts of an array one after another and never looks at the size that the array
    states. The walk insists that the parts fill it exactly, so that both read the same.
    """

    def __init__(self, path: Path, data: bytes | memoryview) -> None:
        self.path = path
        self.data = data
        self.order = "<" if data[126:128] == b"IM" else ">"

    def refuse(self, offset: int, reason: str) -> InputError:
        """Return the error that names the file and the offset."""
        return InputError(f"{self.path}: offset {offset}: {reason}")

    def words(self, offset: int, count: int, kind: str = "I") -> tuple[int, ...]:
        """Return 32-bit words."""
        return struct.unpack_from(f"{self.order}{count}{kind}", self.data, offset)

    def variables(self) -> None:
        """Check every variable of the file."""
        offset = HEADER_BYTES
        while offset < len(self.data):
            offset = self.array(offset, len(self.data), 0)

    def element(self, offset: int, limit: int) -> Element:
        """Return the element at an offset; it has to end before ``limit``."""
        if offset + 8 > limit:
            raise self.refuse(offset, "truncated: no room for another element")
        kind, size = self.words(offset, 2)
        if kind >> 16:  # small: up to four bytes inside the tag
            kind, size, start, following = kind & 0xFFFF, kind >> 16, offset + 4, offset + 8
            if size > 4:
                raise self.refuse(offset, f"{size} bytes in an element of four")
        else:
            start = offset + 8
            padding = 0 if kind == COMPRESSED else -size % 8
            following = start + size + padding
        if following > limit:
            raise self.refuse(offset, f"truncated: {size} bytes, {limit - start} are there")
        return Element(kind, start, start + size, following)

    def part(self, offset: int, limit: int, kinds: tuple[int, ...], name: str) -> Element:
        """Return the element at an offset, which has to be of one of the kinds."""
        element = self.element(offset, limit)
        size = element.end - element.start
        if element.kind not in kinds or size % ITEM_BYTES[element.kind]:
            raise self.refuse(offset, f"{name}: {size} bytes of kind {element.kind}")
        return element

    def array(self, offset: int, limit: int, depth: int) -> int:
        """Check the array at an offset and return where the next element starts."""
        matrix = self.element(offset, limit)
        if matrix.kind != MATRIX or depth > DEEPEST:
            raise self.refuse(offset, f"no array, but kind {matrix.kind} at depth {depth}")
        if matrix.start == matrix.end:
            return matrix.following  # an empty array
        flags = self.part(matrix.start, matrix.end, (6,), "array flags")
        dimensions = self.part(flags.following, matrix.end, (5,), "dimensions")
        name = self.part(dimensions.following, matrix.end, (1,), "name")
        if flags.end - flags.start != 8:
            raise self.refuse(matrix.start, "array flags are not two words")
        shape = self.words(dimensions.start, (dimensions.end - dimensions.start) // 4, "i")
        word = self.words(flags.start, 1)[0]
        if len(shape) not in range(2, 9) or min(shape) < 0 or (word >> 8) & COMPLEX_FLAG:
            raise self.refuse(matrix.start, f"array of shape {shape[:9]}, flags {word:#x}")
        end = self.content(word & 0xFF, math.prod(shape), name.following, matrix.end, depth)
        if end != matrix.end:
            raise self.refuse(end, f"{matrix.end - end} bytes more than the array needs")
        return matrix.following

    def content(self, kind: int, items: int, offset: int, limit: int, depth: int) -> int:
        """Check what follows an array's name and return where it ends."""
        if kind == CHAR or kind in NUMERIC:
            return self.plain(kind, items, offset, limit)
        if kind == STRUCT:
            items *= self.field_count(offset, limit)
            offset = self.element(self.element(offset, limit).following, limit).following
        elif kind != CELL:
            raise self.refuse(offset, f"array of class {kind}, which no corpus has")
        if items * 8 > limit - offset:
            raise self.refuse(offset, f"{items} arrays in {limit - offset} bytes")
        for _ in range(items):
            offset = self.array(offset, limit, depth + 1)
        return offset

    def field_count(self, offset: int, limit: int) -> int:
        """Return how many fields a struct has; at least one."""
        length = self.part(offset, limit, (5,), "length of field names")
        names = self.part(length.following, limit, (1,), "field names")
        size = self.words(length.start, 1, "i")[0] if length.end - length.start == 4 else 0
        total = names.end - names.start
        if size < 1 or not total or total % size:
            raise self.refuse(offset, f"field names: {total} bytes in names of {size}")
        return total // size

    def plain(self, kind: int, items: int, offset: int, limit: int) -> int:
        """Check numbers or text and return where they end."""
        element = self.part(offset, limit, tuple(ITEM_BYTES), "values")
        size = element.end - element.start
        stored = size // ITEM_BYTES[element.kind]
        if stored < items or (stored > items and kind != CHAR):  # UTF-8 needs more bytes
            raise self.refuse(offset, f"{stored} values where the dimensions promise {items}")
        return element.following
