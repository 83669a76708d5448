"""Making the embedded corpus: one worker process per core, resumable, the same bytes every time.

Every speaker is drawn from ``[seed, number]`` alone, and every utterance from ``[seed, speaker's
number, its own]`` (of a corpus of one speaker, JD3: from ``[seed, its own]``), so that neither the
number of processes nor an interruption shows in the bytes. A record under ``.made/`` is written
last and holds the checksums of its files and a fingerprint of what made them; only what a record
agrees with in both is taken for whole. A speaker of a population with whom the library fails is
left out.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import multiprocessing
import os
import re
import signal
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from pipeline.corpora import manifest
from pipeline.corpora.vocaltractlab import anatomy, delivery, people, phonotactics, score
from pipeline.formats import audio, textgrid, track_csv
from pipeline.ground.console import InputError, UsageError, progress, warn
from pipeline.ground.params import Synthesis
from pipeline.ground.storage import (
    atomic_path,
    checksum,
    discard,
    read_json,
    write_json,
)
from pipeline.ground.utterance import Tracks

LIBRARY = "vocaltractlab-cython"
SUFFIXES = (".wav", ".csv", ".TextGrid")
OURS = re.compile(r"\.?(vtl\d{5,}|p\d{3,}(-\d{2,})?)\..*")  # also what a killed run leaves
RECORDS = ".made"
SPEAKERS = "speakers"  # the folder of their files; the table and the pictures lie beside it
PICTURED = 12
ATTEMPTS = 12  # to draw a person who can speak
RATE = 16_000  # Hz
UP, DOWN = 160, 441  # from the synthesis at 44.1 kHz
GAIN = 2.5  # the same for all, so that loudness stays a matter of lung pressure
NOISE = 10 ** (-70 / 20)  # rms re full scale: no closure is digitally silent
PATIENCE_S = 600.0  # without a word from any worker: an utterance takes a few seconds


@dataclass(frozen=True)
class Job:
    """What one worker makes at a time: utterances of one speaker, None for JD3."""

    speaker: int | None
    utterances: tuple[int, ...]

    @property
    def person(self) -> str:
        """The name of the speaker."""
        return "JD3" if self.speaker is None else person_name(self.speaker)

    @property
    def names(self) -> list[str]:
        """The ids of the utterances."""
        return [name_of(self.speaker, index) for index in self.utterances]


def jobs_of(params: Synthesis) -> list[Job]:
    """Return all that a corpus consists of."""
    if params.speakers == 1:
        return [Job(None, (index,)) for index in range(params.utterances)]
    each, more = divmod(params.utterances, params.speakers)
    jobs = [Job(n, tuple(range(each + (n < more)))) for n in range(params.speakers)]
    return [job for job in jobs if job.utterances]


def synthesize(folder: Path, params: Synthesis, jobs: int | None = None) -> None:
    """Make the corpus, or what is missing of it, in a folder.

    Parameters
    ----------
    folder : Path
        Will hold sound, tracks and TextGrid of every utterance and ``metadata.csv``, the layout of
        the `folder` reader: ``vtl00000`` and so on of JD3, ``p000-00`` of a population, and of this
        ``speakers/p000.speaker`` and ``speakers.csv``, too. What another seed, another version or a
        larger corpus left there is removed.
    params : Synthesis
        Numbers of speakers and utterances, and the seed.
    jobs : int or None
        Worker processes; None is one per core.

    Raises
    ------
    InputError
        Where VocalTractLab is not installed, failed on an utterance of JD3, or with everybody.
    """
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs: {jobs} is not a number of processes")
    made_by = fingerprint(params.seed)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = jobs_of(params)
    remove_others(folder, {name for job in wanted for name in (job.person, *job.names)})
    todo = [missing for job in wanted if (missing := still_to_make(folder, job, made_by))]
    if todo:
        for name in ("metadata.csv", "speakers.csv"):
            discard(folder / name)  # they speak of utterances that are about to change
    total = sum(len(job.utterances) for job in todo)
    bar = progress(
        in_workers(folder, params.seed, made_by, todo, jobs or usable_cores()),
        total=total,
        unit="utterances",
    )
    failures = {job: failure for job, failure in bar if failure}
    lost = {job.speaker: failure for job, failure in failures.items()}
    if None in lost or len(lost) == len(wanted):
        first, failure = next(iter(failures.items()))
        who = first.names[0] if first.speaker is None else f"speaker {first.person}"
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise InputError(
            f"{who}: {failure}{more}; the others are kept: run again, or change"
            " corpus.synthesis.seed"
        )
    for job in wanted:
        if job.speaker is not None and job.speaker in lost:
            remove(folder, {*job.names, job.person})
            warn(
                f"speaker {job.person}: {lost[job.speaker]}; left out with"
                f" {len(job.utterances)} utterances"
            )
    kept = [job for job in wanted if job.speaker is None or job.speaker not in lost]
    write_metadata(folder, [name for job in kept for name in job.names])
    discard(folder / "speakers.csv")
    if params.speakers > 1:
        write_speakers(folder, [job.person for job in kept])


def still_to_make(folder: Path, job: Job, made_by: str) -> Job | None:
    """Return what of a job is not there, undamaged and made by this code with this seed."""
    missing = tuple(
        index
        for index, name in zip(job.utterances, job.names, strict=True)
        if not is_whole(folder, name, made_by)
    )
    if job.speaker is not None and not is_whole(folder, job.person, made_by):
        missing = job.utterances  # he may be another one now
    return Job(job.speaker, missing) if missing else None


def fingerprint(seed: int) -> str:
    """Return what the bytes of an utterance depend on beside its number, as a checksum."""
    try:
        version = importlib.metadata.version(LIBRARY)
    except importlib.metadata.PackageNotFoundError:
        raise InputError(
            f"{LIBRARY} is not installed; run `pip install 'articulatory-inversion[synthesis]'`"
        ) from None
    here = Path(__file__).parent
    code = checksum(*sorted([*here.glob("*.py"), *here.glob("*.csv")]))
    return hashlib.sha256(f"{seed} {version} {code}".encode()).hexdigest()


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def name_of(speaker: int | None, index: int) -> str:
    """Return the id of an utterance."""
    return f"vtl{index:05d}" if speaker is None else f"{person_name(speaker)}-{index:02d}"


def person_name(number: int) -> str:
    """Return the name of a person."""
    return f"p{number:03d}"


def record_path(folder: Path, name: str) -> Path:
    """Return where the record of an utterance lies."""
    return folder / RECORDS / f"{name}.json"


def is_whole(folder: Path, name: str, made_by: str) -> bool:
    """Say whether an utterance or a speaker is there, undamaged and made by this code and seed."""
    try:
        record = read_json(record_path(folder, name), "corpus")
        sums: dict[str, str] = record["sha256"]
        expected = {f"{name}{suffix}" for suffix in SUFFIXES}
        return (
            bool(record["made_by"] == made_by)
            and (sums.keys() >= expected or f"{SPEAKERS}/{name}.speaker" in sums)
            and all(checksum(folder / file) == value for file, value in sums.items())
        )
    except (InputError, OSError, KeyError, TypeError, AttributeError):
        return False


def files_of_ours(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield every file that a synthesis writes for an utterance or a speaker, with its name."""
    for path in [*folder.iterdir(), *folder.glob(f"{SPEAKERS}/*"), *folder.glob(f"{RECORDS}/*")]:
        if ours := OURS.fullmatch(path.name):
            yield path, ours[1]


