"""Raw sweeps of a Carstens articulograph, AG500 or AG501: what a laboratory records itself.

Layout on disk: positions and sound under one name, in folders of any structure::

    pos/0023.pos    AG501 with a header (any rate), AG500 without (200 Hz); mm
    wav/0023.wav    recorded with it, from the same start

``corpus.channel_map`` names the sensors that count; the others are left out.
``corpus.head_correction`` is for sweeps that Carstens's own NormPos has not corrected already. What
lies in a folder ``rawpos`` is not read. The first folder below the corpus is the speaker, unless it
is ``pos``. A sensor that was not connected reports zeros, which become missing samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.corpora import Item, sweeps
from pipeline.formats import carstens_pos
from pipeline.ground.params import Corpus
from pipeline.ground.utterance import Utterance

LAYOUT = None
POSITIONS, RAW = "pos", "rawpos"


def find(folder: Path, params: Corpus) -> Iterator[Item]:
    """List the sweeps."""
    for item in sweeps.find(folder, ".pos", params, leave_out=(POSITIONS,)):
        if RAW not in item.files[1].relative_to(folder).parts:
            yield item


def read(item: Item, params: Corpus) -> Utterance:
    """Read one sweep."""
    return sweeps.read(item, read_sweep, params)


def read_sweep(path: Path) -> sweeps.Sweep:
    """Read the positions of all sensors, numbered from 1."""
    recorded = carstens_pos.read(path)
    points = carstens_pos.positions(recorded)
    return sweeps.Sweep(recorded.time, points, tuple(range(1, points.shape[1] + 1)))
