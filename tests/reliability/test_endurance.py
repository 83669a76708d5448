"""A process that predicts again and again holds no more than at first."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reliability import endurance

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_memory_and_file_handles_stay_over_many_predictions():
    """In a process of its own: this one closes what other tests left open."""
    command = ["-m", "reliability.endurance", "--predictions", "200", "--epochs", "0"]
    ran = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = re.search(r"200 predictions: .*; (\d+) and (\d+) open files", ran.stdout)
    assert found is not None and found[1] == found[2]


def test_what_grows_is_found():
    held = endurance.Held([100 + k / 10 for k in range(200)], [5] * 199 + [6])
    assert held.growth == pytest.approx(15.9)
    assert [line.partition(": ")[2] for line in held.report("many")] == [
        "memory grew by 15.9 MiB",
        "1 files stayed open",
    ]