def remove_others(folder: Path, names: set[str]) -> None:
    """Remove what belongs to a larger corpus and what a killed run left half-written."""
    for path, name in files_of_ours(folder):
        if name not in names or path.name.startswith("."):
            discard(path)


def remove(folder: Path, names: set[str]) -> None:
    """Remove utterances and speakers."""
    for path, name in files_of_ours(folder):
        if name in names:
            discard(path)


def write_metadata(folder: Path, names: Sequence[str]) -> None:
    """Write ``metadata.csv``, a row per utterance."""
    rows = [read_json(record_path(folder, name), "corpus")["about"] for name in names]
    manifest.write(folder / "metadata.csv", rows, list(rows[0]))


def write_speakers(folder: Path, names: Sequence[str]) -> None:
    """Write ``speakers.csv``, a row per person."""
    rows = [read_json(record_path(folder, name), "corpus")["about"] for name in names]
    manifest.write(folder / "speakers.csv", rows, list(rows[0]))


def pictured(folder: Path) -> list[dict[str, Any]]:
    """Return row and midsagittal contours of the first people of a population; none of JD3."""
    records = [read_json(path, "corpus") for path in sorted(folder.glob(f"{RECORDS}/p???.json"))]
    return [record for record in records if record["outlines"]]


def make(folder: Path, seed: int, made_by: str, index: int) -> None:
    """Make one utterance of JD3; runs in a worker."""
    from pipeline.corpora.vocaltractlab import speaker

    name = name_of(None, index)
    rng = np.random.default_rng([seed, index])
    prompt = phonotactics.prompt(rng)
    voice = score.compose(prompt, rng)
    sound, tracks = speaker.speak(voice.xml)
    write_utterance(folder, made_by, name, prompt, voice, sound, tracks, rng, {"speaker": "JD3"})


