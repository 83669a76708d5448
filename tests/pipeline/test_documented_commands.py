"""The commands of the README and of docs/, run as they stand there, in a small project.

docs/testing.md has a table of those that are read by their parsers alone (`tests/test_docs.py`),
and why; every other has to succeed here.
"""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import dvc.cli
import numpy as np
import pytest

from pipeline.formats import audio, track_csv
from tests.conftest import ROOT
from tests.pipeline import small_model
from tests.pipeline.conftest import RATE, copied, run_here, small_utterance, went_on
from tests.test_docs import COMMANDS, FENCE, text_of

TABLE = text_of(ROOT / "docs" / "testing.md").split("| only read | why |\n")[1].split("\n\n")[0]
ONLY_READ = [
    pattern for row in TABLE.splitlines() for pattern in re.findall("`([^`]*)`", row.split("|")[1])
]
STANDS_FOR = {  # names of the embedded corpus and of nobody, and what the small project has
    "NAME": "folder",
    "FOLDER": "recordings",
    "p020-01": "u01",
    "TD_y": "TT_y",
    "UL_x": "LL_y",
    "VL_x": "VL_y",
}
A_NAME = "python -m pipeline.predict"  # in running text; as a command it lacks its sounds


def plain(line: str) -> str:
    """Return a command without its comment and the variables before it."""
    words = shlex.split(line, comments=True)
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    return shlex.join(words)


def matches(pattern: str, command: str) -> bool:
    """Tell whether a word of a command begins so."""
    return f" {pattern}" in f" {command}"


LINES = sorted({plain(command.line) for command in COMMANDS})
RUN = [line for line in LINES if not any(matches(pattern, line) for pattern in ONLY_READ)]


@pytest.fixture(scope="module")
def scored(first_trained, tmp_path_factory) -> Path:
    """A project that is evaluated, in a repository with two runs, and sounds beside it."""
    folder = tmp_path_factory.mktemp("documented") / "project"
    went_on(first_trained, folder, ("evaluate",))
    sound, _ = small_utterance(3)
    for name in ("audio.wav", "more/a/b.flac"):
        audio.write(folder / name, sound, RATE)
    (folder / "list.csv").write_text("audio\naudio.wav\n")
    small_model.write(folder / "one_way", bidirectional=False)
    shutil.copy(ROOT / "dvc.yaml", folder)
    (folder / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc" / "config", folder / ".dvc")
    author = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (
        ["init", "-q", "-b", "main"],
        ["add", "reports", "params.yaml", "dvc.yaml", ".dvc/config"],
        [*author, "commit", "-qm", "a run"],
        ["tag", "brave-lynx"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.fixture
def here(scored, tmp_path, monkeypatch) -> Path:
    """A copy of it, in which the test stands."""
    return copied(scored, tmp_path / "project", monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("line", RUN, ids=[line.replace(" ", "_") for line in RUN])
def test_a_command_of_the_documentation_succeeds(here, request, monkeypatch, line):
    words = [STANDS_FOR.get(word, word) for word in shlex.split(line)]
    if any(word.startswith("../shared") for word in words):
        data = request.getfixturevalue("shared_data")
        (here.parent / "shared").symlink_to(data.parent)
    if "|" in words:  # behind what records
        (here / "recorded").write_bytes((32768 * small_utterance(3)[0]).astype("<i2").tobytes())
        monkeypatch.setattr("sys.stdin", (here / "recorded").open())
        words = words[words.index("|") + 1 :]
    match words:
        case ["python", "-m", module, *options]:
            status = run_here(module.removeprefix("pipeline."), *options)
            assert status == (2 if line == A_NAME else 0)
        case ["dvc", *options]:
            assert dvc.cli.main(options) == 0
        case _:
            subprocess.run(words, check=True)


def test_every_row_of_the_table_is_of_a_command():
    assert ONLY_READ and RUN
    idle = [one for one in ONLY_READ if not any(matches(one, line) for line in LINES)]
    assert not idle


def test_the_library_of_the_documentation_predicts(here):
    (block,) = (
        block
        for language, block in FENCE.findall(text_of(ROOT / "docs" / "predict.md"))
        if language == "python"
    )
    samples, sample_rate = audio.read(here / "audio.wav")
    scope = {"samples": samples, "sample_rate": sample_rate}
    exec(block, scope)
    assert run_here("predict", "audio.wav", "--no-plot") == 0
    written = track_csv.read(here / "audio.csv")
    assert scope["tracks"].channels == written.channels
    np.testing.assert_allclose(scope["tracks"].values, written.values, rtol=0, atol=1e-3)
