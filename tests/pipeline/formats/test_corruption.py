"""Random damage to every real file: it is read or refused in one line, soon and in little memory.

``CORRUPTIONS=1000 python -m pytest tests/pipeline/formats/test_corruption.py`` tries a thousand per
file; the suite tries a few.
"""

import os
import signal
import tracemalloc
import zlib
from functools import partial

import numpy as np
import pytest

from pipeline.corpora import emu, mngu0, ndi_wave, stem_e2va, sweeps, xrmb
from pipeline.formats import (
    audio,
    carstens_pos,
    carstens_text,
    est_track,
    lab,
    matlab,
    mview,
    object_array,
    ssff,
)
from pipeline.ground.console import InputError
from tests.pipeline.corpora.recording_files import settings

CORRUPTIONS = int(os.environ.get("CORRUPTIONS", "40"))
LONGEST_S = 5
MOST_MEMORY = 20  # times the file
SMALL = 1 << 20  # bytes that a file of any size may take

WAVE = settings("ndi-wave", channel_map={1: "TT", 9: "UL"})
FILES = {
    "hprc/F01_B01_S01_R01_N.mat": partial(mview.read, axes="xzy"),
    "xrmb/jw11_tp005.txy": xrmb.read_tracks,
    "xrmb/jw11_tp005.wav": audio.read,
    "xrmb/jw11_tp005.lab": lab.read,
    "carstens/0023.pos": carstens_pos.read,
    "carstens/0023.wav": audio.read,
    "carstens/ag501.pos": carstens_pos.read,
    "carstens/ag500.pos": carstens_pos.read,
    "est/esttrack.bin": est_track.read,
    "ndi_wave/Example3.tsv": partial(sweeps.tracks, read_sweep=ndi_wave.read_sweep, corpus=WAVE),
    "seed/Y.npy": object_array.read,
    "mngu0/mngu0_s1_0001.npy": mngu0.z_tracks,
    "stem_e2va/matfiles/DPMIA07.mat": stem_e2va.read_tracks,
    "tardis_sf2/sf2_0005.txt": partial(carstens_text.read, rate_hz=250),
    "emu_dfgspp/dfgspp_mo1_prosody_0020.t_tip": ssff.read,
    "emu_dfgspp/dfgspp_mo1_prosody_0020_bndl.json": emu.read_annotation,
}


def span(generator, data):
    """A stretch anywhere, more often short than long."""
    start = int(generator.integers(len(data)))
    return start, min(len(data), start + int(2 ** generator.uniform(0, 12)))


def scatter(generator, data, first, last):
    """Set a few bytes between two offsets to anything."""
    for _ in range(int(generator.integers(1, 9))):
        data[int(generator.integers(first, last))] = int(generator.integers(256))


def damage(generator, original: bytes) -> bytes:
    """One kind of damage out of nine."""
    data = bytearray(original)
    start, end = span(generator, data)
    kind = int(generator.integers(9))
    if kind == 0:
        data[start] ^= 1 << int(generator.integers(8))
    elif kind == 1:
        scatter(generator, data, 0, len(data))
    elif kind == 2:  # where headers and counts are
        scatter(generator, data, 0, min(256, len(data)))
    elif kind == 3:
        digits = [k for k, byte in enumerate(data[:4096]) if chr(byte).isdigit()] or [0]
        for k in generator.choice(digits, int(generator.integers(1, 4))):
            data[k] = b"0123456789-.eE "[int(generator.integers(15))]
    elif kind == 4:
        del data[start:]
    elif kind == 5:
        del data[start:end]
    elif kind == 6:
        data[start:start] = generator.bytes(end - start)
    elif kind == 7:
        data[start:end] = bytes(end - start)
    else:
        data[start:end] = data[start:end][::-1]
    return bytes(data)


def give_up(*_):
    raise TimeoutError(f"still reading after {LONGEST_S} s")


@pytest.fixture
def watched():
    """Run a reader; it must not hang, and its peak memory is returned."""

    def call(read, path) -> int:
        signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
        tracemalloc.start()
        try:
            read(path)
        except InputError as error:
            message = str(error)
            assert message.startswith(f"{path}: ") and "\n" not in message, message
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return peak

    before = signal.signal(signal.SIGALRM, give_up)
    yield call
    signal.signal(signal.SIGALRM, before)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
@pytest.mark.parametrize("name", FILES)
def test_damage_is_read_or_refused(shared_data, tmp_path, name, watched):
    original = (shared_data / name).read_bytes()
    damage_and_read(FILES[name], original, tmp_path / name.rpartition("/")[2], watched)


def test_damage_behind_the_compression_of_a_matlab_file(shared_data, tmp_path, watched):
    path = shared_data / "hprc" / "F01_B01_S01_R01_N.mat"
    plain = matlab.unpack(path, path.read_bytes()).getvalue()
    damage_and_read(partial(mview.read, axes="xzy"), plain, tmp_path / path.name, watched)


def damage_and_read(read, original: bytes, path, watched):
    generator = np.random.default_rng(zlib.crc32(path.name.encode()))
    for attempt in range(CORRUPTIONS):
        data = damage(generator, original)
        path.write_bytes(data)
        peak = watched(read, path)
        assert peak <= MOST_MEMORY * max(len(data), 1) + SMALL, f"attempt {attempt}: {peak} bytes"
