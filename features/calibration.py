"""Whether predicted standard deviations tell how large the errors are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.floating]


def coverage(error: Array, deviation: Array, nominal: Sequence[float]) -> NDArray[np.float64]:
    """Return how often errors lie within intervals that should hold a given share of them.

    Parameters
    ----------
    error : float [N, D]
    deviation : float [N, D]
        Of the normal distribution that each error is said to come from.
    nominal : sequence of float, length K
        Shares within the central intervals, between 0 and 1.

    Returns
    -------
    float64 [K, D]
        The shares that are observed: those of ``nominal`` if the deviations are right, less if
        they are too small.
    """
    size = np.abs(error) / deviation
    return np.array([(size <= ndtri((1 + share) / 2)).mean(axis=0) for share in nominal])
