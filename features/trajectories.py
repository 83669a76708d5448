"""Smooth trajectories from predicted positions, velocities and accelerations."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpbsv
from scipy.sparse import csr_array, diags_array, eye_array

from features.deltas import WINDOW

OFFSETS = np.arange(-WINDOW, WINDOW + 1)
WEIGHTS = OFFSETS / (2 * sum(n * n for n in range(1, WINDOW + 1)))
EDGE = 16  # frames from either end beyond which every frame has the same neighbours


def _delta_matrix(length: int) -> csr_array:
    """Return the matrix, [T, T], that `features.deltas.delta` multiplies its input by."""
    frames = np.repeat(np.arange(length), len(WEIGHTS))
    seen = frames + np.tile(OFFSETS, length)
    seen = seen.clip(0, length - 1)  # the first and the last frame are repeated
    return csr_array((np.tile(WEIGHTS, length), (frames, seen)), shape=(length, length))


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
    weighted = precisions * means.reshape(length, 1 + orders, -1)  # [T, orders, D]
    right = weighted[:, orders]
    for order in reversed(range(orders)):
        right = _back(right) + weighted[:, order]
    bands = min(length, 4 * orders + 1)
    if np.ndim(variances) == 1:  # W' V^-1 W is a sum of as many matrices as there are orders
        squares = np.ascontiguousarray(_squares(length, orders, bands).swapaxes(1, 2))
        # in the order in which LAPACK wants the memory; BLAS's product would depend on its threads
        normal = np.einsum("od,otb->dtb", precisions[0], squares).swapaxes(1, 2)
    else:
        windows = _windows(length, orders)
        normal = np.stack(
            [
                sum(
                    _lower_bands(w.T @ diags_array(precisions[:, o, d]) @ w, bands)
                    for o, w in enumerate(windows)
                )
                for d in range(right.shape[1])
            ]
        )
    tracks = np.empty(right.shape)
    for d, matrix in enumerate(normal):  # SciPy's solveh_banded takes twice as long to check it
        _, tracks[:, d], failed = dpbsv(matrix, right[:, d], lower=1, overwrite_ab=1)
        if failed:
            raise ValueError("the variances differ too much in size for their tracks to be solved")
    return tracks


def _windows(length: int, orders: int) -> list[csr_array]:
    """Return the matrices [T, T] that make tracks of tracks, deltas, and so on."""
    windows = [csr_array(eye_array(length))]
    for _ in range(orders):
        windows.append(_delta_matrix(length) @ windows[-1])
    return windows


def _back(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the transposed matrix of `_delta_matrix` makes of x [T, D]."""
    length = len(x)
    spread = np.zeros((length + 2 * WINDOW, x.shape[1]))
    for n, weight in enumerate(WEIGHTS):
        spread[n : n + length] += weight * x
    inside = spread[WINDOW : WINDOW + length]
    inside[0] += spread[:WINDOW].sum(axis=0)  # where the first frame was repeated
    inside[-1] += spread[WINDOW + length :].sum(axis=0)
    return inside


def _squares(length: int, orders: int, bands: int) -> NDArray[np.float64]:
    """Return the bands of W' W for the matrix of every order, [1 + orders, bands, T].

    Between the ends all columns are alike.
    """
    short = min(length, 2 * EDGE)
    found = _short_squares(short, orders, bands)
    between = np.repeat(found[..., short // 2 : short // 2 + 1], length - short, axis=-1)
    return np.concatenate([found[..., : short // 2], between, found[..., short // 2 :]], axis=-1)


@lru_cache(maxsize=2 * EDGE)
def _short_squares(length: int, orders: int, bands: int) -> NDArray[np.float64]:
    """Return `_squares` of few frames."""
    return np.stack([_lower_bands(w.T @ w, bands) for w in _windows(length, orders)])


def _lower_bands(matrix: csr_array, bands: int) -> NDArray[np.float64]:
    """Return the diagonal of a symmetric matrix [T, T] and those below it, [bands, T]."""
    return np.stack([np.pad(matrix.diagonal(-k), (0, k)) for k in range(bands)])
