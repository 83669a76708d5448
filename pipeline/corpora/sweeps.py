"""What raw articulograph sweeps need before they are tracks: names, and the head held still.

``corpus.channel_map`` says which sensor was glued where. ``corpus.head_correction`` takes out the
head's own movement: the sensors under ``reference`` are brought to one place in every frame, and
with a recording of a plate between the teeth all sweeps get its origin and axes. Points are in the
right-handed order of `features.head_correction`: forward, left, up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features import head_correction
from pipeline.corpora import Item
from pipeline.corpora.files import Companions, below, home, identifier, read_together
from pipeline.corpora.layouts import midsagittal
from pipeline.formats import checked
from pipeline.ground import artifacts
from pipeline.ground.console import InputError, UsageError
from pipeline.ground.params import Corpus, Layout
from pipeline.ground.utterance import Tracks, Utterance

AXES = "xzy"  # forward, left, up in the names of this project


@dataclass(frozen=True)
class Sweep:
    """Sensor positions as an articulograph gives them.

    Attributes
    ----------
    time : float64 [T]
        s from the start of the sound.
    points : float64 [T, S, 3]
        mm, forward, left and up; NaN where missing.
    sensors : tuple of int, length S
        The numbers of the sensors.
    """

    time: NDArray[np.float64]
    points: NDArray[np.float64]
    sensors: tuple[int, ...]


ReadSweep = Callable[[Path, float], Sweep]  # the rate in Hz is for files that tell none


def layout(corpus: Corpus) -> Layout:
    """Return x and y of every sensor named, but for those that hold the head still."""
    reference = corpus.head_correction.reference
    return Layout(midsagittal(*(n for n in sensor_names(corpus) if n not in reference)), 0)


def find(folder: Path, corpus: Corpus, *endings: str) -> Iterator[Item]:
    """List the sweeps below a folder: positions and a sound of the same name.

    Parameters
    ----------
    folder : Path
        The first folder below it is the speaker, those below that the session, without those that
        tell kinds of files apart.
    corpus : Corpus
    *endings : str
        Of the positions.

    Raises
    ------
    UsageError
        Naming the parameter that does not fit, before any file is read.
    """
    sensor_names(corpus)
    sounds = Companions(folder, ".wav")
    traced = {Path(trace.file).resolve() for trace in corpus.palates.values()}
    for path in below(folder, *endings):
        if path.resolve() in traced:
            continue
        place = home(path.relative_to(folder))
        yield Item(
            identifier(*place, path.stem),
            (sounds.expected(path, ".wav"), path),
            speaker=place[0] if place else folder.name,
            session="_".join(place[1:]),
        )


def read(item: Item, read_sweep: ReadSweep, corpus: Corpus) -> Utterance:
    """Read one sweep with its sound."""
    return read_together(item, corpus, lambda path: tracks(path, read_sweep, corpus))


def tracks(path: Path, read_sweep: ReadSweep, corpus: Corpus) -> Tracks:
    """Read a sweep as tracks: sensors named, the head held still, reference sensors left out.

    Raises
    ------
    InputError
        Where the file is broken or lacks a sensor.
    UsageError
        Naming the parameter that does not fit, whatever the file.
    """
    names = sensor_names(corpus)
    sweep = read_sweep(path, corpus.text_rate_hz)
    points = pick(path, sweep, corpus)
    reference = corpus.head_correction.reference
    articulators = [name for name in names if name not in reference]
    moved = points[:, [names.index(name) for name in articulators]]
    if reference:
        still = points[:, [names.index(name) for name in reference]]
        template = template_of(corpus, still, read_sweep)
        try:
            moved = head_correction.correct(moved, still, template)
        except ValueError as error:
            raise InputError(f"{path}: corpus.head_correction.reference: {error}") from None
    channels = [f"{name}_{axis}" for name in articulators for axis in AXES]
    return checked.tracks(path, sweep.time, moved.reshape(len(moved), -1), channels)


def sensor_names(corpus: Corpus) -> list[str]:
    """Return the names of the sensors in the order of their numbers."""
    names = [corpus.channel_map[number] for number in sorted(corpus.channel_map)]
    if not names:
        raise UsageError("corpus.channel_map: name the sensors, such as {5: TB, 6: TM, 7: TT}")
    if twice := checked.repeated(names):
        raise UsageError(f"corpus.channel_map: {', '.join(twice)} more than once")
    head = corpus.head_correction
    needed = [*head.reference, *head.bite_plane]
    if missing := [name for name in needed if name not in names]:
        raise UsageError(f"corpus.head_correction: {', '.join(missing)} not in corpus.channel_map")
    if head.reference and len(head.reference) < head_correction.FEWEST:
        raise UsageError("corpus.head_correction.reference: three sensors at least, or none")
    if head.bite_plane and (len(head.bite_plane) != 3 or head.recording is None):
        raise UsageError(
            "corpus.head_correction.bite_plane: three sensors, and a recording of them"
        )
    return names


def pick(path: Path, sweep: Sweep, corpus: Corpus) -> NDArray[np.float64]:
    """Return the points of the sensors in the map [T, named, 3]."""
    numbers = sorted(corpus.channel_map)
    if missing := [number for number in numbers if number not in sweep.sensors]:
        raise InputError(f"{path}: no sensor {missing[0]}, which corpus.channel_map names")
    return sweep.points[:, [sweep.sensors.index(number) for number in numbers]]


def template_of(
    corpus: Corpus, still: NDArray[np.float64], read_sweep: ReadSweep
) -> NDArray[np.float64]:
    """Return where the reference sensors belong [N, 3]."""
    if corpus.head_correction.recording is None:
        return mean_place(still)
    numbers = {name: number for number, name in corpus.channel_map.items()}
    head = corpus.head_correction
    return recorded_template(
        artifacts.from_project(corpus.head_correction.recording),
        read_sweep,
        corpus.text_rate_hz,
        tuple(numbers[name] for name in head.reference),
        tuple(numbers[name] for name in head.bite_plane),
    )


def mean_place(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of points [T, N, 3] over the frames that have all; NaN if none has."""
    whole = np.isfinite(points).all(axis=(1, 2))
    return points[whole].mean(axis=0) if whole.any() else np.full(points.shape[1:], np.nan)


@lru_cache(maxsize=8)
def recorded_template(
    path: Path,
    read_sweep: ReadSweep,
    text_rate_hz: float,
    reference: Sequence[int],
    plate: Sequence[int],
) -> NDArray[np.float64]:
    """Return the mean place of the reference sensors in a recording, in the frame of its plate."""
    sweep = read_sweep(path, text_rate_hz)
    if missing := [number for number in (*reference, *plate) if number not in sweep.sensors]:
        raise InputError(f"{path}: no sensor {missing[0]}, which corpus.head_correction needs")
    still = sweep.points[:, [sweep.sensors.index(number) for number in reference]]
    template = mean_place(still)
    if not plate:
        return template
    points = sweep.points[:, [sweep.sensors.index(number) for number in plate]]
    try:
        corners = mean_place(head_correction.correct(points, still, template))
        rotation, origin = head_correction.bite_plane(*corners)
    except ValueError as error:
        raise InputError(f"{path}: corpus.head_correction: {error}") from None
    return head_correction.into_plane(template, rotation, origin)
