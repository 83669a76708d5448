import csv
import json
import os
import re
import subprocess
import sys
import zipfile

import msgspec
import numpy as np
import pytest

from pipeline import train
from pipeline.evaluation import calibration, tables
from pipeline.ground import artifacts, params
from pipeline.ground.console import InputError
from pipeline.ground.storage import Store
from pipeline.prediction.predictor import Predictor
from pipeline.training import fitting, monitor
from tests import on_jax
from tests.conftest import ROOT
from tests.pipeline.conftest import change, run_here


def weights(folder=artifacts.TRAINED):
    from models import regressor

    return regressor.load(folder / "model.keras").get_weights()


def assert_same(some, others):
    for one, two in zip(some, others, strict=True):
        np.testing.assert_array_equal(one, two)


def history():
    with (artifacts.TRAINED / "history.csv").open() as file:
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


def test_an_archive_is_the_same_bytes_whenever_it_was_written(tmp_path):
    found = []
    for year in (2001, 2026):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr(zipfile.ZipInfo("weights.h5", (year, 1, 1, 0, 0, 0)), b"weights")
            archive.writestr("metadata.json", json.dumps({"date_saved": f"{year}-01-01@00:00:00"}))
        train.without_dates(tmp_path / "a.zip")
        found.append((tmp_path / "a.zip").read_bytes())
    assert found[0] == found[1]
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.read("weights.h5") == b"weights"


@pytest.mark.slow
def test_a_killed_run_ends_with_the_weights_of_one_that_never_was(standardized, stage):
    """All that draws at random is on: dropout, and the augmentation of the sound."""
    sound = msgspec.to_builtins(params.load().recipes["speakers"].augment.sound)
    change(
        standardized / "params.yaml",
        recipes__default__augment__sound=sound,
        recipes__default__dropout=0.3,
        recipes__default__units=[4, 4],
        recipes__default__epochs=3,
    )
    killed = command()
    for line in killed.stdout:
        if line.startswith("epoch 2/3"):
            break
    killed.kill()
    killed.wait()
    # beside it, maybe, the part of one that was being written
    (checkpoint,) = train.CHECKPOINTS.glob("[!.]*")
    kept = checkpoint.read_bytes()
    outcome = stage("train")
    assert outcome.status == 0
    assert "going on after epoch" in outcome.out and "epoch 1/3" not in outcome.out
    assert not train.CHECKPOINTS.exists()
    expected, expected_history = weights(), history()

    train.CHECKPOINTS.mkdir()
    checkpoint.write_bytes(kept)
    change(standardized / "params.yaml", train__fresh=True)
    outcome = stage("train")
    assert outcome.status == 0
    assert "epoch 1/3" in outcome.out
    assert_same(expected, weights())
    for one, two in zip(expected_history, history(), strict=True):
        assert one["train_z_mse"] == two["train_z_mse"]
        assert one["validation_z_mse"] == two["validation_z_mse"]


def scripted(monkeypatch, errors):
    """Let validation give these losses; return the weights that it was asked about."""
    seen = []
    script = iter(errors)

    def validate(model, task, split, plan):
        seen.append(model.get_weights())
        return next(script), 0.7

    monkeypatch.setattr(fitting, "validate", validate)
    return seen


@pytest.mark.slow
def test_the_best_epoch_is_kept_through_an_interruption_and_the_last_beside_it(
    standardized, stage, monkeypatch
):
    seen = scripted(monkeypatch, [0.5, 0.3, 0.4])
    with pytest.raises((StopIteration, RuntimeError)):
        stage("train")  # is interrupted in the last epoch
    last = scripted(monkeypatch, [0.6])
    assert stage("train").status == 0
    assert_same(weights(), seen[1])
    assert_same(weights(artifacts.TRAINED / train.LAST), last[0])
    about = json.loads((artifacts.TRAINED / "model.json").read_text())
    assert about["trained_on"]["best_epoch"] == 2
    sound = np.random.default_rng(1).normal(size=16_000)
    best, last = (Predictor.load(folder)(sound, 16_000) for folder in ("trained", "trained/last"))
    assert not np.array_equal(best.values, last.values)


