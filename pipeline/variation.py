"""How training utterances are varied, drawn anew in every epoch: `recipes.NAME.augment`.

What is drawn follows from the epoch's generator alone, so that a run that goes on from a checkpoint
varies what it would have varied, and the order in which utterances are read does not matter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features import augmentation
from pipeline import params
from pipeline.storage import Array


class Variation:
    """How each utterance is varied in one epoch, drawn beforehand so that lengths are known."""

    def __init__(self, augment: params.Augment, utterances: int, rng: np.random.Generator) -> None:
        self.augment = augment
        self.factors = rng.uniform(1 - augment.rate, 1 + augment.rate, utterances)
        self.seeds = rng.integers(2**63, size=utterances)

    def lengths(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the frames of each utterance after the change of rate."""
        if not self.augment.rate:
            return lengths
        return np.ceil((lengths - 1 + 1e-9) / self.factors).astype(np.int64)

    def apply(self, k: int, x: Array, y: Array) -> tuple[Array, Array]:
        """Return inputs and targets of utterance ``k`` as this epoch hears and sees them."""
        augment, rng = self.augment, np.random.default_rng(self.seeds[k])
        if augment.rate:
            factor = (self.factors[k], self.factors[k])
            x, y = augmentation.change_rate(x, y, rng, factor=factor)
        hidden = {key: getattr(augment, key) for key in ("stretches", "frames", "bands", "width")}
        x = augmentation.mask(x, rng, **hidden)
        if augment.noise:
            x = x + augment.noise * rng.standard_normal(x.shape, np.float32)
        return x, y
