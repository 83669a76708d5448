"""Lists of arrays in ``.npy`` files, read without running anything that the file holds.

NumPy keeps arrays of unequal length as an object array, which is a pickle, and a pickle is a
program: ``np.load(allow_pickle=True)`` runs whatever it names. Here the pickle's instructions are
listed by the standard library's disassembler, which runs nothing, and carried out by a small
machine that knows a stack, tuples, lists, texts, numbers, and one thing to call: the
reconstruction of a NumPy array of numbers. Anything else is refused by name.
"""

from __future__ import annotations

import io
import math
import pickletools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.formats import checked
from pipeline.ground import console
from pipeline.ground.console import InputError

MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")  # before and after NumPy 2
NAMES = {(module, "_reconstruct") for module in MODULES} | {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}
NUMBERS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
IGNORED = {"PROTO", "FRAME", "STOP"}
PUSH_ARGUMENT = {
    *("BININT", "BININT1", "BININT2", "LONG1", "INT", "LONG"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    *("BINSTRING", "SHORT_BINSTRING", "BINUNICODE", "SHORT_BINUNICODE", "UNICODE"),
}
REFUSALS = (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError)


def read(path: Path) -> list[NDArray[np.number]]:
    """Read the arrays along the first axis of a ``.npy`` file, of objects or of numbers.

    Raises
    ------
    InputError
        Naming the offset and what stands there, such as code that the file wants to run.
    """
    data = checked.contents(path)
    shape, _, dtype, start = header(path, data)
    if not dtype.hasobject:
        return list(read_numbers(path))
    arrays = Machine(path, data, start).run()
    if shape != (len(arrays),):
        raise InputError(f"{path}: {len(arrays)} arrays, the header says {shape}")
    return arrays


def read_numbers(path: Path) -> NDArray[np.number]:
    """Read the one array of numbers of a ``.npy`` file; raises as `read` does."""
    data = checked.contents(path)
    shape, fortran_order, dtype, start = header(path, data)
    size = math.prod(shape) * dtype.itemsize
    if dtype.kind not in "fiu" or not shape or min(shape) < 0 or size != len(data) - start:
        raise InputError(f"{path}: offset {start}: no array {shape} of {dtype} fills the file")
    array = np.frombuffer(data, dtype, offset=start)
    return array.reshape(shape, order="F" if fortran_order else "C")


def header(path: Path, data: bytes) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Return shape, order (by columns or not) and type of a file's array, and where it starts."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran_order, dtype = read_header(file)
    except Exception as error:  # NumPy tokenizes the header as Python; anything can come of it
        reason = console.escaped(" ".join(str(error).split()))
        raise InputError(f"{path}: offset 0: not a .npy file ({reason})") from None
    return shape, fortran_order, dtype, file.tell()


@dataclass
class Name:
    """A function or class that the pickle names; it is compared, never called."""

    module: str
    name: str


@dataclass
class Type:
    """A NumPy dtype under reconstruction."""

    code: str
    order: str = "="

    def build(self, state: Any) -> None:
        """Take the state that a pickled dtype has: version, byte order, and no fields."""
        version, self.order, *rest = state
        if version != 3 or self.order not in "<>|=" or any(part is not None for part in rest[:3]):
            raise ValueError("a dtype that is not a plain number")


@dataclass
class Array:
    """A NumPy array under reconstruction."""

    value: NDArray[np.number] | list[Any] | None = None

    def build(self, state: Any) -> None:
        """Take the state that a pickled array has: version, shape, dtype, order and content."""
        version, shape, dtype, fortran_order, content = state
        if version != 1 or not all(isinstance(extent, int) and extent >= 0 for extent in shape):
            raise ValueError("an array without a shape")
        if dtype.code == "O8":
            if not isinstance(content, list) or shape != (len(content),):
                raise ValueError("an object array that is not a list")
            self.value = content
            return
        if dtype.code not in NUMBERS:
            raise ValueError(f"an array of {dtype.code}, not of numbers")
        raw = content.encode("latin-1") if isinstance(content, str) else content
        flat = np.frombuffer(raw, np.dtype(dtype.code).newbyteorder(dtype.order))
        self.value = flat.reshape(shape, order="F" if fortran_order else "C")


class Machine:
    """The part of the pickle machine that arrays of numbers need.

    Parameters
    ----------
    path : Path
        Named in errors.
    data : bytes
        The file.
    start : int
        Where its pickle starts.
    """

    def __init__(self, path: Path, data: bytes, start: int) -> None:
        self.path = path
        self.data = data
        self.start = start
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> list[NDArray[np.number]]:
        """Carry out the pickle and return its arrays."""
        for name, argument, offset in self.instructions():
            try:
                self.step(name, argument)
            except REFUSALS as error:
                raise InputError(
                    f"{self.path}: offset {offset}: {name}: refused, not an array of numbers"
                    f" ({error})"
                ) from None
        whole = self.stack[-1] if self.stack else None
        elements = whole.value if isinstance(whole, Array) else None
        if not isinstance(elements, list):
            elements = [None]
        values = [element.value for element in elements if isinstance(element, Array)]
        arrays = [value for value in values if isinstance(value, np.ndarray)]
        if len(arrays) != len(elements):
            raise InputError(f"{self.path}: offset {self.start}: not arrays of numbers in an array")
        return arrays

    def instructions(self) -> Iterator[tuple[str, Any, int]]:
        """List the pickle's instructions: name, argument, offset in the file."""
        file = io.BytesIO(self.data)
        file.seek(self.start)
        try:
            for opcode, argument, position in pickletools.genops(file):
                yield opcode.name, argument, position or 0
        except ValueError as error:
            raise InputError(f"{self.path}: not a whole pickle ({error})") from None

    def step(self, name: str, argument: Any) -> None:
        """Carry out one instruction; `ValueError` where arrays have no need of it."""
        if name in IGNORED:
            return
        if name in PUSH_ARGUMENT:
            self.stack.append(argument)
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name == "MARK":
            self.marks.append(len(self.stack))
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self.memo[argument] = self.stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            self.stack.append(self.memo[argument])
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            self.name(argument.split(" ", 1) if argument else self.take(2))
        elif name == "EMPTY_LIST":
            self.stack.append([])
        else:
            self.combine(name)

    def combine(self, name: str) -> None:
        """Carry out an instruction that takes its arguments from the stack."""
        if name == "TUPLE":
            self.stack.append(tuple(self.take_to_mark()))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            self.stack.append(tuple(self.take(int(name[-1]))))
        elif name == "APPEND":
            (element,) = self.take(1)
            self.stack[-1].append(element)
        elif name == "APPENDS":
            elements = self.take_to_mark()
            self.stack[-1].extend(elements)
        elif name == "REDUCE":
            self.stack.append(reconstruct(*self.take(2)))
        elif name == "BUILD":
            (state,) = self.take(1)
            self.stack[-1].build(state)
        else:
            raise ValueError("no array needs this instruction")

    def name(self, words: list[str]) -> None:
        """Push a name that arrays are made of; refuse any other."""
        if not all(isinstance(word, str) for word in words):
            raise ValueError("a name that is no text")
        module, name = words
        if (module, name) not in NAMES:
            label = ascii(f"{module}.{name}"[:80]).strip("'")
            raise ValueError(f"the file names {label}, which will not be run")
        self.stack.append(Name(module, name))

    def take(self, count: int) -> list[Any]:
        """Take elements off the stack, the lowest first."""
        if count > len(self.stack):
            raise IndexError("the stack is empty")
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def take_to_mark(self) -> list[Any]:
        """Take the elements above the last mark."""
        mark = self.marks.pop()
        taken = self.stack[mark:]
        del self.stack[mark:]
        return taken


def reconstruct(function: Any, arguments: Any) -> Array | Type:
    """Make an empty array or a dtype, the only two calls that there are."""
    if not isinstance(function, Name):
        raise ValueError("a call of something that is no function")
    if function.name == "dtype":
        if arguments[0] not in ("O8", *NUMBERS):
            raise ValueError("a dtype that is not a plain number")
        return Type(arguments[0])
    if function.name == "_reconstruct" and arguments[0] == Name("numpy", "ndarray"):
        return Array()
    raise ValueError(f"a call of {function.module}.{function.name}")
