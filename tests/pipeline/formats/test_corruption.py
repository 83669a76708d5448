"""Random damage to every real file: it is read or refused in one line, soon and in little memory.

``CORRUPTIONS=1000 python -m pytest tests/pipeline/formats/test_corruption.py`` tries a thousand per
file; the suite tries a few.
"""

import os
import random
import signal
import tracemalloc
from functools import partial

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
from reliability.fuzz import damaged
from tests.pipeline.corpora.recording_files import settings

CORRUPTIONS = int(os.environ.get("CORRUPTIONS", "40"))
LONGEST_S = 5  # of processor time
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


def give_up(*_):
    raise TimeoutError(f"still reading after {LONGEST_S} s")


@pytest.fixture
def watched():
    """Run a reader; it must not hang, and its peak memory is returned."""

    def call(read, path) -> int:
        signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
        tracemalloc.start()
        try:
            read(path)
        except InputError as error:
            message = str(error)
            assert message.startswith(f"{path}: ") and "\n" not in message, message
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return peak

    before = signal.signal(signal.SIGPROF, give_up)
    yield call
    signal.signal(signal.SIGPROF, before)


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
    rng = random.Random(path.name)
    for attempt in range(CORRUPTIONS):
        data = damaged(original, rng)
        path.write_bytes(data)
        peak = watched(read, path)
        assert peak <= MOST_MEMORY * max(len(data), 1) + SMALL, f"attempt {attempt}: {peak} bytes"
