"""Memory and file handles of a process that predicts for long, or trains for long.

``python -m reliability.endurance`` (`make endurance`) predicts 2,000 sounds in one process, as
`pipeline.predict` does in each of its workers, trains a small network for 50 epochs, and prints
what the process holds in between. Memory is what Linux counts as resident. A line is fitted to it
after the first fifth, in which libraries fill their pools; a leak of a sound or a batch shows as a
slope. The exit status is 1 if more file handles are open at the end than after that fifth, or if
memory grows by more than ``MOST_MB`` after it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.predict import noise
from features.mfcc import SAMPLE_RATE
from pipeline import predict
from pipeline.formats import audio
from pipeline.ground.console import InputError, run, say
from pipeline.prediction.batch import Job, Settings, predict_batch
from pipeline.prediction.recordings import Recording
from reliability import seeds, torture

SOUNDS, EPOCHS = 2_000, 50
LENGTHS = 40  # different ones, from 0.2 to 2.2 s
WARM = 5  # the first of so many parts does not count
MOST_MB = 8.0  # docs/reliability.md says what was measured


@dataclass
class Held:
    """What a process held, again and again.

    Attributes
    ----------
    mb : list of float
        Resident memory in MiB.
    handles : list of int
        Open files.
    """

    mb: list[float]
    handles: list[int]

    def note(self) -> None:
        """Look."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.mb.append(pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20))
        self.handles.append(len(list(Path("/proc/self/fd").iterdir())))

    @property
    def growth(self) -> float:
        """MiB from the end of the warm-up to the end, by a line fitted to what lies between."""
        settled = self.mb[len(self.mb) // WARM :]
        return float(np.polyfit(np.arange(len(settled)), settled, 1)[0] * (len(settled) - 1))

    def report(self, what: str) -> list[str]:
        """Print the figures; return what is wrong with them."""
        first = len(self.mb) // WARM
        say(
            f"{what}: {self.mb[0]:.1f} MiB at first, {self.mb[first]:.1f} after the warm-up,"
            f" {self.mb[-1]:.1f} at the end, {self.growth:+.2f} along a fitted line;"
            f" {self.handles[first]} and {self.handles[-1]} open files"
        )
        wrong = []
        if self.growth > MOST_MB:
            wrong.append(f"{what}: memory grew by {self.growth:.1f} MiB")
        if self.handles[-1] > self.handles[first]:
            wrong.append(f"{what}: {self.handles[-1] - self.handles[first]} files stayed open")
        return wrong


def predictions(count: int) -> Held:
    """Predict so many sounds of different lengths in this process, now and then a broken one."""
    held = Held([], [])
    with TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "trained"
        model.mkdir()
        for file, content in seeds.trained().items():
            (model / file).write_bytes(content)
        settings = Settings(
            model, "auto", None, ("csv", "textgrid"), False, False, False, None, True, False
        )
        for k in range(LENGTHS):
            audio.write(folder / f"{k}.wav", noise(0.2 + 2 * k / LENGTHS, k), SAMPLE_RATE)
        (folder / "broken.wav").write_bytes((folder / "9.wav").read_bytes()[:3000])
        for k in range(count):
            sound = folder / ("broken.wav" if k % 50 == 49 else f"{k * 7 % LENGTHS}.wav")
            (job,) = predict.headers([Recording(sound, sound.stem)], [folder / "out" / sound.stem])
            if isinstance(job, Job):
                (job,) = predict_batch([job], settings, 1)
            if bool(job.error) != (sound.stem == "broken"):
                raise InputError(f"{sound.name}: {job.error or 'accepted'}")
            held.note()
    return held


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Stand in a folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def epochs(count: int) -> Held:
    """Train a small network for so many epochs in this process."""
    from pipeline import corpus, extract, standardize, train

    held = Held([], [])
    train.monitor = partial(watching, held)
    with TemporaryDirectory() as name:
        folder = Path(name)
        torture.lay_out(folder, {"recipes.default.epochs": count})
        with inside(folder):
            for stage in (corpus, extract, standardize, train):
                stage_main: Callable[[], None] = stage.main
                sys.argv = [stage.__name__, *(["--jobs", "1"] * (stage is extract))]
                stage_main()
    return held


@contextmanager
def watching(held: Held, *_: object) -> Iterator[Callable[[object], None]]:
    """Look at the process after every epoch, in place of the monitor of a training."""
    yield lambda row: held.note()


def main() -> None:
    """Predict and train, each in a process of its own, and print what they held."""
    parser = argparse.ArgumentParser(
        prog="python -m reliability.endurance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--predictions", type=int, default=SOUNDS, help=f"default: {SOUNDS}")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"default: {EPOCHS}")
    options = parser.parse_args()
    if options.predictions and options.epochs:
        command = [sys.executable, "-m", "reliability.endurance"]
        apart = (options.predictions, 0), (0, options.epochs)
        statuses = [
            subprocess.run([*command, f"--predictions={one}", f"--epochs={other}"]).returncode
            for one, other in apart
        ]
        sys.exit(max(statuses))
    wrong = []
    if options.predictions:
        wrong += predictions(options.predictions).report(f"{options.predictions} predictions")
    if options.epochs:
        wrong += epochs(options.epochs).report(f"{options.epochs} epochs")
    if wrong:
        raise InputError("; ".join(wrong))


if __name__ == "__main__":
    run(main)
