"""How near predicted tracks come to measured ones.

A measure takes `measured` and `predicted`, float [T, D], and returns one value per channel. Frames
that were not measured (NaN) do not count; a prediction that is not finite makes the result not
finite, so that a failed model cannot look good. What has no value is NaN: any measure without a
frame, the correlation with a constant, the velocity of one frame. Means and intervals over
utterances leave those out. The same measure over all frames is that of the concatenated utterances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.frames import FRAME_RATE

Array = NDArray[Any]
Values = NDArray[np.float64]


def mean(values: Array, weights: Array | None = None) -> Values:
    """Return the mean over the first axis of the values that are not NaN.

    Parameters
    ----------
    values : float [N, ...]
    weights : float [N, ...], optional
        Broadcast against `values`, such as the frames of each utterance, [N, 1].

    Returns
    -------
    float64 [...]
        NaN where there is no value with a weight.
    """
    values = np.asarray(values, np.float64)
    weight = np.where(np.isnan(values), 0.0, 1.0 if weights is None else weights)
    with np.errstate(invalid="ignore"):
        return (np.where(weight > 0, values, 0) * weight).sum(axis=0) / weight.sum(axis=0)


def _paired(measured: Array, predicted: Array) -> tuple[Values, Values, NDArray[np.bool_]]:
    """Return both as float64 and which values were measured."""
    measured, predicted = np.asarray(measured, np.float64), np.asarray(predicted, np.float64)
    if measured.shape != predicted.shape or measured.ndim != 2:
        raise ValueError(
            f"expected two arrays [T, D] of one shape, not {measured.shape} and {predicted.shape}"
        )
    return measured, predicted, np.isfinite(measured)


def z_mse(measured: Array, predicted: Array) -> Values:
    """Return the mean squared error per channel, [D]; of z-scores, a mean predictor scores 1."""
    measured, predicted, known = _paired(measured, predicted)
    with np.errstate(invalid="ignore"):
        squares = np.square(predicted - measured)
        return np.where(known, squares, 0).sum(axis=0) / known.sum(axis=0)


def rmse(measured: Array, predicted: Array) -> Values:
    """Return the root of the mean squared error per channel, [D], in the unit of the tracks."""
    return np.sqrt(z_mse(measured, predicted))


def pearson(measured: Array, predicted: Array) -> Values:
    """Return Pearson's correlation per channel, [D]; NaN where either side is constant."""
    measured, predicted, known = _paired(measured, predicted)
    if len(known) == 0:
        return np.full(known.shape[1], np.nan)

    def deviation(x: Values) -> Values:
        first = np.take_along_axis(x, known.argmax(axis=0)[None], axis=0)
        shifted = np.where(known, x - first, 0)  # a constant is exactly zero from here on
        return np.where(known, shifted - shifted.sum(axis=0) / known.sum(axis=0), 0)

    with np.errstate(invalid="ignore"):
        a, b = deviation(measured), deviation(predicted)
        r = (a * b).sum(axis=0) / (np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0))
    return r.clip(-1, 1)


def velocity(tracks: Array) -> Values:
    """Return the central difference of tracks [T, D] on the frame grid, [T, D], per second."""
    if len(tracks) < 2:
        return np.full(np.shape(tracks), np.nan)
    return np.gradient(np.asarray(tracks, np.float64), axis=0) * FRAME_RATE


def error_quantiles(measured: Array, predicted: Array, shares: Array) -> Values:
    """Return the cumulative distribution of the absolute error.

    Parameters
    ----------
    measured, predicted : float [T, D]
    shares : float [N]
        Within 0..1.

    Returns
    -------
    float64 [N, D]
        The error below which each share of the frames lies.
    """
    measured, predicted, known = _paired(measured, predicted)
    quantiles = np.full((len(shares), known.shape[1]), np.nan)
    for d in np.flatnonzero(known.any(axis=0)):
        errors = np.abs(predicted[known[:, d], d] - measured[known[:, d], d])
        quantiles[:, d] = np.quantile(errors, shares)
    return quantiles


def per_utterance(
    measure: Callable[[Array, Array], Values],
    measured: Sequence[Array],
    predicted: Sequence[Array],
) -> Values:
    """Return a measure of every utterance, [utterances, D]."""
    if not measured:
        raise ValueError("there is no utterance to evaluate")
    return np.stack([measure(m, p) for m, p in zip(measured, predicted, strict=True)])


def bootstrap_interval(
    values: Array,
    rng: np.random.Generator,
    *,
    weights: Array | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> tuple[Values, Values]:
    """Return the interval of a mean over utterances, by drawing utterances again.

    Parameters
    ----------
    values : float [utterances, ...]
        One measure of each utterance; NaN is left out, as in `mean`.
    rng : numpy.random.Generator
    weights : float, optional
        As in `mean`: with frames, the interval is that of a mean over all frames.
    level : float
        Of confidence.
    resamples : int

    Returns
    -------
    low, high : float64 [...]
        Percentile bootstrap (Efron and Tibshirani 1993, chapter 13).
    """
    values = np.asarray(values, np.float64)
    n = len(values)
    if n == 0:
        raise ValueError("there is no utterance to draw from")
    weight = np.where(np.isnan(values), 0.0, 1.0 if weights is None else weights).reshape(n, -1)
    sums = np.where(weight > 0, values.reshape(n, -1), 0) * weight
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=resamples)  # [resamples, utterances]
    bounds = np.full((2, weight.shape[1]), np.nan)
    for d in np.flatnonzero(weight.any(axis=0)):
        total = drawn @ weight[:, d]
        means = (drawn @ sums[:, d])[total > 0] / total[total > 0]
        bounds[:, d] = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    low, high = bounds.reshape(2, *values.shape[1:])
    return low, high


def best_lag(
    measured: Sequence[Array], predicted: Sequence[Array], max_lag: int = 20
) -> tuple[Values, Values]:
    """Return by how many frames predicted tracks come late.

    Parameters
    ----------
    measured, predicted : sequences of float [T, D]
        One pair per utterance.
    max_lag : int
        The largest lag tried, in frames.

    Returns
    -------
    lag, r : float64 [D]
        The lag at which the mean over utterances of Pearson's r is highest, positive where the
        prediction follows the measurement, and that r; both NaN where no r is defined.
    """

    def correlation(lag: int) -> Values:
        pairs = [
            (m[max(0, -lag) : len(m) - max(0, lag)], p[max(0, lag) : len(p) - max(0, -lag)])
            for m, p in zip(measured, predicted, strict=True)
            if len(m) > abs(lag)
        ]
        if not pairs:
            return np.full(np.shape(measured[0])[1], np.nan)
        return mean(per_utterance(pearson, *zip(*pairs, strict=True)))

    if not measured:
        raise ValueError("there is no utterance to evaluate")
    lags = np.array(sorted(range(-max_lag, max_lag + 1), key=abs))  # a tie goes to the smallest
    r = np.stack([correlation(lag) for lag in lags.tolist()])  # [lags, D]
    undefined = np.isnan(r).all(axis=0)
    best = np.where(np.isnan(r), -np.inf, r).argmax(axis=0)
    return (
        np.where(undefined, np.nan, lags[best]),
        np.where(undefined, np.nan, np.take_along_axis(r, best[None], axis=0)[0]),
    )
