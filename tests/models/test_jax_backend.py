"""The engine's tests once more, in a process of its own, with Keras on JAX."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from tests import on_jax

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="this is that process")
@pytest.mark.parametrize(
    ("path", "chosen"),
    [
        ("models/test_cells.py", ""),
        ("models/test_recurrent.py", ""),
        # what is left out takes minutes to compile there and differs from these in length alone
        ("peers/test_recurrent_keras.py", "not 300"),
        ("peers/test_recurrent_torch.py", "not 300 and not RNN"),
    ],
)
def test_on_jax(path, chosen):
    pytest.importorskip("jax")
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", str(TESTS / path), "-k", chosen],
        cwd=TESTS.parent,
        env=os.environ | on_jax.ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout
