"""What is promised to be equal, with the instructions that other processors have.

BLAS, NumPy and oneDNN choose their kernels by the processor, and variables of the environment make
them choose as on another one. With each, the features have the bits that they have here, and the
tests marked `exact` hold. onnxruntime has no such variable: it runs on a processor that QEMU
emulates.
"""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from numpy._core import _multiarray_umath as umath

from pipeline.formats import audio, track_csv
from tests.conftest import ROOT
from tests.digest import digest
from tests.pipeline import small_model
from tests.pipeline.conftest import RATE, small_utterance

pytestmark = pytest.mark.slow

LAST_DIGIT = 1.0001e-4  # mm, as docs/reproducibility.md has it
# kernels of OpenBLAS: what they need of a processor, and the most that oneDNN may use beside them
KERNELS = {
    "Haswell": ("AVX2 FMA3", "AVX2"),
    "SkylakeX": ("AVX512_SKX", "AVX512_CORE"),
    "Zen": ("AVX2 FMA3", "AVX2"),
    "Prescott": ("SSE3", "SSE41"),
}
NAMES = {"Prescott": "Katmai"}  # the oldest of the processors that have the same kernels
MARK = "@pytest.mark.exact"
EXACT = [path for path in (ROOT / "tests").rglob("test_*.py") if MARK in path.read_text()]


def older(needed):
    """Return what NumPy may use here and has to do without on an older processor."""
    if "AVX512" in needed:
        return []
    return [x for x in umath.__cpu_dispatch__ if "AVX2" not in needed or "512" in x or "V4" in x]


@pytest.mark.parametrize("kernel", KERNELS)
def test_features_keep_their_bits_and_what_is_equal_stays_equal(kernel):
    pytest.importorskip("threadpoolctl", reason="threadpoolctl is not installed: which kernels?")
    needed, onednn = KERNELS[kernel]
    if lacking := [name for name in needed.split() if not umath.__cpu_features__[name]]:
        pytest.skip(f"this processor has no {', '.join(lacking)}")
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "OPENBLAS_CORETYPE": kernel,
        "NPY_DISABLE_CPU_FEATURES": " ".join(older(needed)),
        "ONEDNN_MAX_CPU_ISA": onednn,
    }

    def run(*command):
        command = [sys.executable, *map(str, command)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    *used, found = run(ROOT / "tests" / "digest.py").split()
    if used != [NAMES.get(kernel, kernel)]:
        pytest.skip(f"BLAS took its kernels of {', '.join(used)}")
    assert found == digest()
    run("-m", "pytest", "-m", "exact", "-n0", "-p", "no:cacheprovider", *EXACT)


# a choice for this processor is none for the emulated one, which may lack the instructions
CHOOSING = ("OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES", "ONEDNN_MAX_CPU_ISA")


def test_an_old_processor_predicts_the_same_to_the_last_written_digit(tmp_path):
    qemu = shutil.which("qemu-x86_64")
    if qemu is None:
        pytest.skip("qemu-x86_64, of the Debian package qemu-user, emulates other processors")
    small_model.write(tmp_path / "trained")
    audio.write(tmp_path / "a.wav", small_utterance(0)[0], RATE)
    command = [sys.executable, "-m", "pipeline.predict", "a.wav", "--no-plot", "--output"]
    own = {name: value for name, value in os.environ.items() if name not in CHOOSING}
    for name, emulator in (("here", []), ("there", [qemu, "-cpu", "Nehalem"])):
        subprocess.run(
            [*emulator, *command, name],
            cwd=tmp_path, env=own | {"PYTHONPATH": str(ROOT)}, check=True,
        )  # fmt: skip
    here, there = (track_csv.read(tmp_path / name / "a.csv") for name in ("here", "there"))
    np.testing.assert_allclose(there.values, here.values, rtol=0, atol=LAST_DIGIT)
