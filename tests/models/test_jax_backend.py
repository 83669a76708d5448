"""The tests of the engine that are marked `jax`, in a process of its own with Keras on JAX."""

import os
import subprocess
import sys

import pytest

from tests import on_jax
from tests.conftest import ROOT

MARK = "pytest.mark.jax"


@pytest.mark.slow
def test_on_jax():
    pytest.importorskip("jax")
    paths = [path for path in (ROOT / "tests").rglob("test_*.py") if MARK in path.read_text()]
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-n0", "-m", "jax", *map(str, paths)],
        cwd=ROOT,
        env=os.environ | on_jax.ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout
    assert " passed" in finished.stdout
