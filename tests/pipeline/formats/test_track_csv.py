"""Tracks as CSV: what is read back, and errors that name the line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.formats import track_csv
from pipeline.ground.console import InputError
from pipeline.ground.utterance import Tracks

POSITIONS = st.one_of(st.just(np.nan), st.floats(-1e4, 1e4))


@settings(deadline=None)
@given(
    values=arrays(np.float64, st.tuples(st.integers(1, 20), st.integers(1, 5)), elements=POSITIONS),
    start=st.floats(0, 10),
    rate=st.sampled_from([100, 145.65, 500, 1250]),
)
def test_round_trip(tmp_path_factory, values, start, rate):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    values[0, 0] = 1.5  # tracks without a single sample are refused
    frames, width = values.shape
    channels = tuple(f"S{k}_x" for k in range(width))
    tracks = Tracks(start + np.arange(frames) / rate, values, channels)
    track_csv.write(path, tracks)
    read = track_csv.read(path)
    assert read.channels == channels
    np.testing.assert_allclose(read.time, tracks.time, atol=0.5001e-6)
    np.testing.assert_allclose(read.values, values, atol=0.5001e-4)  # NaN where NaN was


def test_stretches_are_written_as_the_whole(tmp_path):
    time, values = np.arange(7) / 100, np.random.default_rng(0).normal(size=(7, 2))
    pieces = [Tracks(time[k : k + 3], values[k : k + 3], ("A_x", "A_y")) for k in (0, 3, 6)]
    track_csv.write(tmp_path / "whole.csv", Tracks(time, values, ("A_x", "A_y")))
    track_csv.write_blocks(tmp_path / "pieces.csv", iter(pieces))
    assert (tmp_path / "pieces.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def read_text(tmp_path, text, **encoding) -> Tracks:
    (tmp_path / "a.csv").write_text(text, **encoding)
    return track_csv.read(tmp_path / "a.csv")


def refusal(tmp_path, text) -> str:
    with pytest.raises(InputError) as caught:
        read_text(tmp_path, text)
    assert str(tmp_path / "a.csv") in str(caught.value)
    return str(caught.value).split("a.csv: ", 1)[1]


def test_as_other_programs_write_it(tmp_path):
    """Byte order mark, CRLF, quoted names, spaces, blank lines, time not first, nan spelt out."""
    text = '"TT_x", "time_s",TT_y\r\n1, 0.0 ,\r\n\r\n ,1e-2,NaN\r\n3,.02, -4\r\n\r\n'
    tracks = read_text(tmp_path, text, encoding="utf-8-sig", newline="")
    assert tracks.channels == ("TT_x", "TT_y")
    np.testing.assert_array_equal(tracks.time, [0, 0.01, 0.02])
    np.testing.assert_array_equal(tracks.values, [[1, np.nan], [np.nan, np.nan], [3, -4]])


def test_missing_samples_at_both_ends_of_a_row(tmp_path):
    tracks = read_text(tmp_path, "TT_x,time_s,TT_y,TB_x\n,0,,\n,1,,\n1,2,3,4")
    np.testing.assert_array_equal(tracks.values, [[np.nan] * 3] * 2 + [[1, 3, 4]])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty file"),
        ("time_s,TT_x\n", "line 2: no numbers"),
        ("t,TT_x\n0,1\n", "line 1: no column 'time_s'"),
        ("time_s\n0\n", "line 1: no channel"),
        ("time_s,TT_x,\n0,1,2\n", "line 1: column 3 has no name"),
        ("time_s,TT_x,TT_x\n0,1,2\n", "line 1: column TT_x more than once"),
        ("time_s,TT_x\n0,1\n1,2,3\n", "line 3: 3 columns, not 2"),
        ("time_s,TT_x,TT_y\n0,1\n1,2\n", "2 columns, but line 1 names 3"),
        ("time_s,TT_x\n0,1\n\n1,one\n", "line 4, column 2: 'one' is not a number"),
        ("time_s,TT_x\n0,1\n0.1,inf\n", "frame 1, channel TT_x: inf"),
        ("time_s,TT_x\n0,1\n,2\n", "frame 1: time stamp"),
        ("time_s,TT_x\n0,1\n\n0.1,1\n0.1,2\n", "frame 2: time 0.1 s does not follow 0.1 s"),
        ("time_s,TT_x\n0,\n1,\n", "no sample in any of 1 channels"),
    ],
)
def test_refusals_name_the_line(tmp_path, text, reason):
    assert refusal(tmp_path, text).startswith(reason)


def test_missing_and_binary_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="not found"):
        track_csv.read(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="offset 128: not utf-8-sig text"):
        track_csv.read(tmp_path / "a.csv")
