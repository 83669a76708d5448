"""The engine's tests once more, in a process of its own, with Keras on JAX."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="this is that process")
@pytest.mark.parametrize(
    "path",
    [
        "models/test_cells.py",
        "models/test_recurrent.py",
        "peers/test_recurrent_keras.py",
        "peers/test_recurrent_torch.py",
    ],
)
def test_on_jax(path):
    pytest.importorskip("jax")
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", str(TESTS / path)],
        cwd=TESTS.parent,
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout
