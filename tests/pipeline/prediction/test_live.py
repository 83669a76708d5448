"""Live sound: rows equal to the offline ones, and as early as was said."""

import io
import os
import queue
import subprocess
import sys
import threading
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.formats import audio, track_csv
from pipeline.ground.console import UsageError
from pipeline.prediction import live
from tests.conftest import ROOT
from tests.features.sounds import SILENCES, voice
from tests.pipeline import small_model
from tests.pipeline.conftest import small_utterance

RATE = 16_000
LAST_DIGIT = 1.0001e-4  # mm; what docs/reproducibility.md promises where onnxruntime has a part


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    small_model.write(folder / "one_way", bidirectional=False, delay=3)
    small_model.write(folder / "both_ways")
    return folder


def command(folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    call = [sys.executable, "-m", "pipeline.predict", "--stream", "--model", str(folder)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*call, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, env=environment
    )


@pytest.mark.exact
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_the_stream_is_the_offline_result_with_the_statistics_of_training(
    folders, stage, tmp_path, rate
):
    sound, _ = small_utterance(4)
    audio.write(tmp_path / "a.wav", sound, rate)
    pcm = (audio.read(tmp_path / "a.wav")[0] * 32768).astype("<i2").tobytes()
    out, err = command(folders / "one_way", "--rate", str(rate), "--standardized").communicate(pcm)
    assert b"rows follow the sound by 82.5 ms" in err
    options = ["--no-plot", "--standardized", "--statistics", "training"]
    model = str(folders / "one_way")
    assert stage("predict", str(tmp_path / "a.wav"), "--model", model, *options).status == 0
    (tmp_path / "live.csv").write_bytes(out)
    rows, whole = (track_csv.read(tmp_path / name) for name in ("live.csv", "a.csv"))
    np.testing.assert_array_equal(rows.time, whole.time)
    np.testing.assert_allclose(rows.values, whole.values, rtol=0, atol=LAST_DIGIT)


@pytest.mark.slow
def test_rows_come_as_early_as_was_said(folders):
    """Of sound that stops, but does not end, all rows are there whose latency has passed."""
    process = command(folders / "one_way")
    sound = small_utterance(2)[0][: RATE // 2]
    process.stdin.write((sound * 32768).astype("<i2").tobytes())
    process.stdin.flush()
    rows = queue.SimpleQueue()
    reader = threading.Thread(target=lambda: [rows.put(line) for line in process.stdout])
    reader.start()
    header = rows.get(timeout=60)
    assert header.startswith(b"time_s,TT_x")
    expected = [f"{k / 100}" for k in range(42)]  # 0.5 s less 82.5 ms: frames 0 to 41
    assert [rows.get(timeout=60).split(b",")[0].decode() for _ in expected] == expected
    assert rows.empty()
    process.stdin.close()
    reader.join(timeout=60)
    process.wait(timeout=60)
    assert rows.qsize() == 51 - 42
    process.stdout.close()
    process.stderr.close()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["WAV", "AIFF", "FLAC", "OGG", "AU", "CAF", "MP3", "W64", "NIST"])
def test_a_sound_file_is_not_taken_for_samples(folders, tmp_path, form):
    soundfile.write(tmp_path / "a", np.tile(small_utterance(0)[0], (2, 1)).T, RATE, format=form)
    process = command(folders / "one_way")
    out, err = process.communicate((tmp_path / "a").read_bytes())
    last = err.decode().splitlines()[-1]
    assert last.startswith("error: standard input: a ")
    assert "name the file without --stream" in last
    assert out == b""
    assert process.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_that_takes_no_more_is_one_line(folders):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    call = [sys.executable, "-m", "pipeline.predict", "--stream", "--model", folders / "one_way"]
    sound = (small_utterance(2)[0] * 32768).astype("<i2").tobytes()
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            call, input=sound, stdout=full, stderr=subprocess.PIPE, env=environment
        )
    assert ended.returncode == 1
    said = ended.stderr.decode().splitlines()
    assert said[-1] == "error: standard output: No space left on device"
    assert "Traceback" not in ended.stderr.decode()


@pytest.mark.slow
def test_a_reader_that_has_had_enough_ends_the_stream_quietly(folders):
    process = command(folders / "one_way")
    sound = (small_utterance(2)[0] * 32768).astype("<i2").tobytes()
    process.stdin.write(sound)
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    process.stdin.write(sound)
    process.stdin.close()
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pcm", "reason"), [(b"", b"no sound"), (b"ab" * 99, b"less than a frame")]
)
def test_a_stream_without_sound_is_one_line(folders, pcm, reason):
    process = command(folders / "one_way")
    out, err = process.communicate(pcm)
    assert process.returncode == 1
    assert out == b""
    assert reason in err.splitlines()[-1]
    assert b"Traceback" not in err


@pytest.mark.parametrize("name", SILENCES)
def test_a_stream_that_holds_no_speech_is_refused_and_gives_no_row(folders, name):
    model, out = live.load(folders / "one_way"), io.StringIO()
    with pytest.raises(ValueError, match="silence: "):
        live.follow(model, np.array_split(SILENCES[name], 50), RATE, out)
    assert out.getvalue() == ""


def test_rows_of_silence_wait_for_the_first_speech(folders):
    model, out = live.load(folders / "one_way"), io.StringIO()
    sound = np.concatenate([SILENCES["digital silence"], voice()])
    known = []

    def pieces():
        for piece in np.array_split(sound, 300):  # of 10 ms
            yield piece
            known.append(out.getvalue().count("\n"))

    assert live.follow(model, pieces(), RATE, out) == 301
    assert known[200] == 0
    assert known[210] > 200
    assert out.getvalue().count("\n") == 302


def test_bytes_may_arrive_in_any_portions(tmp_path):
    samples = np.random.default_rng(0).integers(-32768, 32768, 5000).astype("<i2")
    data, (reader, writer) = samples.tobytes(), os.pipe()
    with os.fdopen(reader, "rb") as incoming, os.fdopen(writer, "wb", buffering=0) as outgoing:
        sound = live.pcm(incoming)
        pieces = []
        for start in range(0, len(data), 777):
            outgoing.write(data[start : start + 777])
            pieces.append(next(sound))
        outgoing.close()
        pieces += list(sound)
    np.testing.assert_array_equal(np.concatenate(pieces) * 32768, samples)


def test_a_network_of_both_directions_cannot_follow(folders):
    with pytest.raises(UsageError, match="one direction"):
        live.load(folders / "both_ways")


def test_the_microphone_is_followed_until_an_interrupt(folders, monkeypatch):
    sound = small_utterance(1)[0]

    class InputStream:
        def __init__(self, samplerate, blocksize, channels, callback):
            assert (samplerate, blocksize, channels) == (RATE, 160, 1)
            for start in range(0, len(sound), blocksize):
                callback(sound[start : start + blocksize, None], blocksize, None, None)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

    module = types.ModuleType("sounddevice")
    module.InputStream, module.PortAudioError = InputStream, RuntimeError
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    heard = live.microphone(RATE)
    pieces = [next(heard) for _ in range(-(-len(sound) // 160))]
    np.testing.assert_array_equal(np.concatenate(pieces), sound)
    model, out = live.load(folders / "one_way"), io.StringIO()
    rows = live.follow(model, pieces, RATE, out)
    assert out.getvalue().count("\n") == 1 + rows


def test_without_sounddevice_the_microphone_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(UsageError, match="pip install sounddevice"):
        next(live.microphone(RATE))
