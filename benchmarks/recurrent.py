"""Speed of a training step: this project's layer, Keras, torch, and the tutorial's own way.

``python -m benchmarks.recurrent`` prints a table and writes ``benchmarks/results/recurrent.json``:
frames per second of forward, backward and Adam together, and of an epoch over real lengths. Every
library runs in a process of its own, since Keras has one backend per process. They take turns, one
measurement each, round after round, so that whatever else the machine does meets them all; medians
count. ``bound`` is what the rate of a large product in float32 would allow.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contestants import (
    EPOCHS,
    FRAMES,
    LENGTHS,
    PROCESSES,
    PRODUCTS,
    SHAPES,
    SIDE,
    STEPS,
    Build,
    utterances,
)
from benchmarks.machine import ROOT, machine

RESULTS = ROOT / "benchmarks" / "results" / "recurrent.json"
PAUSE = 0.1  # seconds, for the threads of the one before to fall asleep
EPOCH_ROUNDS = 3
PARTS = ("steps", "epochs")
Table = dict[str, tuple[str, Build]]


def installed(table: Table) -> Table:
    """Leave out the variants of libraries that are not installed."""
    return {v: entry for v, entry in table.items() if find_spec(PROCESSES[entry[0]][0])}


class Processes:
    """The processes of `PROCESSES`, each started when it is first asked."""

    def __init__(self) -> None:
        self.running: dict[str, subprocess.Popen] = {}

    def seconds(self, name: str, variant: str, shape: str) -> float:
        """Have one step or epoch run; the seconds it took."""
        if name not in self.running:
            _, environment = PROCESSES[name]
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.contestants"],
                cwd=ROOT,
                env=os.environ | environment | {"TF_CPP_MIN_LOG_LEVEL": "3"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        process = self.running[name]
        assert process.stdin and process.stdout
        print(json.dumps({"variant": variant, "shape": shape}), file=process.stdin, flush=True)
        answer = process.stdout.readline()
        if not answer:
            raise SystemExit(f"the {name} process ended at {variant}, {shape}")
        time.sleep(PAUSE)
        return float(answer)

    def rounds(self, table: Table, shape: str, number: int) -> dict[str, list[float]]:
        """Let the variants take turns; the seconds of each, round by round."""
        runs: dict[str, list[float]] = {variant: [] for variant in table}
        for _ in range(number):
            for variant, (name, _build) in table.items():
                runs[variant].append(self.seconds(name, variant, shape))
        return runs

    def stop(self) -> None:
        """End every process."""
        for process in self.running.values():
            assert process.stdin
            process.stdin.close()
            process.wait()


def rates(runs: dict[str, list[float]], amount: float) -> dict[str, list[float]]:
    """Turn seconds into so much a second."""
    return {variant: [amount / seconds for seconds in taken] for variant, taken in runs.items()}


def best(medians: dict[str, float], start: str, end: str = "") -> str:
    """Return the fastest variant of those whose names start and end so."""
    chosen = [v for v in medians if v.startswith(start) and v.endswith(end)]
    return max(chosen, key=medians.__getitem__)


def ratios(medians: dict[str, float], bound: float) -> dict[str, Any]:
    """Compare the best variant of this layer to the others."""
    others = {"torch": "torch", "keras": "keras, graph", "tutorial": "tutorial"}

    def compare(variant: str) -> dict[str, Any]:
        found = {k: medians[variant] / medians[v] for k, v in others.items() if v in medians}
        return {"variant": variant, **found, "bound": medians[variant] / bound}

    narrow = {v: rate for v, rate in medians.items() if v.endswith("bfloat16")}
    wide = {v: rate for v, rate in medians.items() if v not in narrow}
    return {**compare(best(wide, "own")), "bfloat16": compare(best(narrow, "own"))}


def epoch_ratios(medians: dict[str, float]) -> dict[str, Any]:
    """Compare each way of batching to torch at the batch size of 16 and at its best."""
    if "torch, sorted by 16" not in medians:
        return {}
    peers = {"torch": "torch, sorted by 16", "torch at its best": best(medians, "torch")}

    def compare(variant: str) -> dict[str, Any]:
        return {"variant": variant, **{k: medians[variant] / medians[v] for k, v in peers.items()}}

    return {name: compare(best(medians, f"own, {name}")) for name in ("pad", "bucket", "pack")}


def show(title: str, medians: dict[str, float], unit: str) -> None:
    """Print one column of the table, fastest first."""
    print(f"\n{title}")
    for variant, rate in sorted(medians.items(), key=lambda item: -item[1]):
        print(f"  {variant:36} {rate:10,.0f} {unit}")


def measure_steps(
    processes: Processes, shapes: Sequence[str], number: int, result: dict[str, Any]
) -> None:
    """Time the large product and a training step of every shape."""
    runs = rates(processes.rounds(installed(PRODUCTS), "lstm-1024-b16", number), 2 * SIDE**3 / 1e9)
    medians = {variant: median(found) for variant, found in runs.items()}
    result["products"] = {"runs": runs, "median": medians, "unit": "GFLOP/s"}
    show("Large product", medians, "GFLOP/s")
    rate = 1e9 * medians[best(medians, "product", "float32")]

    for name in shapes:
        shape = SHAPES[name]
        bound = rate / shape.operations
        runs = {}
        for variant, taken in processes.rounds(installed(STEPS), name, number).items():
            frames = FRAMES * (1 if variant == "tutorial" else shape.batch)
            runs |= rates({variant: taken}, frames)
        medians = {variant: median(found) for variant, found in runs.items()}
        result["shapes"][name] = {
            "operations per frame": shape.operations,
            "bound": bound,
            "runs": runs,
            "median": medians,
            "unit": "frames/s",
        }
        result["ratios"][name] = ratios(medians, bound)
        show(name, medians | {"bound": bound}, "frames/s")
        print("  ratios", result["ratios"][name])


def measure_epochs(processes: Processes, result: dict[str, Any]) -> None:
    """Time an epoch over real lengths."""
    frames = sum(len(x) for x in utterances()[0])
    runs = rates(processes.rounds(installed(EPOCHS), "lstm-1024-b16", EPOCH_ROUNDS), frames)
    medians = {variant: median(found) for variant, found in runs.items()}
    result["epoch"] = {"runs": runs, "median": medians, "unit": "valid frames/s"}
    result["ratios"]["epoch"] = epoch_ratios(medians)
    show("An epoch over the lengths of Y.npy, LSTM 1024", medians, "valid frames/s")
    print("  ratios", result["ratios"]["epoch"])


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recurrent", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of each, no epochs")
    parser.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    parser.add_argument("--shape", choices=SHAPES, action="append", help="only this; repeatable")
    parser.add_argument(
        "--only", choices=PARTS, help="measure one part and leave the other in the file as it is"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="default %(default)s")
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": {}, "shapes": {}, "ratios": {}}
    if options.only and options.output.exists():
        result = json.loads(options.output.read_text())
    processes = Processes()
    for part in PARTS if options.only is None else (options.only,):
        if part == "epochs" and (options.quick or not LENGTHS.exists()):
            continue
        here = machine()
        if part == "steps":
            number = 1 if options.quick else options.rounds
            measure_steps(processes, options.shape or list(SHAPES), number, result)
        else:
            measure_epochs(processes, result)
        result["machine"][part] = here | {"load after": os.getloadavg()[0]}
    processes.stop()
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
