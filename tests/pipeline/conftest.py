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
from pipeline.ground import console, storage
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


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with 24 short utterances of the `folder` reader and a small network."""
    write_corpus(tmp_path / "recordings")
    shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml")
    change(
        tmp_path / "params.yaml",
        corpus__reader="folder",
        corpus__path="recordings",
        extract__layout="four",
        layouts={"four": {"channels": ["TT_x", "TT_y", "LL_y", "VL_y"], "deltas": 0}},
        recipes__default__units=[16],
        recipes__default__epochs=4,
        recipes__default__compile=False,
        evaluate__context=3,
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stage(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Run a stage as ``python -m pipeline.NAME ARGUMENTS`` would, in this process."""

    def call(name: str, *arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            console.run(import_module(f"pipeline.{name}").main)
        out, err = capfd.readouterr()
        return Outcome(left.value.code, out, err)

    return call


@pytest.fixture
def standardized(project: Path, stage: Callable[..., Outcome]) -> Path:
    """The same project once its frames are standardised."""
    for name in ("corpus", "extract", "standardize"):
        assert stage(name).status == 0
    return project
