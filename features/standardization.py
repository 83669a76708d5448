"""Z-scores per channel, by the estimator protocol of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# deviations that are rounding of float32 and no movement: below this share of the mean, or below
# this much in mm, or in MFCCs
CONSTANT, LEAST = 1e-6, 1e-5
FEWEST = 10  # frames of speech; with fewer, all frames count


class Standardizer:
    """Mean and standard deviation per channel, to take away and to give back.

    Attributes
    ----------
    mean_ : float64 [D]
    scale_ : float64 [D]
        Standard deviation over all frames (divided by n, not n - 1); 1 for a constant channel,
        whose z-scores are thus zeros.
    n_samples_seen_ : int
        Frames.
    """

    mean_: NDArray[np.float64]
    scale_: NDArray[np.float64]
    n_samples_seen_: int = 0

    def fit(self, x: NDArray[Any], counted: NDArray[np.bool_] | None = None) -> Standardizer:
        """Learn the statistics of x and forget any before.

        Parameters
        ----------
        x : float [T, D]
        counted : bool [T], optional
            The frames that count, such as those of speech; all of them where fewer than `FEWEST`
            do. So silence around an utterance leaves its statistics as they are.
        """
        self.n_samples_seen_ = 0
        return self.partial_fit(x if counted is None or counted.sum() < FEWEST else x[counted])

    def partial_fit(self, x: NDArray[Any]) -> Standardizer:
        """Learn from further frames: float [T, D], finite, T >= 1.

        The result is that of `fit` on all frames at once (Chan, Golub and LeVeque 1983, eq. 2.1).
        """
        x = np.asarray(x, np.float64)
        if x.ndim != 2 or len(x) == 0:
            raise ValueError(f"expected an array [T, D] with T >= 1, not of shape {x.shape}")
        if not np.isfinite(x).all():
            frame, channel = np.argwhere(~np.isfinite(x))[0]
            raise ValueError(f"frame {frame} of channel {channel} is {x[frame, channel]}")
        mean = x[0] + (x - x[0]).mean(axis=0)  # exact where constant
        squares = np.square(x - mean).sum(axis=0)
        if self.n_samples_seen_ == 0:
            self.mean_, self._squares = mean, squares
            self.n_samples_seen_ = len(x)
        else:
            n = self.n_samples_seen_ + len(x)
            apart = mean - self.mean_
            self._squares += squares + apart**2 * (self.n_samples_seen_ * len(x) / n)
            self.mean_ = self.mean_ + apart * (len(x) / n)
            self.n_samples_seen_ = n
        deviation = np.sqrt(self._squares / self.n_samples_seen_)
        moving = deviation > np.maximum(CONSTANT * np.abs(self.mean_), LEAST)
        self.scale_ = np.where(moving, deviation, 1.0)
        return self

    def transform(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the z-scores of x, float [T, D], in its own precision."""
        x = np.asarray(x)
        return ((x - self.mean_) / self.scale_).astype(np.result_type(x, np.float32), copy=False)

    def fit_transform(
        self, x: NDArray[Any], counted: NDArray[np.bool_] | None = None
    ) -> NDArray[Any]:
        """Return the z-scores of x by its own statistics; see `fit`."""
        return self.fit(x, counted).transform(x)

    def inverse_transform(self, z: NDArray[Any]) -> NDArray[Any]:
        """Return z-scores [T, D] to the unit that they came from."""
        z = np.asarray(z)
        return (z * self.scale_ + self.mean_).astype(np.result_type(z, np.float32), copy=False)
