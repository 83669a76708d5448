"""Frames side by side with their neighbours, for what has no memory of its own."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


def stack_frames(inputs: NDArray[Scalar], context: int) -> NDArray[Scalar]:
    """Put each frame and its neighbours into one row; the first and last frame are repeated.

    Parameters
    ----------
    inputs : [T, width]
    context : int
        How many frames a row sees, odd: 11 are five to the left, the frame, five to the right.

    Returns
    -------
    [T, context * width]
        Of the dtype of ``inputs``.
    """
    if context < 1 or context % 2 == 0:
        raise ValueError(f"context={context} must be odd and at least 1")
    around = np.arange(context) - context // 2
    rows = np.clip(np.arange(len(inputs))[:, None] + around, 0, len(inputs) - 1)  # [T, context]
    return inputs[rows].reshape(len(inputs), context * inputs.shape[1])
