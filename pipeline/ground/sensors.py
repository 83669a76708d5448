"""What the names of sensors mean: the points of the tongue, from its tip to its root."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# from tip to root, in the corpora that have most of them; but TB is the blade in one corpus, the
# body in another and the back, behind TM, in a third
TONGUE = ("TT", "T1", "TB", "T2", "TF", "TM", "T3", "TD", "T4", "TR")

Array = NDArray[np.floating]


def tongue_sensors(channels: Sequence[str]) -> tuple[str, ...]:
    """Return the sensors on the tongue that have a forward and a height channel, tip to root.

    In the order of the channels or its reverse, since corpora and layouts list the tongue from one
    end to the other; by name where the tip is among them and at neither end.
    """
    listed = dict.fromkeys(channel.rpartition("_")[0] for channel in channels)
    found = [s for s in listed if s in TONGUE and {f"{s}_x", f"{s}_y"} <= set(channels)]
    if len(found) > 1 and TONGUE.index(found[0]) > TONGUE.index(found[-1]):
        found.reverse()
    first = min(found, key=TONGUE.index, default="")
    return tuple(found if found[:1] == [first] else sorted(found, key=TONGUE.index))


def positions(values: Array, channels: Sequence[str], sensors: Sequence[str]) -> Array:
    """Return the positions [T, sensors, 2] among tracks [T, D]: forward and height, mm."""
    columns = [channels.index(f"{sensor}_{axis}") for sensor in sensors for axis in "xy"]
    return values[:, columns].reshape(len(values), len(sensors), 2)
