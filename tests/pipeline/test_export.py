"""Exported networks give what the trained one gives, in programs that do not have this project."""

import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

from pipeline import Predictor, export
from pipeline.trained import description
from tests.pipeline import small_model

ONE_WAY = {"bidirectional": False}
NETWORKS = {
    "lstm": {"units": (7, 5)},
    "lstm_sum": {"units": (7,), "merge": "sum"},
    "gru_mean": {"units": (6, 6), "cell": "gru", "merge": "mean"},
    "rnn": {"units": (7,), "cell": "simple_rnn"},
    "lstm_dense": {"units": (7,), "dense": (6, 8)},
    "lstm_dense_one_way": {"units": (7,), "dense": (6,), **ONE_WAY},
    "lstm_delayed": {"units": (7, 5), "delay": 4, **ONE_WAY},
    "gru_one_way": {"units": (7, 5), "cell": "gru", **ONE_WAY},
    "rnn_one_way": {"units": (7,), "cell": "simple_rnn", **ONE_WAY},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name, stack in NETWORKS.items():
        small_model.write_trained(folder / name, **stack)
    return folder


def features(frames, batch=2):
    return np.random.default_rng(7).normal(size=(batch, frames, 39)).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("frames", [1, 3, 60])
def test_layers_of_keras_itself_give_the_same(folders, name, frames):
    about, graph = description.read_model(folders / name)
    x = features(frames)
    expected = Predictor.load(folders / name).run(list(x))
    found = export.plain_keras(about.network, graph).predict_on_batch(x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def run_elsewhere(code, folder, *arguments):
    """Run code where this project cannot be imported."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.slow
def test_a_keras_archive_loads_safely_without_this_project(folders, stage, tmp_path):
    model, output = str(folders / "lstm_delayed"), str(tmp_path / "exported")
    assert stage("export", "--model", model, "--output", output).status == 0
    x = features(30)
    np.save(tmp_path / "x.npy", x)
    run_elsewhere(
        "import sys, keras, numpy as np\n"
        "model = keras.saving.load_model('exported/model.keras', safe_mode=True)\n"
        "np.save('y.npy', model.predict_on_batch(np.load('x.npy')))\n"
        "assert 'pipeline' not in sys.modules and 'models' not in sys.modules\n",
        tmp_path,
    )
    expected = Predictor.load(model).run(list(x))
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, rtol=0, atol=1e-5)
    about = json.loads((tmp_path / "exported" / "model.json").read_text())
    assert about["channels"] == small_model.CHANNELS


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lstm", "gru_one_way"])
def test_a_saved_model_takes_any_batch_and_length(folders, name, tmp_path):
    import tensorflow as tf

    about, graph = description.read_model(folders / name)
    path = export.write_savedmodel(about.network, graph, tmp_path)
    loaded = tf.saved_model.load(path)
    for batch, frames in [(1, 20), (3, 51)]:
        x = features(frames, batch)
        expected = Predictor.load(folders / name).run(list(x))
        np.testing.assert_allclose(loaded.serve(x), expected, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, n in NETWORKS.items() if "bidirectional" in n])
def test_litert_steps_with_explicit_states_are_the_whole(folders, name, tmp_path):
    import tensorflow as tf

    about, graph = description.read_model(folders / name)
    network = about.network
    path = export.write_litert(network, graph, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that its interpreter will move to another package
        interpreter = tf.lite.Interpreter(str(path))
    step = interpreter.get_signature_runner()
    predict = Predictor.load(folders / name)
    (x,) = features(25, 1)
    expected, _ = predict.advance(x, predict.zero_states(1))
    sizes = enumerate(network.state_units)
    states = {f"state_{k}": np.zeros((1, units), np.float32) for k, units in sizes}
    for frame, row in zip(x, expected, strict=True):
        after = step(inputs=frame[None], **states)
        np.testing.assert_allclose(after.pop("tracks")[0], row, rtol=0, atol=1e-5)
        states = {key.removeprefix("next_"): value for key, value in after.items()}


def test_both_directions_cannot_step_and_nothing_is_written(folders, stage, tmp_path):
    options = ("--format", "keras,litert", "--output", str(tmp_path / "exported"))
    outcome = stage("export", "--model", str(folders / "lstm"), *options)
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert "goes both ways" in outcome.err
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_and_a_missing_model_are_one_line(stage, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = stage("export", "--format", "h5")
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    outcome = stage("export")
    assert outcome.status == 1
    assert "run `make repro`" in outcome.err
