"""Ridge regression on stacked frames: the linear floor that a network has to beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq

Array = NDArray[np.floating]


def stack_frames(inputs: Array, context: int) -> NDArray[np.float64]:
    """Put each frame and its neighbours into one row; the first and last frame are repeated.

    Parameters
    ----------
    inputs : float [T, width]
    context : int
        How many frames a row sees, odd: 11 are five to the left, the frame, five to the right.

    Returns
    -------
    float64 [T, context * width]
    """
    if context < 1 or context % 2 == 0:
        raise ValueError(f"context={context} must be odd and at least 1")
    around = np.arange(context) - context // 2
    rows = np.clip(np.arange(len(inputs))[:, None] + around, 0, len(inputs) - 1)  # [T, context]
    return np.asarray(inputs, np.float64)[rows].reshape(len(inputs), -1)


class StackedRidge:
    """The same regression as scikit-learn's ``Ridge`` on `stack_frames`, utterance by utterance.

    Only sums of products are kept, so that memory does not grow with the corpus.

    Parameters
    ----------
    context : int
        Frames that are seen at once, odd.
    penalty : float
        On the squared weights, ``alpha`` in scikit-learn; the intercept is free.

    Attributes
    ----------
    coef_ : float64 [context * width, tracks]
    intercept_ : float64 [tracks]
        Both set by `solve`.
    """

    def __init__(self, context: int = 11, penalty: float = 1.0) -> None:
        self.context = context
        self.penalty = penalty
        self._moments: NDArray[np.float64] | None = None

    def partial_fit(self, inputs: Array, targets: Array) -> StackedRidge:
        """Add an utterance, ``inputs`` [T, width] and ``targets`` [T, tracks]."""
        x = stack_frames(inputs, self.context)
        ones = np.ones((len(x), 1))
        rows = np.hstack([ones, x, np.asarray(targets, np.float64)])
        moments = np.hstack([ones, x]).T @ rows  # [1 + width, 1 + width + tracks]
        self._moments = moments if self._moments is None else self._moments + moments
        return self

    def solve(self) -> StackedRidge:
        """Set ``coef_`` and ``intercept_`` from all that was added."""
        if self._moments is None or not self._moments[0, 0]:
            raise ValueError("no frame to fit to")
        n = len(self._moments) - 1  # inputs per row
        mean = self._moments[0, 1:] / self._moments[0, 0]
        centred = self._moments[1:, 1:] - np.outer(self._moments[1:, 0], mean)
        gram = centred[:, :n] + self.penalty * np.eye(n)
        self.coef_ = lstsq(gram, centred[:, n:])[0]  # inputs that never move make it singular
        self.intercept_ = mean[n:] - mean[:n] @ self.coef_
        return self

    def predict(self, inputs: Array) -> NDArray[np.float32]:
        """Predict the tracks [T, tracks] of an utterance [T, width]."""
        x = stack_frames(inputs, self.context)
        return (x @ self.coef_ + self.intercept_).astype(np.float32)
