"""What the tests of readers share: settings, sounds, and one utterance of a folder."""

from pathlib import Path

import msgspec
import numpy as np
import soundfile

from pipeline import corpora
from pipeline.ground import params
from pipeline.ground.utterance import Tracks, Utterance
from tests.conftest import ROOT


def settings(reader: str, **changes) -> params.Corpus:
    """The corpus block of params.yaml for a reader, with some keys changed."""
    corpus = params.load(ROOT / "params.yaml").corpus
    head = msgspec.structs.replace(corpus.head_correction, **changes.pop("head_correction", {}))
    return msgspec.structs.replace(corpus, reader=reader, head_correction=head, **changes)


def put_sound(path: Path, seconds: float = 1.0, rate: int = 16_000, format: str = "WAV") -> Path:
    """Write a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = np.sin(2 * np.pi * 200 * np.arange(round(seconds * rate)) / rate) / 2
    soundfile.write(path, tone, rate, format=format, subtype="PCM_16")
    return path


def put(path: Path, content: str | bytes) -> Path:
    """Write a file and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read_all(folder: Path, corpus: params.Corpus) -> list[Utterance]:
    """Every utterance of a folder, in order."""
    reader = corpora.reader(corpus.reader)
    return [reader.read(item, corpus) for item in reader.find(folder, corpus)]


def read_one(folder: Path, corpus: params.Corpus) -> Utterance:
    """The only utterance of a folder."""
    (utterance,) = read_all(folder, corpus)
    return utterance


def column(tracks: Tracks, name: str) -> np.ndarray:
    """A channel by name."""
    return tracks.values[:, tracks.channels.index(name)]
