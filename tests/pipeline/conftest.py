"""A small project in a folder of its own, and its stages run as from the command line."""

import shutil
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from pipeline.formats import audio, track_csv
from pipeline.ground import artifacts, console, storage, workspaces
from pipeline.ground.utterance import Tracks
from tests.conftest import ROOT

RATE = 16_000


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


def small_utterance(seed: int) -> tuple[np.ndarray, Tracks]:
    """A second of sound whose loudness and pitch two moving points decide."""
    rng = np.random.default_rng(seed)
    seconds = rng.uniform(0.8, 1.2)
    time = np.arange(0, seconds, 1 / 200)
    sway = [np.sin(2 * np.pi * rng.uniform(1, 4) * time + rng.uniform(0, 6)) for _ in range(3)]
    fine = np.arange(0, seconds, 1 / RATE)
    pitch, loud = np.interp(fine, time, sway[0]), np.interp(fine, time, sway[1])
    sound = np.sin(2 * np.pi * np.cumsum(700 + 300 * pitch) / RATE) * (0.2 + 0.1 * loud)
    sound += rng.normal(0, 1e-3, len(fine))
    values = np.stack([10 + 3 * sway[0], 5 + sway[1], 4 * sway[0] + sway[1], sway[2]], axis=1)
    return sound.astype(np.float32), Tracks(time, values, ("TT_x", "TT_y", "LL_y", "VL_y"))


def write_corpus(folder: Path, utterances: int = 24) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(utterances):
        sound, tracks = small_utterance(k)
        audio.write(folder / f"u{k:02d}.wav", sound, RATE)
        track_csv.write(folder / f"u{k:02d}.csv", tracks)


def change(path: Path, **changes) -> None:
    """Set keys of a params.yaml, such as ``corpus__strict=True``."""
    tree = storage.read_yaml(path)
    for key, value in changes.items():
        *blocks, last = key.split("__")
        place = tree
        for block in blocks:
            place = place[block]
        place[last] = value
    storage.write_yaml(path, tree)


def write_project(folder: Path) -> None:
    """Write a project with 24 short utterances of the `folder` reader and a small network."""
    write_corpus(folder / "recordings")
    shutil.copy(ROOT / "params.yaml", folder / "params.yaml")
    change(
        folder / "params.yaml",
        corpus__reader="folder",
        corpus__path="recordings",
        extract__layout="four",
        layouts={"four": {"channels": ["TT_x", "TT_y", "LL_y", "VL_y"], "deltas": 0}},
        recipes__default__units=[16],
        recipes__default__epochs=4,
        recipes__default__compile=False,
        evaluate__context=3,
    )


def run_here(name: str, *arguments: str) -> int:
    """Run a stage as ``python -m pipeline.NAME ARGUMENTS`` would, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *arguments])
        with pytest.raises(SystemExit) as left:
            console.run(import_module(f"pipeline.{name}").main)
    return left.value.code


def went_on(source: Path, folder: Path, stages: tuple[str, ...]) -> Path:
    """Copy a project and run further stages there."""
    shutil.copytree(source, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert [run_here(name) for name in stages] == [0] * len(stages)
    return folder


@pytest.fixture(scope="session")
def first_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `project` is a copy of."""
    folder = tmp_path_factory.mktemp("projects") / "project"
    write_project(folder)
    return folder


@pytest.fixture(scope="session")
def first_standardized(first_project: Path) -> Path:
    """What `standardized` is a copy of."""
    stages = ("corpus", "extract", "standardize")
    return went_on(first_project, first_project.with_name("standardized"), stages)


@pytest.fixture(scope="session")
def first_trained(first_standardized: Path) -> Path:
    """What `trained` is a copy of."""
    return went_on(first_standardized, first_standardized.with_name("trained"), ("train",))


def copied(source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy a project into a test's own folder and stand there."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def project(first_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with 24 short utterances of the `folder` reader and a small network."""
    return copied(first_project, tmp_path, monkeypatch)


@pytest.fixture
def standardized(first_standardized: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same project once its frames are standardised."""
    return copied(first_standardized, tmp_path, monkeypatch)


@pytest.fixture
def trained(first_trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same project once its network is trained, for four epochs."""
    return copied(first_trained, tmp_path, monkeypatch)


@pytest.fixture
def stage(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run a stage in this process; return its status and what it said."""

    def call(name: str, *arguments: str) -> Outcome:
        capfd.readouterr()
        return Outcome(run_here(name, *arguments), *capfd.readouterr())

    return call


@pytest.fixture
def stages_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `run_stages` run stages in this process: TensorFlow takes seconds to import."""

    def run_stages(
        folder: Path, stages: tuple[str, ...], title: str, source: Path = Path()
    ) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DVC_ROOT", str(artifacts.project(source).resolve()))
            patch.chdir(folder)
            assert [run_here(name) for name in stages] == [0] * len(stages), title

    monkeypatch.setattr(workspaces, "run_stages", run_stages)
