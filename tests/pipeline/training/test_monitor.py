"""Live curves, in a project of DVC and git as they come."""

import subprocess
from pathlib import Path

import pytest

from pipeline.training import monitor

ROWS = [{"epoch": k, "validation_z_mse": 1 / k, "seconds": 2.0} for k in (1, 2, 3)]


@pytest.fixture
def dvc_project(tmp_path, monkeypatch):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").touch()
    (tmp_path / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (tmp_path / ".gitignore").write_text("/reports/live/\n")
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    return tmp_path


def git(*command):
    author = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    run = ["git", *author, *command]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout


def show(part=""):
    with monitor.monitor(False, part) as log:
        for row in ROWS:
            log(row)


def test_every_epoch_is_in_the_curve_and_git_sees_nothing(dvc_project):
    git("add", "-A")
    git("commit", "-qm", "a project")
    head = git("rev-parse", "HEAD")
    for _ in range(2):  # the second run starts the curve anew
        show()
    curve = (monitor.LIVE / "plots" / "metrics" / "validation_z_mse.tsv").read_text().split("\n")
    assert [float(line.split("\t")[0]) for line in curve[1:4]] == [1, 2, 3]
    assert curve[4:] == [""]
    assert "validation_z_mse" in (monitor.LIVE / "report.html").read_text()
    assert git("rev-parse", "HEAD") == head
    assert git("status", "--porcelain", "-uall") == ""
    assert "refs/exps" not in git("for-each-ref")


def test_a_repository_without_a_commit_is_a_warning(dvc_project, capsys):
    show()
    assert "no curves in reports/live: Empty git repo" in capsys.readouterr().err


def test_outside_of_a_dvc_project_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    show()
    assert [path.name for path in Path().iterdir()] == [".git"]
