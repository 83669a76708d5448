import io
import struct
import zlib

import numpy as np
import pytest
import scipy.io
from numpy.testing import assert_array_equal

from pipeline.formats import matlab
from pipeline.ground.console import InputError
from tests.pipeline.formats.recordings import assert_refused

HEAD = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<2I", kind, len(content)) + content + bytes(-len(content) % 8)


def array(kind: int, shape, *content: bytes, flags: int = 0, name: bytes = b"a") -> bytes:
    parts = [
        element(6, struct.pack("<2I", kind | flags << 8, 0)),
        element(5, struct.pack(f"<{len(shape)}i", *shape)),
        element(1, name),
        *content,
    ]
    return element(14, b"".join(parts))


def doubles(*values: float) -> bytes:
    return element(9, struct.pack(f"<{len(values)}d", *values))


def put(folder, content: bytes):
    path = folder / "a.mat"
    path.write_bytes(content)
    return path


def test_plain_numbers_by_hand(tmp_path):
    variables = matlab.load(put(tmp_path, HEAD + array(6, (2, 2), doubles(1, 2, 3, 4))))
    assert_array_equal(variables["a"], [[1, 3], [2, 4]])


@pytest.mark.parametrize("compressed", [False, True])
def test_what_scipy_writes(tmp_path, compressed):
    path = tmp_path / "a.mat"
    tree = {"name": "TT", "table": np.arange(6).reshape(2, 3), "cells": ["a", 2.5], "none": []}
    scipy.io.savemat(path, {"tree": tree, "number": 3}, do_compression=compressed)
    variables = matlab.load(path)
    assert variables["number"] == 3
    assert variables["tree"]["name"] == "TT"
    assert_array_equal(variables["tree"]["table"], tree["table"])
    assert len(variables["tree"]["none"]) == 0


def test_big_endian(tmp_path):
    content = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI"
    shape = struct.pack(">2I2i", 5, 8, 1, 1)
    flags, name = struct.pack(">4I", 6, 8, 6, 0), struct.pack(">2I", 1, 1) + b"a".ljust(8, b"\0")
    body = flags + shape + name + struct.pack(">2Id", 9, 8, 2.5)
    variables = matlab.load(put(tmp_path, content + struct.pack(">2I", 14, len(body)) + body))
    assert variables["a"] == 2.5


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"short", "offset 126: not a MATLAB 5 to 7 file"),
        (b"MATLAB 7.3 MAT-file".ljust(128), "save it in MATLAB with -v7"),
        (HEAD + array(6, (2, 2), doubles(1, 2, 3)), "3 values where the dimensions promise 4"),
        (HEAD + array(6, (1 << 30, 1 << 30), doubles(1)), "1 values where the dimensions promise"),
        (HEAD + array(6, (-1, 1), doubles(1)), "array of shape (-1, 1)"),
        (HEAD + array(1, (1 << 28, 1)), "268435456 arrays in 0 bytes"),
        (HEAD + array(6, (1, 1), doubles(1), flags=8), "flags 0x806"),
        (HEAD + array(17, (1, 1)), "array of class 17, which no corpus has"),
        (HEAD + array(5, (1, 1)), "array of class 5, which no corpus has"),
        (HEAD + array(6, (1, 1), doubles(1), doubles(2)), "16 bytes more than the array needs"),
        (HEAD + array(6, (1, 1), doubles(1))[:-4], "truncated: 64 bytes, 60 are there"),
        (HEAD + element(9, bytes(8)), "no array, but kind 9"),
        (HEAD + element(15, b"not zlib"), "offset 136: cannot be unpacked"),
        (
            HEAD + element(15, zlib.compress(array(6, (1, 1), doubles(1)))[:-12]),
            "truncated inside a",
        ),
    ],
)
def test_sizes_are_held_against_the_bytes(tmp_path, content, reason):
    assert_refused(matlab.load, tmp_path / "a.mat", content, reason)


def test_what_is_whole_without_its_end_mark_is_read(tmp_path):
    # MATLAB writes such files where the array fills its buffer: two of the 214 of STEM-E2VA
    packed = zlib.compress(array(6, (1, 1), doubles(2.5)))[:-4]
    content = HEAD + struct.pack("<2I", 15, len(packed)) + packed
    assert matlab.load(put(tmp_path, content)) == {"a": 2.5}


def test_a_bomb_is_not_unpacked(tmp_path):
    packed = zlib.compress(bytes(200 << 20), 9)
    content = HEAD + struct.pack("<2I", 15, len(packed)) + packed
    with pytest.raises(InputError, match="unpacks to more than 8 times"):
        matlab.load(put(tmp_path, content))


def test_arrays_nested_without_end_are_refused(tmp_path):
    content = array(6, (1, 1), doubles(1))
    for _ in range(40):
        content = array(1, (1, 1), content)
    with pytest.raises(InputError, match="at depth"):
        matlab.load(put(tmp_path, HEAD + content))


def test_the_walk_and_scipy_agree_on_a_real_file(shared_data):
    path = shared_data / "hprc" / "F01_B01_S01_R01_N.mat"
    plain = matlab.unpack(path, path.read_bytes()).getvalue()
    assert scipy.io.loadmat(io.BytesIO(plain)).keys() == scipy.io.loadmat(path).keys()
