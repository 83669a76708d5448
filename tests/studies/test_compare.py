"""The table of networks: its rows are parameters that exist, and its figures are right."""

import json
import sys

import numpy as np
import pytest

from pipeline.ground import console, params, workspaces
from pipeline.ground.console import InputError
from pipeline.ground.storage import read_yaml, write_yaml
from studies import compare, trials
from studies.compare import ROWS
from tests.conftest import ROOT
from tests.pipeline.conftest import change


def shipped():
    return read_yaml(ROOT / "params.yaml")


def loaded(tree, path):
    write_yaml(path, tree)
    return params.load(path)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_parameters_that_the_pipeline_takes(name, tmp_path):
    tree = workspaces.overridden(shipped(), ROWS[name].overrides)
    changed = loaded(tree, tmp_path / "params.yaml")
    assert (changed == params.load(ROOT / "params.yaml")) == (not ROWS[name].overrides)


def test_a_row_without_augmentation_varies_nothing(tmp_path):
    tree = workspaces.overridden(shipped(), ROWS["plain"].overrides)
    settings = loaded(tree, tmp_path / "params.yaml")
    assert settings.recipe.augment == settings.recipes["tutorial"].augment


@pytest.mark.slow
def test_the_command_of_a_row_gives_its_parameters(tmp_path, monkeypatch):
    from dvc.utils.hydra import apply_overrides

    monkeypatch.chdir(ROOT)
    for row in ROWS.values():
        path = tmp_path / "params.yaml"
        path.write_text((ROOT / "params.yaml").read_text())
        if words := trials.words(row.overrides):
            apply_overrides(path, words)
        expected = workspaces.overridden(shipped(), row.overrides)
        found = read_yaml(path)
        assert json.dumps(found, sort_keys=True) == json.dumps(expected, sort_keys=True)


@pytest.mark.parametrize(
    ("overrides", "first"),
    [
        ({}, "train"),
        ({"recipes.default.units": [3]}, "train"),
        ({"extract.layout": "pellets", "train.smoothing": "none"}, "extract"),
        ({"layouts": {}}, "extract"),
        ({"standardize.targets": "corpus"}, "standardize"),
        ({"corpus.synthesis.utterances": 9}, "corpus"),
    ],
)
def test_stages_run_from_the_first_that_an_override_touches(overrides, first):
    stages = trials.Trial("a", overrides).stages
    assert stages == trials.STAGES[trials.STAGES.index(first) :]


def test_an_unknown_block_is_refused():
    with pytest.raises(InputError, match="no block 'recipe'"):
        workspaces.overridden(shipped(), {"recipe.default.units": [3]})


def test_parameters_agree_that_only_new_keys_tell_apart():
    old = {"train": {"seed": 1, "layers": [2, 3]}}
    assert trials.agrees(old, {"train": {"seed": 1, "layers": [2, 3], "new": 0}, "more": {}})
    assert not trials.agrees(old, {"train": {"seed": 2, "layers": [2, 3]}})
    assert not trials.agrees(old, {"train": {"seed": 1, "layers": [2]}})
    assert not trials.agrees(old, {"train": {"seed": 1}})
    assert not trials.agrees(old, {"train": None})


def result(*z_mse, frames=(100, 300), seconds=10.0, r=(0.5, 0.7)):
    own = {"z_mse": list(z_mse), "rmse_mm": list(z_mse), "pearson_r": list(r)}
    return {
        "test_frames": list(frames),
        "test": {"predicted": own, "mean": own},
        "seconds": seconds,
    }


def test_an_error_is_weighted_by_frames_and_averaged_over_seeds():
    found = trials.figure([result(0.1, 0.2), result(0.3, 0.2)], "predicted", "z_mse")
    assert found.spread == pytest.approx((0.175, 0.225))
    assert found.mean == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.2, 0.2))  # the seeds' mean of each is 0.2
    r = trials.figure([result(0, 0)], "predicted", "pearson_r")
    assert r.mean == pytest.approx(0.6)
    assert r.text(2) == "0.60 (0.50-0.70)"
    assert found.text(2) == "0.20 (0.20-0.20) [0.17-0.23]"


def test_the_difference_of_two_rows_is_taken_utterance_by_utterance():
    rng = np.random.default_rng(1)
    hard = rng.uniform(0.1, 0.9, 40)
    first = [result(*hard, frames=[100] * 40, r=hard)]
    second = [result(*(hard + 0.05), frames=[100] * 40, r=hard)]
    found = trials.difference((first, second), ("predicted", "mean"))
    assert (found.mean, found.low, found.high) == pytest.approx((0.05, 0.05, 0.05))


def run_command(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["compare", *arguments])
    with pytest.raises(SystemExit) as left:
        console.run(compare.main)
    return left.value.code


