"""Making the embedded corpus: one worker process per core, resumable, the same bytes every time.

Every utterance is drawn from ``[seed, its number]`` alone, so that neither the number of processes
nor an interruption shows in the bytes. Its record under ``.made/`` is written last and holds the
checksums of its files and a fingerprint of what made them; only an utterance whose record agrees
with both is taken for whole.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import io
import multiprocessing
import os
import re
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import resample_poly

from pipeline.corpora.vocaltractlab import phonotactics, score
from pipeline.formats import audio, textgrid, track_csv
from pipeline.ground.console import InputError, UsageError, progress
from pipeline.ground.params import Synthesis
from pipeline.ground.storage import checksum, discard, read_json, write_json, write_text

LIBRARY = "vocaltractlab-cython"
SUFFIXES = (".wav", ".csv", ".TextGrid")
OURS = re.compile(r"\.?(vtl\d{5,})\..*")  # also the parts that a killed run leaves
RECORDS = ".made"
RATE = 16_000  # Hz
UP, DOWN = 160, 441  # from the synthesis at 44.1 kHz
GAIN = 2.5  # the same for all, so that loudness stays a matter of lung pressure
NOISE = 10 ** (-70 / 20)  # rms re full scale: no closure is digitally silent
PATIENCE_S = 600.0  # without a word from any worker: an utterance takes a few seconds


def synthesize(folder: Path, params: Synthesis, jobs: int | None = None) -> None:
    """Make the corpus, or what is missing of it, in a folder.

    Parameters
    ----------
    folder : Path
        Will hold ``vtlNNNNN.wav``, ``.csv`` and ``.TextGrid`` of every utterance and
        ``metadata.csv``, the layout of the `folder` reader. Utterances that another seed, another
        version or a longer corpus left there are removed.
    params : Synthesis
        Number of utterances and seed.
    jobs : int or None
        Worker processes; None is one per core.

    Raises
    ------
    InputError
        Where VocalTractLab is not installed, or failed on an utterance.
    """
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs: {jobs} is not a number of processes")
    made_by = fingerprint(params.seed)
    folder.mkdir(parents=True, exist_ok=True)
    names = [name_of(index) for index in range(params.utterances)]
    remove_others(folder, set(names))
    todo = [i for i, name in enumerate(names) if not is_whole(folder, name, made_by)]
    if todo:
        discard(folder / "metadata.csv")  # it speaks of utterances that are about to change
    failures = []
    finished = in_workers(folder, params.seed, made_by, todo, jobs or usable_cores())
    for index, failure in progress(finished, total=len(todo), unit="utterances"):
        if failure:
            failures.append(f"{name_of(index)}: {failure}")
    if failures:
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise InputError(
            f"{failures[0]}{more}; the others are kept: run again, or change corpus.synthesis.seed"
        )
    write_metadata(folder, names)


def fingerprint(seed: int) -> str:
    """Return what the bytes of an utterance depend on beside its number, as a checksum."""
    try:
        version = importlib.metadata.version(LIBRARY)
    except importlib.metadata.PackageNotFoundError:
        raise InputError(
            f"{LIBRARY} is not installed; run `pip install 'articulatory-inversion[synthesis]'`"
        ) from None
    code = checksum(*sorted(Path(__file__).parent.glob("*.py")))
    return hashlib.sha256(f"{seed} {version} {code}".encode()).hexdigest()


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def name_of(index: int) -> str:
    """Return the id of an utterance."""
    return f"vtl{index:05d}"


def record_path(folder: Path, name: str) -> Path:
    """Return where the record of an utterance lies."""
    return folder / RECORDS / f"{name}.json"


def is_whole(folder: Path, name: str, made_by: str) -> bool:
    """Say whether an utterance is there, undamaged and made by this code with this seed."""
    try:
        record = read_json(record_path(folder, name), "corpus")
        return bool(record["made_by"] == made_by) and all(
            checksum(folder / file) == record["sha256"][file]
            for file in (name + suffix for suffix in SUFFIXES)
        )
    except (InputError, OSError, KeyError, TypeError):
        return False


def remove_others(folder: Path, names: set[str]) -> None:
    """Remove the utterances of a longer corpus and what a killed run left half-written."""
    for path in [*folder.iterdir(), *(folder / RECORDS).glob("*")]:
        ours = OURS.fullmatch(path.name)
        if ours and (ours[1] not in names or path.name.startswith(".")):
            discard(path)


def write_metadata(folder: Path, names: Sequence[str]) -> None:
    """Write ``metadata.csv``, a row per utterance."""
    rows = [read_json(record_path(folder, name), "corpus")["about"] for name in names]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / "metadata.csv", text.getvalue())


def make(folder: Path, seed: int, made_by: str, index: int) -> None:
    """Make one utterance; runs in a worker."""
    from pipeline.corpora.vocaltractlab import speaker

    name = name_of(index)
    rng = np.random.default_rng([seed, index])
    prompt = phonotactics.prompt(rng)
    voice = score.compose(prompt, rng)
    sound, tracks = speaker.speak(voice.xml)
    sound = GAIN * resample_poly(sound, UP, DOWN)
    sound += rng.normal(0, NOISE, len(sound))
    discard(record_path(folder, name))
    audio.write(folder / f"{name}.wav", sound, RATE)
    track_csv.write(folder / f"{name}.csv", tracks)
    textgrid.write(folder / f"{name}.TextGrid", {"phones": prompt.phones}, len(sound) / RATE)
    about = {
        "id": name,
        "speaker": "JD3",
        "session": "",
        "style": prompt.style,
        "sentence": prompt.text,
        "voice_quality": voice.quality,
        "f0_hz": round(voice.f0_hz, 1),
        "pressure_dpa": round(voice.pressure_dpa),
        "time_constant_ms": round(1000 * voice.time_constant_s, 2),
    }
    files = [name + suffix for suffix in SUFFIXES]
    sums = {file: checksum(folder / file) for file in files}
    write_json(record_path(folder, name), {"made_by": made_by, "sha256": sums, "about": about})


def serve(connection: Connection, folder: Path, seed: int, made_by: str) -> None:
    """Make the utterances whose numbers arrive, and answer each with what went wrong or None."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process decides what an interrupt is
    while True:
        try:
            index = connection.recv()
        except EOFError:  # the parent process is gone
            return
        try:
            make(folder, seed, made_by, index)
        except Exception as error:
            answer: str | None = f"{type(error).__name__}: {' '.join(str(error).split())}"
        else:
            answer = None
        try:
            connection.send(answer)
        except OSError:
            return


