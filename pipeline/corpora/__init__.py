"""Where utterances come from: one file per corpus, all giving the same neutral utterance.

A reader is a module with two functions and a constant, as in `Reader`. ``docs/add-a-corpus.md``
walks through the shortest one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.ground.console import UsageError
from pipeline.ground.params import Corpus, Layout
from pipeline.ground.utterance import Tracks, Utterance

READERS = {
    "carstens": "pipeline.corpora.carstens",
    "emu": "pipeline.corpora.emu",
    "folder": "pipeline.corpora.folder",
    "hprc": "pipeline.corpora.hprc",
    "mngu0": "pipeline.corpora.mngu0",
    "mocha": "pipeline.corpora.mocha",
    "mspka": "pipeline.corpora.mspka",
    "ndi-wave": "pipeline.corpora.ndi_wave",
    "stem-e2va": "pipeline.corpora.stem_e2va",
    "torgo": "pipeline.corpora.torgo",
    "tutorial": "pipeline.corpora.tutorial",
    "usc-timit": "pipeline.corpora.usc_timit",
    "vocaltractlab": "pipeline.corpora.vocaltractlab",
    "xrmb": "pipeline.corpora.xrmb",
}

KNOWN = ("speaker", "session", "style", "sentence", "sex", "size")  # what may be known beforehand


@dataclass(frozen=True)
class Item:
    """An utterance that was found and not yet read.

    Attributes
    ----------
    id : str
        Unique in its corpus.
    files : tuple of Path
        All that the utterance is read from, in an order that the reader knows.
    span : (float, float) or None
        Seconds of the files that are this utterance; None for all.
    """

    id: str
    files: tuple[Path, ...]
    speaker: str = ""
    session: str = ""
    style: str = ""
    sentence: str = ""
    sex: str = ""
    size: str = ""
    span: tuple[float, float] | None = None

    def utterance(self, tracks: Tracks, **content: Any) -> Utterance:
        """Return the utterance: what was found out about it, and its content."""
        known = {key: getattr(self, key) for key in ("id", *KNOWN)}
        return Utterance(**known | content, tracks=tracks)


class Reader(Protocol):
    """What a module of this package offers."""

    LAYOUT: Layout | Callable[[Corpus], Layout]
    """The channels that become targets unless ``extract.layout`` says otherwise; a function of the
    parameters where these name the sensors."""

    def find(self, folder: Path, params: Corpus) -> Iterable[Item]:
        """List the utterances below a folder, in a fixed order, without reading them."""

    def read(self, item: Item, params: Corpus) -> Utterance:
        """Read one utterance; `InputError` names the file and what is wrong with it."""


def reader(name: str) -> Reader:
    """Return the reader called ``name``; `UsageError` lists the names that there are."""
    if name not in READERS:
        raise UsageError(f"corpus.reader: no {name!r} among {', '.join(sorted(READERS))}")
    return importlib.import_module(READERS[name])


def default_layout(corpus: Corpus) -> Layout:
    """Return the layout of a corpus: its reader's or, where the parameters name sensors, theirs.

    Raises
    ------
    UsageError
        Where they name none.
    """
    layout = reader(corpus.reader).LAYOUT
    return layout if isinstance(layout, Layout) else layout(corpus)
