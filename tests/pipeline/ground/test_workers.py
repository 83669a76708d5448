"""Calls on several cores and on a Dask cluster, whose workers and scheduler may die."""

import signal
import sys
import warnings
from pathlib import Path

import pytest

from benchmarks.cluster import Cluster, free_port, wait_for
from pipeline.ground import workers
from pipeline.ground.console import InputError, UsageError
from tests.pipeline import small_model
from tests.pipeline.test_predict import write_sounds


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_order(jobs):
    calls = [(k, 2) for k in range(20)]
    assert list(workers.spread(pow, calls, jobs)) == [k**2 for k in range(20)]


def test_no_calls_no_results():
    assert list(workers.spread(pow, [], 2)) == []


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"articulatory-inversion\[dask\]"):
        list(workers.spread(pow, [(2, 3)], 1, "local"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    small_model.write(folder / "trained")
    return folder / "trained"


# batches so small that there are many
SMALL = [
    "-c",
    "from pipeline import predict\nfrom pipeline.ground import console, workers\n"
    "predict.BATCH_FRAMES, workers.PATIENCE_S = 200, 5\n"
    "console.run(predict.main)",
]


@pytest.fixture
def cluster(tmp_path):
    pytest.importorskip("distributed", reason="Dask is not installed (extra `dask`)")
    running = Cluster(tmp_path)
    yield running
    running.close()


def made(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.csv")}


@pytest.mark.slow
def test_a_worker_that_dies_loses_and_doubles_nothing(cluster, model, stage, tmp_path):
    write_sounds(tmp_path / "in", 30)
    process = cluster.predict("in", "--output", "out", "--model", str(model), command=SMALL)
    wait_for(tmp_path / "out", 3, process)
    cluster.workers[0].kill()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "30 sounds; " in out
    assert len(made(tmp_path / "out")) == 30
    assert not list((tmp_path / "out").glob("*.json.part*"))
    local = [str(tmp_path / "in"), "--output", str(tmp_path / "here"), "--model", str(model)]
    assert stage("predict", *local, "--jobs", "1").status == 0
    here, there = (
        {name: [line.split(b",")[0] for line in text.splitlines()] for name, text in each.items()}
        for each in (made(tmp_path / "here"), made(tmp_path / "out"))
    )
    assert here == there


@pytest.mark.slow
def test_a_scheduler_that_dies_is_one_line_and_resume_finishes(cluster, model, stage, tmp_path):
    write_sounds(tmp_path / "in", 30)
    process = cluster.predict("in", "--output", "out", "--model", str(model), command=SMALL)
    wait_for(tmp_path / "out", 3, process)
    cluster.scheduler.kill()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith(f"error: --cluster {cluster.address}: no scheduler")
    assert "--resume" in err.splitlines()[-1]
    assert "Traceback" not in err
    for worker in cluster.workers:
        worker.kill()
        worker.wait()
    whole = len(list((tmp_path / "out").glob("*.json")))
    arguments = [str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--model", str(model)]
    outcome = stage("predict", *arguments, "--resume", "--jobs", "1")
    assert outcome.status == 0
    assert f"{30 - whole} sounds, {whole} were there" in outcome.out
    assert len(made(tmp_path / "out")) == 30


@pytest.mark.slow
def test_workers_without_the_project_are_one_line(model, tmp_path):
    pytest.importorskip("distributed", reason="Dask is not installed (extra `dask`)")
    running = Cluster(tmp_path, workers_have_project=False)
    try:
        write_sounds(tmp_path / "in", 3)
        process = running.predict("in", "--output", "out", "--model", str(model))
        _, err = process.communicate(timeout=120)
    finally:
        running.close()
    assert process.returncode == 1
    # it may have waited for them, and said so
    *waited, line = err.splitlines()
    assert all("no workers yet" in said for said in waited)
    assert line.startswith(f"error: --cluster {running.address}: a worker cannot import what it is")
    assert "No module named 'pipeline'" in line
    assert "in this project's folder and environment by `python -m dask worker ADDRESS`" in line


@pytest.mark.slow
def test_a_call_that_no_worker_survives_is_one_line(monkeypatch, tmp_path):
    pytest.importorskip("distributed", reason="Dask is not installed (extra `dask`)")
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "1")
    running = Cluster(tmp_path)
    try:
        with pytest.raises(InputError, match="2 workers died over the same call") as caught:
            list(workers.spread(signal.raise_signal, [(signal.SIGKILL,)], 1, running.address))
    finally:
        running.close()
    assert "of too little memory; their logs say why; the same command with" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_defect_keeps_its_traceback():
    pytest.importorskip("distributed", reason="Dask is not installed (extra `dask`)")
    with pytest.raises(AttributeError, match="has no attribute 'name'"):
        list(workers.spread(getattr, [(3, "name")], 1, "local"))


def test_other_versions_and_missing_workers_are_said(capsys):
    distributed = pytest.importorskip("distributed", reason="Dask is not installed (extra `dask`)")

    class Client:
        def __init__(self, scheduler, timeout):
            here = {"packages": {"python": "3.11.9", "numpy": "2.4.0", "msgpack": "1.1"}}
            there = {"packages": {"python": "3.12.1", "numpy": "1.26.4", "msgpack": "1.1"}}
            text = distributed.versions.error_message(there, {"w": there}, here)["warning"]
            warnings.warn(distributed.versions.VersionMismatchWarning(text), stacklevel=2)

        def nthreads(self):
            return {}

    workers.connected(Client, "tcp://a:1", "tcp://a:1")
    versions, none = capsys.readouterr().err.splitlines()
    assert versions == "--cluster tcp://a:1: not all have the same version of numpy, python"
    assert none.startswith("--cluster tcp://a:1: no workers yet; waiting for the first")


def test_no_scheduler_is_one_line(monkeypatch):
    pytest.importorskip("distributed", reason="Dask is not installed (extra `dask`)")
    monkeypatch.setattr(workers, "PATIENCE_S", 1)
    with pytest.raises(InputError, match="no scheduler there"):
        list(workers.spread(pow, [(2, 3)], 1, f"tcp://127.0.0.1:{free_port()}"))


@pytest.mark.slow
def test_a_cluster_of_its_own():
    pytest.importorskip("distributed", reason="Dask is not installed (extra `dask`)")
    calls = [(k, 2) for k in range(30)]
    assert list(workers.spread(pow, calls, 2, "local")) == [k**2 for k in range(30)]


@pytest.mark.slow
def test_extraction_on_a_cluster_is_that_of_one_process(project, stage):
    pytest.importorskip("distributed", reason="Dask is not installed (extra `dask`)")
    assert stage("corpus").status == 0
    found = []
    for options in (["--jobs", "1"], ["--cluster", "local", "--jobs", "2"]):
        assert stage("extract", *options).status == 0
        found.append({path.name: path.read_bytes() for path in Path("data/frames").iterdir()})
    assert found[0] == found[1]
