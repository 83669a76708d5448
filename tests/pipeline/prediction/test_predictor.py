"""The trained folder as a library: agreement with Keras, and folders from strangers."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from features.mfcc import mfcc
from pipeline import Predictor
from pipeline.ground.console import InputError
from pipeline.trained import description
from tests.conftest import ROOT
from tests.pipeline import small_model

RATE = 16_000
PEOPLE = (("a", 0.0), ("b", 3.0))
SOUND = np.random.default_rng(5).normal(0, 0.1, RATE).astype(np.float32)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "trained"
    return folder, small_model.write_trained(folder)


@pytest.fixture
def copy(trained, tmp_path):
    """A trained folder that a test may spoil."""
    folder = tmp_path / "trained"
    folder.mkdir()
    for file in trained[0].iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def keras_z(model, features):
    x = {"inputs": features[None], "resets": np.zeros((1, len(features)), bool)}
    return model.predict_on_batch(x)[0]


def test_tracks_are_those_of_keras_in_mm_by_the_statistics_of_training(trained):
    folder, model = trained
    cepstra = mfcc(SOUND, RATE).astype(np.float64)
    own = ((cepstra - cepstra.mean(axis=0)) / cepstra.std(axis=0)).astype(np.float32)
    average = json.loads((folder / "model.json").read_text())["statistics"]
    z = keras_z(model, own)
    expected = z * np.array(average["target_scale"]) + average["target_mean"]
    tracks = Predictor.load(folder)(SOUND, RATE)
    np.testing.assert_allclose(tracks.values, expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(tracks.time, np.arange(101) * 0.010)
    assert tracks.channels == tuple(small_model.CHANNELS)


def test_statistics_of_training_are_used_where_the_network_was_trained_with_them(tmp_path):
    model = small_model.write_trained(tmp_path / "trained", inputs="corpus")
    average = json.loads((tmp_path / "trained" / "model.json").read_text())["statistics"]
    x = ((mfcc(SOUND, RATE) - average["input_mean"]) / average["input_scale"]).astype(np.float32)
    by_training = Predictor.load(tmp_path / "trained")(SOUND, RATE, standardized=True)
    np.testing.assert_allclose(by_training.values[:, 8:], keras_z(model, x), rtol=0, atol=1e-5)
    assert by_training.channels[8:] == tuple(f"{name}_zscore" for name in small_model.CHANNELS)
    own = Predictor.load(tmp_path / "trained", statistics="own")(SOUND, RATE)
    assert np.abs(own.values - by_training.values[:, :8]).max() > 0.01


def test_a_stranger_among_several_speakers_is_standardised_by_the_recording(copy):
    path = copy / "model.json"
    about = json.loads(path.read_text())
    about["standardize"]["inputs"] = "speaker"
    both = {name: {**about["statistics"], "input_mean": [mean] * 39} for name, mean in PEOPLE}
    path.write_text(json.dumps(about | {"speakers": both}))
    by_own = Predictor.load(copy, statistics="own")(SOUND, RATE)
    stranger, a, b = (Predictor.load(copy, speaker=name)(SOUND, RATE) for name in (None, "a", "b"))
    np.testing.assert_array_equal(stranger.values, by_own.values)
    assert np.abs(a.values - b.values).max() > 0.01
    path.write_text(json.dumps(about | {"speakers": {"a": both["a"]}}))
    training = Predictor.load(copy, statistics="training")(SOUND, RATE)
    np.testing.assert_array_equal(Predictor.load(copy)(SOUND, RATE).values, training.values)


def test_a_network_on_stacked_frames_hears_them_side_by_side(tmp_path):
    model = small_model.write_trained(tmp_path / "trained", context=3, dense=(7, 9))
    predict = Predictor.load(tmp_path / "trained")
    x = np.random.default_rng(1).normal(size=(30, 39)).astype(np.float32)
    neighbours = [x[np.clip(np.arange(30) + k, 0, 29)] for k in (-1, 0, 1)]
    expected = keras_z(model, np.concatenate(neighbours, axis=1))
    np.testing.assert_allclose(predict.run([x, x[:9]])[0], expected, rtol=0, atol=1e-5)


def test_loudness_and_rate_of_the_recording_hardly_matter(trained):
    predict = Predictor.load(trained[0])
    time = np.arange(2 * RATE * 3) / (3 * RATE)
    vowel = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 30)) * np.hanning(
        len(time)
    )
    vowel = 0.1 * vowel + np.random.default_rng(0).normal(0, 1e-3, len(vowel))
    at_48k, louder = predict(vowel, 3 * RATE), predict(2 * vowel, 3 * RATE)
    np.testing.assert_allclose(louder.values, at_48k.values, atol=0.05)


def test_channels_of_sound_are_averaged(trained):
    predict = Predictor.load(trained[0])
    both = np.stack([SOUND, np.zeros_like(SOUND)], axis=1)
    np.testing.assert_allclose(predict(both, RATE).values, predict(SOUND / 2, RATE).values)


def test_threads_share_a_predictor(trained):
    predict = Predictor.load(trained[0])
    sounds = [SOUND[: 1000 * k] for k in range(1, 17)]
    alone = [predict(sound, RATE).values for sound in sounds]
    with ThreadPoolExecutor(8) as pool:
        for one, other in zip(
            alone, pool.map(partial(predict, sample_rate=RATE), sounds), strict=True
        ):
            np.testing.assert_array_equal(one, other.values)


def test_a_batch_of_unequal_lengths_is_each_sound_alone(trained):
    predict = Predictor.load(trained[0])
    features = [predict.features(SOUND[: 1000 * k], RATE) for k in (16, 3, 9)]
    for together, x in zip(predict.run(features), features, strict=True):
        np.testing.assert_allclose(together, predict.run([x])[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        (np.zeros(RATE, np.float32), "silence"),
        (SOUND[:80], "less than a frame"),
        (np.append(SOUND, np.nan), "sample 16000 of the sound is nan"),
        ((SOUND * 32768).astype(np.int16), "float samples"),
        (np.zeros((2, 3, 4)), "shape"),
    ],
)
def test_sound_that_cannot_be_used_is_a_value_error(trained, sound, reason):
    with pytest.raises(ValueError, match=reason):
        Predictor.load(trained[0])(sound, RATE)


@pytest.mark.slow
def test_predicting_imports_neither_tensorflow_nor_keras(trained):
    code = (
        "import sys, numpy as np\n"
        "from pipeline import Predictor\n"
        f"Predictor.load({str(trained[0])!r})(np.random.rand(16000), 16000)\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'tensorflow', 'keras', 'jax'}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert out.stdout == "[]\n"


def test_no_folder_says_what_to_run(tmp_path):
    with pytest.raises(InputError, match="no trained model; run `make repro`"):
        Predictor.load(tmp_path / "trained")


def changed(**keys):
    def change(about):
        for key, value in keys.items():
            *path, last = key.split("__")
            place = about
            for step in path:
                place = place[step]
            place[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (changed(recipe__units=[10**9]), "units"),
        (changed(recipe__units=[4096]), "weights are not those of the network"),
        (changed(recipe__units=[12] * 1000), "units"),
        (changed(recipe__cell="exec"), "cell"),
        (changed(recipe__bidirectional=False), "weights are not those of the network"),
        (changed(recipe__output_delay=-1), "output_delay"),
        (changed(recipe__context=4), "context of 4"),
        (changed(recipe__context=3), "weights are not those of the network"),
        (changed(recipe__context=3, recipe__bidirectional=False), "context of 3"),
        (changed(recipe__dense=[39]), "weights are not those of the network"),
        (changed(recipe__merge="sum"), "weights are not those of the network"),
        (changed(channels=["../../x"] * 8), "channels"),
        (changed(channels=["TT_x\nTT_y"] * 8), "channels"),
        (changed(channels=["TT_x"] * 8), "statistics of targets|more than once"),
        (changed(statistics__target_scale=[0.0] * 8), "statistics of targets"),
        (changed(statistics__input_mean=[0.0]), "statistics of inputs"),
        (changed(statistics__target_mean=["a"] * 8), "target_mean"),
        (changed(sha256={"model.onnx": "0" * 64}), "not the file that model.json was written with"),
        (lambda about: about.pop("statistics"), "statistics"),
        (lambda about: about.update(padding="x" * description.LARGEST_JSON), "larger than"),
    ],
)
def test_a_folder_that_does_not_fit_together_is_one_line(copy, change, reason):
    about = json.loads((copy / "model.json").read_text())
    change(about)
    (copy / "model.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match=reason) as caught:
        Predictor.load(copy)
    assert str(copy) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_that_gives_nan_is_a_value_error(trained):
    predict = Predictor.load(trained[0])
    with pytest.raises(ValueError, match="not finite"):
        predict.tracks(np.full((3, 8), np.nan, np.float32))


def test_the_sound_of_a_real_recording_at_44100_hz(trained, shared_data):
    from pipeline.formats import mview

    recording = mview.read(shared_data / "hprc" / "F01_B01_S01_R01_N.mat", "xzy")
    tracks = Predictor.load(trained[0])(recording.audio, recording.sample_rate)
    assert recording.sample_rate == 44_100
    assert len(tracks.time) == 261  # of 2.605 s


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b'{"channels": NaN}'])
def test_a_model_json_that_is_none_is_one_line(copy, content):
    (copy / "model.json").write_bytes(content)
    with pytest.raises(InputError, match=r"model\.json"):
        Predictor.load(copy)


def test_infinite_statistics_are_refused(copy):
    text = (copy / "model.json").read_text()
    about = json.loads(text)
    old = json.dumps(about["statistics"]["target_mean"][0])
    (copy / "model.json").write_text(text.replace(old, "1e999"))
    with pytest.raises(InputError, match=r"model\.json"):
        Predictor.load(copy)
