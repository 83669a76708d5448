"""Give predicted tracks the mean and the spread that tracks in z have: `train.variance_scaling`.

Where every utterance is standardised by its own statistics, each measured track has mean 0 and
deviation 1 over the utterance, by definition. A network that predicts frame by frame does not know
how its predictions add up: their mean is off, and their deviation falls short of what squared error
would have it be. Both are known when the utterance ends, and put right here. Shapes, and with them
correlations, stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from features.standardization import Standardizer
from pipeline.ground.console import UsageError

LEAST = 0.25  # deviation in z; less is no movement, and not stretched further

Array = NDArray[np.float32]


class VarianceScaling(Struct, frozen=True):
    """How the tracks of a model are brought back to z; a part of its model.json.

    Attributes
    ----------
    gains : tuple of float
        Deviation that each track is given. On average over many utterances the squared error is
        least at Pearson's r: below 1, since what is uncertain is better predicted near the mean.
        Empty: tracks stay as they are.
    """

    gains: tuple[float, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.gains)

    def apply(self, z: Array, own: Standardizer | None = None) -> Array:
        """Scale the variance of tracks in z, float32 [T, D].

        Parameters
        ----------
        own : Standardizer, optional
            Fitted on the whole utterance, where ``z`` is a part of it.
        """
        if not self.gains or not len(z) or not np.isfinite(z).all():
            return z  # what is not finite is refused by those who use it
        own = own or Standardizer().fit(z)
        return ((z - own.mean_) * (self.gains / np.maximum(own.scale_, LEAST))).astype(np.float32)


def check(wanted: str | bool, mode: str) -> None:
    """Raise a `UsageError` where tracks have no mean and deviation of their own to go back to."""
    if wanted is True and mode != "utterance":
        raise UsageError(
            "params.yaml: train.variance_scaling: true needs standardize.mode: utterance;"
            f" with {mode} an utterance's own mean is part of what is predicted"
        )


def fit(pairs: Sequence[tuple[Array, Array]]) -> VarianceScaling:
    """Return the gains of least squared error.

    Parameters
    ----------
    pairs : sequence of (predicted, measured)
        Of the validation set, in z, float32 [T, D].
    """
    unit = VarianceScaling((1.0,) * pairs[0][1].shape[1])
    products = squares = np.zeros(1)
    for predicted, measured in pairs:
        shape = unit.apply(predicted).astype(np.float64)
        products = products + (shape * measured).sum(axis=0)
        squares = squares + np.square(shape).sum(axis=0)
    gains = np.divide(products, squares, out=np.zeros_like(squares), where=squares > 0)
    return VarianceScaling(tuple(gains.clip(min=0).tolist()))


def choose(
    wanted: str | bool, mode: str, pairs: Sequence[tuple[Array, Array]]
) -> tuple[VarianceScaling, dict[str, float]]:
    """Choose by the mean squared error of the tracks.

    Parameters
    ----------
    wanted : "auto", True or False
        What `train.variance_scaling` says.
    mode : {"utterance", "speaker", "corpus"}
        What was standardised together.
    pairs : sequence of (predicted, measured)
        Of the validation set, in z; smoothed as they will be.

    Returns
    -------
    variance_scaling : VarianceScaling
    errors : dict of str to float
        ``off`` and, where it was tried, ``on``.
    """

    def error(how: VarianceScaling) -> float:
        squares = [np.square(how.apply(p) - m, dtype=np.float64) for p, m in pairs]
        return float(np.concatenate(squares).mean())

    off = VarianceScaling()
    errors = {"off": error(off)}
    if not wanted or mode != "utterance":
        return off, errors
    on = fit(pairs)
    errors["on"] = error(on)
    return (on if wanted is True or errors["on"] < errors["off"] else off), errors
