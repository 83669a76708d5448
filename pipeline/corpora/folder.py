"""A folder of sound and tracks: the project's own layout, and the shortest reader.

Layout on disk::

    FOLDER/NAME.wav          the sound: WAV, NAME.flac or whatever else libsndfile reads
    FOLDER/NAME.csv          the tracks: `time_s` and a column per channel, mm, any rate
    FOLDER/NAME.TextGrid     optional: tiers `phones` and `words`, or called alike: phone, MAU, ORT
    FOLDER/SPEAKER/NAME...   optional subfolders, one per speaker: the id is then SPEAKER-NAME
    FOLDER/metadata.csv      optional: `id` and any of `speaker,session,style,sentence,sex,size`
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.corpora import KNOWN, Item
from pipeline.corpora.files import below, identifier, present, usable
from pipeline.corpora.layouts import BUILT_IN
from pipeline.formats import audio, textgrid, track_csv
from pipeline.ground.console import InputError
from pipeline.ground.params import Corpus
from pipeline.ground.utterance import PHONES, WORDS, Label, Utterance

LAYOUT = BUILT_IN["fleshpoints"]


def find(folder: Path, params: Corpus) -> Iterator[Item]:
    """List the sounds of the folder and of its subfolders, in the order of their names."""
    metadata = read_metadata(folder / "metadata.csv")
    grids = {path.with_suffix(""): path for path in below(folder, ".textgrid")}
    for sound in below(folder, *audio.SUFFIXES):
        place = sound.relative_to(folder)
        if len(place.parts) > 2:
            continue
        name = identifier(*place.with_suffix("").parts, separator="-")
        subfolder = place.parts[0] if len(place.parts) > 1 else ""
        about: dict[str, Any] = (
            dict.fromkeys(KNOWN, "") | {"speaker": subfolder} | metadata.get(name, {})
        )
        files = present(sound, sound.with_suffix(".csv"), grids.get(sound.with_suffix("")))
        yield Item(name, files, **{key: about[key] for key in KNOWN})


def read(item: Item, params: Corpus) -> Utterance:
    """Read one utterance."""
    sound, sample_rate = audio.read(item.files[0], params.channel)
    notes: list[str] = []
    tiers = read_tiers(item.files[2], len(sound) / sample_rate, notes) if item.files[2:] else {}
    return item.utterance(
        track_csv.read(item.files[1]),
        audio=sound,
        sample_rate=sample_rate,
        phones=tiers.get("phones", ()),
        words=tiers.get("words", ()),
        notes=tuple(notes),
    )


def read_tiers(path: Path, seconds: float, notes: list[str]) -> dict[str, tuple[Label, ...]]:
    """Read phones and words from the tiers that are called so; ``notes`` is told of the rest."""
    try:
        tiers = textgrid.read(path, notes)
    except InputError as error:
        notes.append(str(error))
        return {}
    # forced aligners put the speaker in front: "anna - phones"
    tiers = {name.rpartition(" - ")[2].strip().lower(): tiers[name] for name in reversed(tiers)}
    found = {
        key: tiers[next(name for name in usual if name in tiers)]
        for key, usual in (("phones", PHONES), ("words", WORDS))
        if not tiers.keys().isdisjoint(usual)
    }
    if not found:
        notes.append(f"{path}: no tier of phones or words among {', '.join(tiers) or 'none'}")
    return {key: usable(path, labels, seconds, notes) for key, labels in found.items()}


def read_metadata(path: Path) -> dict[str, dict[str, str]]:
    """Read what is known of the utterances by id; an empty cell says nothing."""
    if not path.exists():
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file ({error})") from None
    if rows and "id" not in rows[0]:
        raise InputError(f"{path}: line 1: no column 'id'")
    return {
        identifier(row["id"] or ""): {key: row[key] for key in KNOWN if row.get(key)}
        for row in rows
    }
