import json
import subprocess
import time

import pytest

from pipeline import fold
from tests.pipeline.conftest import change


@pytest.fixture
def extracted(standardized):
    """Whose folds are small; that it is standardized already is nothing to a fold."""
    change(
        standardized / "params.yaml",
        cross_validation__folds=["0", "1"],
        standardize__folds=2,
        recipes__default__epochs=1,
        recipes__default__units=[4],
    )
    return standardized


@pytest.mark.slow
def test_folds_have_their_own_test_side_and_are_averaged(extracted, stage, stages_run_here):
    tested = []
    assert stage("fold", "0").status == 0
    first = (fold.RESULTS / "0.json").stat().st_mtime_ns
    outcome = stage("fold", "--all", "--resume", "--jobs", "1")
    assert outcome.status == 0
    assert "fold 1: RMSE" in outcome.out
    assert (fold.RESULTS / "0.json").stat().st_mtime_ns == first
    for k in ("0", "1"):
        protocol = json.loads((fold.FOLDER / k / "reports" / "protocol.json").read_text())
        tested.append(set(protocol["files"]["test"]))
    assert not tested[0] & tested[1]
    assert len(tested[0] | tested[1]) == 24
    rows = [json.loads((fold.RESULTS / f"{k}.json").read_text())["test"]["delivered"] for k in "01"]
    table = json.loads(fold.METRICS.read_text())
    mean = (rows[0]["rmse_mm"] + rows[1]["rmse_mm"]) / 2
    assert table["rmse_mm"]["mean"] == pytest.approx(mean)
    assert table["rmse_mm"]["deviation"] == pytest.approx(
        abs(rows[0]["rmse_mm"] - rows[1]["rmse_mm"]) / 2**0.5
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


# stages that take a while and leave a figure, in the place of those that train
SLEEPERS = """
from pipeline import fold
from pipeline.ground import console

def run_fold(root, name, tree, real=fold.run_fold):
    import time
    from pipeline.ground import artifacts, storage, workspaces

    def run_stages(part, stages, title, source):
        time.sleep(1)
        figures = dict.fromkeys(fold.FIGURES, 1 + tree["standardize"]["fold"])
        (part / "data" / "own").mkdir()
        storage.write_json(part / artifacts.METRICS, {"test": {"delivered": figures}})

    workspaces.run_stages = run_stages
    return real(root, name, tree)

fold.run_fold = run_fold
console.run(fold.main)
"""


@pytest.mark.slow
def test_a_worker_that_dies_loses_no_fold(extracted):
    pytest.importorskip("distributed", reason="Dask is not installed (extra `dask`)")
    from benchmarks.cluster import Cluster

    cluster = Cluster(extracted)
    try:
        command = ["-c", SLEEPERS, "--all", "--cluster", cluster.address]
        process = cluster.run(command, subprocess.PIPE)
        while len(list(fold.FOLDER.glob(".*.part*"))) < 2:  # both workers have one
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        cluster.workers[0].kill()
        out, err = process.communicate(timeout=200)
    finally:
        cluster.close()
    assert process.returncode == 0, err
    for k in "01":
        assert out.count(f"fold {k}: RMSE") == 1
        result = json.loads((fold.RESULTS / f"{k}.json").read_text())["test"]["delivered"]
        assert result["rmse_mm"] == 1 + int(k)
    assert json.loads(fold.METRICS.read_text())["rmse_mm"]["mean"] == 1.5
