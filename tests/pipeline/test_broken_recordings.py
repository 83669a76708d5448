"""One broken recording in a corpus: it is refused with the reason and the rest goes on."""

import csv
import os
import pickle
import struct

import numpy as np
import pytest
import soundfile

from features import mfcc
from pipeline.corpora import hprc, tutorial
from pipeline.formats import audio
from pipeline.ground import artifacts
from pipeline.ground.storage import Store
from tests.pipeline.conftest import change
from tests.pipeline.corpora import test_hprc, test_torgo, test_xrmb
from tests.pipeline.formats.test_object_array import Hostile, object_file

LOST = [(frame, column) for frame in range(20) for column in range(16)]


def xrmb(folder, content):
    for number in (1, 2, 3):
        whole = test_xrmb.table()
        test_xrmb.task(folder, content(whole) if number == 2 else whole, f"JW11/TP00{number}.TXY")
    return "JW11_tp002"


def hprc_sentences(folder, content):
    for number in (1, 2, 3):
        path = folder / f"F01_B01_S0{number}_R01_N.mat"
        test_hprc.put_recording(path, hprc.SENSORS)
        if number == 2:
            path.write_bytes(content(path.read_bytes()))
    return "F01_B01_S02_R01_N"


def torgo(folder, content):
    for name in ("Session1", "Session2", "Session3"):
        whole = test_torgo.positions()
        test_torgo.session(folder, name=name, content=content(whole) if name[-1] == "2" else whole)
    return "F01_Session2_0001"


def nan_only(data):
    return np.full(len(data) // 4, np.nan, "<f4").tobytes()


def swapped(data):
    return struct.pack(f">{len(data) // 4}f", *struct.unpack(f"<{len(data) // 4}f", data))


BROKEN = {
    "truncated text": ("xrmb", xrmb, lambda t: t[: len(t) * 2 // 3], "columns, not 17"),
    "negative time": ("xrmb", xrmb, lambda t: t.replace("0\t", "-9\t", 1), "is negative"),
    "nothing but lost pellets": ("xrmb", xrmb, lambda t: test_xrmb.table(lost=LOST), "all are NaN"),
    "truncated .mat": ("hprc", hprc_sentences, lambda b: b[: len(b) // 2], "truncated"),
    "another format": ("hprc", hprc_sentences, lambda b: b"RIFF" * 50, "offset 126: not a MATLAB"),
    "wrong count": ("torgo", torgo, lambda b: b[:-8], "bytes are left over after 59 frames"),
    "wrong byte order": ("torgo", torgo, swapped, "is the byte order right"),
    "nothing but NaN": ("torgo", torgo, nan_only, "all are NaN"),
    "no bytes": ("torgo", torgo, lambda b: b"", "empty file"),
}


@pytest.fixture(params=BROKEN, ids=list(BROKEN))
def broken(request, project):
    """A corpus of three recordings, the second of them broken."""
    reader, build, damage, reason = BROKEN[request.param]
    name = build(project / "corpus", damage)
    change(project / "params.yaml", corpus__reader=reader, corpus__path="corpus")
    return project, name, reason


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_channels_are_chosen_by_the_parameters_and_unlike_ones_spoken_of(project, stage):
    for sound in sorted((project / "recordings").glob("*.wav"))[:3]:
        voice, _ = audio.read(sound)
        hum = 0.05 * np.sin(np.arange(len(voice)) / 50)
        soundfile.write(sound, np.stack([hum, voice], axis=1), 16_000)
    (project / "recordings" / "more.m4a").touch()
    outcome = stage("corpus")
    assert outcome.status == 0
    assert outcome.err.splitlines() == [
        "corpus: recordings/u00.wav and 2 more: channel 1 is very unlike channel 2, and their mean"
        " was taken; choose the microphone's channel by its number",
        "corpus: passed over 1 .m4a (`ffmpeg -i NAME.m4a NAME.wav` makes NAME.m4a readable)",
    ]
    change(project / "params.yaml", corpus__channel=2)
    outcome = stage("corpus")
    assert outcome.status == 0
    assert "21 refused" in outcome.out  # those of one channel
    assert "very unlike" not in outcome.err
    assert stage("extract").status == 0
    store = Store(artifacts.FRAMES, "extract")
    expected = mfcc.mfcc(voice, 16_000)
    entry = store.entries[2]
    np.testing.assert_allclose(store.frames(entry, "inputs"), expected[: entry.frames], atol=0.05)


def test_the_rest_of_the_corpus_goes_on(broken, stage):
    project, name, reason = broken
    outcome = stage("corpus")
    assert outcome.status == 0, outcome.err
    assert "2 utterances" in outcome.out and "1 refused" in outcome.out
    assert len(rows(project / "data" / "corpus" / "manifest.csv")) == 2
    (refused,) = rows(project / "data" / "corpus" / "refused.csv")
    assert refused["id"] == name
    assert reason in refused["reason"]
    assert reason in outcome.err and "Traceback" not in outcome.err


def test_strict_stops_with_the_same_reason(broken, stage):
    project, _, reason = broken
    change(project / "params.yaml", corpus__strict=True)
    outcome = stage("corpus")
    assert outcome.status == 1
    assert reason in outcome.err and "corpus.strict is true" in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (project / "data" / "corpus" / "manifest.csv").exists()


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["wrong byte order"], indirect=True)
def test_the_inspection_says_it_too(broken, stage):
    _, name, reason = broken
    outcome = stage("corpus", "--inspect")
    assert outcome.status == 0
    assert "utterances: 2" in outcome.out and "refused: 1" in outcome.out
    assert any(f"refused {name}" in line and reason in line for line in outcome.out.splitlines())


def test_pickled_code_is_one_line_and_does_not_run(project, stage):
    tutorial.pairs.cache_clear()
    folder = project / "corpus"
    folder.mkdir()
    np.save(folder / "X.npy", np.zeros((1, 20, 39), np.float32))
    object_file(folder / "Y.npy", pickle.dumps(Hostile(os.mkdir, "trap"), protocol=4))
    change(project / "params.yaml", corpus__reader="tutorial", corpus__path="corpus")
    outcome = stage("corpus")
    assert outcome.status == 1
    assert "Y.npy: offset" in outcome.err and "will not be run" in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (project / "trap").exists()
