"""The command: one sound, many sounds, unusable sounds, and files that must not be touched."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline import Predictor
from pipeline.formats import audio, track_csv
from tests.features.sounds import SILENCES, voice
from tests.pipeline import small_model
from tests.pipeline.conftest import small_utterance

RATE = 16_000


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    small_model.write(folder / "trained")
    return folder / "trained"


@pytest.fixture
def predict(stage, model, tmp_path, monkeypatch):
    """The command, run in a folder that holds u00.wav and its model."""
    monkeypatch.chdir(tmp_path)
    write_sounds(tmp_path, 1)
    return lambda *arguments: stage("predict", *map(str, arguments), "--model", str(model))


def write_sounds(folder, count):
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        audio.write(folder / f"u{k:02d}.wav", small_utterance(k)[0], RATE)


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_one_sound_gives_table_description_and_picture_beside_it(predict, model, tmp_path):
    outcome = predict("u00.wav")
    assert outcome.status == 0
    assert "u00.csv, u00.png, u00.json" in outcome.out
    assert "mm by the average mean and range of the training speakers" in outcome.out
    assert names(tmp_path) == ["u00.csv", "u00.json", "u00.png", "u00.wav"]
    sound, rate = audio.read(tmp_path / "u00.wav")
    expected = Predictor.load(model)(sound, rate)
    found = track_csv.read(tmp_path / "u00.csv")
    assert found.channels == tuple(small_model.CHANNELS)
    np.testing.assert_allclose(found.time, expected.time, atol=1e-6)
    np.testing.assert_allclose(found.values, expected.values, atol=0.5001e-4)


def test_the_description_tells_what_a_reader_of_the_tracks_must_know(predict, model, tmp_path):
    predict("u00.wav", "--no-plot")
    about = json.loads((tmp_path / "u00.json").read_text())
    trained = json.loads((model / "model.json").read_text())
    assert about["unit"] == "mm"
    assert about["hop_s"] == 0.01
    assert about["channels"] == small_model.CHANNELS
    assert about["statistics"]["inputs"] == "own"
    assert "average over training" in about["statistics"]["tracks"]
    assert about["model"]["sha256"] == trained["sha256"]["model.onnx"]
    assert about["model"]["recipe"]["cell"] == "lstm"
    assert about["audio"]["file"] == "u00.wav"
    assert about["frames"] == len(track_csv.read(tmp_path / "u00.csv").time)


def test_standardized_gives_every_channel_in_z_as_well(predict, tmp_path):
    predict("u00.wav", "--no-plot", "--standardized")
    tracks = track_csv.read(tmp_path / "u00.csv")
    assert tracks.channels[8:] == tuple(f"{name}_zscore" for name in small_model.CHANNELS)
    mm, z = tracks.values[:, 0], tracks.values[:, 8]
    slope, offset = np.polyfit(z, mm, 1)
    np.testing.assert_allclose(slope * z + offset, mm, atol=1e-3)


@pytest.mark.exact
def test_the_same_sound_in_other_files_gives_the_same_tracks(predict, tmp_path):
    sound, _ = audio.read(tmp_path / "u00.wav")
    soundfile.write(tmp_path / "b.flac", sound, RATE)
    soundfile.write(tmp_path / "c.wav", np.stack([sound] * 6, axis=1), RATE)
    for name in ("u00.wav", "b.flac", "c.wav"):
        assert predict(name, "--no-plot").status == 0
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "u00.csv").read_bytes()
    assert (tmp_path / "c.csv").read_bytes() == (tmp_path / "u00.csv").read_bytes()


def test_low_rates_and_many_channels_work_and_are_mentioned(predict, tmp_path):
    sound = small_utterance(3)[0][::2]
    soundfile.write(tmp_path / "six.wav", np.stack([sound] * 6, axis=1), RATE // 2)
    outcome = predict("six.wav", "--no-plot")
    assert outcome.status == 0
    assert "6 channels averaged" in outcome.out
    assert "8000 Hz resampled to 16000" in outcome.out
    assert "nothing above 4000 Hz" in outcome.out


def spoil(path, kind):
    sound = small_utterance(0)[0]
    if kind == "nan":
        soundfile.write(path, np.where(np.arange(len(sound)) == 8000, np.nan, sound), RATE, "FLOAT")
    elif kind == "short":
        soundfile.write(path, sound[:80], RATE)
    elif kind == "silent":
        soundfile.write(path, np.zeros(RATE), RATE)
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("not a sound\n" * 100)
    elif kind == "truncated":
        audio.write(path, sound, RATE)
        path.write_bytes(path.read_bytes()[:9000])
    elif kind == "folder":
        path.mkdir()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "not found"),
        ("empty", "empty file"),
        ("text", "not a sound file"),
        ("nan", "the sample at 0.5000 s is nan"),
        ("short", "0.005 s of sound is less than a frame"),
        ("silent", "silence"),
        ("truncated", "truncated"),
        ("folder", "no sound in this folder"),
    ],
)
def test_an_unusable_sound_is_one_line_and_leaves_nothing(predict, tmp_path, kind, reason):
    (tmp_path / "u00.wav").unlink()
    spoil(tmp_path / "bad.wav", kind)
    before = sorted(tmp_path.iterdir())
    outcome = predict("bad.wav")
    assert outcome.status == 1
    assert outcome.err.count("\n") == 1
    assert outcome.err.startswith("error: bad.wav: ")
    assert reason in outcome.err
    assert sorted(tmp_path.iterdir()) == before


def test_no_model_says_what_to_run(stage, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = stage("predict", "a.wav")
    assert outcome.status == 1
    assert outcome.err == (
        "error: trained/model.json: no trained model; run `make repro`, or name a folder by"
        " --model\n"
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "name a sound"),
        (["u00.wav", "--format", "xls"], "--format: no 'xls'"),
        (["--stream", "u00.wav"], "take no files"),
        (["--stream", "--rate", "7"], "--rate 7"),
        (["--stream", "--statistics", "own"], "known only at its end"),
        (["--stream"], "needs a network of one direction"),
    ],
)
def test_a_wrong_command_has_status_2(predict, arguments, reason):
    outcome = predict(*arguments)
    assert outcome.status == 2
    assert reason in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("jobs", ["0", "-1", "many"])
def test_a_wrong_number_of_processes_has_status_2(predict, jobs):
    outcome = predict("u00.wav", "--jobs", jobs)
    assert outcome.status == 2
    assert "not a number of processes" in outcome.err


@pytest.mark.slow
def test_measured_tracks_beside_the_sound_are_never_replaced(predict, tmp_path):
    measured = "time_s,TT_x\n0.0,1.0\n0.1,2.0\n"
    (tmp_path / "u00.csv").write_text(measured)
    outcome = predict("u00.wav")
    assert outcome.status == 1
    assert "u00.csv: exists and is no prediction" in outcome.err
    assert (tmp_path / "u00.csv").read_text() == measured
    assert names(tmp_path) == ["u00.csv", "u00.wav"]
    assert predict("u00.wav", "--output", "elsewhere").status == 0
    assert predict("u00.wav", "--overwrite").status == 0
    assert (tmp_path / "u00.csv").read_text() != measured


@pytest.mark.slow
def test_a_prediction_may_be_made_again_in_other_forms(predict, tmp_path):
    for options in ([], ["--no-plot"], ["--format", "npz"], ["--no-plot", "--standardized"], []):
        assert predict("u00.wav", *options).status == 0
    assert names(tmp_path) == ["u00.csv", "u00.json", "u00.npz", "u00.png", "u00.wav"]


def test_output_is_a_file_or_a_folder(predict, tmp_path):
    assert predict("u00.wav", "--no-plot", "--output", "x/mine.csv").status == 0
    assert names(tmp_path / "x") == ["mine.csv", "mine.json"]
    assert predict("u00.wav", "--no-plot", "--output", "y").status == 0
    assert names(tmp_path / "y") == ["u00.csv", "u00.json"]
    assert predict("u00.wav", "--no-plot", "--output", "z/mine.npz").status == 0
    assert names(tmp_path / "z") == ["mine.json", "mine.npz"]


def test_many_sounds_of_any_length_are_each_sound_alone(predict, tmp_path):
    write_sounds(tmp_path / "in" / "deep", 7)
    outcome = predict("in", "--output", "out", "--jobs", 1)
    assert outcome.status == 0
    assert "7 sounds" in outcome.out
    assert "x real time" in outcome.out
    assert names(tmp_path / "out" / "deep") == sorted(
        f"u{k:02d}.{end}" for k in range(7) for end in ("csv", "json")
    )
    predict("in/deep/u03.wav", "--no-plot")
    together = track_csv.read(tmp_path / "out" / "deep" / "u03.csv")
    alone = track_csv.read(tmp_path / "in" / "deep" / "u03.csv")
    np.testing.assert_allclose(together.values, alone.values, atol=1.0001e-4)


@pytest.mark.slow
@pytest.mark.exact
def test_processes_give_what_one_process_gives(predict, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.predict.BATCH_FRAMES", 250)
    write_sounds(tmp_path / "in", 6)
    for jobs in (1, 2):
        assert predict("in", "--output", f"out{jobs}", "--jobs", jobs).status == 0
    for name in names(tmp_path / "out1"):
        assert (tmp_path / "out1" / name).read_bytes() == (tmp_path / "out2" / name).read_bytes()


@pytest.mark.parametrize("long_s", [60, 1])
@pytest.mark.parametrize("statistics", ["own", "training"])
def test_what_holds_no_speech_is_refused_and_soft_speech_is_not(
    predict, tmp_path, monkeypatch, long_s, statistics
):
    monkeypatch.setattr("pipeline.prediction.batch.LONG_S", long_s)
    (tmp_path / "in").mkdir()
    for name, sound in {**SILENCES, "soft": 1e-3 * voice(2)}.items():
        soundfile.write(tmp_path / "in" / f"{name}.wav", sound, RATE, "FLOAT")
    outcome = predict("in", "--output", "out", "--statistics", statistics)
    assert outcome.status == 1
    assert names(tmp_path / "out") == ["soft.csv", "soft.json"]
    *lines, last = outcome.err.splitlines()
    for name, line in zip(sorted(SILENCES), sorted(lines), strict=True):
        assert line.startswith(f"in/{name}.wav: silence: nothing in it but clicks is above -90 dB")
    assert last.startswith("error: 7 of 8 sounds")


def test_a_bad_sound_gets_a_line_and_the_rest_go_on(predict, tmp_path):
    write_sounds(tmp_path / "in", 4)
    for kind in ("nan", "short", "silent", "text", "empty", "truncated"):
        spoil(tmp_path / "in" / f"{kind}.wav", kind)
    outcome = predict("in", "missing.wav", "--output", "out")
    assert outcome.status == 1
    assert names(tmp_path / "out") == sorted(
        f"u{k:02d}.{end}" for k in range(4) for end in ("csv", "json")
    )
    lines = outcome.err.splitlines()
    assert len(lines) == 8
    assert lines[-1] == "error: 7 of 11 sounds could not be predicted"
    assert "4 sounds; " in outcome.out


def test_resume_makes_only_what_is_not_there_or_not_the_same(predict, tmp_path):
    write_sounds(tmp_path / "in", 4)
    predict("in", "--output", "out")
    (tmp_path / "out" / "u00.csv").unlink()
    (tmp_path / "out" / "u01.json").unlink()
    (tmp_path / "out" / "u01.csv").unlink()
    audio.write(tmp_path / "in" / "u02.wav", small_utterance(9)[0], RATE)
    stamp = (tmp_path / "out" / "u03.csv").stat().st_mtime_ns
    outcome = predict("in", "--output", "out", "--resume")
    assert "3 sounds, 1 were there" in outcome.out
    assert (tmp_path / "out" / "u03.csv").stat().st_mtime_ns == stamp
    assert "0 sounds, 4 were there" in predict("in", "--output", "out", "--resume").out
    changed = predict("in", "--output", "out", "--resume", "--standardized")
    assert "4 sounds; " in changed.out


def test_patterns_and_manifests_name_sounds(predict, tmp_path):
    write_sounds(tmp_path / "in" / "a", 2)
    write_sounds(tmp_path / "in" / "b", 3)
    assert "5 sounds" in predict("in/*/u*.wav", "--output", "one").out
    assert names(tmp_path / "one" / "b") == [
        *names(tmp_path / "one" / "a"),
        "u02.csv",
        "u02.json",
    ]
    with (tmp_path / "in" / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["speaker", "audio"], ["x", "a/u00.wav"], ["y", "b/u02.wav"]])
    assert "2 sounds" in predict("--manifest", "in/list.csv", "--output", "two").out
    assert names(tmp_path / "two" / "b") == ["u02.csv", "u02.json"]
    assert "matches no file" in predict("in/*.ogg").err


def test_sounds_with_the_same_results_are_refused_before_any_is_made(predict, tmp_path):
    write_sounds(tmp_path / "in", 1)
    sound, _ = audio.read(tmp_path / "in" / "u00.wav")
    soundfile.write(tmp_path / "in" / "u00.flac", sound, RATE)
    outcome = predict("in", "--output", "out")
    assert outcome.status == 2
    assert "u00.flac" in outcome.err
    assert "u00.wav" in outcome.err
    assert not (tmp_path / "out").exists()


def test_results_never_leave_the_folder_that_was_asked_for(predict, tmp_path):
    outside = tmp_path / "outside"
    write_sounds(outside, 1)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "list.txt").write_text("../outside/u00.wav\n")
    assert predict("--manifest", "in/list.txt", "--output", "out", "--no-plot").status == 0
    assert names(tmp_path / "out") == ["u00.csv", "u00.json"]
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "sub").symlink_to(outside)
    write_sounds(tmp_path / "in" / "sub", 1)
    outcome = predict("in", "--output", "linked")
    assert outcome.status == 2
    assert "would leave linked" in outcome.err
    assert names(outside) == ["u00.wav"]


def test_a_link_in_the_way_of_a_result_is_replaced_not_followed(predict, tmp_path):
    (tmp_path / "precious.txt").write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "u00.csv").symlink_to(tmp_path / "precious.txt")
    assert predict("u00.wav", "--no-plot", "--output", "out").status == 1
    predict("u00.wav", "--no-plot", "--output", "out", "--overwrite")
    assert (tmp_path / "precious.txt").read_text() == "precious"


def test_a_place_that_cannot_be_written_is_one_line(predict, tmp_path):
    (tmp_path / "out").write_text("a file, no folder")
    outcome = predict("u00.wav", "--output", "out/deep")
    assert outcome.status == 1
    assert outcome.err == "error: u00.wav: out/deep: Not a directory; choose another --output\n"


def test_real_recordings_go_through(predict, shared_data, tmp_path):
    sounds = [shared_data / "xrmb" / "jw11_tp005.wav", shared_data / "carstens" / "0023.wav"]
    assert predict(*sounds, "--output", "out").status == 0
    assert len(track_csv.read(tmp_path / "out" / "jw11_tp005.csv").time) == 503
    assert len(track_csv.read(tmp_path / "out" / "0023.csv").time) == 359


def test_librivox_goes_through(predict, tmp_path):
    folder = Path("/usr/share/pocketsphinx/test/data/librivox")
    if not folder.is_dir():
        pytest.skip("the Debian package pocketsphinx-testdata is not installed")
    assert predict(folder, "--output", "out").status == 0
    for sound in folder.glob("*.wav"):
        tracks = track_csv.read(tmp_path / "out" / f"{sound.stem}.csv")
        assert len(tracks.time) == 1 + 100 * soundfile.info(sound).frames // RATE
        assert (tracks.values.std(axis=0) > 0.01).all()
