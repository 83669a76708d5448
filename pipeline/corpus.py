"""Stage 1: find the utterances of a corpus, synthesise the embedded one, write the manifest.

Every utterance is read once and checked. What can be used is a row of data/corpus/manifest.csv,
what cannot a row of data/corpus/refused.csv with the reason. With `corpus.reader: vocaltractlab`
the utterances are synthesised into data/corpus first; an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pipeline import corpora, params
from pipeline.console import InputError, UsageError, progress, run, say, stage_parser, warn
from pipeline.corpora import Item, vocaltractlab
from pipeline.storage import checksum, discard, write_text
from pipeline.utterance import Utterance

FOLDER = Path("data/corpus")
MANIFEST = FOLDER / "manifest.csv"
REFUSED = FOLDER / "refused.csv"
LOOK = Path("data/inspection")
MINIMUM_S = 0.1  # shorter than this is no utterance
SEPARATOR = "|"  # between the files of an utterance


def source(corpus: params.Corpus) -> Path:
    """Return the folder of the corpus; the embedded one's is made by this stage."""
    if corpus.path is not None:
        folder = Path(corpus.path)
        if not folder.is_dir():
            raise UsageError(f"corpus.path: {folder}: no such folder")
        return folder
    if corpus.reader != "vocaltractlab":
        raise UsageError(f"corpus.path: name the folder of the {corpus.reader} corpus")
    return FOLDER


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
    if not np.any(utterance.audio):
        raise InputError("the sound is silent: every sample is zero")
    if time[0] > seconds:
        raise InputError(f"tracks start at {time[0]:.3f} s, after the sound's {seconds:.3f} s")


def describe(item: Item, utterance: Utterance) -> dict[str, Any]:
    """Return the manifest's row of an utterance."""
    tracks, audio = utterance.tracks, utterance.audio
    seconds = tracks.time[-1] if audio is None else len(audio) / utterance.sample_rate
    return {
        "id": item.id,
        "speaker": utterance.speaker,
        "session": utterance.session,
        "style": utterance.style,
        "sentence": utterance.sentence,
        "duration_s": f"{seconds:.3f}",
        "sample_rate_hz": utterance.sample_rate,
        "frames": len(tracks.time),
        "frame_rate_hz": f"{tracks.rate:.3f}",
        "channels": len(tracks.channels),
        "span_start_s": "" if item.span is None else item.span[0],
        "span_end_s": "" if item.span is None else item.span[1],
        "sha256": checksum(*item.files),
        "files": SEPARATOR.join(path.as_posix() for path in item.files),
    }


def csv_text(rows: list[dict[str, Any]], columns: list[str]) -> str:
    """Return rows as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read_manifest() -> Iterator[tuple[Item, dict[str, str]]]:
    """Yield every utterance that the stage accepted, with its row of the manifest."""
    try:
        with MANIFEST.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        raise InputError(f"{MANIFEST}: not found; run `dvc repro corpus` first") from None
    for row in rows:
        span = (row["span_start_s"], row["span_end_s"])
        yield (
            Item(
                row["id"],
                tuple(Path(name) for name in row["files"].split(SEPARATOR)),
                **{key: row[key] for key in ("speaker", "session", "style", "sentence")},
                span=(float(span[0]), float(span[1])) if all(span) else None,
            ),
            row,
        )


def examine(corpus: params.Corpus, folder: Path) -> Iterator[tuple[Item, Utterance | str]]:
    """Read and check every utterance below a folder; yield it, or why it cannot be used."""
    reader = corpora.reader(corpus.reader)
    known: set[str] = set()
    for item in progress(list(reader.find(folder, corpus)), unit="utterances"):
        try:
            if item.id in known:
                raise InputError("another utterance has the same id")
            utterance = reader.read(item, corpus)
            check(utterance)
        except UsageError:  # of the parameters, whatever the utterance
            raise
        except InputError as error:
            yield item, str(error)
        else:
            known.add(item.id)
            yield item, utterance


def scan(corpus: params.Corpus, folder: Path) -> tuple[list[dict], list[dict]]:
    """Return manifest rows of the utterances below a folder, and refusals."""
    accepted: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    for item, utterance in examine(corpus, folder):
        if isinstance(utterance, Utterance):
            accepted.append(describe(item, utterance))
            continue
        name = f"{item.files[0]}: " if item.files else f"{item.id}: "
        reason = utterance.removeprefix(name)
        if corpus.strict:
            raise InputError(f"{name}{reason} (corpus.strict is true)")
        warn(f"refused {name}{reason}")
        refused.append({"id": item.id, "file": str(item.files[0]), "reason": reason})
    return accepted, refused


def inspect(corpus: params.Corpus, arguments: argparse.Namespace) -> None:
    """Print and draw what a corpus holds."""
    from pipeline import inspection  # Matplotlib takes a second that the stage has no use for

    given = {key: getattr(arguments, key) for key in ("reader", "path")}
    corpus = msgspec.structs.replace(corpus, **{k: v for k, v in given.items() if v is not None})
    folder = source(corpus)
    corpus = inspection.with_names(corpus, folder)
    inspection.inspect(corpus, folder, arguments.output, examine(corpus, folder))


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
    if folder == FOLDER:
        discard(MANIFEST)  # an interrupted run must not leave the old one beside new utterances
        vocaltractlab.synthesize(folder, corpus.synthesis, arguments.jobs)
    rows, refused = scan(corpus, folder)
    if not rows:
        raise InputError(f"{folder}: no utterance that the reader {corpus.reader} can use")
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_text(REFUSED, csv_text(refused, ["id", "file", "reason"]))
    write_text(MANIFEST, csv_text(rows, list(rows[0])))
    minutes = sum(float(row["duration_s"]) for row in rows) / 60
    speakers = len({row["speaker"] for row in rows})
    say(
        f"corpus: {len(rows)} utterances, {minutes:.1f} min, {speakers} speaker(s)"
        f" by {corpus.reader}; {len(refused)} refused -> {MANIFEST}"
    )


if __name__ == "__main__":
    run(main)
