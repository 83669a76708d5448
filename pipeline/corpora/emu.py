"""Databases of the EMU Speech Database Management System: any laboratory's, with SSFF tracks.

Winkelmann, Harrington and Jaensch 2017. Layout on disk::

    NAME_emuDB/NAME_DBconfig.json
    NAME_emuDB/SESSION_ses/BUNDLE_bndl/BUNDLE_annot.json    labels; times in samples of the sound
    NAME_emuDB/SESSION_ses/BUNDLE_bndl/BUNDLE.wav
    NAME_emuDB/SESSION_ses/BUNDLE_bndl/BUNDLE.t_tip         SSFF, one sensor's columns a file

or bundles as the EMU-webApp exchanges them, ``BUNDLE_bndl.json`` beside sound and tracks, or sound
and SSFF files alone; tracks may lie in a folder of their own, such as ``ema_ssff``.

What differs between databases is told by ``corpus.emu``: ``sensors`` says which files are which
sensor, ``axes`` which of their columns is forward, height and lateral and which of these counts the
other way, ``phones`` and ``words`` which levels (or attributes of levels) are the labels. Levels
without times get theirs from the segments that they are linked to. A sensor whose axes are all
exactly 0 is missing there: so a sweep is filled up to the length of its sound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from pipeline.corpora import Item
from pipeline.corpora.files import Companions, below, home, identifier, present, usable
from pipeline.corpora.layouts import midsagittal
from pipeline.formats import audio, checked, ssff
from pipeline.ground.console import InputError, UsageError, escaped
from pipeline.ground.params import Corpus, Emu, Layout
from pipeline.ground.utterance import PHONES, WORDS, Label, Tracks, Utterance

ANNOTATION = re.compile(r"(.+)_(?:annot|bndl)\.json", re.IGNORECASE)
SESSION, BUNDLE = "_ses", "_bndl.json"


# names are those of the files, which have more keys than these
class Text(Struct):
    """One attribute of an item."""

    name: str
    value: Any = ""


class Entry(Struct):
    """A segment with times, or an item without."""

    id: int
    labels: list[Text] = []
    sampleStart: float | None = None  # noqa: N815
    sampleDur: float | None = None  # noqa: N815


class Level(Struct):
    """A level of the annotation."""

    name: str
    items: list[Entry] = []


class Link(Struct):
    """From an item to one below it."""

    fromID: int  # noqa: N815
    toID: int  # noqa: N815


class Annotation(Struct):
    """``BUNDLE_annot.json``."""

    sampleRate: float  # noqa: N815
    levels: list[Level]
    links: list[Link] = []


class Bundle(Struct):
    """``BUNDLE_bndl.json``."""

    annotation: Annotation


def layout(corpus: Corpus) -> Layout:
    """Return x and y of every sensor named."""
    return Layout(midsagittal(*sensors(corpus.emu)), 0)


LAYOUT = layout


def find(folder: Path, params: Corpus) -> Iterator[Item]:
    """List the bundles: all that have labels, or tracks of a sensor."""
    try:
        endings = {f".{source.partition(':')[0]}" for source in sensors(params.emu).values()}
    except UsageError as error:
        there = ", ".join(sorted(extensions(folder))) or "none"
        raise UsageError(f"{error}; SSFF files in {folder}: {there}") from None
    sounds = Companions(folder, ".wav", ".flac")
    bundles: dict[tuple[tuple[str, ...], str], dict[str, Path]] = {}
    for path in below(folder, ".json", *endings):
        match = ANNOTATION.fullmatch(path.name)
        if match or path.suffix.lower() != ".json":
            bundle = home(path.relative_to(folder)), str(match[1]) if match else path.stem
            bundles.setdefault(bundle, {})[path.suffix.lower()] = path
    for (place, name), files in sorted(bundles.items()):
        near = next(iter(files.values())).with_name(f"{name}.wav")
        tracks = [files.get(ending.lower(), near.with_suffix(ending)) for ending in sorted(endings)]
        session = next((p.removesuffix(SESSION) for p in place if p.endswith(SESSION)), "")
        full = f"{session}/{name}"
        yield Item(
            identifier(session, name),
            (*present(sounds.expected(near, ".wav"), files.get(".json")), *tracks),
            speaker=part(params.emu.speaker, full, "speaker") or session or folder.name,
            session=session,
            sentence=part(params.emu.sentence, full, "sentence"),
        )


def sensors(emu: Emu) -> Mapping[str, str]:
    """Return where the tracks of each sensor are."""
    if not emu.sensors:
        raise UsageError("corpus.emu.sensors: name the sensors, such as {TT: t_tip, UL: upper_lip}")
    return emu.sensors


def extensions(folder: Path) -> dict[str, Path]:
    """Return the extensions of the SSFF files below a folder, each with one such file."""
    found: dict[str, tuple[Path, bool]] = {}
    for path in below(folder):
        ending = path.suffix.removeprefix(".")
        if ending not in found:
            with path.open("rb") as file:
                found[ending] = path, file.read(len(ssff.MAGIC)) == ssff.MAGIC
    return {ending: path for ending, (path, tracks) in found.items() if tracks}


def tracked(folder: Path, axes: Mapping[Any, str]) -> Iterator[str]:
    """Yield the extensions of those SSFF files that have a column for every axis."""
    for ending, path in extensions(folder).items():
        with suppress(InputError):
            names = ssff.read(path).channels
            for axis in axes.values():
                column(path, names, "", axis.removeprefix("-"))
            yield ending


def part(pattern: str | None, name: str, key: str) -> str:
    """Return what the first group of a pattern finds in SESSION/BUNDLE; "" without a pattern."""
    if pattern is None:
        return ""
    try:
        match = re.search(pattern, name)
        if match:
            return match[1] or ""
    except (re.error, IndexError) as error:
        raise UsageError(f"corpus.emu.{key}: {pattern!r}: {error}") from None
    raise UsageError(f"corpus.emu.{key}: {pattern!r} finds nothing in {name!r}")


def read(item: Item, params: Corpus) -> Utterance:
    """Read one bundle."""
    sound, sample_rate = audio.read(item.files[0], params.channel)
    annotation = next((path for path in item.files if path.suffix.lower() == ".json"), None)
    notes: list[str] = []
    labels: dict[str, tuple[Label, ...]] = {"phones": (), "words": ()}
    if annotation is not None:
        try:
            tree = read_annotation(annotation)
        except InputError as error:  # it costs the labels, not the utterance
            notes.append(str(error))
            tree = Annotation(sample_rate, [])
        for key, wanted, usual in (
            ("phones", params.emu.phones, PHONES),
            ("words", params.emu.words, WORDS),
        ):
            name = (wanted or named(tree, usual)) if tree.levels else None
            found = labels_of(annotation, tree, name, notes) if name else []
            labels[key] = usable(annotation, found, len(sound) / sample_rate, notes)
    return item.utterance(
        read_tracks(item.files[1:], params.emu),
        audio=sound,
        sample_rate=sample_rate,
        notes=tuple(notes),
        **labels,
    )


def read_tracks(files: tuple[Path, ...], emu: Emu) -> Tracks:
    """Read the tracks of all sensors, which share rate and start."""
    by_ending = {path.suffix.lower(): path for path in files}
    known: dict[Path, Tracks] = {}
    columns, channels = [], []
    for sensor, source in sensors(emu).items():
        ending, _, prefix = source.partition(":")
        path = by_ending[f".{ending}".lower()]
        if path not in known:
            known[path] = ssff.read(path)
        tracks = known[path]
        for axis, wanted in emu.axes.items():
            name = column(path, tracks.channels, prefix, wanted.removeprefix("-"))
            sign = -1 if wanted.startswith("-") else 1
            columns.append(sign * emu.unit_mm * tracks.values[:, tracks.channels.index(name)])
            channels.append(f"{sensor}_{axis}")
    times = [tracks.time for tracks in known.values()]
    frames = min(map(len, times))
    for path, tracks in known.items():
        if not np.allclose(tracks.time[:frames], times[0][:frames], rtol=0, atol=1e-4):
            raise InputError(f"{path}: other time stamps than {next(iter(known)).name}")
    table = np.column_stack([values[:frames] for values in columns])
    points = checked.connected(table.reshape(frames, -1, len(emu.axes)))
    return checked.tracks(files[-1], times[0][:frames], points.reshape(frames, -1), channels)


def column(path: Path, channels: tuple[str, ...], prefix: str, axis: str) -> str:
    """Return the column of an axis: the one that is called so, or whose name ends so."""
    if prefix + axis in channels:
        return prefix + axis
    found = [name for name in channels if name.startswith(prefix) and name.endswith(axis)]
    if len(found) != 1:
        raise InputError(
            f"{path}: {len(found)} columns {prefix}...{axis} among {', '.join(channels)};"
            " see corpus.emu.axes"
        )
    return found[0]


def read_annotation(path: Path) -> Annotation:
    """Return the annotation of a bundle."""
    data = checked.contents(path)
    try:
        if path.name.lower().endswith(BUNDLE):
            tree = msgspec.json.decode(data, type=Bundle).annotation
        else:
            tree = msgspec.json.decode(data, type=Annotation)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not an annotation of EMU ({error})") from None
    if not tree.sampleRate > 0:
        raise InputError(f"{path}: sampleRate is {tree.sampleRate:g}")
    return tree


def attributes(tree: Annotation) -> dict[str, Level]:
    """Return every level by its name, and by those of its further attributes."""
    found: dict[str, Level] = {}
    for level in tree.levels:
        for name in (level.name, *(label.name for item in level.items for label in item.labels)):
            found.setdefault(name, level)
    return found


def named(tree: Annotation, usual: tuple[str, ...]) -> str | None:
    """Return the level that has one of the usual names, if any."""
    by_lower = {name.lower(): name for name in attributes(tree)}
    return next((by_lower[name] for name in usual if name in by_lower), None)


def labels_of(path: Path, tree: Annotation, name: str, notes: list[str]) -> list[Label]:
    """Return the labels of a level or of an attribute of one; ``notes`` is told of the rest."""
    known = attributes(tree)
    if name not in known:
        notes.append(escaped(f"{path}: no level {name!r} among {', '.join(known)}"))
        return []
    spans = timed(tree)
    found: list[Label] = []
    for item in known[name].items:
        texts = {label.name: label.value for label in item.labels}
        if item.id not in spans:
            place = escaped(f"{path}: level {name}: item {item.id}")
            notes.append(f"{place} has no time, nor has one below it")
            continue
        start, end = spans[item.id]
        text = str(texts.get(name, next(iter(texts.values()), "")))
        found.append(Label(start / tree.sampleRate, end / tree.sampleRate, text))
    return sorted(found, key=lambda label: label.start)


def timed(tree: Annotation) -> dict[int, tuple[float, float]]:
    """Return first and last sample of every item, through links where it has none of its own."""
    spans = {
        item.id: (item.sampleStart, item.sampleStart + item.sampleDur)
        for level in tree.levels
        for item in level.items
        if item.sampleStart is not None and item.sampleDur is not None
    }
    for _ in tree.levels:  # a link may lead over as many levels as there are
        under: dict[int, list[tuple[float, float]]] = {}
        for link in tree.links:
            if link.toID in spans and link.fromID not in spans:
                under.setdefault(link.fromID, []).append(spans[link.toID])
        spans |= {
            parent: (min(start for start, _ in parts), max(end for _, end in parts))
            for parent, parts in under.items()
        }
    return spans
