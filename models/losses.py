"""What training minimises: errors of valid frames, averaged over tracks; padding never counts.

Every loss is called with measured tracks [B, T, D], what a `models.regressor.Regressor` gives for
them, and weights [B, T] which are one over the number of valid frames of the batch on these and
zero on padding (`models.batching.assemble`). Their sum over frames is thus a mean over valid
frames, and a sum of parts of a batch, on several devices, is that of the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any
SMALL = 1e-6  # keeps a correlation finite where a track does not move


class MSE(keras.losses.Loss):
    """Squared error.

    Parameters
    ----------
    track_weights : sequence of float, length D, optional
        How much each track counts in the average over tracks; all the same by default.
    """

    def __init__(self, track_weights: Sequence[float] | None = None) -> None:
        super().__init__(name="loss", reduction="sum")
        total = sum(track_weights) if track_weights is not None else 0
        self.shares = track_weights and [weight / total for weight in track_weights]

    def over_tracks(self, errors: Tensor) -> Tensor:
        """Average errors [..., D] over tracks."""
        if self.shares is None:
            return ops.mean(errors, axis=-1)
        return ops.sum(errors * ops.convert_to_tensor(self.shares, errors.dtype), axis=-1)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the error of every frame [B, T]."""
        return self.over_tracks(ops.square(y_true - y_pred))


class MSEPearson(MSE):
    """Squared error plus ``weight`` times (1 - r), r being Pearson's over the frames of a lane.

    With one utterance in a lane that is the correlation that the field reports; where several are
    packed in one, it is theirs together, each lane counting by its frames.
    """

    def __init__(self, weight: float, track_weights: Sequence[float] | None = None) -> None:
        super().__init__(track_weights)
        self.weight = weight

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor) -> Tensor:
        """Return the loss of a batch."""
        error = super().__call__(y_true, y_pred, sample_weight)
        r = correlation(y_true, y_pred, sample_weight)
        lost = self.over_tracks(1 - r) * ops.sum(sample_weight, axis=1)
        return error + self.weight * ops.sum(lost)


def correlation(y_true: Tensor, y_pred: Tensor, weight: Tensor) -> Tensor:
    """Return Pearson's r [B, D] of tracks [B, T, D] over the frames that ``weight`` [B, T] has."""
    total = ops.sum(weight, axis=1, keepdims=True)
    share = ops.divide_no_nan(weight, total)[..., None]

    def centred(tracks: Tensor) -> Tensor:
        return tracks - ops.sum(share * tracks, axis=1, keepdims=True)

    y, p = centred(y_true), centred(y_pred)
    spread = [ops.sum(share * ops.square(tracks), axis=1) for tracks in (y, p)]
    return ops.sum(share * y * p, axis=1) / ops.sqrt(spread[0] * spread[1] + SMALL)


class GaussianNLL(MSE):
    """Negative log-likelihood of a normal distribution around every predicted point.

    Without its constant, log(2 pi) / 2. Each term is weighted by the predicted variance to the
    power of ``beta``, through which no gradient flows: beta-NLL, equation 5 of M. Seitzer,
    A. Tavakoli, D. Antic and G. Martius, "On the pitfalls of heteroscedastic uncertainty estimation
    with probabilistic neural networks", ICLR 2022. At 0 it is the likelihood itself, which neglects
    what is hard to predict; at 1 means are learned as by squared error.

    Predictions are [B, T, 2 D]: means, then logarithms of variances.
    """

    def __init__(self, beta: float, track_weights: Sequence[float] | None = None) -> None:
        super().__init__(track_weights)
        self.beta = beta

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the loss of every frame [B, T]."""
        mean, log_variance = ops.split(y_pred, 2, axis=-1)
        terms = (log_variance + ops.square(y_true - mean) * ops.exp(-log_variance)) / 2
        return self.over_tracks(terms * ops.stop_gradient(ops.exp(self.beta * log_variance)))


class ZMSE(keras.metrics.Metric):
    """Squared error of the means of the first ``tracks`` tracks, over a batch's valid frames."""

    def __init__(self, tracks: int) -> None:
        super().__init__(name="z_mse")
        self.tracks = tracks
        self.total = self.add_variable((), "zeros", name="total")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor) -> None:
        """Add a batch, or this device's share of it: Keras adds up what devices add."""
        errors = ops.square(y_true[..., : self.tracks] - y_pred[..., : self.tracks])
        errors = ops.mean(errors, axis=-1)
        self.total.assign_add(ops.sum(errors * sample_weight))

    def result(self) -> Tensor:
        """Return the error of the batch."""
        return ops.convert_to_tensor(self.total)
