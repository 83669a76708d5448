"""The command on sounds as people have them: odd names, odd channels, full disks, sudden ends."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.formats import audio, track_csv
from tests.conftest import ROOT
from tests.pipeline import small_model
from tests.pipeline.conftest import small_utterance

RATE = 16_000
SOUND = small_utterance(0)[0]
FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    small_model.write(folder / "trained")
    return folder / "trained"


@pytest.fixture
def predict(stage, model, tmp_path, monkeypatch):
    """The command in an empty folder; a warning is a failure."""
    monkeypatch.chdir(tmp_path)
    warnings.simplefilter("error")
    return lambda *arguments: stage("predict", *map(str, arguments), "--model", str(model))


def process(model, *arguments, **options):
    """The command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if "preexec_fn" in options:  # coverage.py would say that it has no room, either
        environment.pop("COVERAGE_PROCESS_CONFIG", None)
    command = [sys.executable, "-m", "pipeline.predict", *map(str, arguments)]
    return subprocess.Popen(
        [*command, "--model", str(model)], env=environment, stderr=subprocess.PIPE, **options
    )


def listed(folder):
    return sorted(path.name for path in folder.iterdir())


NAMES = [
    "$5_to_$10",
    "x^$2_{$",
    r"$\frac{1}{2}$",
    "100% & <b>",
    "%d %s {0}",
    "'single' \"double\" `back`",
    r"back\slash",
    "-dash",
    "田中",
    "鈴木 さん",
    "Анна",
    "שלום",
    "مرحبا",
    "ไทย हिन्दी",
    "tab\there",
    "line\nbreak\r\x1b[31m",
    "\u202eright to left",
    "emoji 🎤",
    os.fsdecode(b"M\xfcller"),
    unicodedata.normalize("NFD", "Übung é"),
    "a.b.c",
    " spaces ",
    "#[1]*?",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_is_a_name(predict, tmp_path, name):
    audio.write(tmp_path / f"{name}.wav", SOUND, RATE)
    outcome = predict(f"./{name}.wav", "--plot", "--format", "csv,npz,matlab,wav,textgrid,ssff,est")
    assert outcome.err == ""
    assert outcome.status == 0
    assert outcome.out.count("\n") == 1
    suffixes = "csv json mat npz png ssff TextGrid track tracks.wav wav".split()  # noqa: SIM905
    made = {path for path in listed(tmp_path) if not path.endswith("_DBconfig.json")}
    assert made == {f"{name}.{suffix}" for suffix in suffixes}
    about = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
    assert about["audio"]["file"] == f"{name}.wav"
    again = predict(tmp_path, "--resume", "--plot", "--format", "csv,npz")
    assert "1 sounds; " in again.out or again.out.count("-> ") == 1


def test_names_that_differ_in_case_or_form_of_accents_alone_are_two(predict, tmp_path):
    names = ["U", "u", *(unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))]
    for name in names:
        audio.write(tmp_path / "in" / f"{name}.wav", SOUND, RATE)
    if len(listed(tmp_path / "in")) < 4:
        pytest.skip("this file system takes them for the same")
    assert predict("in", "--output", "out").status == 0
    assert len(listed(tmp_path / "out")) == 8


