import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pipeline.formats import ssff
from pipeline.ground.utterance import Tracks
from tests.pipeline.formats.recordings import assert_refused, assert_same, recordings


def header(machine="IBM-PC", rate="200.0", start="0.25", columns=("tt FLOAT 2", "rms SHORT 1")):
    lines = ["SSFF -- (c) SHLRC", f"Machine {machine}", f"Record_Freq {rate}"]
    lines += [f"Start_Time {start}", *(f"Column {column}" for column in columns)]
    lines += ["Comment CHAR by hand", "Original_Freq DOUBLE 20000.0", "-----------------", ""]
    return "\n".join(lines).encode()


def records(order: str) -> bytes:
    return struct.pack(f"{order}ffhffh", 1.5, -2.0, 3, 4.25, 5.0, -6)


def put(folder, content: bytes):
    path = folder / "track.ssff"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("machine", "order"), [("IBM-PC", "<"), ("SPARC", ">")])
def test_interleaved_records_in_either_byte_order(tmp_path, machine, order):
    tracks = ssff.read(put(tmp_path, header(machine) + records(order)))
    assert tracks.channels == ("tt_1", "tt_2", "rms")
    assert_allclose(tracks.time, [0.25, 0.255], atol=1e-12)
    assert_array_equal(tracks.values, [[1.5, -2, 3], [4.25, 5, -6]])


@settings(deadline=None)
@given(recordings(), st.booleans())
def test_round_trip(tmp_path_factory, tracks, big_endian):
    path = tmp_path_factory.mktemp("ssff") / "a.ssff"
    ssff.write(path, tracks, big_endian=big_endian)
    assert_same(ssff.read(path), tracks)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"SSFX", "offset 0: does not start with"),
        (header()[:-20], "no line ends the header"),
        (header("VAX") + records("<"), "header field Machine is 'VAX'"),
        (header("SPARC") + records("<"), "is the byte order right"),
        (header(rate="0") + records("<"), "Record_Freq is 0"),
        (header(rate="fast") + records("<"), "Record_Freq is 'fast', not a number"),
        (header(start="-1") + records("<"), "Start_Time is '-1'"),
        (header(start="nan") + records("<"), "Start_Time is 'nan'"),
        (header() + records("<")[:-1], "9 bytes are left over after 1 records of 10 bytes"),
        (header(), "0 frames of 3 channels"),
        (header(columns=()), "no header field Column"),
        (header(columns=("a FLOAT 1", "a SHORT 1")) + records("<"), "a more than once"),
        (header(columns=("a QUAD 1",)) + records("<"), "Column is 'a QUAD 1', not NAME TYPE n"),
        (header(columns=("a FLOAT 9999", "b FLOAT 9999")), "more than 10000 channels"),
        (header(columns=("a FLOAT 1",)) + np.full(3, np.nan, "<f4").tobytes(), "all are NaN"),
    ],
)
def test_refusals_name_the_file_and_the_reason(tmp_path, content, reason):
    assert_refused(ssff.read, tmp_path / "track.ssff", content, reason)


def test_uneven_time_stamps_are_not_written(tmp_path):
    tracks = Tracks(np.array([0, 0.01, 0.03]), np.zeros((3, 1)), ("a",))
    with pytest.raises(ValueError, match="evenly spaced"):
        ssff.write(tmp_path / "a.ssff", tracks)


def test_a_rate_is_written_without_the_rounding_of_time_stamps(tmp_path):
    for frames in (137, 2365):
        tracks = Tracks(np.arange(frames) / 100 + 0.29, np.zeros((frames, 1)), ("a",))
        ssff.write(tmp_path / "a.ssff", tracks)
        assert b"\nRecord_Freq 100.0\n" in (tmp_path / "a.ssff").read_bytes()
