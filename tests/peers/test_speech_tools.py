"""EST and SSFF tracks against the Edinburgh Speech Tools themselves (Debian: speech-tools)."""

import shutil
import subprocess

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pipeline.formats import est_track, ssff
from pipeline.ground.utterance import Tracks

pytestmark = pytest.mark.skipif(
    not shutil.which("ch_track"), reason="no ch_track; `apt-get install speech-tools` has it"
)
KINDS = {"est": est_track, "est_binary": est_track, "ssff": ssff}


def convert(source, kind: str, target) -> None:
    command = ["ch_track", str(source), "-otype", kind, "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr


@pytest.fixture
def tracks() -> Tracks:
    generator = np.random.default_rng(3)
    values = generator.uniform(-60, 60, (50, 4)).astype(np.float32).astype(np.float64)
    return Tracks(np.arange(50) / 200, values, ("TT_x", "TT_y", "LL_x", "LL_y"))


@pytest.mark.parametrize("kind", KINDS)
def test_their_files_are_read(tmp_path, tracks, kind):
    est_track.write(tmp_path / "ours", tracks, ascii=True)
    convert(tmp_path / "ours", kind, tmp_path / "theirs")
    read = KINDS[kind].read(tmp_path / "theirs")
    assert read.channels == tracks.channels
    assert_allclose(read.time, tracks.time, atol=1e-6)
    assert_allclose(read.values, tracks.values, rtol=5e-6 if kind == "est" else 0)  # six digits


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("ours", ["est", "est_binary", "ssff"])
def test_our_files_are_read(tmp_path, tracks, ours, big_endian):
    options = {"ascii": True} if ours == "est" else {"big_endian": big_endian}
    KINDS[ours].write(tmp_path / "ours", tracks, **options)
    convert(tmp_path / "ours", "est_binary", tmp_path / "theirs")
    read = est_track.read(tmp_path / "theirs")
    assert read.channels == tracks.channels
    # they take the first SSFF record to stand one step after the start, whatever Start_Time says
    first = 1 / 200 if ours == "ssff" else 0
    assert_allclose(read.time, first + tracks.time, atol=1e-6)
    assert_array_equal(read.values, tracks.values)


@pytest.mark.parametrize("kind", ["est", "est_binary"])
@pytest.mark.parametrize("ascii", [False, True])
def test_breaks_go_through_both_ways(tmp_path, tracks, kind, ascii):
    tracks.values[10:20] = np.nan
    est_track.write(tmp_path / "ours", tracks, ascii=ascii)
    convert(tmp_path / "ours", kind, tmp_path / "theirs")
    read = est_track.read(tmp_path / "theirs")
    assert_array_equal(np.isnan(read.values).all(axis=1), np.isnan(tracks.values).all(axis=1))


def test_the_real_binary_file(shared_data, tmp_path):
    source = shared_data / "est" / "esttrack.bin"
    ours = est_track.read(source)
    convert(source, "est", tmp_path / "theirs")
    theirs = est_track.read(tmp_path / "theirs")
    assert theirs.channels == ours.channels
    assert_array_equal(theirs.values, ours.values)
    assert_allclose(theirs.time, ours.time, atol=1e-6)
