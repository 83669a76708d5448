"""Piece by piece is the whole: carried states, overlapping windows, and the command over both."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from pipeline import Predictor
from pipeline.formats import audio, track_csv
from pipeline.prediction import long_sound
from tests.conftest import ROOT
from tests.pipeline import small_model

RATE = 16_000


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    one_way = {"bidirectional": False, "units": (16, 12)}
    small_model.write(folder / "delayed", delay=7, cell="gru", **one_way)
    small_model.write(folder / "corpus", inputs="corpus", **one_way)
    small_model.write(folder / "both_ways", units=(16, 12))
    return folder


@pytest.fixture(scope="module")
def sound():
    """Half a minute of bursts and pauses."""
    rng = np.random.default_rng(1)
    time = np.arange(30 * RATE) / RATE
    loud = np.interp(time, np.arange(0, 31, 0.25), rng.uniform(0, 0.3, 124))
    return (loud * rng.normal(size=len(time))).astype(np.float32)


def cut(sound, size):
    return [sound[start : start + size] for start in range(0, len(sound), size)]


@pytest.mark.parametrize("name", ["delayed", "corpus"])
@pytest.mark.parametrize("size", [160, 4321, 1_000_000])
def test_carried_states_give_the_whole(folders, sound, name, size):
    predict = Predictor.load(folders / name)
    sound = sound[: 5 * RATE]
    (whole,) = predict.run([predict.features(sound, RATE)])
    pieces = long_sound.predict_blocks(predict, cut(sound, size), RATE)
    np.testing.assert_allclose(np.concatenate(list(pieces)), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("samples", [400, 800, 1300])
def test_a_sound_shorter_than_the_delay_is_whole_too(folders, sound, samples):
    predict = Predictor.load(folders / "delayed")
    (whole,) = predict.run([predict.features(sound[:samples], RATE)])
    pieces = list(long_sound.predict_blocks(predict, cut(sound[:samples], 160), RATE))
    np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("seconds", [0.4, 6.1, 17.0, 30.0])
def test_overlapping_windows_give_the_whole_to_a_thousandth_of_a_deviation(
    folders, sound, monkeypatch, seconds
):
    monkeypatch.setattr(long_sound, "WINDOW", 300)
    monkeypatch.setattr(long_sound, "LANES", 3)
    predict = Predictor.load(folders / "both_ways")
    sound = sound[: int(seconds * RATE)]
    (whole,) = predict.run([predict.features(sound, RATE)])
    pieces = list(long_sound.predict_blocks(predict, cut(sound, 10_000), RATE))
    assert len(pieces) == -(-len(whole) // 300)
    np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=0, atol=1e-3)


def test_windows_that_do_not_meet_are_said_to(folders, sound, monkeypatch, tmp_path, stage):
    audio.write(tmp_path / "a.wav", sound, RATE)
    command = ["predict", str(tmp_path / "a.wav"), "--model", str(folders / "both_ways")]
    monkeypatch.setattr("pipeline.prediction.batch.LONG_S", 10)
    monkeypatch.setattr(long_sound, "WINDOW", 300)
    assert "differ" not in stage(*command).out
    monkeypatch.setattr(long_sound, "CONTEXT", 1)
    outcome = stage(*command)
    assert outcome.status == 0
    assert "standard deviations where they meet: this network remembers more" in outcome.out


@pytest.mark.parametrize("name", ["delayed", "both_ways"])
@pytest.mark.parametrize("form", ["csv", "csv,npz"])
def test_the_command_predicts_a_long_file_piece_by_piece(
    folders, sound, name, form, stage, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    audio.write(tmp_path / "a.wav", sound, RATE)
    arguments = ["predict", "a.wav", "--model", str(folders / name), "--no-plot"]
    assert stage(*arguments, "--output", "whole.csv").status == 0
    monkeypatch.setattr("pipeline.prediction.batch.LONG_S", 10)
    monkeypatch.setattr(long_sound, "WINDOW", 700)
    outcome = stage(*arguments[:-1], "--output", "out", "--format", form)
    assert outcome.status == 0
    assert "3001 frames" in outcome.out
    assert "no picture of more than 10 s" in outcome.out
    assert not (tmp_path / "out" / "a.png").exists()
    pieces, whole = (track_csv.read(tmp_path / p) for p in ("out/a.csv", "whole.csv"))
    np.testing.assert_array_equal(pieces.time, whole.time)
    np.testing.assert_allclose(pieces.values, whole.values, rtol=0, atol=5e-3)
    about = json.loads((tmp_path / "out" / "a.json").read_text())
    assert about["frames"] == 3001
    if "npz" in form:
        with np.load(tmp_path / "out" / "a.npz") as arrays:
            np.testing.assert_allclose(arrays["values"], pieces.values, atol=1e-4)


def test_silence_is_refused_at_the_end_and_leaves_nothing(folders, stage, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.prediction.batch.LONG_S", 1)
    audio.write(tmp_path / "a.wav", np.zeros(5 * RATE), RATE)
    outcome = stage("predict", "a.wav", "--model", str(folders / "both_ways"))
    assert outcome.status == 1
    assert outcome.err.startswith("error: a.wav: silence")
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_sound(folders, tmp_path):
    """Of 12 minutes more the sound alone is 46 MB, and its features 11."""
    code = textwrap.dedent(f"""
        import resource, sys
        import numpy as np
        from pipeline import Predictor
        from pipeline.prediction import long_sound
        from pipeline.formats import track_csv
        from pathlib import Path
        predict = Predictor.load({str(folders / "both_ways")!r}, threads=1)
        rng = np.random.default_rng(0)
        def minutes(n):
            for _ in range(n * 60):
                yield rng.normal(0, 0.1, 16000).astype(np.float32)
        def peak(n):
            z = long_sound.predict_blocks(predict, minutes(n), 16000)
            track_csv.write_blocks(Path({str(tmp_path / "a.csv")!r}), map(predict.tracks, z))
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(peak(3), peak(15))
    """)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    few, many = map(float, out.stdout.split())
    assert many - few < 20
