"""Smooth trajectories from predicted positions, velocities and accelerations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded
from scipy.sparse import csr_array, diags_array, eye_array

from features.deltas import WINDOW


def _delta_matrix(length: int) -> csr_array:
    """Return the matrix, [T, T], that `features.deltas.delta` multiplies its input by."""
    weights = np.arange(-WINDOW, WINDOW + 1) / (2 * sum(n * n for n in range(1, WINDOW + 1)))
    frames = np.repeat(np.arange(length), len(weights))
    seen = frames + np.tile(np.arange(-WINDOW, WINDOW + 1), length)
    seen = seen.clip(0, length - 1)  # the first and the last frame are repeated
    return csr_array((np.tile(weights, length), (frames, seen)), shape=(length, length))


def mlpg(means: NDArray[Any], variances: NDArray[Any], orders: int = 2) -> NDArray[np.float64]:
    """Return the likeliest trajectories, given what is known of their deltas.

    Maximum-likelihood parameter generation: with W the matrix that makes tracks and deltas of
    tracks and V the variances, solve W' V^-1 W c = W' V^-1 m for c, channel by channel (Tokuda et
    al. 2000, "Speech parameter generation algorithms for HMM-based speech synthesis", equation 6).
    The system is banded, so that time and memory grow with T alone.

    Parameters
    ----------
    means : float [T, D * (1 + orders)]
        D tracks, then their deltas, then the deltas of those, as `features.deltas.with_deltas` lays
        them out; T >= 1.
    variances : float [T, D * (1 + orders)] or [D * (1 + orders)]
        Of the errors of the means, positive.
    orders : int
        How many orders of deltas there are.

    Returns
    -------
    float64 [T, D]
        The tracks whose deltas are consistent with `means` gives them back.

    See Also
    --------
    features.articulation.low_pass : smooths tracks that were predicted without deltas.
    """
    means = np.asarray(means, np.float64)
    if means.ndim != 2 or len(means) == 0 or means.shape[1] % (1 + orders):
        raise ValueError(f"means of shape {means.shape} do not hold tracks and {orders} deltas")
    if not (np.asarray(variances) > 0).all():
        raise ValueError(f"variances must be positive, not {np.min(variances)}")
    length = len(means)
    precisions = 1 / np.broadcast_to(variances, means.shape).reshape(length, 1 + orders, -1)
    means = means.reshape(length, 1 + orders, -1)  # [T, orders, D]
    step = _delta_matrix(length)
    windows = [csr_array(eye_array(length))]
    for _ in range(orders):
        windows.append(step @ windows[-1])
    bands = min(length, 4 * orders + 1)

    tracks = np.empty((length, means.shape[2]))
    for d in range(means.shape[2]):
        normal = sum(w.T @ diags_array(precisions[:, o, d]) @ w for o, w in enumerate(windows))
        right = sum(w.T @ (precisions[:, o, d] * means[:, o, d]) for o, w in enumerate(windows))
        lower = [np.pad(normal.diagonal(-k), (0, k)) for k in range(bands)]
        tracks[:, d] = solveh_banded(np.stack(lower), right, lower=True)
    return tracks
