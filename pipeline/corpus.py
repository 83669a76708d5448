"""Stage 1: find the utterances of a corpus, synthesise the embedded one, write the manifest.

Every utterance is read once and checked. What can be used is a row of data/corpus/manifest.csv,
what cannot a row of data/corpus/refused.csv with the reason. With `corpus.reader: vocaltractlab`
the utterances are synthesised into data/corpus first; an interrupted run resumes where it was.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from features import speech
from pipeline import corpora
from pipeline.corpora import Item, manifest, palates, vocaltractlab
from pipeline.corpora.files import shown
from pipeline.formats import audio
from pipeline.ground import artifacts, params
from pipeline.ground.console import (
    InputError,
    UsageError,
    grouped,
    progress,
    run,
    say,
    stage_parser,
    warn,
)
from pipeline.ground.storage import discard, walk
from pipeline.ground.utterance import Utterance

LOOK = Path("data/inspection")
MINIMUM_S = 0.1  # shorter than this is no utterance


def source(corpus: params.Corpus) -> Path:
    """Return the folder of the corpus; the embedded one's is made by this stage."""
    if corpus.path is not None:
        folder = artifacts.from_project(corpus.path)
        if not folder.is_dir():
            raise UsageError(f"corpus.path: {folder}: no such folder")
        return folder
    if corpus.reader != "vocaltractlab":
        raise UsageError(f"corpus.path: name the folder of the {corpus.reader} corpus")
    return artifacts.CORPUS


def check(utterance: Utterance) -> None:
    """Refuse an utterance that no later stage could use.

    Raises
    ------
    InputError
        With the reason alone; the caller knows the name.
    """
    time, values = utterance.tracks.time, utterance.tracks.values
    if len(time) < 2 or time[-1] - time[0] < MINIMUM_S:
        raise InputError(f"tracks of {len(time)} frames are shorter than {MINIMUM_S} s")
    empty = np.isnan(values).all(axis=0)
    if empty.all():
        raise InputError("no channel has a single sample")
    if not np.isfinite(time).all() or time[-1] <= 0:
        raise InputError("time stamps are not numbers of seconds from the start of the audio")
    if utterance.audio is None:
        if utterance.inputs is None or not len(utterance.inputs):
            raise InputError("neither sound nor features")
        return
    seconds = len(utterance.audio) / utterance.sample_rate
    if seconds < MINIMUM_S:
        raise InputError(f"sound of {seconds:.3f} s is shorter than {MINIMUM_S} s")
    try:
        speech.check(utterance.audio, utterance.sample_rate)
    except ValueError as error:
        raise InputError(str(error)) from None
    if time[0] > seconds:
        raise InputError(f"tracks start at {time[0]:.3f} s, after the sound's {seconds:.3f} s")


def examine(corpus: params.Corpus, folder: Path) -> Iterator[tuple[Item, Utterance | str]]:
    """Read and check every utterance below a folder; yield it, or why it cannot be used."""
    reader = corpora.reader(corpus.reader)
    known: set[str] = set()
    remarks: list[tuple[Path, str]] = []
    for item in progress(list(reader.find(folder, corpus)), unit="utterances"):
        try:
            if any(shown(path) != str(path) for path in item.files):
                raise InputError(
                    "a name with a tab, a line break or bytes that are not UTF-8; rename it"
                )
            if item.id in known:
                raise InputError("another utterance has the same id")
            heard: list[audio.SoundWarning] = []
            with audio.listening(heard):
                utterance = reader.read(item, corpus)
            check(utterance)
            remarks += [(item.files[0], str(one)) for one in heard]
        except UsageError:  # of the parameters, whatever the utterance
            raise
        except InputError as error:
            yield item, str(error)
        else:
            known.add(item.id)
            yield item, utterance
    for line in grouped(remarks):
        warn(f"corpus: {line}")
    foreign = (path.suffix.lower() for path in walk(folder))
    passed_over = Counter(suffix for suffix in foreign if suffix in audio.FOREIGN_SUFFIXES)
    if passed_over:
        warn(f"corpus: {audio.what_was_passed_over(passed_over)}")


