"""A sound's files: all there or none, and what was begun may be finished."""

import os

import pytest

from pipeline.ground.console import InputError
from pipeline.ground.storage import write_json
from pipeline.prediction import outputs, placing

NAMES = ["u.csv", "u.png", "u.json"]


def make(stem, text="new", names=NAMES):
    """Write results as a prediction does."""
    with placing.together(stem) as place:
        others = [p.name for p in placing.own_files(stem) if p.name not in names]
        for name in names[:-1]:
            place.with_name(name).write_text(text)
        about = {"made_by": outputs.MADE_BY, "files": names[:-1], "other_files": others}
        write_json(place.with_name(names[-1]), about)


def listed(folder):
    return sorted(path.name for path in folder.iterdir())


def test_results_take_their_places_together_and_may_be_made_again(tmp_path):
    for text in ("one", "two"):
        make(tmp_path / "u", text)
        assert listed(tmp_path) == sorted(NAMES)
        assert (tmp_path / "u.csv").read_text() == text
        placing.guard(tmp_path / "u", [".csv", ".png"])


@pytest.mark.parametrize("last", [0, 1, 2])
def test_what_fails_leaves_nothing(tmp_path, last):
    with pytest.raises(RuntimeError), placing.together(tmp_path / "u") as place:
        for name in NAMES[:last]:
            place.with_name(name).write_text("half")
        raise RuntimeError
    assert listed(tmp_path) == []


def test_a_move_that_fails_leaves_nothing_new_and_nothing_stuck(tmp_path, monkeypatch):
    def replace(path, target, real=os.replace):
        if target == tmp_path / "u.png":
            raise OSError(28, "No space left on device", str(path))
        real(path, target)

    make(tmp_path / "u", "old")
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", replace)
        with pytest.raises(OSError, match="No space left") as caught:
            make(tmp_path / "u")
    assert caught.value.filename == str(tmp_path / "u.png")
    for path in tmp_path.iterdir():
        assert path.name == "u.json" or path.read_text() == "old"
    placing.guard(tmp_path / "u", [".csv", ".png"])


@pytest.mark.parametrize("moves", range(6))
@pytest.mark.parametrize("before", [[], ["u.csv", "u.npz", "u.json"]])
def test_a_run_that_is_killed_may_be_finished_by_the_next(tmp_path, moves, before, monkeypatch):
    """Description and journal are written and up to three files moved when the process is gone."""
    if before:
        make(tmp_path / "u", "old", before)
    process = os.fork()
    if not process:

        def replace(path, target, left=[moves], real=os.replace):  # noqa: B006
            if not left[0]:
                os._exit(9)
            left[0] -= 1
            real(path, target)

        os.replace = replace
        make(tmp_path / "u")
        os._exit(0)
    os.waitpid(process, 0)
    placing.guard(tmp_path / "u", [".csv", ".npz", ".png"])
    make(tmp_path / "u", "again")
    assert listed(tmp_path) == sorted({*NAMES, *before})
    placing.guard(tmp_path / "u", [".csv", ".npz", ".png"])
    assert (tmp_path / "u.csv").read_text() == "again"


def test_somebody_elses_file_is_not_taken_for_one_of_a_killed_run(tmp_path):
    shared = placing.room(tmp_path / "u")
    shared.mkdir()
    (tmp_path / "u.csv").write_text("predicted")
    write_json(shared / "1.json", [placing.mark(tmp_path / "u.csv")])
    placing.guard(tmp_path / "u", [".csv"])
    (tmp_path / "u.csv").unlink()
    (tmp_path / "u.csv").write_text("measured, by hand")
    with pytest.raises(InputError, match=r"u\.csv: exists and is no prediction"):
        placing.guard(tmp_path / "u", [".csv"])


def test_a_folder_in_the_way_is_no_file_to_replace(tmp_path):
    (tmp_path / "u.csv").mkdir()
    with pytest.raises(InputError, match=r"u\.csv: is a folder"):
        make(tmp_path / "u")
    assert listed(tmp_path) == ["u.csv"]
