import json

import pytest

from pipeline import fold
from tests.pipeline.conftest import change


@pytest.fixture
def extracted(project, stage):
    change(
        project / "params.yaml",
        cross_validation__folds=["0", "1"],
        standardize__folds=2,
        recipes__default__epochs=1,
    )
    for name in ("corpus", "extract"):
        assert stage(name).status == 0
    return project


def test_folds_have_their_own_test_side_and_are_averaged(extracted, stage):
    tested = []
    for k in ("0", "1"):
        assert stage("fold", k).status == 0
        protocol = json.loads((fold.FOLDER / k / "reports" / "protocol.json").read_text())
        tested.append(set(protocol["files"]["test"]))
    assert not tested[0] & tested[1]
    assert len(tested[0] | tested[1]) == 24
    assert stage("fold", "--aggregate").status == 0
    rows = [json.loads((fold.RESULTS / f"{k}.json").read_text())["test"] for k in "01"]
    table = json.loads(fold.METRICS.read_text())
    mean = (rows[0]["z_mse"] + rows[1]["z_mse"]) / 2
    assert table["z_mse"]["mean"] == pytest.approx(mean)
    assert table["z_mse"]["deviation"] == pytest.approx(
        abs(rows[0]["z_mse"] - rows[1]["z_mse"]) / 2**0.5
    )


def test_a_speaker_that_is_not_there_fails_in_one_line_and_leaves_nothing(extracted, stage):
    change(extracted / "params.yaml", cross_validation__protocol="leave-one-speaker-out")
    outcome = stage("fold", "nobody")
    assert outcome.status == 1
    assert "no 'nobody' among" in outcome.err
    assert "error: fold nobody: standardize failed" in outcome.err
    assert not list(fold.FOLDER.iterdir())


def test_aggregating_before_the_folds_ran_names_the_file(extracted, stage):
    outcome = stage("fold", "--aggregate")
    assert outcome.status == 1
    assert "cross-validation/folds/0.json: not found" in outcome.err
