"""What DVC does not see: recordings, lists of utterances, what a recipe has from another."""

import csv
import os
import shutil
from pathlib import Path

import pytest

from pipeline.ground import artifacts, params, storage
from tests.conftest import ROOT
from tests.pipeline.conftest import change


def watched(path: Path = artifacts.WATCHED_RECORDINGS) -> dict[str, list[str]]:
    with path.open(newline="") as file:
        return {row[0]: row[1:] for row in list(csv.reader(file))[1:]}


def test_every_recording_is_listed_by_name_size_and_date(project, stage):
    assert stage("watch").out == "watch: recordings: 48 files, seen for the first time\n"
    rows = watched()
    assert list(rows) == sorted(path.name for path in (project / "recordings").iterdir())
    facts = (project / "recordings" / "u03.wav").stat()
    assert rows["u03.wav"] == [str(facts.st_size), str(facts.st_mtime_ns)]
    before = artifacts.WATCHED_RECORDINGS.stat()
    assert "48 files, as in the last run" in stage("watch").out
    assert artifacts.WATCHED_RECORDINGS.stat() == before


def test_what_changed_is_counted(project, stage):
    stage("watch")
    folder = project / "recordings"
    (folder / "u00.csv").unlink()
    (folder / "u01.csv").unlink()
    (folder / "S2").mkdir()
    shutil.copy(folder / "u02.wav", folder / "S2" / "u02.wav")
    os.utime(folder / "u05.wav", ns=(0, 1))  # a clock that was set back
    (folder / "u06.wav").write_bytes(b"")
    (folder / "u07.wav").rename(folder / "u77.wav")
    (folder / ".u02.csv.part123").touch()
    assert "47 files, 2 new, 2 changed, 3 gone since the last run" in stage("watch").out
    assert "S2/u02.wav" in watched()


def test_folders_behind_links_are_watched_once(project, stage, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.wav").touch()
    folder = project / "recordings"
    (folder / "S1").symlink_to(elsewhere)
    (elsewhere / "loop").symlink_to(folder)
    (folder / "nowhere.wav").symlink_to("gone.wav")
    assert "49 files" in stage("watch").out
    assert "S1/a.wav" in watched()


def test_a_name_of_any_bytes_is_listed(project, stage):
    name = os.fsencode(project / "recordings") + b'/Mu\xdfe, "\n\t.wav'
    Path(os.fsdecode(name)).touch()
    assert "49 files" in stage("watch").out
    assert 'Mu\\xdfe, "\n\t.wav' in watched()
    assert "49 files, as in the last run" in stage("watch").out


def test_lists_of_utterances_are_watched(project, stage):
    Path("train.txt").write_text("u00\n")
    change(project / "params.yaml", standardize__lists={"train": "train.txt", "test": "gone.txt"})
    stage("watch")
    before = watched(artifacts.WATCHED_LISTS)
    assert list(before) == ["train.txt"]
    Path("train.txt").write_text("u00\nu01\n")
    stage("watch")
    assert watched(artifacts.WATCHED_LISTS) != before


def test_what_else_a_corpus_names_is_watched(project, stage):
    Path("palate.csv").write_text("x_mm,y_mm\n0,1\n9,1\n")
    palates = {"A": {"file": "palate.csv"}}
    change(project / "params.yaml", corpus__palates=palates)
    change(project / "params.yaml", corpus__head_correction__recording="rest.pos")
    assert "49 files" in stage("watch").out
    Path("rest.pos").touch()
    assert "1 new" in stage("watch").out
    assert {"palate.csv", "rest.pos"} < set(watched())


def test_the_recipe_that_is_trained_is_watched_with_what_it_is_like(project, stage):
    def recipe(**changes):
        change(project / "params.yaml", **changes)
        assert stage("watch").status == 0
        return storage.read_json(artifacts.WATCHED_RECIPE, "watch")

    first = recipe(train__recipe="speakers")
    assert first["units"] == [16]
    assert recipe(recipes__tutorial__units=[3]) == first
    assert recipe(recipes__default__units=[5]) == {**first, "units": [5]}


def test_the_embedded_corpus_has_no_recordings(project, stage):
    change(project / "params.yaml", corpus__reader="vocaltractlab", corpus__path=None)
    assert stage("watch").out == "watch: the embedded corpus, no recordings\n"
    assert watched() == {}


def test_a_folder_that_is_not_there_is_one_line(project, stage):
    change(project / "params.yaml", corpus__path="elsewhere")
    outcome = stage("watch")
    assert (outcome.status, outcome.err) == (2, "error: corpus.path: elsewhere: no such folder\n")


def test_every_stage_that_reads_recordings_depends_on_their_list():
    stages = storage.read_yaml(ROOT / "dvc.yaml")["stages"]
    for name in ("corpus", "extract"):
        assert artifacts.WATCHED_RECORDINGS.as_posix() in stages[name]["deps"]
    assert artifacts.WATCHED_LISTS.as_posix() in stages["standardize"]["deps"]
    assert artifacts.WATCHED_RECIPE.as_posix() in stages["train"]["deps"]
    made = {p for out in stages["watch"]["outs"] for p in (out if isinstance(out, dict) else [out])}
    names = ("RECORDINGS", "LISTS", "RECIPE")
    assert made == {getattr(artifacts, f"WATCHED_{name}").as_posix() for name in names}


@pytest.fixture
def copy(project, monkeypatch):
    """A copy of the project as DVC makes them for queued experiments, without recordings."""
    folder = project / ".dvc" / "tmp" / "exps" / "standard" / "tmpabc"
    folder.mkdir(parents=True)
    shutil.copy(project / "params.yaml", folder)
    monkeypatch.setenv("DVC_ROOT", str(project))
    return folder


def test_a_copy_of_the_project_reads_the_same_recordings(project, copy, stage, monkeypatch):
    stages = ("watch", "corpus", "extract", "standardize")
    made = (artifacts.WATCHED_RECORDINGS, artifacts.MANIFEST, artifacts.FRAMES / "index.json")
    found = []
    for folder in (project, copy):
        monkeypatch.chdir(folder)
        for name in stages:
            outcome = stage(name)
            assert outcome.status == 0, outcome.err
        found.append([path.read_bytes() for path in made])
    assert found[0] == found[1]


@pytest.mark.slow
def test_a_sound_is_varied_in_a_copy_too(project, copy, stage, monkeypatch):
    change(copy / "params.yaml", train__recipe="speakers", recipes__default__epochs=1)
    monkeypatch.chdir(copy)
    for name in ("corpus", "extract", "standardize", "train"):
        outcome = stage(name)
        assert outcome.status == 0, outcome.err


def test_where_a_path_leads(project, copy, monkeypatch):
    assert artifacts.from_project("recordings") == Path("recordings")  # here is the project
    monkeypatch.chdir(copy)
    assert artifacts.from_project("recordings") == project / "recordings"
    assert artifacts.from_project("/absolute") == Path("/absolute")
    assert artifacts.from_project("params.yaml") == Path("params.yaml")  # the copy's own
    leads = project / "recordings" / "u00.wav"
    assert artifacts.to_project(leads) == Path("recordings/u00.wav")
    monkeypatch.setenv("DVC_ROOT", str(project.parent))  # DVC's folder holds the project's
    monkeypatch.chdir(project)
    assert artifacts.from_project("recordings") == Path("recordings")
    assert params.load().corpus.path == "recordings"
