"""A folder of sound and tracks: the project's own layout, and the shortest reader.

Layout on disk::

    FOLDER/NAME.wav          the sound: WAV, or NAME.flac or NAME.ogg
    FOLDER/NAME.csv          the tracks: `time_s` and a column per channel, mm, any rate
    FOLDER/NAME.TextGrid     optional: tiers `phones` and `words`
    FOLDER/SPEAKER/NAME...   optional subfolders, one per speaker: the id is then SPEAKER-NAME
    FOLDER/metadata.csv      optional: `id` and any of `speaker,session,style,sentence`
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.corpora import Item
from pipeline.corpora.layouts import BUILT_IN
from pipeline.formats import audio, textgrid, track_csv
from pipeline.ground.console import InputError
from pipeline.ground.params import Corpus
from pipeline.ground.utterance import Utterance

LAYOUT = BUILT_IN["fleshpoints"]
SOUNDS = (".wav", ".flac", ".ogg")
KNOWN = ("speaker", "session", "style", "sentence")


def find(folder: Path, params: Corpus) -> Iterator[Item]:
    """List the sounds of the folder and of its subfolders, in the order of their names."""
    metadata = read_metadata(folder / "metadata.csv")
    for sound in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        place = sound.relative_to(folder)
        hidden = any(part.startswith(".") for part in place.parts)
        if hidden or sound.suffix.lower() not in SOUNDS:
            continue
        name = re.sub(r"[^\w.-]", "_", "-".join(place.with_suffix("").parts))
        subfolder = place.parts[0] if len(place.parts) > 1 else ""
        about = dict.fromkeys(KNOWN, "") | {"speaker": subfolder} | metadata.get(name, {})
        tracks, labels = sound.with_suffix(".csv"), sound.with_suffix(".TextGrid")
        files = (sound, tracks, labels) if labels.exists() else (sound, tracks)
        yield Item(
            name,
            files,
            speaker=about["speaker"],
            session=about["session"],
            style=about["style"],
            sentence=about["sentence"],
        )


def read(item: Item, params: Corpus) -> Utterance:
    """Read one utterance."""
    sound, sample_rate = audio.read(item.files[0])
    tiers = textgrid.read(item.files[2]) if len(item.files) > 2 else {}
    return Utterance(
        id=item.id,
        tracks=track_csv.read(item.files[1]),
        audio=sound,
        sample_rate=sample_rate,
        speaker=item.speaker,
        session=item.session,
        style=item.style,
        sentence=item.sentence,
        phones=tiers.get("phones", ()),
        words=tiers.get("words", ()),
    )


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
    return {row["id"]: {key: row[key] for key in KNOWN if row.get(key)} for row in rows}
