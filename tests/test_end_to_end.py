"""The commands of the README, in a copy of the project with a small corpus."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pathspec
import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT
from tests.pipeline.conftest import change, write_corpus


def copy_project(folder: Path) -> None:
    """Copy all files that git does not ignore, whether there is git or not."""
    own = [f"/.dvc{line}" for line in (ROOT / ".dvc" / ".gitignore").open()]
    ignored = pathspec.GitIgnoreSpec.from_lines([".git", *own, *(ROOT / ".gitignore").open()])
    for here, folders, files in os.walk(ROOT):
        place = Path(here).relative_to(ROOT)
        folders[:] = [name for name in folders if not ignored.match_file(f"{place / name}/")]
        (folder / place).mkdir(parents=True, exist_ok=True)
        for name in files:
            if not ignored.match_file(place / name) and name != "dvc.lock":
                shutil.copy2(ROOT / place / name, folder / place / name)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """The project as it stands, a corpus of 24 short recordings and a small network."""
    folder = tmp_path_factory.mktemp("Prüfstand") / "Kopie für mich"
    copy_project(folder)
    write_corpus(folder / "recordings")
    (folder / ".gitignore").open("a").write("/recordings/\n")
    change(
        folder / "params.yaml",
        corpus__reader="folder",
        corpus__path="recordings",
        extract__layout="four",
        layouts={"four": {"channels": ["TT_x", "TT_y", "LL_y", "VL_y"], "deltas": 0}},
        recipes__default__units=[16],
        recipes__default__epochs=2,
        plot__utterance=0,
        plot__track=1,
    )
    author = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "-A"], [*author, "commit", "-qm", "as it is"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def call(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # what `make test PYTHON=...` hands on to every make below it
    kept = {
        k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKEOVERRIDES", "PYTHON")
    }
    return subprocess.run(
        command, cwd=folder, env={**kept, "PATH": path}, capture_output=True, text=True
    )


@pytest.mark.slow
def test_repro_predict_and_the_same_figures_twice(checkout):
    first = call(checkout, "dvc", "repro")
    assert first.returncode == 0, first.stdout + first.stderr
    metrics = checkout / "reports" / "metrics.json"
    figures = json.loads(metrics.read_text())
    for row in (figures["test"], figures["floors"]["mean"], figures["floors"]["ridge"]):
        for figures_of in (row["delivered"], row["own_z"]):
            assert {"z_mse", "rmse_mm", "pearson_r"} <= set(figures_of)
    for name in ("track", "tracks", "learning_curves", "articulators"):
        assert (checkout / "reports" / "plots" / f"{name}.png").stat().st_size > 10_000

    live = checkout / "reports" / "live"
    curve = (live / "plots" / "metrics" / "validation_z_mse.tsv").read_text().splitlines()
    assert [row.split("\t")[0] for row in curve] == ["step", "1", "2"]
    assert (live / "report.html").exists()
    assert "live" not in call(checkout, "git", "status", "--porcelain", "-uall").stdout

    again = call(checkout, "dvc", "repro")
    assert again.returncode == 0
    assert re.findall(r"Running stage '(\w+)'", again.stdout) == ["watch"]
    assert "recordings: 48 files, as in the last run" in again.stdout

    summary = call(checkout, sys.executable, "-m", "pipeline.compare")
    assert f"{figures['test']['delivered']['rmse_mm']:.2f}" in summary.stdout

    predicted = call(checkout, sys.executable, "-m", "pipeline.predict", "recordings/u00.wav")
    assert predicted.returncode == 1  # the measured tracks are in its way
    assert "u00.csv: exists and is no prediction" in predicted.stderr
    shutil.copy(checkout / "recordings" / "u00.wav", checkout / "audio.wav")
    predicted = call(checkout, sys.executable, "-m", "pipeline.predict", "audio.wav")
    assert predicted.returncode == 0, predicted.stderr
    header, *rows = (checkout / "audio.csv").read_text().splitlines()
    assert header == "time_s,TT_x,TT_y,LL_y,VL_y"
    assert rows[1].startswith("0.01")
    assert (checkout / "audio.png").stat().st_size > 10_000

    before = metrics.read_bytes()
    forced = call(checkout, "dvc", "repro", "--force", "--single-item", "train")
    assert forced.returncode == 0, forced.stderr
    assert call(checkout, "dvc", "repro", "--single-item", "evaluate").returncode == 0
    assert metrics.read_bytes() == before


@pytest.mark.slow
def test_recordings_that_were_added_or_changed_are_noticed(checkout):
    def ran() -> list[str]:
        outcome = call(checkout, "dvc", "repro", "standardize")
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr
        return re.findall(r"Running stage '(\w+)'", outcome.stdout)

    ran()
    assert ran() == ["watch"]
    sound, tracks = (checkout / "recordings" / f"u00{ending}" for ending in (".wav", ".csv"))
    for path in (sound, tracks):
        shutil.copy(path, path.with_stem("u90"))
    try:
        assert ran() == ["watch", "corpus", "extract", "standardize"]
        assert "\nu90," in (checkout / "data" / "corpus" / "manifest.csv").read_text()
    finally:
        for path in (sound, tracks):
            path.with_stem("u90").unlink()
    os.utime(sound)  # its bytes are what they were: the frames are those of the first run
    assert ran() == ["watch", "corpus", "extract"]


@pytest.mark.slow
def test_an_experiment_in_a_copy_finds_the_recordings(checkout, tmp_path):
    """They are not in git, and their path is relative.

    Below a folder whose name is not ASCII, DVC's experiments in a copy end in its own error.
    """
    checkout = shutil.copytree(checkout, tmp_path / "plain", symlinks=True)
    assert call(checkout, "dvc", "repro", "standardize").returncode == 0
    author = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["add", "-A"], [*author, "commit", "-qm", "run", "--allow-empty"]):
        subprocess.run(["git", *command], cwd=checkout, check=True)
    own = ["-S", "corpus.strict=true", "-S", "extract.cutoff_hz=1_5.0", "-S", "plot.track=0e0"]
    ran = call(checkout, "dvc", "exp", "run", "--temp", "--name", "copied", *own, "extract")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "24 utterances, 0.4 min" in ran.stdout  # by the stage corpus
    assert "24 utterances, 2480 frames" in ran.stdout  # by extract
    refs = call(checkout, "git", "for-each-ref", "--format=%(refname)", "refs/exps").stdout.split()
    (copied,) = (ref for ref in refs if ref.endswith("/copied"))
    locks = [
        (checkout / "dvc.lock").read_text(),
        call(checkout, "git", "show", f"{copied}:dvc.lock").stdout,
    ]
    here, there = (YAML(typ="safe").load(lock)["stages"]["corpus"]["outs"] for lock in locks)
    assert here == there  # the manifest has the same bytes


@pytest.mark.slow
def test_a_folder_without_git_is_a_project_too(tmp_path):
    """Such as a ZIP from GitHub; `make repro` begins with `make scm`."""
    copy_project(tmp_path)
    change(tmp_path / "params.yaml", corpus__reader="vocaltractlab", corpus__path=None)
    refused = call(tmp_path, "dvc", "status")
    assert "not a git repository" in refused.stderr
    make = ("make", "--silent", "--old-file", ".venv/run", "scm")
    assert call(tmp_path, *make).stdout.startswith("No git here: DVC goes without")
    ran = call(tmp_path, "dvc", "repro", "watch")
    assert ran.returncode == 0, ran.stderr
    assert "watch: the embedded corpus, no recordings" in ran.stdout
    assert call(tmp_path, *make).stdout == ""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert call(tmp_path, *make).returncode == 0
    assert "no_scm" not in (tmp_path / ".dvc" / "config.local").read_text()


def test_predict_without_a_model_says_what_to_run(tmp_path):
    write_corpus(tmp_path, 1)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    outcome = subprocess.run(
        [sys.executable, "-m", "pipeline.predict", "u00.wav"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert outcome.returncode == 1
    assert "make repro" in outcome.stderr
    assert outcome.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["watch", "corpus", "extract", "standardize", "train", "evaluate", "plot", "predict"]
)
def test_every_stage_explains_itself(name):
    outcome = call(ROOT, sys.executable, "-m", f"pipeline.{name}", "--help")
    assert outcome.returncode == 0
    assert f"python -m pipeline.{name}" in outcome.stdout


@pytest.mark.slow
def test_a_wrong_parameter_is_one_line_and_status_2(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml")
    change(tmp_path / "params.yaml", recipes__default__units=[-3])
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    outcome = subprocess.run(
        [sys.executable, "-m", "pipeline.train"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert outcome.returncode == 2
    assert outcome.stderr.count("\n") == 1
    assert outcome.stderr.startswith("error: params.yaml: recipes.default.units")
