import contextlib
import os
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_allclose, assert_array_equal

from features.deltas import delta
from pipeline.formats import object_array
from pipeline.ground.console import InputError

TABLES = st.lists(
    arrays.arrays(
        st.sampled_from(["<f4", ">f4", "<f8", ">i2", "u1"]),
        arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5),
    ),
    min_size=1,
    max_size=5,
)


def object_file(path, content: object, shape=(1,)):
    """A .npy file of objects around any pickle."""
    with path.open("wb") as file:
        header = {"descr": "|O", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(content if isinstance(content, bytes) else pickle.dumps(content, protocol=4))
    return path


@settings(deadline=None)
@given(TABLES)
def test_what_numpy_writes(tmp_path_factory, tables):
    written = np.empty(len(tables), object)
    written[:] = [np.asfortranarray(table) for table in tables]
    path = tmp_path_factory.mktemp("npy") / "a.npy"
    np.save(path, written, allow_pickle=True)
    read = object_array.read(path)
    assert len(read) == len(tables)
    for ours, theirs in zip(read, tables, strict=True):
        assert ours.dtype == theirs.dtype
        assert_array_equal(ours, theirs)


def test_numbers_without_objects(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(24.0).reshape(2, 3, 4))
    read = object_array.read(tmp_path / "a.npy")
    assert_array_equal(read, np.arange(24.0).reshape(2, 3, 4))


def test_the_tutorials_articulation(shared_data):
    utterances = object_array.read(shared_data / "seed" / "Y.npy")
    assert len(utterances) == 103
    assert sum(map(len, utterances)) == 39_473
    assert {(table.shape[1], table.dtype.str) for table in utterances} == {(24, "<f4")}
    assert max(map(len, utterances)) == 2365
    by_numpy = np.load(shared_data / "seed" / "Y.npy", allow_pickle=True, encoding="latin1")
    for ours, theirs in zip(utterances, by_numpy, strict=True):
        assert_array_equal(ours, theirs)


def test_the_tutorials_deltas_follow_from_its_coordinates(shared_data):
    # the file's coordinates are rounded to about 1e-4 mm
    for table in object_array.read(shared_data / "seed" / "Y.npy"):
        table = table.astype(np.float64)
        assert_allclose(table[:, 8:16], delta(table[:, :8]), atol=1.3e-4)
        assert_allclose(table[:, 16:], delta(table[:, 8:16]), atol=1.3e-4)


class Hostile:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "attack",
    [
        Hostile(os.system, "touch {trap}"),
        Hostile(eval, "open('{trap}', 'w')"),
        Hostile(np.load, "{trap}"),
        [Hostile(os.mkdir, "{trap}")],
    ],
)
def test_code_in_the_file_is_refused_by_name_and_never_run(tmp_path, attack):
    trap = tmp_path / "trap"
    content = pickle.dumps(attack, protocol=2).replace(b"{trap}", b"%-6.6s" % bytes(trap)[-6:])
    path = object_file(tmp_path / "a.npy", content)
    with pytest.raises(InputError, match=r"the file names .*, which will not be run"):
        object_array.read(path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.npy"]


def test_the_attack_would_have_worked_on_numpy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = object_file(tmp_path / "a.npy", Hostile(os.mkdir, "trap"))
    with pytest.raises(InputError, match=r"posix\.mkdir|nt\.mkdir"):
        object_array.read(path)
    assert not (tmp_path / "trap").exists()
    with contextlib.suppress(Exception):  # what comes back does not matter
        np.load(path, allow_pickle=True)
    assert (tmp_path / "trap").exists()


DTYPE = b"cnumpy\ndtype\n"
# a tuple of itself twice, 64 levels deep: looking into it would take for ever
DOUBLED = b"K\x01" + b"".join(b"q%ch%c\x86" % (k, k) for k in range(1, 65))
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([1, 2], "not arrays of numbers in an array"),
        (np.array(["a", "b"]), "a dtype that is not a plain number"),
        (np.array([None, "a"], object), "not arrays of numbers in an array"),
        (np.zeros(3), "not arrays of numbers in an array"),
        (b"\x80\x02" + DTYPE + b"NR.", "REDUCE: refused, not an array of numbers"),
        (b"\x80\x02K\x01K\x02\x86K\x01R.", "a call of something that is no function"),
        (b"\x80\x02" + RECONSTRUCT + b"K\x01\x85R.", "a call of numpy.core.multiarray"),
        (b"\x80\x02K\x01r\xff\xff\xff\x7f.", "not arrays of numbers in an array"),
        (b"\x80\x02" + DTYPE + DOUBLED + b"\x85R.", "a dtype that is not a plain number"),
        (b"\x80\x04" + DOUBLED + b"U\x01a\x93.", "a name that is no text"),
        (b"\x80\x04U\x02o\nU\x06system\x93.", r"the file names o\n.system, which will not be"),
        (b"\x80\x02(lp1\n.", "no array needs this instruction"),
        (b"\x80\x02]q\x00", "pickle exhausted before seeing STOP"),
        (b"\x80\x02T\xff\xff\xff\x7fabc.", "expected 2147483647 bytes"),
        (b"", "pickle exhausted"),
    ],
)
def test_what_is_no_array_is_refused_at_its_offset(tmp_path, content, reason):
    path = object_file(tmp_path / "a.npy", content)
    with pytest.raises(InputError) as refusal:
        object_array.read(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert reason in str(refusal.value)


def test_counts_are_held_against_the_content(tmp_path):
    written = np.empty(2, object)
    written[:] = [np.zeros(3), np.zeros(4)]
    path = object_file(tmp_path / "a.npy", pickle.dumps(written, protocol=4), shape=(3,))
    with pytest.raises(InputError, match=r"2 arrays, the header says \(3,\)"):
        object_array.read(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK\x03\x04", "offset 0: not a .npy file"),
        (b"\x93NUMPY\x09\x00" + bytes(20), "offset 0: not a .npy file"),
    ],
)
def test_another_format_is_refused(tmp_path, content, reason):
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason):
        object_array.read(path)


def test_a_truncated_array_is_refused(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((4, 5)))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match=r"no array \(4, 5\) of float64 fills the file"):
        object_array.read(path)
