"""The pipeline and a batch prediction, killed again and again, against an undisturbed run.

``python -m reliability.torture`` (`make torture`) lays out a project with a small corpus, runs
``dvc repro`` and predicts all sounds. Then it starts both over and kills each, with all its
processes, at random moments; whatever is killed is started again, and what it leaves when it ends
by itself has to be, byte for byte, what the first run left. Then it tries what else may happen: a
disk that is full (one on which no file can grow, and, for the superuser, small ones in memory that
are full sooner or later), a folder or a disk that may not be written, an output that is deleted
under the run, two runs at once, files from the future, and, where datefudge is installed, a clock
that is set back. Each has to end well, or in one line; and the next run has to end with the same
bytes. The exit status is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.machine import ROOT
from benchmarks.predict import noise
from features.mfcc import SAMPLE_RATE
from pipeline.formats import audio, track_csv
from pipeline.ground import artifacts, params, workspaces
from pipeline.ground.console import InputError, progress, run, say
from pipeline.ground.storage import checksum, discard, read_yaml, write_yaml
from pipeline.ground.utterance import Tracks

CODE = ("pipeline", "features", "models", "dvc.yaml", ".dvcignore", ".gitignore")
CHANNELS = ("TT_x", "TT_y", "LL_y", "VL_y")
SMALL = {
    "corpus.reader": "folder",
    "corpus.path": "recordings",
    "extract.layout": "four",
    "layouts": {"four": {"channels": list(CHANNELS), "deltas": 0}},
    "recipes.default.units": [8],
    "recipes.default.epochs": 3,
    "plot.utterance": 0,
    "plot.track": 1,
}
REPRO = [str(Path(sys.executable).with_name("dvc")), "repro"]
PREDICT = [sys.executable, "-m", "pipeline.predict", "sounds", "--output", "predicted"]
PREDICT += ["--jobs", "2", "--model", "trained"]
MADE = ("data", "trained", "reports", "predicted")
NOTES = ("reports/live", "reports/training.csv", "data/.", "trained/.")  # on a run, not of it
SOUNDS = 24
ALL_WRITTEN = "all written"
IN_PLACE = ("dvc.lock", ".dvc/tmp/rwlock")  # DVC writes over them, and a kill can meet it
LACKING = (95, 50, 10)  # per cent of what a run makes, that small disks have no room for
SMALLEST_FILE = 2_000  # bytes that a file may have on the full disk
TWO_DAYS_S = 172_800

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1  # of Linux

Digests = dict[str, str]


def lay_out(folder: Path, changes: Mapping[str, Any] | None = None) -> None:
    """Make a project with 24 utterances of a second, and as many sounds to predict from."""
    for name in CODE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)
    (folder / ".dvc").mkdir()
    shutil.copy2(ROOT / ".dvc" / "config", folder / ".dvc")
    (folder / ".dvc" / "config.local").write_text("[core]\n    no_scm = true\n")
    tree = workspaces.overridden(read_yaml(ROOT / params.PATH), {**SMALL, **(changes or {})})
    write_yaml(folder / params.PATH, tree)
    rng = np.random.default_rng(0)
    for k in range(SOUNDS):
        seconds = float(rng.uniform(0.8, 1.2))
        time_s = np.arange(0, seconds, 1 / 200)
        sway = [np.sin(2 * np.pi * rng.uniform(1, 4) * time_s + k) for _ in CHANNELS]
        tracks = Tracks(time_s, 10 + 3 * np.stack(sway, axis=1), CHANNELS)
        loud = np.interp(np.arange(0, seconds, 1 / SAMPLE_RATE), time_s, 1 + 0.9 * sway[0])
        sound = noise(seconds, k)
        sound = sound[: len(loud)] * loud[: len(sound)].astype(np.float32) / 2
        for place in ("recordings", "sounds"):
            audio.write(folder / place / f"u{k:02d}.wav", sound, SAMPLE_RATE)
        track_csv.write(folder / "recordings" / f"u{k:02d}.csv", tracks)


def digests(folder: Path) -> Digests:
    """Return the checksum of everything that was made, by its name."""
    found = {}
    for path in sorted(path for top in MADE for path in (folder / top).rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(NOTES) and ".part" not in name:
            found[name] = checksum(path)
    return found


def differences(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """Return the names of what is not the same in both."""
    names = first.keys() | second.keys()
    return sorted(name for name in names if first.get(name) != second.get(name))


@dataclass
class Torturer:
    """A project, the command that is run in it, and what it has to leave.

    Attributes
    ----------
    folder : Path
    command : list of str
    rng : numpy.random.Generator
        Of the moments.
    wipe : callable
        Removes what the command makes.
    seconds : float
        What an undisturbed run takes.
    expected : dict of str to str
        From `digests` after it.
    faults : list of str
        What was not as it should be.
    hit : Counter of str
        How many kills hit which stage.
    """

    folder: Path
    command: list[str]
    rng: np.random.Generator
    wipe: Callable[[], None]
    seconds: float = 0.0
    expected: Digests = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    hit: Counter[str] = field(default_factory=Counter)

    def fault(self, what: str) -> None:
        """Keep what was not as it should be, and say it at once."""
        self.faults.append(what)
        say(f"FAULT {what}")

    def start(self, **options: Any) -> subprocess.Popen[str]:
        """Start the command in a session of its own.

        What a kill left empty while DVC wrote it, DVC would refuse to read; it is removed, as
        `make repro` does and docs/reliability.md says.
        """
        for name in IN_PLACE:
            path = self.folder / name
            if path.exists() and not path.stat().st_size:
                say(f"{name}: left empty by a kill, removed")
                path.unlink()
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": ""}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.Popen(
            self.command,
            cwd=self.folder,
            env=environment | options.pop("env", {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **options,
        )

    def finish(self, what: str, **options: Any) -> str:
        """Run the command until it ends; what it says is a fault unless it ended well."""
        process = self.start(**options)
        said, _ = process.communicate()
        if process.returncode:
            self.fault(f"after {what}: exit status {process.returncode}: {tail(said)}")
        return said

    def baseline(self) -> None:
        """Run it undisturbed."""
        self.wipe()
        started = time.monotonic()
        said = self.finish("nothing")
        self.seconds = time.monotonic() - started
        if self.faults:
            raise InputError(f"{' '.join(self.command)} fails of itself: {said}")
        self.expected = digests(self.folder)

    def compare(self, what: str) -> None:
        """Hold what is there against what the undisturbed run left."""
        if apart := differences(self.expected, digests(self.folder)):
            self.fault(f"after {what}: {len(apart)} files differ: {', '.join(apart[:5])}")

    def kill(self, count: int) -> None:
        """Start it over and kill it so many times; whenever it ends by itself, compare."""
        self.wipe()
        deaths = 0
        for _ in progress(range(count), unit="kills"):
            process = self.start()
            try:
                said, _ = process.communicate(timeout=self.rng.uniform(0, self.seconds))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                place = self.stage(process.communicate()[0])
                self.hit[place] += 1
                deaths += 1
                if place == ALL_WRITTEN:  # and would be again, whatever follows
                    self.compare(f"{deaths} kills")
                    self.wipe()
                continue
            if process.returncode:
                self.fault(f"after {deaths} kills: {tail(said)}")
            self.compare(f"{deaths} kills")
            self.wipe()
        self.finish(f"{deaths} kills")
        self.compare(f"{deaths} kills")
        places = ", ".join(f"{place} {number}" for place, number in self.hit.most_common())
        say(f"{' '.join(self.command[-2:])}: {deaths} kills at random moments: {places}")

    def stage(self, said: str) -> str:
        """Return what a run that was killed was at, by what it said or left."""
        if stages := re.findall(r"Running stage '(\w+)'", said):
            return str(stages[-1])
        if self.command is not PREDICT:
            return "between stages"
        there = len(list(self.folder.glob("predicted/*.json")))
        return "start-up" if not there else ALL_WRITTEN if there == SOUNDS else "predicting"

    def fail(self, what: str, mode: int = 0o755, **options: Any) -> None:
        """Run it where it cannot succeed: a line that says why, and the next run makes all."""
        self.wipe()
        self.folder.chmod(mode)
        process = self.start(**options)
        said, _ = process.communicate()
        self.folder.chmod(0o755)
        self.judge(what, process.returncode, said)
        self.finish(what)
        self.compare(what)

    def judge(self, what: str, status: int, said: str) -> None:
        """Note a fault where a run that had to fail did not, or printed a traceback."""
        say(f"{what}: exit status {status}: {tail(said)}")
        if not status:
            self.fault(f"{what}: succeeded")
        elif "Traceback" in said or "error" not in said.lower():
            self.fault(f"{what}: {said}")


def tail(said: str) -> str:
    """Return the line of the error, or the last."""
    lines = [line for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("error:", "ERROR:"))]
    return (errors or lines or ["nothing"])[0 if errors else -1]


def without_large_files() -> None:
    """Let no file of this process grow beyond a few thousand bytes, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALLEST_FILE, SMALLEST_FILE))


