"""Ridge regression on stacked frames: the linear floor that a network has to beat."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from features.context import stack_frames

Array = NDArray[np.floating]


def fit(
    utterances: Iterable[tuple[Array, Array]], context: int, penalty: float, frames: int = 200_000
) -> Ridge:
    """Fit scikit-learn's ridge regression to stacked frames.

    Parameters
    ----------
    utterances : iterable of (inputs float [T, width], targets float [T, tracks])
    context : int
        Frames that are seen at once, odd.
    penalty : float
        On the squared weights; the intercept is free.
    frames : int
        Enough for weights this few: utterances beyond it are not read, which bounds the memory.

    Returns
    -------
    sklearn.linear_model.Ridge
        To be asked for ``predict(stack_frames(inputs, context))``.

    Raises
    ------
    ValueError
        Where there is no frame to fit to.
    """
    x, y, seen = [], [], 0
    for inputs, targets in utterances:
        x.append(stack_frames(np.asarray(inputs, np.float64), context))
        y.append(np.asarray(targets, np.float64))
        seen += len(inputs)
        if seen >= frames:
            break
    if not seen:
        raise ValueError("no frame to fit to")
    return Ridge(alpha=penalty, solver="cholesky").fit(np.concatenate(x), np.concatenate(y))