@pytest.mark.slow
@pytest.mark.parametrize("length", [240, 249, 250])
def test_a_name_as_long_as_there_is(predict, tmp_path, length):
    """Up to NAME.json of 255 bytes, whatever it is called while it is made."""
    name = ("é" * 125)[: length // 2] + "x" * (length % 2)
    audio.write(tmp_path / f"{name}.wav", SOUND, RATE)
    outcome = predict(f"{name}.wav")
    assert outcome.status == 0, outcome.err
    assert listed(tmp_path) == sorted(f"{name}.{end}" for end in ("csv", "json", "png", "wav"))


@pytest.mark.slow
def test_a_name_that_is_too_long_for_its_results_is_one_line_and_leaves_nothing(predict, tmp_path):
    name = "x" * 251
    audio.write(tmp_path / f"{name}.wav", SOUND, RATE)
    outcome = predict(f"{name}.wav")
    assert outcome.status == 1
    assert outcome.err.endswith(f"{name}.json: File name too long; choose another --output\n")
    assert outcome.err.count("\n") == 1
    assert listed(tmp_path) == [f"{name}.wav"]
    assert predict(f"{name}.wav", "--output", "short.csv").status == 0
    outcome = predict("y" * 300 + ".wav")
    assert outcome.status == 1
    assert outcome.err.endswith(": cannot be read (File name too long)\n")


@pytest.mark.slow
def test_a_folder_run_says_what_it_passed_over(predict, tmp_path):
    audio.write(tmp_path / "in" / "u.wav", SOUND, RATE)
    for name in ("a.m4a", "b.webm", "c.m4a", "notes.txt"):
        (tmp_path / "in" / name).write_bytes(b"x")
    outcome = predict("in", "--output", "out")
    assert outcome.status == 0
    assert outcome.err == (
        "predict: passed over 2 .m4a, 1 .webm, 1 .txt (`ffmpeg -i NAME.m4a NAME.wav` makes"
        " NAME.m4a readable)\n"
    )
    assert predict("in").err == outcome.err
    assert predict("in").err == outcome.err  # its own results are none of them


def test_no_sound_that_succeeds_is_no_summary(predict, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.wav").write_text("no sound")
    outcome = predict("a.wav", "b.wav")
    assert outcome.status == 1
    assert outcome.out == ""
    assert outcome.err.splitlines()[-1] == "error: 2 of 2 sounds could not be predicted"


def test_channels_can_be_chosen_and_unlike_ones_are_spoken_of(predict, tmp_path):
    hum = 0.3 * np.sin(2 * np.pi * 50 * np.arange(len(SOUND)) / RATE)
    audio.write(tmp_path / "one.wav", SOUND, RATE)
    for name in ("two", "three", "four"):
        (tmp_path / "in").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "in" / f"{name}.wav", np.stack([SOUND, hum], axis=1), RATE)
    predict("one.wav", "--no-plot")
    outcome = predict("in/two.wav", "--no-plot", "--channel", 1)
    assert "(channel 1 of 2)" in outcome.out
    assert outcome.err == ""
    chosen, mono = (track_csv.read(tmp_path / p).values for p in ("in/two.csv", "one.csv"))
    np.testing.assert_allclose(chosen, mono, atol=0.05)
    outcome = predict("in/two.wav", "--no-plot")
    assert "2 channels averaged; channel 1 is very unlike channel 2" in outcome.out
    mean = track_csv.read(tmp_path / "in" / "two.csv").values
    assert np.abs(mean - mono).max() > 0.1
    about = json.loads((tmp_path / "in" / "two.json").read_text())
    assert about["audio"]["channel"] == "mean"
    assert "very unlike" in about["remarks"][0]
    outcome = predict("in")
    assert outcome.err.count("\n") == 1
    assert outcome.err.startswith("predict: in/four.wav and 2 more: channel 1 is very unlike")
    assert predict("in", "--channel", 3).status == 1
    assert "one.wav: channel 2 is wanted, and it has 1" in predict("one.wav", "--channel", 2).err
    assert predict("one.wav", "--channel", 0).status == 2


@pytest.mark.parametrize("seconds", [1, 70])
def test_channels_of_opposite_sign_are_no_silence(predict, tmp_path, seconds):
    sound = np.resize(SOUND, seconds * RATE)
    audio.write(tmp_path / "one.wav", sound, RATE)
    soundfile.write(tmp_path / "two.wav", np.stack([sound, -sound], axis=1), RATE)
    predict("one.wav", "--no-plot")
    outcome = predict("two.wav", "--no-plot")
    assert outcome.status == 0
    assert "has the opposite sign of channel 1" in outcome.out
    assert "averaged" not in outcome.out
    one, two = (track_csv.read(tmp_path / f"{name}.csv").values for name in ("one", "two"))
    np.testing.assert_allclose(one, two, atol=0.05)


def limited():
    """Take away room: no file of more than 3 kB, as on a disk that gets full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "wav", "npz", "matlab", "ssff", "est", "textgrid"])
def test_a_full_disk_is_one_line_and_leaves_nothing(model, tmp_path, form):
    audio.write(tmp_path / "u.wav", np.tile(SOUND, 8), RATE)
    command = process(
        model, "u.wav", "--no-plot", "--format", form, cwd=tmp_path, preexec_fn=limited
    )
    _, err = command.communicate()
    assert err.decode().count("\n") == 1
    assert os.strerror(errno.EFBIG) in err.decode()
    assert command.returncode == 1
    assert listed(tmp_path) == ["u.wav"]


@pytest.mark.slow
def test_a_picture_that_fails_leaves_nothing(model, tmp_path):
    audio.write(tmp_path / "u.wav", SOUND, RATE)

    def some_room():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    command = process(model, "u.wav", cwd=tmp_path, preexec_fn=some_room)
    assert command.communicate()[1].decode().count("\n") == 1
    assert listed(tmp_path) == ["u.wav"]
    assert process(model, "u.wav", cwd=tmp_path).wait() == 0
    assert listed(tmp_path) == ["u.csv", "u.json", "u.png", "u.wav"]


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_output_that_takes_no_more_is_one_line(model, tmp_path):
    audio.write(tmp_path / "u.wav", SOUND, RATE)
    with FULL.open("w") as full:
        command = process(model, "u.wav", "--no-plot", cwd=tmp_path, stdout=full)
        _, err = command.communicate()
    assert err == b"error: standard output: No space left on device\n"
    assert command.returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_process_that_started_them(model, tmp_path, ending):
    for k in range(200):
        audio.write(tmp_path / "in" / f"{k}.wav", np.tile(SOUND, 20), RATE)
    command = process(
        model, "in", "--output", "out", "--jobs", "2", cwd=tmp_path, stdout=subprocess.PIPE
    )
    out = tmp_path / "out"
    started = time.monotonic()
    while not (out.is_dir() and any(out.glob("*.json"))):
        assert command.poll() is None, command.stderr.read()
        assert time.monotonic() - started < 120
        time.sleep(0.05)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(command.pid)], capture_output=True, text=True
    ).stdout.split()
    assert len(children) >= 2
    command.send_signal(ending)
    command.communicate()
    deadline = time.monotonic() + 30
    while left := [pid for pid in children if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
