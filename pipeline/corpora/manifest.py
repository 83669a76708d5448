"""The manifest of a corpus: a row for each utterance that the stage `corpus` accepted."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.corpora import KNOWN, Item
from pipeline.ground import artifacts
from pipeline.ground.console import InputError
from pipeline.ground.storage import checksum, write_text
from pipeline.ground.utterance import Utterance

SEPARATOR = "\t"  # between the files of an utterance, whose names have no tab: see `examine`


def row(item: Item, utterance: Utterance) -> dict[str, Any]:
    """Return the row of an utterance."""
    tracks, audio = utterance.tracks, utterance.audio
    seconds = tracks.time[-1] if audio is None else len(audio) / utterance.sample_rate
    return {
        "id": item.id,
        **{key: getattr(utterance, key) for key in KNOWN},
        "duration_s": f"{seconds:.3f}",
        "sample_rate_hz": utterance.sample_rate,
        "frames": len(tracks.time),
        "frame_rate_hz": f"{tracks.rate:.3f}",
        "channels": len(tracks.channels),
        "unit": tracks.unit,
        "span_start_s": "" if item.span is None else item.span[0],
        "span_end_s": "" if item.span is None else item.span[1],
        "sha256": checksum(*item.files),
        "files": SEPARATOR.join(artifacts.to_project(path).as_posix() for path in item.files),
    }


def located(item: Item) -> Item:
    """Return an utterance with its files where they are, from a copy of the project, too."""
    return replace(item, files=tuple(artifacts.from_project(path) for path in item.files))


def write(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write rows as CSV with a header, atomically."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read() -> Iterator[tuple[Item, dict[str, str]]]:
    """Yield every utterance that the stage accepted, with its row."""
    path = artifacts.MANIFEST
    try:
        with path.open(encoding="utf-8", newline="") as file:
            found = [(item_of(row), row) for row in csv.DictReader(file)]
    except FileNotFoundError:
        raise InputError(f"{path}: not found; run `dvc repro corpus` first") from None
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error):
        raise InputError(f"{path}: damaged; run `dvc repro --force corpus`") from None
    yield from found


def item_of(row: Mapping[str, str]) -> Item:
    """Return the utterance of a row."""
    span = (row["span_start_s"], row["span_end_s"])
    return Item(
        row["id"],
        tuple(Path(name) for name in row["files"].split(SEPARATOR)),
        **{key: row[key] for key in KNOWN},
        span=(float(span[0]), float(span[1])) if all(span) else None,
    )
