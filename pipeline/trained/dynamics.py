"""The deltas of tracks that a network learns beside the tracks themselves: `recipes.NAME.deltas`.

They are no tracks of their own: the smoothing `mlpg` makes the tracks from positions and movements
together, and nothing else sees them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.deltas import with_deltas
from pipeline.trained.smoothing import Units

SMALLEST = 1e-3  # deviation of a delta, in z per frame, of tracks that hardly move

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Dynamics:
    """What deltas of z-scores are measured in, so that all that is learned has one size.

    Attributes
    ----------
    scale : tuple of float, length D * orders
        Deviation of every delta, then of every delta-delta, of D tracks; empty if none is learned.
    """

    scale: tuple[float, ...] = ()

    @classmethod
    def fit(cls, utterances: Iterable[Array], orders: int) -> Dynamics:
        """Measure the deltas of utterances, tracks in z [T, D] each."""
        if not orders:
            return cls()
        squares, frames = np.zeros(1), 0
        for z in utterances:
            deltas = with_deltas(z.astype(np.float64), orders)[:, z.shape[1] :]
            squares, frames = squares + np.square(deltas).sum(axis=0), frames + len(z)
        return cls(tuple(np.sqrt(squares / frames).clip(min=SMALLEST).tolist()))

    def orders(self, tracks: int) -> int:
        """Return how many orders of deltas there are of so many tracks."""
        return len(self.scale) // tracks

    def sizes(self, tracks: int) -> NDArray[Any]:
        """Return what tracks and deltas are measured in, float [D * (1 + orders)]."""
        return np.concatenate([np.ones(tracks), self.scale])

    def beside(self, z: Array) -> Array:
        """Return tracks in z with their deltas.

        Parameters
        ----------
        z : float [T, D]

        Returns
        -------
        float32 [T, D * (1 + orders)]
        """
        tracks = z.shape[1]
        beside = with_deltas(z, self.orders(tracks))
        return (beside / self.sizes(tracks)).astype(np.float32)

    def units(self, own: Units) -> Units:
        """Return the units of what a network gives, and ``own``, those of the layout, if none."""
        tracks = len(own.mean)
        if not self.scale:
            return own
        sizes = self.sizes(tracks)
        return Units(self.orders(tracks), np.zeros_like(sizes), sizes)


ALONE = Dynamics()  # tracks without deltas
