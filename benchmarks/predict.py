"""How long predictions take, from the start of a process to its end, beside what they could take.

``python -m benchmarks.predict`` prints tables and writes ``benchmarks/results/predict.json``. What
is compared takes turns, round after round, so that whatever else the machine does meets all of it;
medians count. It needs the trained folder that ``make repro`` leaves.

start-up  a wav of 4 s to CSV in a new process: by onnxruntime, with the picture, through TensorFlow
many      sounds of 1 to 12 s, on all cores: the command, and reading and features alone, its floor;
          on one core the network, and its matrix products alone, the floor of that
hours     one long sound: speed and the highest memory
live      a network of 1024 units of one direction on one core, 10 ms of sound at a time
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from onnx import numpy_helper
from threadpoolctl import threadpool_limits

from benchmarks.machine import ROOT, machine
from features.frames import FRAME_RATE
from features.mfcc import SAMPLE_RATE, WIDTH, mfcc
from pipeline.formats import audio
from pipeline.ground.console import run
from pipeline.prediction import long_sound
from pipeline.prediction.predictor import Predictor
from pipeline.trained import description, onnx_graph

RESULTS = ROOT / "benchmarks" / "results" / "predict.json"
TARGETS = {
    "to CSV": 2.5,
    "with the picture": 4.0,
    "predict": 300.0,
    "highest memory": 1.5,
    "99 of 100 below": 2.0,  # of processor time, which other programs do not add to
}
TENSORFLOW = """
import sys
from pathlib import Path
import numpy as np
from features.context import stack_frames
from features.mfcc import mfcc
from features.standardization import Standardizer
from models import regressor
from pipeline.trained import description
from pipeline.prediction import predictor
from pipeline.formats import audio, track_csv
from pipeline.ground.utterance import Tracks
sound, out, trained = map(Path, sys.argv[1:])
about = description.read_about(trained / "model.json")
x = Standardizer().fit_transform(mfcc(*audio.read(sound)))
x = stack_frames(x, about.recipe.context)
model = regressor.load(trained / "model.keras")
z = model.predict_on_batch({"inputs": x[None], "resets": np.zeros((1, len(x)), bool)})[0]
mean, scale = np.array(about.statistics.target_mean), np.array(about.statistics.target_scale)
values = about.smooth(z, mean, scale) * scale + mean
track_csv.write(out / "sound.csv", Tracks(np.arange(len(z)) / 100, values, about.channels))
"""
FLOOR = """
import os, sys
from pathlib import Path
from benchmarks.predict import read_and_analyse
from pipeline.ground import workers
paths = sorted(Path(sys.argv[1]).iterdir())
calls = [(paths[k::16],) for k in range(16)]
list(workers.spread(read_and_analyse, calls, os.cpu_count()))
"""


def noise(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """Return noise whose loudness changes five times a second."""
    rng = np.random.default_rng(seed)
    samples, stretch = round(seconds * SAMPLE_RATE), SAMPLE_RATE // 5
    loud = np.repeat(rng.random(samples // stretch + 1), stretch)[:samples]
    return (0.1 * loud * rng.standard_normal(samples)).astype(np.float32)


def timed(command: list[str]) -> tuple[float, float]:
    """Run a command to its end; return the seconds and the highest memory of it, in GB."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout and process.stderr
    said = process.stdout.read() + process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[:2]} failed:\n{said.decode()}")
    return time.perf_counter() - started, usage.ru_maxrss * 1024 / 1e9