def scan(corpus: params.Corpus, folder: Path) -> tuple[list[dict], list[dict]]:
    """Return manifest rows of the utterances below a folder, and refusals."""
    accepted: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    unusable: list[str] = []
    for item, utterance in examine(corpus, folder):
        if isinstance(utterance, Utterance):
            accepted.append(manifest.row(item, utterance))
            unusable += utterance.notes
            continue
        name = f"{shown(item.files[0])}: " if item.files else f"{item.id}: "
        reason = utterance.removeprefix(name)
        if corpus.strict:
            raise InputError(f"{name}{reason} (corpus.strict is true)")
        warn(f"refused {name}{reason}")
        file = shown(artifacts.to_project(item.files[0]))
        refused.append({"id": item.id, "file": file, "reason": reason})
    if unusable:
        warn(f"left out {len(unusable)} label(s) that cannot be used, the first: {unusable[0]}")
    return accepted, refused


def inspect(corpus: params.Corpus, arguments: argparse.Namespace) -> None:
    """Print and draw what a corpus holds."""
    from pipeline.corpora import (
        inspection,  # Matplotlib takes a second that the stage has no use for
    )

    given = {key: getattr(arguments, key) for key in ("reader", "path")}
    corpus = msgspec.structs.replace(corpus, **{k: v for k, v in given.items() if v is not None})
    folder = source(corpus)
    corpus = inspection.with_names(corpus, folder)
    inspection.inspect(corpus, folder, arguments.output, examine(corpus, folder))


def draw_speakers(folder: Path) -> None:
    """Draw the mouths of a population, ``speakers.png`` and ``.pdf``."""
    for suffix in (".png", ".pdf"):
        discard(folder / f"speakers{suffix}")
    if people := vocaltractlab.pictured(folder):
        from pipeline.plots import portraits, style  # Matplotlib takes a second: not for one man

        style.save(portraits.portraits(people), folder / "speakers")


def main() -> None:
    """Run the stage."""
    parser = stage_parser(__doc__, "corpus")
    parser.add_argument(
        "--jobs", type=int, default=None, help="synthesising processes; default: one per core"
    )
    look = parser.add_argument_group("look at a corpus and change nothing")
    look.add_argument("--inspect", action="store_true", help="print and draw what a corpus holds")
    look.add_argument("--reader", help="its reader; default: corpus.reader")
    look.add_argument("--path", help="its folder; default: corpus.path")
    look.add_argument("--output", type=Path, default=LOOK, help=f"of the pictures; default: {LOOK}")
    arguments = parser.parse_args()
    corpus = params.load().corpus
    if arguments.inspect:
        inspect(corpus, arguments)
        return
    corpora.reader(corpus.reader)  # refuses a wrong name before any work
    folder = source(corpus)
    if folder == artifacts.CORPUS:
        # an interrupted run must not leave the old one beside new utterances
        discard(artifacts.MANIFEST)
        vocaltractlab.synthesize(folder, corpus.synthesis, arguments.jobs)
        draw_speakers(folder)
    rows, refused = scan(corpus, folder)
    if not rows:
        raise InputError(f"{folder}: no utterance that the reader {corpus.reader} can use")
    speakers = {row["speaker"] for row in rows}
    if strangers := palates.traced(corpus).keys() - speakers:
        raise UsageError(
            f"corpus.palates: no speaker {', '.join(sorted(strangers))} among"
            f" {', '.join(sorted(speakers))}"
        )
    manifest.write(artifacts.REFUSED, refused, ["id", "file", "reason"])
    manifest.write(artifacts.MANIFEST, rows, list(rows[0]))
    minutes = sum(float(row["duration_s"]) for row in rows) / 60
    say(
        f"corpus: {len(rows)} utterances, {minutes:.1f} min, {len(speakers)} speaker(s)"
        f" by {corpus.reader}; {len(refused)} refused -> {artifacts.MANIFEST}"
    )


if __name__ == "__main__":
    run(main)