def interrupt(stage, monkeypatch):
    """Stop in the third epoch."""
    validate = fitting.validate
    left = iter([validate, validate])
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "validate", lambda *given: next(left)(*given))
        with pytest.raises((StopIteration, RuntimeError)):
            stage("train")


@pytest.mark.slow
def test_an_interrupted_run_goes_on_unless_another_has_left_it(trained, stage, monkeypatch):
    expected = weights()
    for clip_norm, goes_on in ((1.25, True), (1.0, False)):
        change(trained / "params.yaml", recipes__default__clip_norm=clip_norm)
        interrupt(stage, monkeypatch)
        change(trained / "params.yaml", recipes__default__clip_norm=1.25)
        outcome = stage("train")
        assert outcome.status == 0
        assert ("going on after epoch 2" in outcome.out) is goes_on
        assert ("epoch 1/4" in outcome.out) is not goes_on
        assert_same(expected, weights())


@pytest.mark.slow
def test_an_update_has_one_graph_for_batches_of_any_length(standardized, stage, monkeypatch):
    from models.regressor import Regressor

    update, graphs = Regressor.train_step, []

    def counted(self, *data):
        graphs.append(data)
        return update(self, *data)

    monkeypatch.setattr(Regressor, "train_step", counted)
    change(standardized / "params.yaml", recipes__default__epochs=2)
    assert stage("train").status == 0
    assert len(graphs) == 1


@pytest.mark.slow
def test_training_stops_when_patience_ends(standardized, stage, monkeypatch):
    change(
        standardized / "params.yaml",
        recipes__default__epochs=50,
        recipes__default__patience=2,
    )
    scripted(monkeypatch, [0.5, 0.4, 0.6, 0.3, 0.4, 0.3])
    assert stage("train").status == 0
    assert [float(row["validation_loss"]) for row in history()] == [0.5, 0.4, 0.6, 0.3, 0.4, 0.3]


@pytest.mark.slow
def test_the_model_tells_what_it_predicts_and_how_well(trained):
    kept = min(history(), key=lambda row: float(row["validation_loss"]))
    about = json.loads((artifacts.TRAINED / "model.json").read_text())
    assert about["channels"] == ["TT_x", "TT_y", "LL_y", "VL_y"]
    assert len(about["statistics"]["target_scale"]) == 4

    from models import regressor

    model = regressor.load(artifacts.TRAINED / "model.keras")
    split = fitting.Split.open(Store(train.artifacts.STANDARDIZED, "standardize"), "validation")
    squares = frames = 0.0
    for x, y in map(split.read, range(len(split.entries))):
        alone = {"inputs": x[None], "resets": np.zeros((1, len(x)), bool)}
        tracks = model.predict_on_batch(alone)[0, :, :4]  # deltas stand behind
        squares += np.square(tracks - y).mean(axis=-1).sum()
        frames += len(x)
    assert squares / frames == pytest.approx(float(kept["validation_z_mse"]), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("batching", ["pad", "bucket", "pack"])
def test_the_loss_is_the_mean_over_valid_frames_whatever_the_batching(
    standardized, stage, batching
):
    still = msgspec.to_builtins(params.load().recipes["tutorial"].augment)
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

    model = regressor.load(artifacts.TRAINED / "model.keras")
    split = fitting.Split.open(Store(train.artifacts.STANDARDIZED, "standardize"), "train")
    errors = [
        np.square(
            model.predict_on_batch({"inputs": x[None], "resets": np.zeros((1, len(x)), bool)})[
                0, :, :4
            ]
            - y
        ).mean(axis=-1)
        for x, y in map(split.read, range(len(split.entries)))
    ]
    assert first == pytest.approx(np.concatenate(errors).mean(), rel=1e-4)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_names_the_utterances(standardized, stage):
    shard = train.artifacts.STANDARDIZED / "targets-00000.npy"
    targets = np.load(shard)
    targets[:] = 1e30
    np.save(shard, targets)
    index = json.loads((train.artifacts.STANDARDIZED / "index.json").read_text())
    from pipeline.ground.storage import checksum

    index["shards"][0]["targets"]["sha256"] = checksum(shard)
    (train.artifacts.STANDARDIZED / "index.json").write_text(json.dumps(index))
    outcome = stage("train")
    assert outcome.status == 1
    assert re.search("the loss became (inf|nan) on the batch of u", outcome.err)
    assert "lower learning_rate\n" in outcome.err  # no epoch had ended
    assert not artifacts.TRAINED.exists()


@pytest.mark.slow
def test_the_last_good_weights_are_kept_where_a_loss_is_not_finite(
    standardized, stage, monkeypatch
):
    seen = scripted(monkeypatch, [0.3, 0.5])
    epochs, train_epoch = iter([True, True]), fitting.train_epoch

    def fail_in_the_third(*given):
        if next(epochs, False):
            return train_epoch(*given)
        raise FloatingPointError("the loss became nan on the batch of u01, u02")

    monkeypatch.setattr(fitting, "train_epoch", fail_in_the_third)
    outcome = stage("train")
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1] == (
        "error: the loss became nan on the batch of u01, u02; lower learning_rate; the weights of"
        " epoch 1, the best before, are in checkpoints/diverged"
    )
    assert not artifacts.TRAINED.exists()
    assert_same(weights(train.DIVERGED), seen[0])
    Predictor.load(train.DIVERGED)