def full_result(seconds=10.0):
    rng = np.random.default_rng(1)
    own = {name: rng.uniform(0.1, 0.4, 6).tolist() for name in trials.SHOWN}
    return {
        "weights": 1234,
        "utterances": 16,
        "seconds": seconds,
        "frames_per_s": 5000,
        "validation": {"predicted": 0.2, "unsmoothed": 0.3},
        "test_frames": [100] * 6,
        "test": dict.fromkeys(("predicted", "unsmoothed", "ridge", "mean"), own),
    }


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """A folder with the shipped parameters, where stages only leave a note that they ran."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    notes = []
    monkeypatch.setattr(workspaces, "run_stages", lambda *call: notes.append(call))
    monkeypatch.setattr(trials, "measure", lambda folder: full_result())
    few = ("mean", "default", "unsmoothed", "gru", "pellets")
    monkeypatch.setattr(compare, "ROWS", {name: ROWS[name] for name in few})
    return notes


WHERE = ("--results", "results/compare.json", "--picture", "picture")


@pytest.mark.slow
def test_rows_are_trained_once_and_an_interrupted_table_goes_on(ran, monkeypatch, tmp_path):
    def interrupted(folder, stages, title, source):
        ran.append((folder, stages, title, source))
        if title == "pellets/1":
            raise InputError("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(workspaces, "run_stages", interrupted)
        assert run_command(monkeypatch, *WHERE) == 1
    assert [title for _, _, title, _ in ran] == ["default/1", "gru/1", "pellets/1"]
    assert ran[0][1] == ("train", "evaluate")
    assert ran[2][1] == ("extract", "standardize", "train", "evaluate")
    assert (ran[2][0] / "params.yaml").exists()  # what it had done so far is kept
    ran.clear()
    assert run_command(monkeypatch, *WHERE) == 0
    assert [title for _, _, title, _ in ran] == ["pellets/1", "default/2", "default/3"]
    assert not list((tmp_path / compare.FOLDER).glob("*/*"))
    ran.clear()
    assert run_command(monkeypatch, *WHERE) == 0
    assert not ran
    change(tmp_path / "params.yaml", recipes__default__epochs=1)
    assert run_command(monkeypatch, "--rows", "gru", *WHERE) == 0
    assert [title for _, _, title, _ in ran] == ["gru/1"]


@pytest.mark.slow
def test_the_table_has_a_line_for_every_row_that_was_trained(ran, monkeypatch, tmp_path, capfd):
    assert run_command(monkeypatch, "--rows", "default", "--seeds", "2", *WHERE) == 0
    table = (tmp_path / "results" / "compare.md").read_text().splitlines()
    assert [line.split(" | ")[1] for line in table[2:]] == [
        "`--rows mean`",
        "`--rows default`",
        "`--rows unsmoothed`",
    ]
    assert (
        " LSTM layers of 128 (2 seeds) | `--rows default` | 1,234 | 10 | 5,000 | 0.200 |"
        in (table[3])
    )
    assert (tmp_path / "picture.png").stat().st_size > 10_000
    assert "best within the default's 10 s: default" in capfd.readouterr().out


@pytest.mark.slow
def test_the_best_is_sought_among_rows_of_no_more_time(ran, monkeypatch):
    def own(name, seconds, error):
        one = compare.trial(name, 1)
        found = full_result(seconds)
        for source in found["test"]:
            found["test"][source] = {**found["test"][source], "rmse_mm": [error] * 6}
        return {one.key: found | {"settings": trials.settings_of(one.tree())}}

    three = {name: ROWS[name] for name in ("default", "gru", "one-layer")}
    monkeypatch.setattr(compare, "ROWS", three)
    results = own("default", 100, 0.2) | own("gru", 99, 0.25) | own("one-layer", 101, 0.1)
    assert "best within the default's 100 s: default, as delivered 0.20 mm" in compare.verdict(
        results
    )
    assert "gru            +0.050" in compare.verdict(results)
    assert "one-layer      -0.100" in compare.verdict(results)
    quicker = results | own("gru", 99, 0.15)
    assert "best within the default's 100 s: gru, as delivered 0.15 mm" in compare.verdict(quicker)


@pytest.mark.slow
def test_a_row_is_trained_and_measured(standardized, monkeypatch, stages_run_here):
    change(standardized / "params.yaml", recipes__default__epochs=2, recipes__default__units=[4])
    few = {
        "default": compare.Row("default", {}),
        "deltas": compare.Row("deltas", {"layouts.four.deltas": 1, "train.smoothing": "mlpg"}),
    }
    monkeypatch.setattr(compare, "ROWS", few)
    assert run_command(monkeypatch, *WHERE) == 0
    results = json.loads((standardized / "results" / "compare.json").read_text())
    default, deltas = results["default/1"], results["deltas/1"]
    assert default["weights"] == 2 * (4 * 4 * (39 + 4 + 1)) + 12 * (8 + 1)
    assert deltas["weights"] == 2 * (4 * 4 * (39 + 4 + 1)) + 8 * (8 + 1)
    assert default["epochs"] == 2
    assert default["seconds"] > 0
    assert default["test"]["mean"] == deltas["test"]["mean"]  # errors of positions alone
    assert deltas["smoothing"] == "mlpg"
    assert deltas["validation"]["predicted"] != deltas["validation"]["unsmoothed"]
    assert len(default["test_frames"]) == len(default["test"]["predicted"]["z_mse"]) == 4


def test_an_unknown_row_is_one_line(ran, monkeypatch, capfd):
    assert run_command(monkeypatch, "--rows", "lstm") == 2
    assert "error: --rows: no 'lstm' among mean, default" in capfd.readouterr().err
