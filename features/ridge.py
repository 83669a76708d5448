"""Ridge regression on stacked frames: the linear floor that a network has to beat."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

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
        x.append(stack_frames(inputs, context))
        y.append(np.asarray(targets, np.float64))
        seen += len(inputs)
        if seen >= frames:
            break
    if not seen:
        raise ValueError("no frame to fit to")
    return Ridge(alpha=penalty, solver="cholesky").fit(np.concatenate(x), np.concatenate(y))