@pytest.mark.slow
def test_an_ensemble_is_its_members_averaged(standardized, stage):
    single = []
    change(standardized / "params.yaml", train__smoothing="none")  # each would choose its own
    for seed in (7, 8):
        change(standardized / "params.yaml", train__seed=seed, recipes__default__epochs=2)
        assert stage("train").status == 0
        single.append((weights(), history()[-1]["validation_z_mse"], Predictor.load("trained")))
    change(standardized / "params.yaml", train__seed=7, train__ensemble=2)
    outcome = stage("train")
    assert outcome.status == 0
    assert_same(weights(), [*single[0][0], *single[1][0]])
    for name, (_, last, _) in zip(("history.csv", "history-2.csv"), single, strict=True):
        with (artifacts.TRAINED / name).open() as file:
            assert list(csv.DictReader(file))[-1]["validation_z_mse"] == last

    sound = np.random.default_rng(1).normal(size=16_000)
    average, *each = (
        predictor.run([predictor.features(sound, 16_000)])[0]
        for predictor in (Predictor.load("trained"), *(row[2] for row in single))
    )
    np.testing.assert_allclose(average, np.mean(each, axis=0), atol=1e-6)
    about = json.loads((artifacts.TRAINED / "model.json").read_text())
    assert about["ensemble"] == 2
    assert len(about["trained_on"]["best_epoch"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["mse+pearson", "gaussian"])
def test_other_losses_lower_the_error_too(standardized, stage, loss):
    change(standardized / "params.yaml", recipes__default__loss=loss, recipes__default__epochs=6)
    assert stage("train").status == 0
    errors = [float(row["train_z_mse"]) for row in history()]
    assert errors[-1] < errors[0]
    assert len(Predictor.load("trained").about.channels) == 4
    assert stage("evaluate").status == 0
    coverage = tables.read("calibration")
    assert len(coverage) == (len(calibration.NOMINAL) if loss == "gaussian" else 0)
    observed = [row["observed"] for row in coverage]
    assert observed == sorted(observed)
    assert all(0 < share <= 1 for share in observed)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("constant", {0: 0.8, 99: 0.8}),
        ("exponential", {0: 0.8, 9: 0.8, 10: 0.4, 29: 0.2, 30: 0.1}),
        ("cosine", {0: 0.008, 20: 0.8, 60: 0.5 * (0.8 + 0.008), 100: 0.008}),
    ],
)
def test_learning_rates_follow_their_schedule(project, schedule, rates):
    """Of 10 epochs of 10 updates; the cosine rises for a fifth of them and falls to a hundredth."""
    wanted = {"learning_rate": 0.8, "epochs": 10, "warmup": 0.2, "decay": 0.5}
    recipe = msgspec.structs.replace(params.load().recipe, schedule=schedule, **wanted)
    rate = fitting.schedule(recipe, 10)
    for step, expected in rates.items():
        found = rate if schedule == "constant" else float(rate(step))
        assert found == pytest.approx(expected, rel=1e-5)


