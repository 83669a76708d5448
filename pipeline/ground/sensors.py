"""What the names of sensors mean: the points of the tongue, from its tip to its root."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TONGUE = ("TT", "T1", "TB", "T2", "TF", "TM", "T3", "TD", "T4", "TR")  # from tip to root

Array = NDArray[np.floating]


def tongue_sensors(channels: Sequence[str]) -> tuple[str, ...]:
    """Return the sensors on the tongue that have a forward and a height channel, tip to root."""
    return tuple(s for s in TONGUE if f"{s}_x" in channels and f"{s}_y" in channels)


def positions(values: Array, channels: Sequence[str], sensors: Sequence[str]) -> Array:
    """Return the positions [T, sensors, 2] among tracks [T, D]: forward and height, mm."""
    columns = [channels.index(f"{sensor}_{axis}") for sensor in sensors for axis in "xy"]
    return values[:, columns].reshape(len(values), len(sensors), 2)
