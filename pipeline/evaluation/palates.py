"""The palate of each speaker, estimated from where the tongue was; kept in reports/tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.tract_variables import estimate_palate
from pipeline.ground.sensors import positions, tongue_sensors
from pipeline.ground.storage import Store

Array = NDArray[np.floating]


def estimate(frames: Store) -> dict[str, Array]:
    """Return the palate [P, 2] of every speaker of data/frames, mm; none without a tongue."""
    channels = frames.about["channels"]
    sensors = tongue_sensors(channels)
    tongue = defaultdict(list)
    for entry in frames.entries if sensors else ():
        tongue[entry.about["speaker"]].append(
            positions(frames.frames(entry, "targets"), channels, sensors)
        )
    return of_speakers(tongue)


def of_speakers(tongue: Mapping[str, Sequence[Array]]) -> dict[str, Array]:
    """Return the palate [P, 2] of every speaker whose tongue moved, mm.

    Parameters
    ----------
    tongue : mapping of str to sequence of float [T, sensors, 2]
        Forward and height of the points on the tongue, utterance by utterance.
    """
    found: dict[str, Array] = {}
    for speaker, places in tongue.items():
        with suppress(ValueError):  # it stood still: there is nothing to tell
            found[speaker] = estimate_palate(np.concatenate([x.reshape(-1, 2) for x in places]))
    return found


def rows(palates: Mapping[str, Array]) -> list[dict[str, str | float]]:
    """Return the palates as the rows of a table."""
    return [
        {"speaker": speaker, "x_mm": float(x), "y_mm": float(y)}
        for speaker, palate in palates.items()
        for x, y in palate
    ]


def from_rows(table: Sequence[Mapping[str, Any]]) -> dict[str, Array]:
    """Return the palate of each speaker [P, 2] from the rows of a table."""
    found = defaultdict(list)
    for row in table:
        found[row["speaker"]].append((row["x_mm"], row["y_mm"]))
    return {speaker: np.array(places) for speaker, places in found.items()}
