"""How far predictions differ between processors: this one, and others that QEMU emulates.

``python -m benchmarks.processors [SOUND ...]`` prints a table and writes
``benchmarks/results/processors.json``. Without a sound it takes 4 s of noise. It needs the trained
folder that ``make repro`` leaves and the Debian package qemu-user; an emulated processor takes
half a minute or more. Each row is compared with this processor, one thread and one sound at a time.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import ROOT, machine
from benchmarks.predict import noise
from features.mfcc import SAMPLE_RATE, mfcc
from pipeline.formats import audio
from pipeline.ground.console import UsageError, run
from pipeline.prediction.predictor import Predictor

RESULTS = ROOT / "benchmarks" / "results" / "processors.json"
PROCESSORS = {  # of QEMU, which knows no AVX-512
    "EPYC-Rome": "AMD Zen 2: AVX2",
    "Haswell": "Intel Haswell: AVX2",
    "Nehalem": "Intel Nehalem: SSE 4.2",
}

Arrays = dict[str, NDArray[np.floating]]


def predictions(
    model: Path, sounds: list[Path], *, threads: int = 1, batch: bool = False
) -> Arrays:
    """Return features, tracks in z and tracks in mm of all sounds, end to end."""
    predictor = Predictor.load(model, threads=threads)
    read = [audio.read(path) for path in sounds]
    features = [predictor.features(*sound) for sound in read]
    z = predictor.run(features) if batch else [predictor.run([x])[0] for x in features]
    return {
        "features": np.concatenate([mfcc(*sound) for sound in read]),
        "z": np.concatenate(z),
        "mm": np.concatenate([predictor.tracks(one).values for one in z]),
    }


def emulated(processor: str, model: Path, sounds: list[Path]) -> Arrays:
    """Return the predictions that an emulated processor makes."""
    qemu = shutil.which("qemu-x86_64")
    if qemu is None:
        raise UsageError("qemu-x86_64 is missing: `apt install qemu-user`")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "made.npz"
        command = [qemu, "-cpu", processor, sys.executable, "-m", "benchmarks.processors"]
        options = ["--model", str(model), "--write", str(out), *map(str, sounds)]
        subprocess.run([*command, *options], cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
        with np.load(out) as made:
            return dict(made)


def difference(made: Arrays, here: Arrays) -> dict[str, float]:
    """Return how many features differ, and the largest differences of tracks."""
    apart = {name: np.abs(made[name].astype(np.float64) - here[name]) for name in here}
    return {
        "features that differ": int(np.count_nonzero(apart["features"])),
        "largest in z": float(apart["z"].max()),
        "largest in mm": float(apart["mm"].max()),
    }


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.processors", description=__doc__)
    parser.add_argument("audio", nargs="*", type=Path)
    parser.add_argument("--model", type=Path, default=ROOT / "trained")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)  # what a process here made
    arguments = parser.parse_args()
    model, sounds = arguments.model.absolute(), [path.absolute() for path in arguments.audio]
    if arguments.write:
        np.savez(arguments.write, allow_pickle=False, **predictions(model, sounds))
        return
    with tempfile.TemporaryDirectory() as folder:
        if not sounds:
            sounds = [Path(folder) / f"{k}.wav" for k in range(2)]
            for k, path in enumerate(sounds):
                audio.write(path, noise(1 + 2 * k, k), SAMPLE_RATE)
        here = predictions(model, sounds)
        rows: dict[str, Any] = {
            "all cores": difference(predictions(model, sounds, threads=0), here),
            "one batch": difference(predictions(model, sounds, batch=True), here),
        }
        for processor, name in PROCESSORS.items():
            rows[name] = difference(emulated(processor, model, sounds), here)
    size = {name: array.size for name, array in here.items()}
    print(f"{size['features']} features, {size['mm']} values of tracks")
    for name, row in rows.items():
        print(f"{name:26}", ", ".join(f"{key} {value:.2g}" for key, value in row.items()))
    written = {"frames": len(here["z"]), "rows": rows, "machine": machine()}
    RESULTS.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    run(main)