def in_turn(commands: Mapping[str, list[str]], rounds: int) -> dict[str, float]:
    """Let the commands take turns; return the median seconds of each."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            taken[name].append(timed(command)[0])
    return {name: median(seconds) for name, seconds in taken.items()}


def start_up(folder: Path, trained: str, rounds: int) -> dict[str, float]:
    """Return seconds from the start of a process to its end, for 4 s of sound."""
    sound, out = str(folder / "sound.wav"), str(folder / "out")
    audio.write(Path(sound), noise(4), SAMPLE_RATE)
    Path(out).mkdir()
    command = ["-m", "pipeline.predict", sound, "--output", out, "--model", trained]
    commands = {
        "to CSV": [*command, "--no-plot"],
        "with the picture": command,
        "to CSV through TensorFlow": ["-c", TENSORFLOW, sound, out, trained],
    }
    in_turn(commands, 1)  # files into the cache of the system
    return in_turn(commands, rounds)


def read_and_analyse(paths: list[Path]) -> int:
    """Read sounds and compute their features: what no network can be faster than."""
    return sum(len(mfcc(*audio.read(path))) for path in paths)


def many(folder: Path, trained: str, count: int, rounds: int) -> dict[str, float]:
    """Return how many times real time sounds of usual lengths are predicted on all cores."""
    lengths = np.random.default_rng(1).uniform(1, 12, count)
    for k, seconds in enumerate(lengths):
        audio.write(folder / "many" / f"{k:05d}.wav", noise(seconds, k), SAMPLE_RATE)
    sounds = str(folder / "many")
    output = str(folder / "predicted")
    commands = {
        "predict": ["-m", "pipeline.predict", sounds, "--output", output, "--model", trained],
        "floor: reading and features": ["-c", FLOOR, sounds],
    }
    taken = in_turn(commands, rounds)
    return {name: float(lengths.sum()) / seconds for name, seconds in taken.items()}


def network_alone(trained: str, frames: int = 300, batch: int = 16) -> float:
    """Return how many times real time the network itself runs on one core."""
    model = Predictor.load(trained, threads=1)
    x = list(np.random.default_rng(0).normal(size=(batch, frames, WIDTH)).astype(np.float32))
    model.run(x)
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        model.run(x)
        taken.append(time.perf_counter() - started)
    return batch * frames / FRAME_RATE / median(taken)


def products_alone(trained: str, size: int = 1024, rounds: int = 9) -> float:
    """Return how many times real time one core would be that did the network's products alone.

    The rate is that of a large matrix product in float32.
    """
    a = np.ones((size, size), np.float32)
    taken = []
    with threadpool_limits(1):
        for _ in range(1 + rounds):
            started = time.perf_counter()
            a @ a
            taken.append(time.perf_counter() - started)
    shapes = dict(description.read_about(Path(trained) / "model.json").network.weight_shapes())
    biases = [name for name in shapes if "B_" in name or name.endswith("_b")]
    per_frame = sum(np.prod(shape) for name, shape in shapes.items() if name not in biases)
    return float(size**3 / median(taken[1:]) / per_frame / FRAME_RATE)


def hours(folder: Path, trained: str, number: float) -> dict[str, float]:
    """Return speed and highest memory, in GB, of one sound of some hours."""
    path = folder / "long.wav"
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, "PCM_16") as file:
        for minute in range(round(60 * number)):
            file.write(noise(60, minute))
    options = ["--output", str(folder / "long"), "--model", trained]
    seconds, memory = timed(["-m", "pipeline.predict", str(path), *options])
    return {"x real time": 3600 * number / seconds, "highest memory": memory}


def live(seconds: float = 10.0) -> dict[str, float]:
    """Return milliseconds of computing per frame of a network of 1024 units, on one core."""
    network = onnx_graph.Network(WIDTH, 24, "lstm", (1024,), bidirectional=False)
    rng = np.random.default_rng(0)
    stored = [
        numpy_helper.from_array(rng.normal(0, 0.03, shape).astype(np.float32), name)
        for name, shape in network.weight_shapes()
    ]
    graph = onnx_graph.build(network, stored).SerializeToString()
    recipe = description.Recipe("lstm", (1024,), False, "concat", 0)
    average = description.Statistics(
        *[(float(k),) * n for k, n in ((0, 39), (1, 39), (0, 24), (1, 24))]
    )
    over = description.Standardization("corpus", "corpus", "all")
    about = description.About(tuple(f"c{k}" for k in range(24)), over, average, recipe, {})
    model = Predictor(about, graph, statistics="training", threads=1)
    sound = noise(seconds).reshape(-1, SAMPLE_RATE // FRAME_RATE)
    stamps = [(time.perf_counter(), time.thread_time())]

    def arriving() -> Iterator[NDArray[np.float32]]:
        for piece in sound:
            stamps.append((time.perf_counter(), time.thread_time()))
            yield piece

    for _ in long_sound.predict_blocks(model, arriving(), SAMPLE_RATE):
        pass
    clock, processor = 1000 * np.diff(stamps, axis=0)[100:].T  # the first second warms it up
    return {
        "median": float(np.median(processor)),
        "99 of 100 below": float(np.percentile(processor, 99)),
        "99 of 100 below, by the clock": float(np.percentile(clock, 99)),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.predict", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--model", default="trained", help="trained folder; default %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    parser.add_argument("--sounds", type=int, default=400, help="default %(default)s")
    parser.add_argument("--hours", type=float, default=3, help="default %(default)s")
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": machine()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result["start-up, s"] = start_up(folder, options.model, options.rounds)
        result["many, x real time"] = many(
            folder, options.model, options.sounds, max(1, options.rounds // 2)
        )
        result["many, x real time"] |= {
            "network alone, one core": network_alone(options.model),
            "its matrix products, one core": products_alone(options.model),
        }
        result[f"{options.hours:g} hours"] = hours(folder, options.model, options.hours)
    result["live, ms per frame"] = live()
    result["machine"]["load after"] = os.getloadavg()[0]
    for title, rows in list(result.items())[1:]:
        print(f"\n{title}")
        for row, value in rows.items():
            goal = f"   wanted: {TARGETS[row]:g}" if row in TARGETS else ""
            print(f"  {row:30}{value:10.2f}{goal}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    run(main)
