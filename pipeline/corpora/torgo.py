"""TORGO: fifteen Canadian speakers, eight of them with dysarthria, EMA at 200 Hz (Carstens AG500).

Rudzicz, Namasivayam and Wolff 2012 (free for research, University of Toronto; also LDC2012S02).

Layout on disk::

    F01/Session1/pos/0001.pos            AG500 positions, head movement removed, mm
    F01/Session1/wav_headMic/0001.wav    16 kHz
    F01/Session1/prompts/0001.txt        the text
    F01/Session1/phn_headMic/0001.PHN    optional: phones, in samples

Speakers with a C after the first letter (FC01, MC02) are controls. The head microphone was started
together with the articulograph; recordings that only the array microphone has are refused. Some
sessions lack sensors, whose tracks are then constant, and the publisher lists faults sensor by
sensor: look at them with ``--inspect`` before training.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.corpora import Item
from pipeline.corpora.files import below, identifier, present, read_together
from pipeline.corpora.layouts import midsagittal
from pipeline.formats import carstens_pos, checked
from pipeline.ground.params import Corpus, Layout
from pipeline.ground.utterance import Tracks, Utterance

# by number: tongue back, middle and tip; forehead; bridge of the nose; lips; lower incisors;
# left and right corner of the mouth; left and right ear
SENSORS = ("TB", "TM", "TT", "FH", "BN", "UL", "LL", "LI", "LC", "RC", "LE", "RE")
LAYOUT = Layout(midsagittal(*SENSORS), 0)
LABEL_RATE = 16_000  # Hz


def find(folder: Path, params: Corpus) -> Iterator[Item]:
    """List the recordings with positions."""
    for path in below(folder, ".pos"):
        session = path.parent.parent
        sound = session / "wav_headMic" / f"{path.stem}.wav"
        labels = session / "phn_headMic" / f"{path.stem}.PHN"
        prompt = session / "prompts" / f"{path.stem}.txt"
        text = prompt.read_text("utf-8", "replace") if prompt.is_file() else ""
        yield Item(
            identifier(session.parent.name, session.name, path.stem),
            present(sound, path, labels if labels.is_file() else None),
            speaker=session.parent.name,
            session=session.name,
            style="control" if session.parent.name[1:2] == "C" else "dysarthric",
            sentence=" ".join(text.split()),
        )


def read(item: Item, params: Corpus) -> Utterance:
    """Read one recording."""
    return read_together(item, params, read_tracks, LABEL_RATE)


def read_tracks(path: Path) -> Tracks:
    """Read the twelve sensors: x forward, y up, z lateral."""
    sweep = carstens_pos.read(path)
    points = carstens_pos.positions(sweep)  # [T, 12, 3]
    channels = [f"{name}_{axis}" for name in SENSORS for axis in "xzy"]
    return checked.tracks(path, sweep.time, points.reshape(len(points), -1), channels)