def without_privilege() -> None:
    """Let permissions hold for the superuser, too: without CAP_DAC_OVERRIDE after the next exec."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)


def read_only(torturer: Torturer) -> None:
    """Run it in a folder that it may not write."""
    torturer.fail("a folder that may not be written", mode=0o555, preexec_fn=without_privilege)


def two_at_once(torturer: Torturer) -> None:
    """Start two runs in one project: one makes all, the other does too or says why not."""
    torturer.wipe()
    both = [torturer.start(), torturer.start()]
    for process in both:
        said, _ = process.communicate()
        if process.returncode:
            torturer.judge("two at once", process.returncode, said)
    torturer.finish("two at once")
    torturer.compare("two at once")


def deleted_under_it(torturer: Torturer, output: str) -> None:
    """Delete an output while it is made."""
    torturer.wipe()
    process = torturer.start()
    while not (torturer.folder / output).exists() and process.poll() is None:
        time.sleep(0.01)
    shutil.rmtree(torturer.folder / output, ignore_errors=True)  # what is written meanwhile stays
    said, _ = process.communicate()
    if process.returncode:
        torturer.judge(f"{output} deleted under it", process.returncode, said)
    torturer.finish(f"{output} deleted under it")
    torturer.compare(f"{output} deleted under it")


def files_from_the_future(torturer: Torturer) -> None:
    """Give every file that was made a date to come."""
    later = time.time() + 1e6
    for path in [torturer.folder / top for top in MADE]:
        for one in (path, *path.rglob("*")):
            if one.exists():
                os.utime(one, (later, later))
    torturer.finish("files from the future")
    torturer.compare("files from the future")


def datefudge() -> Path | None:
    """Return the library that sets the clock of a program back and no other clock, if there is one.

    libfaketime moves the monotonic clock, too, and then Python's waits for threads never end.
    """
    return next(Path("/usr/lib").rglob("datefudge.so"), None)


def clock_set_back(torturer: Torturer) -> None:
    """Kill it in the middle, and go on with a clock that is two days late: files are in front."""
    library = datefudge()
    if library is None:
        say("a clock that is set back: not tried, datefudge is not installed")
        return
    torturer.wipe()
    process = torturer.start()
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=torturer.seconds / 2)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    late = {"LD_PRELOAD": str(library), "DATEFUDGE": str(TWO_DAYS_S)}
    torturer.finish("a clock that was set back", env=late)
    torturer.compare("a clock that was set back")


def small_disks(torturer: Torturer, lacking: Sequence[int]) -> None:
    """Run it on disks in memory that lack so many bytes of what it makes, then on larger ones."""
    if os.geteuid():
        say("small disks: not tried, only the superuser may mount them")
        return
    own = torturer.folder
    torturer.wipe()
    inputs = used(own)
    torturer.finish("a large disk")
    whole = used(own) - inputs
    torturer.wipe()
    for missing in lacking:
        with TemporaryDirectory() as name:
            place = Path(name)
            size = inputs + whole * (100 - missing) // 100
            mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", name)
            try:
                shutil.copytree(own, place, dirs_exist_ok=True, symlinks=True)
                torturer.folder = place
                process = torturer.start()
                said, _ = process.communicate()
                if process.returncode:
                    torturer.judge(f"disk full, {missing} % short", process.returncode, said)
                mount("-o", "remount,ro", name)
                process = torturer.start()
                said, _ = process.communicate()
                torturer.judge("read-only disk", process.returncode, said)
                mount("-o", f"remount,rw,size={4 * (inputs + whole)}", name)
                torturer.finish(f"disk full, {missing} % short")
                torturer.compare(f"disk full, {missing} % short")
            finally:
                torturer.folder = own
                subprocess.run(["umount", "--lazy", name], check=True)


def mount(*arguments: str) -> None:
    """Mount a disk, or mount it in another way."""
    subprocess.run(["mount", *arguments], check=True)


def used(folder: Path) -> int:
    """Return the bytes that the files below a folder take, in whole pages."""
    pages = (-(-path.lstat().st_size // 4096) + 1 for path in folder.rglob("*"))
    return 4096 * sum(pages)


def wiper(folder: Path, names: Sequence[str]) -> Callable[[], None]:
    """Return a function that removes these from a folder."""

    def wipe() -> None:
        for name in names:
            discard(folder / name)

    return wipe


def torture(folder: Path, kills: tuple[int, int], seed: int) -> list[str]:
    """Do everything to both commands in a project's folder; return what went wrong."""
    rng = np.random.default_rng(seed)
    lay_out(folder)
    everything = ("data", "trained", "reports", "checkpoints", "dvc.lock", ".dvc/cache", ".dvc/tmp")
    repro = Torturer(folder, REPRO, rng, wiper(folder, everything))
    repro.baseline()
    predict = Torturer(folder, PREDICT, rng, wiper(folder, ["predicted"]))
    predict.baseline()
    say(f"undisturbed: dvc repro {repro.seconds:.0f} s, predict {predict.seconds:.0f} s")
    for one, count, output in (
        (predict, kills[1], "predicted"),
        (repro, kills[0], artifacts.FRAMES.as_posix()),
    ):
        say(f"{' '.join(one.command[-8:])}:")
        one.kill(count)
        one.fail("no file may grow", preexec_fn=without_large_files)
        read_only(one)
        deleted_under_it(one, output)
        two_at_once(one)
        files_from_the_future(one)
        clock_set_back(one)
        small_disks(one, LACKING)
        discard(folder / "predicted")  # which the other does not make
    return [*repro.faults, *predict.faults]


def main() -> None:
    """Torture, and say what came of it."""
    parser = argparse.ArgumentParser(
        prog="python -m reliability.torture",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=40, help="of dvc repro; default 40")
    parser.add_argument("--predictions", type=int, default=60, help="of predict; default 60")
    parser.add_argument("--seed", type=int, default=1, help="of the moments; default 1")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        faults = torture(Path(name), (options.kills, options.predictions), options.seed)
    if faults:
        raise InputError(f"{len(faults)} faults")
    say("nothing was lost, nothing half-written, and every byte is that of the undisturbed run")


if __name__ == "__main__":
    run(main)
