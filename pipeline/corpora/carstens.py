"""Raw sweeps of a Carstens articulograph, AG500 or AG501: what a laboratory records itself.

Layout on disk: positions and sound under one name, in folders of any structure::

    pos/0023.pos    AG501 with a header (any rate), AG500 without (200 Hz); mm
    pos/0023.txt    or as text: a header row Ch1_X Ch1_Y .., tab-separated; mm
    wav/0023.wav    recorded with it, from the same start

``corpus.channel_map`` names the sensors that count; the others are left out.
``corpus.head_correction`` is for sweeps that Carstens's own NormPos has not corrected already. What
lies in a folder ``rawpos`` is not read. The first folder below the corpus is the speaker, unless it
tells kinds of files apart, as ``pos`` does. A sensor that was not connected reports zeros, which
become missing samples. A text does not tell its rate: ``corpus.text_rate_hz`` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.corpora import Item, sweeps
from pipeline.formats import carstens_pos, carstens_text
from pipeline.ground.params import Corpus
from pipeline.ground.utterance import Utterance

LAYOUT = sweeps.layout
RAW = "rawpos"


def find(folder: Path, params: Corpus) -> Iterator[Item]:
    """List the sweeps that have a sound or are no text; a text beside its ``.pos`` is left out."""
    known: set[str] = set()
    for item in sweeps.find(folder, params, ".pos", ".txt"):
        path = item.files[1]
        text = path.suffix.lower() == ".txt"
        if RAW in path.relative_to(folder).parts or (text and not carstens_text.recognised(path)):
            continue
        if item.id not in known:
            yield item
        known.add(item.id)


def read(item: Item, params: Corpus) -> Utterance:
    """Read one sweep."""
    return sweeps.read(item, read_sweep, params)


def read_sweep(path: Path, text_rate_hz: float) -> sweeps.Sweep:
    """Read the positions of all sensors, numbered from 1."""
    if path.suffix.lower() == ".txt":
        recorded = carstens_text.read(path, text_rate_hz)
    else:
        recorded = carstens_pos.read(path)
    points = carstens_pos.positions(recorded)
    return sweeps.Sweep(recorded.time, points, tuple(range(1, points.shape[1] + 1)))
