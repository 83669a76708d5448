"""The palate of each speaker: traced, or estimated from where the tongue was.

Kept in reports/tables, with the source of each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.tract_variables import estimate_palate
from pipeline.ground.sensors import positions, tongue_sensors
from pipeline.ground.storage import Store

Array = NDArray[np.floating]


TRACED, ESTIMATED = "traced", "estimated"


class Palate(NamedTuple):
    """A palate: ``outline`` [P, 2], forward and height in mm, and where it is from."""

    outline: Array
    source: str = ESTIMATED


def known(frames: Store) -> dict[str, Palate]:
    """Return the palate of every speaker of data/frames.

    The one that came with the corpus; of others, where there is a tongue, what it reached.
    """
    return estimate(frames) | traced(frames)


def traced(frames: Store) -> dict[str, Palate]:
    """Return the palates that came with the corpus."""
    return {s: Palate(np.array(p), TRACED) for s, p in frames.about.get("palates", {}).items()}


def estimate(frames: Store) -> dict[str, Palate]:
    """Return the palate of every speaker of data/frames; none without a tongue."""
    channels = frames.about["channels"]
    sensors = tongue_sensors(channels)
    tongue = defaultdict(list)
    for entry in frames.entries if sensors else ():
        tongue[entry.about["speaker"]].append(
            positions(frames.frames(entry, "targets"), channels, sensors)
        )
    return of_speakers(tongue)


def of_speakers(tongue: Mapping[str, Sequence[Array]]) -> dict[str, Palate]:
    """Return the palate of every speaker whose tongue moved.

    Parameters
    ----------
    tongue : mapping of str to sequence of float [T, sensors, 2]
        Forward and height of the points on the tongue, utterance by utterance.
    """
    found: dict[str, Palate] = {}
    for speaker, places in tongue.items():
        with suppress(ValueError):  # it stood still: there is nothing to tell
            points = np.concatenate([x.reshape(-1, 2) for x in places])
            found[speaker] = Palate(estimate_palate(points))
    return found


def sources(palates: Mapping[str, Palate]) -> str:
    """Return in words where the palates are from."""
    if not palates:
        return "none: no tongue, or no millimetres"
    traced = [speaker for speaker, palate in palates.items() if palate.source == TRACED]
    estimated = "upper envelope of all tongue positions of the speaker, not a traced palate"
    if not traced:
        return estimated
    return f"traced: {', '.join(traced)}" + f"; of others the {estimated}" * (
        len(traced) < len(palates)
    )


def rows(palates: Mapping[str, Palate]) -> list[dict[str, Any]]:
    """Return the palates as the rows of a table."""
    return [
        {"speaker": speaker, "source": palate.source, "x_mm": float(x), "y_mm": float(y)}
        for speaker, palate in palates.items()
        for x, y in palate.outline
    ]


def from_rows(table: Sequence[Mapping[str, Any]]) -> dict[str, Palate]:
    """Return the palate of each speaker from the rows of a table."""
    found = defaultdict(list)
    for row in table:
        found[row["speaker"], row["source"]].append((row["x_mm"], row["y_mm"]))
    return {speaker: Palate(np.array(places), s) for (speaker, s), places in found.items()}
