import csv
import json
import os
import signal
import subprocess
import sys

import msgspec
import numpy as np
import pytest

from pipeline import params, train
from pipeline.storage import Store
from tests.conftest import ROOT
from tests.pipeline.conftest import change


def weights():
    from models import regressor

    return regressor.load(train.FOLDER / "model.keras").get_weights()


def history():
    with (train.FOLDER / "history.csv").open() as file:
        return list(csv.DictReader(file))


def command():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "pipeline.train"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


def test_a_killed_run_ends_with_the_weights_of_one_that_never_was(standardized):
    change(standardized / "params.yaml", recipes__default__dropout=0.3)
    change(standardized / "params.yaml", recipes__default__units=[16, 16])
    sound = msgspec.to_builtins(params.load().recipes["speakers"].augment.sound)
    change(standardized / "params.yaml", recipes__default__augment__sound=sound)
    whole = command()
    assert whole.wait() == 0, whole.stdout.read()
    expected, expected_history = weights(), history()

    killed = command()
    for line in killed.stdout:
        if line.startswith("epoch 2/4"):
            break
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert train.CHECKPOINT.exists()
    again = command()
    out, _ = again.communicate()
    assert again.returncode == 0
    assert "going on after epoch" in out
    assert not train.CHECKPOINT.exists()
    for one, two in zip(expected, weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    for one, two in zip(expected_history, history(), strict=True):
        assert one["train_z_mse"] == two["train_z_mse"]
        assert one["validation_z_mse"] == two["validation_z_mse"]


def scripted(monkeypatch, errors):
    """Let validation give these errors; return the weights that it was asked about."""
    seen = []
    script = iter(errors)

    def validate(model, side, plan):
        seen.append(model.get_weights())
        return next(script)

    monkeypatch.setattr(train, "validate", validate)
    return seen


def test_the_best_epoch_is_kept(standardized, stage, monkeypatch):
    seen = scripted(monkeypatch, [0.5, 0.3, 0.4, 0.6])
    assert stage("train").status == 0
    for kept, best in zip(weights(), seen[1], strict=True):
        np.testing.assert_array_equal(kept, best)
    about = json.loads((train.FOLDER / "model.json").read_text())
    assert about["trained_on"]["best_epoch"] == 2


def test_training_stops_when_patience_ends(standardized, stage, monkeypatch):
    change(
        standardized / "params.yaml",
        recipes__default__epochs=50,
        recipes__default__patience=2,
    )
    scripted(monkeypatch, [0.5, 0.4, 0.6, 0.3, 0.4, 0.3])
    assert stage("train").status == 0
    assert [float(row["validation_z_mse"]) for row in history()] == [0.5, 0.4, 0.6, 0.3, 0.4, 0.3]


def test_the_model_tells_what_it_predicts_and_how_well(standardized, stage):
    assert stage("train").status == 0
    errors = [float(row["validation_z_mse"]) for row in history()]
    about = json.loads((train.FOLDER / "model.json").read_text())
    assert about["channels"] == ["TT_x", "TT_y", "LL_y", "VL_y"]
    assert len(about["statistics"]["target_scale"]) == 4

    from models import regressor

    model = regressor.load(train.FOLDER / "model.keras")
    side = train.Side.open(Store(train.standardize.FOLDER, "standardize"), "validation")
    squares = frames = 0.0
    for x, y in map(side.read, range(len(side.entries))):
        alone = {"inputs": x[None], "resets": np.zeros((1, len(x)), bool)}
        squares += np.square(model.predict_on_batch(alone)[0] - y).mean(axis=-1).sum()
        frames += len(x)
    assert squares / frames == pytest.approx(min(errors), rel=1e-4)


@pytest.mark.parametrize("batching", ["pad", "bucket", "pack"])
def test_the_loss_is_the_mean_over_valid_frames_whatever_the_batching(
    standardized, stage, batching
):
    still = dict.fromkeys(("noise", "stretches", "frames", "bands", "width", "rate"), 0)
    still["sound"] = None
    change(
        standardized / "params.yaml",
        recipes__default__batching=batching,
        recipes__default__learning_rate=1e-9,
        recipes__default__dropout=0.0,
        recipes__default__augment=still,
        recipes__default__epochs=1,
    )
    assert stage("train").status == 0
    first = float(history()[0]["train_z_mse"])
    from models import regressor

    model = regressor.load(train.FOLDER / "model.keras")
    side = train.Side.open(Store(train.standardize.FOLDER, "standardize"), "train")
    errors = [
        np.square(
            model.predict_on_batch({"inputs": x[None], "resets": np.zeros((1, len(x)), bool)})[0]
            - y
        ).mean(axis=-1)
        for x, y in map(side.read, range(len(side.entries)))
    ]
    assert first == pytest.approx(np.concatenate(errors).mean(), rel=1e-4)


def test_a_loss_that_is_not_finite_names_the_utterances(standardized, stage):
    shard = train.standardize.FOLDER / "targets-00000.npy"
    targets = np.load(shard)
    targets[:] = 1e30
    np.save(shard, targets)
    index = json.loads((train.standardize.FOLDER / "index.json").read_text())
    from pipeline.storage import checksum

    index["shards"][0]["targets"]["sha256"] = checksum(shard)
    (train.standardize.FOLDER / "index.json").write_text(json.dumps(index))
    outcome = stage("train")
    assert outcome.status == 1
    assert "the loss became inf on the batch of u" in outcome.err
    assert not train.FOLDER.exists()


def test_a_gpu_that_is_not_there_is_one_line(standardized, stage):
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    change(standardized / "params.yaml", train__device="gpu")
    outcome = stage("train")
    assert outcome.status == 2
    assert outcome.err.splitlines()[-1].startswith("error: train.device: gpu")
    assert "articulatory-inversion[gpu]" in outcome.err


def test_a_missing_stage_is_named(project, stage):
    outcome = stage("train")
    assert outcome.status == 1
    assert outcome.err == (
        "error: data/standardized/index.json: not found; run `dvc repro standardize` first\n"
    )
