"""Time derivatives of features as HTK computes them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW = 2  # frames on each side


def delta(x: NDArray[Any]) -> NDArray[Any]:
    """Return the regression slope of every channel, per frame.

    Parameters
    ----------
    x : float [T, D]
        T >= 1.

    Returns
    -------
    float [T, D]
        sum over n = 1, 2 of n * (x[t + n] - x[t - n]), over 2 * sum of n^2, with the first and the
        last frame repeated beyond the edges (Young et al., The HTK Book, section 5.9). A line of
        slope s per frame gives s.
    """
    x = np.asarray(x)
    if x.ndim != 2 or len(x) == 0:
        raise ValueError(f"expected an array [T, D] with T >= 1, not of shape {x.shape}")
    padded = np.pad(x, ((WINDOW, WINDOW), (0, 0)), mode="edge")
    last = WINDOW + len(x)
    slope = sum(
        n * (padded[WINDOW + n : last + n] - padded[WINDOW - n : last - n])
        for n in range(1, WINDOW + 1)
    )
    return slope / (2 * sum(n * n for n in range(1, WINDOW + 1)))


def with_deltas(x: NDArray[Any], orders: int) -> NDArray[Any]:
    """Return x followed by its deltas up to `orders`, each the delta of the one before.

    Parameters
    ----------
    x : float [T, D]
    orders : int
        0 returns x, 1 adds deltas, 2 adds delta-deltas.

    Returns
    -------
    float [T, D * (1 + orders)]
    """
    if orders < 0:
        raise ValueError(f"orders={orders} must not be negative")
    parts = [np.asarray(x)]
    for _ in range(orders):
        parts.append(delta(parts[-1]))
    return np.concatenate(parts, axis=1)