def in_workers(
    folder: Path, seed: int, made_by: str, todo: Sequence[int], jobs: int
) -> Iterator[tuple[int, str | None]]:
    """Make utterances in worker processes; yield each number and what went wrong, or None.

    The library is C++ code and may take its process down with it: the worker is then replaced.
    """
    context = multiprocessing.get_context("spawn")  # a forked copy would share the parent's locks
    waiting = deque(todo)
    workers: dict[Connection, BaseProcess] = {}
    busy: dict[Connection, int] = {}

    def hire() -> Connection:
        ours, theirs = context.Pipe()
        arguments: tuple[Any, ...] = (theirs, folder, seed, made_by)
        workers[ours] = context.Process(target=serve, args=arguments, daemon=True)
        workers[ours].start()
        theirs.close()
        return ours

    def assign(worker: Connection) -> None:
        busy[worker] = waiting.popleft()
        worker.send(busy[worker])

    try:
        for _ in range(min(jobs, len(waiting))):
            assign(hire())
        while busy:
            ready = wait(list(busy), PATIENCE_S)
            if not ready:
                names = ", ".join(name_of(index) for index in busy.values())
                raise InputError(f"{names}: VocalTractLab does not come back; run again")
            for worker in ready:
                assert isinstance(worker, Connection)
                index = busy.pop(worker)
                try:
                    answer = worker.recv()
                except (EOFError, OSError):
                    process = workers.pop(worker)
                    process.join()
                    answer = f"VocalTractLab crashed (exit status {process.exitcode})"
                if waiting:
                    assign(worker if worker in workers else hire())
                yield index, answer
    finally:
        for process in workers.values():
            process.kill()
        for process in workers.values():
            process.join()
