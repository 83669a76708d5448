"""How well a sound and the articulation beside it keep time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

RIDGE = 30.0  # frames; keeps some seconds of speech from being explained by heart

Values = NDArray[np.float64]


def explained(
    features: Sequence[NDArray[Any]], tracks: Sequence[NDArray[Any]], furthest: int
) -> Values:
    """Return how much of the tracks linear regression on the features explains, lag by lag.

    Whatever moves the articulators changes the sound in the same instant: over some seconds of
    speech the share has its peak where the two belong together, whichever sensors there are.

    Parameters
    ----------
    features : sequence of float [T, W]
        Such as MFCCs, utterance by utterance.
    tracks : sequence of float [T, D]
        On the same frames, finite.
    furthest : int
        Frames; lags go from -furthest to furthest. Utterances that are not longer than twice that
        are left out.

    Returns
    -------
    float64 [2 * furthest + 1]
        R squared, averaged over tracks. At a positive lag the sound comes later than the tracks.

    Raises
    ------
    ValueError
        Where no utterance is long enough.
    """
    pairs = [(x, y) for x, y in zip(features, tracks, strict=True) if len(y) > 2 * furthest]
    if not pairs:
        raise ValueError(f"no utterance of more than {2 * furthest} frames")
    Y = standardized(np.concatenate([y[furthest : len(y) - furthest] for _, y in pairs]))
    found = []
    for lag in range(-furthest, furthest + 1):
        parts = [x[furthest + lag : len(x) - furthest + lag] for x, _ in pairs]
        X = standardized(np.concatenate(parts))
        weights = np.linalg.solve(X.T @ X + RIDGE * np.eye(X.shape[1]), X.T @ Y)
        found.append(1 - np.square(Y - X @ weights).mean())
    return np.array(found)


def standardized(values: NDArray[Any]) -> Values:
    """Return columns with mean 0 and deviation 1; those that do not move stay 0."""
    centred = values - values.mean(axis=0, dtype=np.float64)
    deviation = centred.std(axis=0)
    return centred / np.where(deviation > 0, deviation, 1)
