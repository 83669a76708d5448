"""The movements of each sensor as labels, for Praat."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from features.landmarks import Movement, movements
from pipeline.ground.utterance import Label, Tracks

DIRECTIONS = {"x": ("back", "forward"), "y": ("down", "up"), "z": ("left", "right")}
HOLD = "hold"


def tiers(tracks: Tracks) -> dict[str, tuple[Label, ...]]:
    """Return a tier per sensor: each movement with its main direction and its peak speed in mm/s.

    Between two movements the sensor holds its target. A sensor without a position in mm (deltas,
    standard deviations) has no tier.
    """
    axes: dict[str, list[str]] = {}
    for channel in tracks.channels:
        sensor, _, axis = channel.rpartition("_")
        if sensor and axis in DIRECTIONS:
            axes.setdefault(sensor, []).append(axis)
    found = {}
    for sensor, names in axes.items():
        columns = [tracks.channels.index(f"{sensor}_{axis}") for axis in names]
        found[sensor] = labels(movements(tracks.time, tracks.values[:, columns]), names)
    return found


def labels(moves: list[Movement], axes: list[str]) -> tuple[Label, ...]:
    """Return the movements and what is held between them."""
    moving = [Label(move.onset, move.end, describe(move, axes)) for move in moves]
    held = [Label(a.end, b.start, HOLD) for a, b in pairwise(moving) if b.start > a.end]
    return tuple(sorted(moving + held, key=lambda label: label.start))


def describe(move: Movement, axes: list[str]) -> str:
    """Return a movement in words, such as ``up 143``."""
    main = int(np.argmax(np.abs(move.displacement)))
    return f"{DIRECTIONS[axes[main]][int(move.displacement[main] > 0)]} {move.speed:.0f}"
