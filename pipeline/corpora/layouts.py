"""Which channels of a corpus become the tracks that a network learns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.console import InputError, UsageError
from pipeline.ground.params import Layout
from pipeline.ground.utterance import Tracks


def midsagittal(*points: str) -> tuple[str, ...]:
    """Return the channels x (forward) and y (up) of each point."""
    return tuple(f"{point}_{axis}" for point in points for axis in "xy")


BUILT_IN = {
    # twelve midsagittal points: tongue tip, blade, front, middle, dorsum, root, both lips,
    # lower incisor, velum, epiglottis, hyoid
    "fleshpoints": Layout(
        channels=midsagittal(
            "TT", "TB", "TF", "TM", "TD", "TR", "UL", "LL", "LI", "VL", "EP", "HY"
        ),
        deltas=0,
    ),
    # four points of the tongue from front to back with delta and delta-delta
    "pellets": Layout(channels=midsagittal("T1", "T2", "T3", "T4"), deltas=2),
}
DELTA_NAMES = ("", "_delta", "_delta_delta")


def resolve(name: str, own: dict[str, Layout], default: Layout) -> Layout:
    """Return the layout that ``extract.layout`` names; ``auto`` is the corpus's default.

    Raises
    ------
    UsageError
        Where there is none of that name.
    """
    known = {**BUILT_IN, **own, "auto": default}
    if name not in known:
        raise UsageError(f"extract.layout: no {name!r} among {', '.join(sorted(known))}")
    return known[name]


def track_names(layout: Layout) -> tuple[str, ...]:
    """Return the names of all tracks: the channels, then their deltas, order by order."""
    return with_delta_names(layout.channels, layout.deltas)


def with_delta_names(channels: Sequence[str], orders: int) -> tuple[str, ...]:
    """Return names of channels, then of their deltas, order by order."""
    return tuple(c + order for order in DELTA_NAMES[: orders + 1] for c in channels)


def pick(tracks: Tracks, layout: Layout) -> NDArray[np.float64]:
    """Return the columns of a layout, float64 [T, channels].

    Raises
    ------
    InputError
        Naming the channels that the corpus lacks and those that it has.
    """
    missing = [c for c in layout.channels if c not in tracks.channels]
    if missing:
        raise InputError(
            f"no channel {', '.join(missing)} among {', '.join(tracks.channels)};"
            " choose another extract.layout"
        )
    return tracks.values[:, [tracks.channels.index(c) for c in layout.channels]]
