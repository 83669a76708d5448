import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pipeline.formats import est_track
from pipeline.ground.console import InputError
from pipeline.ground.utterance import Tracks
from tests.pipeline.formats.recordings import assert_refused, assert_same, recordings

ROWS = [(0.0, 1.0, 1.5, -2.0), (0.005, 0.0, 9.0, 9.0), (0.010, 1.0, float("nan"), 3.25)]


def header(**changes) -> bytes:
    fields = {
        "DataType": "binary",
        "ByteOrder": "01",
        "NumFrames": "3",
        "NumChannels": "2",
        "EqualSpace": "0",
        "BreaksPresent": "true",
        "CommentChar": ";\n",
        "Channel_0": "a",
        "Channel_1": "b",
    } | changes
    lines = [f"{key} {value}" for key, value in fields.items() if value is not None]
    return "\n".join(["EST_File Track", *lines, "EST_Header_End", ""]).encode()


def binary(order: str, rows=ROWS) -> bytes:
    return b"".join(struct.pack(f"{order}{len(row)}f", *row) for row in rows)


def put(folder, content: bytes):
    path = folder / "track.ema"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("field", "order"), [("01", "<"), ("10", ">"), ("02", ">")], ids=["little", "big", "big-02"]
)
def test_binary_in_either_byte_order(tmp_path, field, order):
    tracks = est_track.read(put(tmp_path, header(ByteOrder=field) + binary(order)))
    assert tracks.channels == ("a", "b")
    assert_allclose(tracks.time, [0, 0.005, 0.010], atol=1e-7)
    assert_array_equal(tracks.values, [[1.5, -2], [np.nan, np.nan], [np.nan, 3.25]])


def test_channel_k_is_column_k_plus_2(tmp_path):
    rows = [(0.1 * k, 1.0, 100.0 + k, 200.0 + k) for k in range(3)]
    tracks = est_track.read(put(tmp_path, header() + binary("<", rows)))
    assert_array_equal(tracks.values, [[100, 200], [101, 201], [102, 202]])


def test_ascii(tmp_path):
    body = b"0.000 1 1.5 -2\n0.005 0 9 9\n0.010 1 nan 3.25\n"
    content = header(DataType="ascii", ByteOrder=None) + body
    tracks = est_track.read(put(tmp_path, content))
    assert_array_equal(tracks.time, [0, 0.005, 0.010])
    assert_array_equal(tracks.values, [[1.5, -2], [np.nan, np.nan], [np.nan, 3.25]])


def test_without_break_flags(tmp_path):
    rows = [(time, *values) for time, _, *values in ROWS]
    tracks = est_track.read(put(tmp_path, header(BreaksPresent=None) + binary("<", rows)))
    assert_array_equal(tracks.values, [[1.5, -2], [9, 9], [np.nan, 3.25]])


def test_break_flags_that_the_header_does_not_mention(tmp_path):
    tracks = est_track.read(put(tmp_path, header(BreaksPresent=None) + binary("<")))
    assert_array_equal(tracks.values, [[1.5, -2], [np.nan, np.nan], [np.nan, 3.25]])


def test_names_in_quotes_and_channels_without_a_name(tmp_path):
    names = {"NumChannels": "4", "Channel_0": '"v_x "', "Channel_1": "****", "Channel_2": "tt_x"}
    rows = [(0.1 * k, 1.0, 1.0, 2.0, 3.0, 4.0) for k in range(3)]
    content = header(**names, Channel_3="****") + binary("<", rows)
    tracks = est_track.read(put(tmp_path, content))
    assert tracks.channels == ("v_x", "tt_x")
    assert_array_equal(tracks.values[0], [1, 3])


def test_real_file(shared_data):
    tracks = est_track.read(shared_data / "est" / "esttrack.bin")
    assert tracks.values.shape == (10, 84)
    assert (tracks.channels[0], tracks.channels[-1]) == ("Ch1_X", "Ch12_Extra")
    assert_allclose(tracks.time, 0.005 * np.arange(1, 11), atol=1e-8)
    assert_array_equal(tracks.values, np.arange(1, 841).reshape(10, 84))


@settings(deadline=None)
@given(recordings(bits=32), st.booleans())
def test_binary_round_trip(tmp_path_factory, tracks, big_endian):
    path = tmp_path_factory.mktemp("est") / "a.ema"
    est_track.write(path, tracks, big_endian=big_endian)
    assert_same(est_track.read(path), tracks)


@settings(deadline=None)
@given(recordings())
def test_ascii_round_trip_keeps_every_digit(tmp_path_factory, tracks):
    path = tmp_path_factory.mktemp("est") / "a.ema"
    est_track.write(path, tracks, ascii=True)
    assert_same(est_track.read(path), tracks, time_atol=0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"RIFF....WAVE", "offset 0: does not start with"),
        (header()[:-15], "no line ends the header"),
        (header() + binary("<")[:-4], "44 bytes, not the 48 of NumFrames 3, NumChannels 2"),
        (header() + binary("<") + b"\0", "49 bytes, not the 48"),
        (header(NumFrames="4") + binary("<"), "48 bytes, not the 64"),
        (header(NumFrames="x") + binary("<"), "header field NumFrames is 'x', not a count"),
        (header(NumChannels="0") + binary("<"), "header field NumChannels is '0'"),
        (header(NumChannels=None) + binary("<"), "header field NumChannels is ''"),
        (header(NumFrames="999999999") + binary("<"), "48 bytes, not the 15999999984"),
        (header(DataType="binary2") + binary("<"), "DataType is 'binary2'"),
        (header(ByteOrder="10") + binary("<"), "frame 2: time"),
        (header(Channel_1="a") + binary("<"), "channel a more than once"),
        (header() + binary("<", [(-0.1, 1, 2, 3), *ROWS[1:]]), "frame 0: time -0.1 s is negative"),
        (header() + binary("<", [ROWS[0], ROWS[0], ROWS[2]]), "frame 1: time 0 s does not follow"),
        (header() + binary("<", [(np.nan, 1, 2, 3), *ROWS[1:]]), "frame 0: time stamp is not"),
        (header() + binary("<", [(t, 0, 1, 1) for t, *_ in ROWS]), "all are NaN"),
        (header() + binary("<", [(0, 1, np.inf, 3), *ROWS[1:]]), "frame 0, channel a: inf is not"),
        (header() + binary("<", [(0, 1, 1e-40, 3), *ROWS[1:]]), "is the byte order right"),
        (
            header(DataType="ascii") + b"0 1 2 3\n1 1 2 x\n2 1 2 3\n",
            "line 14, column 4: 'x' is not",
        ),
        (header(DataType="ascii") + b"0 1 2 3\n1 1 2\n2 1 2 3\n", "line 14: 3 columns, not 4"),
        (header(DataType="ascii") + b"0 1 2 3\n1 1 2 3\n", "2 rows of 4 columns do not fit"),
        (header(DataType="ascii"), "line 13: no numbers"),
    ],
)
def test_refusals_name_the_file_and_the_reason(tmp_path, content, reason):
    assert_refused(est_track.read, tmp_path / "track.ema", content, reason)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="not found"):
        est_track.read(tmp_path / "none.ema")


def test_white_space_in_a_channel_name_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="white space"):
        est_track.write(tmp_path / "a.ema", Tracks(np.zeros(1), np.zeros((1, 1)), ("a b",)))
    assert not list(tmp_path.iterdir())