def become(
    folder: Path, seed: int, made_by: str, number: int, held: Mapping[str, float] | None = None
) -> people.Person:
    """Be a person of the population, made now if need be; runs in a worker.

    ``held`` are habits that are not drawn, see `people.draw`.
    """
    from pipeline.corpora.vocaltractlab import speaker

    name = person_name(number)
    path = folder / SPEAKERS / f"{name}.speaker"
    if is_whole(folder, name, made_by):
        record = read_json(record_path(folder, name), "corpus")
        speaker.load(path)
        return people.draw(seed, number, record["about"]["redrawn"], held)
    discard(record_path(folder, name))
    for attempt in range(ATTEMPTS):
        person = people.draw(seed, number, attempt, held)
        with atomic_path(path) as part:
            person.write(part)
            speaker.load(part)
            try:
                mended = people.mend(person, speaker.area, speaker.formants)
            except people.UnableError as error:
                reason = error
                continue
            person.write(part)
        speaker.load(path)
        about = {**person.about, "redrawn": attempt, "mended_shapes": mended}
        outlines = speaker.outlines(anatomy.shapes(person.root)) if number < PICTURED else {}
        sums = {f"{SPEAKERS}/{path.name}": checksum(path)}
        record = {"made_by": made_by, "sha256": sums, "about": about, "outlines": outlines}
        write_json(record_path(folder, name), record)
        return person
    raise reason


def make_as(folder: Path, seed: int, made_by: str, person: people.Person, job: Job, k: int) -> None:
    """Make an utterance of a person; runs in a worker that is this person."""
    from pipeline.corpora.vocaltractlab import speaker

    assert job.speaker is not None
    rng = np.random.default_rng([seed, job.speaker, job.utterances[k]])
    prompt = phonotactics.prompt(rng, phonotactics.LANGUAGES[person.language], person.pace)
    voice = score.compose(prompt, rng, person.voice)
    own = delivery.Delivery.draw(prompt, person.rest, person.habits, rng)
    sound, tracks = speaker.speak(voice.xml, own)
    about = {key: person.about[key] for key in ("speaker", "sex", "size")}
    write_utterance(folder, made_by, job.names[k], prompt, voice, sound, tracks, rng, about)


def write_utterance(
    folder: Path,
    made_by: str,
    name: str,
    prompt: phonotactics.Prompt,
    voice: score.Score,
    sound: NDArray[np.float64],
    tracks: Tracks,
    rng: np.random.Generator,
    about: dict[str, str],
) -> None:
    """Write the files of an utterance, its record last."""
    sound = GAIN * resample_poly(sound, UP, DOWN)
    sound += rng.normal(0, NOISE, len(sound))
    discard(record_path(folder, name))
    audio.write(folder / f"{name}.wav", sound, RATE)
    track_csv.write(folder / f"{name}.csv", tracks)
    textgrid.write(folder / f"{name}.TextGrid", {"phones": prompt.phones}, len(sound) / RATE)
    row = {
        "id": name,
        **about,
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
    write_json(record_path(folder, name), {"made_by": made_by, "sha256": sums, "about": row})


def serve(connection: Connection, folder: Path, seed: int, made_by: str) -> None:
    """Do the jobs that arrive; answer after each utterance, with what went wrong or None."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process decides what an interrupt is
    while True:
        try:
            job: Job = connection.recv()
        except EOFError:  # the parent process is gone
            return
        try:
            if job.speaker is not None:
                person = become(folder, seed, made_by, job.speaker)
            for k, index in enumerate(job.utterances):
                if job.speaker is None:
                    make(folder, seed, made_by, index)
                else:
                    make_as(folder, seed, made_by, person, job, k)
                if k + 1 < len(job.utterances):
                    connection.send(MORE)
        except Exception as error:
            answer: str | None = f"{type(error).__name__}: {' '.join(str(error).split())}"
        else:
            answer = None
        try:
            connection.send(answer)
        except OSError:
            return


MORE = ""  # an utterance is made, and the job goes on
MOST_PEOPLE = 10  # of a worker: VocalTractLab keeps 45 MB of each that it was


def in_workers(
    folder: Path, seed: int, made_by: str, todo: Sequence[Job], jobs: int
) -> Iterator[tuple[Job, str | None]]:
    """Do jobs in worker processes; yield each after every utterance, with what went wrong or None.

    The library is C++ code and may take its process down with it: the worker is then replaced.
    """
    context = multiprocessing.get_context("spawn")  # a forked copy would share the parent's locks
    waiting = deque(todo)
    people: Counter[Connection] = Counter()  # that each worker was
    workers: dict[Connection, BaseProcess] = {}
    busy: dict[Connection, Job] = {}

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
                names = ", ".join(job.names[0] for job in busy.values())
                raise InputError(f"{names}: VocalTractLab does not come back; run again")
            for worker in ready:
                assert isinstance(worker, Connection)
                job = busy[worker]
                try:
                    answer = worker.recv()
                except (EOFError, OSError):
                    process = workers.pop(worker)
                    process.join()
                    answer = f"VocalTractLab crashed (exit status {process.exitcode})"
                if answer != MORE:
                    del busy[worker]
                    people[worker] += job.speaker is not None
                    if worker in workers and people[worker] == MOST_PEOPLE:
                        worker.close()  # it ends when it hears no more
                        workers.pop(worker).join()
                    if waiting:
                        assign(worker if worker in workers else hire())
                yield job, answer or None
    finally:
        for process in workers.values():
            process.kill()
        for process in workers.values():
            process.join()
