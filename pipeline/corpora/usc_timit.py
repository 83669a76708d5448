"""USC-TIMIT, its EMA part: four American speakers, the 460 sentences of MOCHA, about 100 Hz.

Narayanan et al. 2014 (CC BY 4.0: https://zenodo.org/records/19422914).

Layout on disk::

    F1/mat/usctimit_ema_f1_001_005.mat     sound and six sensors of five sentences in a row, mm
    F1/trans/usctimit_ema_f1_001_005.trans start,end,phone,word,sentence,number

A sensor's SIGNAL is x (forward), height, lateral: another order than HPRC's. The rate is in the
file, 97.5 to 100.08 Hz. A sentence is cut out by the times in ``.trans``; without that file
(speaker M3, whose transcripts are of another session) the whole file is one utterance. The
articulation comes about 22 ms before the sound that it makes, as others found for all four
speakers; it is moved back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.corpora import Item
from pipeline.corpora.files import Companions, below, present
from pipeline.corpora.layouts import midsagittal
from pipeline.formats import checked, mview
from pipeline.ground.console import InputError
from pipeline.ground.params import Corpus, Layout
from pipeline.ground.utterance import Label, Utterance

LAYOUT = Layout(midsagittal("TT", "TB", "TD", "UL", "LL", "JAW"), 0)
AXES = "xyz"  # of the columns of SIGNAL
LEAD_S = 0.022  # of the articulation before the sound
MARGIN_S = 0.1  # kept on both sides of a sentence, as far as the next one allows
NAME = re.compile(r"usctimit_ema_([a-z]\d)_(\d{3}_\d{3})", re.IGNORECASE)


def find(folder: Path, params: Corpus) -> Iterator[Item]:
    """List the sentences of every file."""
    transcripts = Companions(folder, ".trans", unique=True)
    for path in below(folder, ".mat"):
        match = NAME.fullmatch(path.stem)
        if not match:
            continue
        transcript = transcripts.of(path)
        files = present(path, transcript)
        try:
            spans = sentence_spans(read_transcript(transcript)) if transcript else {}
        except InputError:
            spans = {}  # reading the utterance will say what is wrong
        speaker = match[1].upper()
        for number, span in spans.items():
            name = f"{path.stem}-{number:03d}"
            yield Item(name, files, speaker=speaker, sentence=f"{number:03d}", span=span)
        if not spans:
            yield Item(path.stem, files, speaker=speaker, sentence=match[2])


def read(item: Item, params: Corpus) -> Utterance:
    """Read one sentence: its stretch of the sound, of the tracks and of the labels."""
    recording = mview.read(item.files[0], AXES)
    rows = read_transcript(item.files[1]) if len(item.files) > 1 else []
    sound, rate, tracks = recording.audio, recording.sample_rate, recording.tracks
    assert sound is not None
    start, end = item.span or (0.0, math.inf)
    end = min(end, len(sound) / rate)
    first, last = round(start * rate), round(end * rate)
    time = tracks.time + LEAD_S - first / rate
    keep = (time >= 0) & (time <= (last - first) / rate)
    phones = tuple(
        Label(max(label.start - start, 0.0), min(label.end, end) - start, label.text)
        for label, _ in rows
        if label.end > start and label.start < end
    )
    return item.utterance(
        checked.tracks(item.files[0], time[keep], tracks.values[keep], tracks.channels),
        audio=np.ascontiguousarray(sound[first:last]),
        sample_rate=rate,
        phones=phones,
    )


def read_transcript(path: Path) -> list[tuple[Label, int | None]]:
    """Return the phones of a transcript, each with the number of its sentence, None in a pause."""
    rows: list[tuple[Label, int | None]] = []
    for line, content in enumerate(checked.text(path, "latin-1").splitlines(), 1):
        if not content.strip():
            continue
        # a sentence may have commas of its own; the number stands last
        start, _, rest = content.partition(",")
        end, _, rest = rest.partition(",")
        number = rest.rpartition(",")[2].strip()
        try:
            label = Label(float(start), float(end), rest.partition(",")[0].strip())
            rows.append((label, int(number) if number else None))
        except ValueError:
            raise InputError(f"{path}: line {line}: {content[:40]!r} is not a label") from None
        if not 0 <= label.start <= label.end < math.inf:
            raise InputError(f"{path}: line {line}: a label from {start} to {end} s")
    return rows


def sentence_spans(rows: list[tuple[Label, int | None]]) -> dict[int, tuple[float, float]]:
    """Return start and end of every sentence, with a margin of silence, in order of time."""
    limits: dict[int, tuple[float, float]] = {}
    for label, number in rows:
        if number is not None:
            start, end = limits.get(number, (label.start, label.end))
            limits[number] = min(start, label.start), max(end, label.end)
    order = sorted(limits, key=limits.__getitem__)
    ends = [0.0, *(limits[number][1] for number in order)]
    starts = [*(limits[number][0] for number in order), math.inf]
    return {
        number: (
            max(start - MARGIN_S, min((ends[k] + start) / 2, start)),
            min(end + MARGIN_S, max((end + starts[k + 1]) / 2, end)),
        )
        for k, number in enumerate(order)
        for start, end in [limits[number]]
    }
