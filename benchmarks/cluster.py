"""Ten thousand short sounds on a Dask cluster that loses a worker, and on one that loses its head.

``python -m benchmarks.cluster`` starts a scheduler and two workers, each a process of its own, and
predicts sounds of 1 to 2 s on them. After a third of the sounds one worker is killed; then, into
another folder, the scheduler, and ``--resume`` makes the rest. It prints seconds, and how many
predictions are there, whole and once each. It needs the trained folder that ``make repro`` leaves.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.predict import ROOT, noise
from features.frames import frame_count
from features.mfcc import SAMPLE_RATE
from pipeline.formats import audio
from pipeline.ground.console import run

COMMAND = ["-m", "pipeline.predict"]


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """A scheduler and two workers, each a process of its own, as on several machines.

    Only the workers can import the project, or nobody.
    """

    def __init__(self, folder: Path, *, workers_have_project: bool = True) -> None:
        self.folder = folder
        port = free_port()
        self.address = f"tcp://127.0.0.1:{port}"
        here = ["--host", "127.0.0.1", "--no-dashboard"]
        self.scheduler = self.start(
            "distributed.cli.dask_scheduler", "--port", str(port), *here, project=False
        )
        options = ["--no-nanny", "--nthreads", "1"]
        self.workers = [
            self.start(
                "distributed.cli.dask_worker",
                *(self.address, *here, *options),
                project=workers_have_project,
            )
            for _ in range(2)
        ]

    def start(self, module: str, *options: str, project: bool) -> subprocess.Popen[str]:
        """Start one of its processes."""
        return self.run(["-m", module, *options], subprocess.DEVNULL, project=project)

    def predict(self, *options: str, command: list[str] = COMMAND) -> subprocess.Popen[str]:
        """Start the command."""
        return self.run([*command, *options, "--cluster", self.address], subprocess.PIPE)

    def run(
        self, command: list[str], output: int, *, project: bool = True
    ) -> subprocess.Popen[str]:
        """Start a process of Python."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT) if project else ""}
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=self.folder,
            env=environment,
            stdout=output,
            stderr=output,
            text=True,
        )

    def close(self) -> None:
        """End what still runs."""
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()


def wait_for(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until so many predictions are whole."""
    while len(list(folder.glob("*.json"))) < count:
        if process.poll() is not None:
            raise SystemExit(f"ended too soon:\n{process.communicate()}")
        time.sleep(0.05)


def census(sounds: Path, made: Path) -> str:
    """Return how many predictions are there and have all rows, and how many files are not due."""
    due = {f"{path.stem}{end}" for path in sounds.iterdir() for end in (".csv", ".json")}
    there = {path.name for path in made.iterdir()}
    whole = 0
    for path in sounds.iterdir():
        rows = (made / f"{path.stem}.csv").read_text().count("\n") - 1
        whole += rows == frame_count(audio.header(path).samples, SAMPLE_RATE)
    pieces = {name for name in there if name.startswith(".")}  # of a process killed as it wrote
    doubled = len(there - due - pieces)
    return f"{whole} whole, {len(due - there)} lost, {doubled} doubled, {len(pieces)} unfinished"


def main() -> None:
    """Kill a worker, kill the scheduler, count."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--model", default="trained", help="trained folder; default %(default)s")
    parser.add_argument("--sounds", type=int, default=10_000, help="default %(default)s")
    options = parser.parse_args()
    model = ["--model", str(Path(options.model).resolve())]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lengths = np.random.default_rng(0).uniform(1, 2, options.sounds)
        for k, seconds in enumerate(lengths):
            audio.write(folder / "in" / f"{k:05d}.wav", noise(seconds, k), SAMPLE_RATE)
        print(f"{options.sounds} sounds, {lengths.sum() / 3600:.2f} hours")
        for victim in ("worker", "scheduler"):
            cluster = Cluster(folder)
            started = time.perf_counter()
            process = cluster.predict("in", "--output", victim, *model)
            wait_for(folder / victim, options.sounds // 3, process)
            (cluster.workers[0] if victim == "worker" else cluster.scheduler).kill()
            out, err = process.communicate()
            print(f"\n{victim} killed: exit status {process.returncode} after", end=" ")
            print(f"{time.perf_counter() - started:.1f} s\n{out}{err}".rstrip())
            cluster.close()
            if victim == "scheduler":
                rest = ["in", "--output", victim, *model, "--resume"]
                process = cluster.run([*COMMAND, *rest], subprocess.PIPE)
                print("".join(process.communicate()).rstrip())
            print(census(folder / "in", folder / victim))


if __name__ == "__main__":
    run(main)
