"""The driver that kills: it finds what is lost, and nothing where nothing is."""

import sys

import numpy as np
import pytest

from reliability import torture
from reliability.torture import Torturer

SCRIPT = """
import os
import time
from pathlib import Path

out = Path("data")
out.mkdir(exist_ok=True)
time.sleep(0.05)
for k in range(3):
    {body}
print("done")
"""
SAFE = """part = out / f".{k}.part{os.getpid()}"
    part.write_text("whole")
    time.sleep(0.05)
    part.replace(out / f"{k}.txt")"""
CARELESS = """path = out / f"{k}.txt"
    if not path.exists():
        with path.open("w") as file:
            file.write("wh")
            file.flush()
            time.sleep(0.1)
            file.write("ole")"""
BY_DATE = """path = out / f"{k}.txt"
    if path.exists() and path.stat().st_mtime > time.time():
        raise SystemExit("error: a file from the future")
    path.write_text("whole")
    time.sleep(0.1)"""


def torturer(folder, body: str) -> Torturer:
    (folder / "script.py").write_text(SCRIPT.format(body=body))
    command = [sys.executable, "-S", "script.py"]
    one = Torturer(folder, command, np.random.default_rng(0), torture.wiper(folder, ["data"]))
    one.baseline()
    return one


@pytest.mark.slow
def test_a_command_that_writes_whole_files_has_no_fault(tmp_path):
    one = torturer(tmp_path, SAFE)
    (tmp_path / "data" / ".9.part").touch()  # of a process that was killed
    one.compare("nothing")
    one.kill(5)
    torture.two_at_once(one)
    torture.files_from_the_future(one)
    torture.clock_set_back(one)
    assert one.faults == []


@pytest.mark.slow
@pytest.mark.skipif(not torture.datefudge(), reason="no datefudge: apt-get install datefudge")
def test_a_clock_that_is_set_back_is_one_to_the_command(tmp_path):
    one = torturer(tmp_path, BY_DATE)
    torture.clock_set_back(one)
    assert [fault.partition(": ")[2] for fault in one.faults[:1]] == [
        "exit status 1: error: a file from the future"
    ]


@pytest.mark.slow
def test_half_a_file_taken_for_whole_is_found(tmp_path):
    one = torturer(tmp_path, CARELESS)
    one.kill(30)
    assert any("files differ: data/" in fault for fault in one.faults)


def test_a_failure_wants_a_line_and_no_traceback(tmp_path):
    one = torturer(tmp_path, SAFE)
    one.judge("disk full", 1, "error: a.csv: No space left on device")
    assert one.faults == []
    one.judge("disk full", 0, "done")
    one.judge("disk full", 1, "Traceback (most recent call last):\nOSError")
    one.judge("disk full", -9, "")
    assert len(one.faults) == 3


def test_a_command_that_fails_of_itself_is_refused(tmp_path):
    with pytest.raises(torture.InputError, match="fails of itself"):
        torturer(tmp_path, "raise SystemExit(3)")


@pytest.mark.parametrize("text", ["", "{}"])
@pytest.mark.parametrize("name", torture.IN_PLACE)
def test_what_dvc_left_empty_is_removed_before_the_next_run(tmp_path, name, text, capsys):
    written = tmp_path / name
    written.parent.mkdir(parents=True, exist_ok=True)
    written.write_text(text)
    torturer(tmp_path, SAFE)
    assert written.exists() == bool(text)
    assert ("removed" in capsys.readouterr().out) != bool(text)