CHANNELS = ["TT_x", "TT_y", "TT_x_delta", "LL_y"]


@pytest.mark.parametrize(
    ("wanted", "weights"),
    [
        ({}, None),
        ({"TT_x": 2}, [2, 1, 1, 1]),
        ({"TT_*": 3, "*_delta": 0}, [3, 3, 0, 1]),
        ({"*": 0, "LL_y": 1}, [0, 0, 0, 1]),
    ],
)
def test_tracks_are_weighted_by_name_or_pattern(wanted, weights):
    assert fitting.track_weights(wanted, CHANNELS) == weights


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [({"TB_*": 1}, "no channel is 'TB_\\*' among TT_x"), ({"*": 0}, "all are 0")],
)
def test_weights_that_fit_nothing_are_one_line(wanted, reason):
    with pytest.raises(InputError, match=reason):
        fitting.track_weights(wanted, CHANNELS)


@pytest.mark.slow
def test_tensorboard_gets_every_epoch(standardized, stage):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed (extra `tensorboard`)")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    change(standardized / "params.yaml", train__tensorboard=True, recipes__default__epochs=2)
    assert stage("train").status == 0
    (run,) = monitor.TENSORBOARD.iterdir()
    events = EventAccumulator(str(run)).Reload()
    curve = [event.step for event in events.Tensors("validation_z_mse")]
    assert curve == [1, 2]


def test_without_tensorboard_the_extra_is_named(standardized, stage, monkeypatch):
    monkeypatch.setattr(monitor, "find_spec", lambda name: None)
    change(standardized / "params.yaml", train__tensorboard=True)
    outcome = stage("train")
    assert outcome.status == 2
    assert "articulatory-inversion[tensorboard]" in outcome.err


def curve_on(backend, devices, folder):
    """Train in a process of its own; on this backend and one device it can be this one."""
    chosen = on_jax.ENVIRONMENT if backend == "jax" else {"KERAS_BACKEND": backend}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **chosen}
    change(folder / "params.yaml", train__device="cpu", train__devices=devices)
    if (backend, devices) == ("tensorflow", 1):
        assert run_here("train") == 0
    else:
        command = [sys.executable, "-m", "pipeline.train"]
        finished = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert finished.returncode == 0, finished.stderr
    return np.array([[float(x) for x in list(row.values())[1:4]] for row in history()])


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_give_the_learning_curve_of_one(standardized, backend):
    pytest.importorskip(backend)
    change(
        standardized / "params.yaml",
        recipes__default__batching="pack",  # few shapes: JAX compiles for each, and each layer
        recipes__default__bidirectional=False,
        recipes__default__batch_size=5,  # which two do not divide
        recipes__default__clip_norm=0.05,  # below every gradient's
        recipes__default__dropout=0.0,
        recipes__default__l2=1e-3,
        recipes__default__units=[8],
        recipes__default__epochs=2,
    )
    one, two = (curve_on(backend, devices, standardized) for devices in (1, 2))
    assert one.shape == (2, 3)
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_training_on_a_gpu(standardized, stage):
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        pytest.skip("no GPU here that TensorFlow sees")
    change(
        standardized / "params.yaml",
        train__device="gpu",
        recipes__default__precision="mixed_bfloat16",
    )
    outcome = stage("train")
    assert outcome.status == 0
    assert " weights on CPU" not in outcome.out
    errors = [float(row["train_z_mse"]) for row in history()]
    assert errors[-1] < errors[0]
    assert Predictor.load("trained")(np.random.default_rng(1).normal(size=16_000), 16_000)


def test_a_missing_stage_is_named(project, stage):
    outcome = stage("train")
    assert outcome.status == 1
    assert outcome.err == (
        "error: data/standardized/index.json: not found; run `dvc repro standardize` first\n"
    )
