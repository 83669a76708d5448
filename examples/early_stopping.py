"""Early stopping that asks for a verdict on 5,000 images and looks at a few hundred."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Wrong = Callable[[NDArray[np.intp]], NDArray[np.bool_]]


class EarlyStopping:
    """Tells when a model is better than ever before, and when none has been for long.

    Better means fewer errors on all validation images. Whoever has as many errors as the best after
    a part of the images cannot become better on the rest, so a check ends there; and since a model
    errs mostly where it erred last time, those images come first. The verdict is always that of a
    full validation.

    Parameters
    ----------
    images : int
        N, the number of validation images.
    patience : int
        Steps without a better model after which to stop.
    part : int
        Images to look at before counting again.

    Attributes
    ----------
    fewest : int
        Errors of the best model; N + 1 before the first check.
    best_step : int
    looked_at : int
        Images in all checks so far.
    """

    def __init__(self, images: int, patience: int, part: int = 100) -> None:
        self.patience = patience
        self.part = part
        self.order = np.arange(images)
        self.fewest = images + 1
        self.best_step = 0
        self.looked_at = 0

    def better(self, step: int, wrong: Wrong) -> bool:
        """Check the model after a step.

        Parameters
        ----------
        step : int
        wrong : callable
            Which of the images with the given numbers the model gets wrong.
        """
        found: list[NDArray[np.intp]] = []
        errors = 0
        for start in range(0, len(self.order), self.part):
            images = self.order[start : start + self.part]
            found.append(images[wrong(images)])
            errors += len(found[-1])
            self.looked_at += len(images)
            if errors >= self.fewest:
                break
        first = np.concatenate(found)
        self.order = np.concatenate([first, np.setdiff1d(self.order, first, assume_unique=True)])
        if errors >= self.fewest:
            return False
        self.fewest, self.best_step = errors, step
        return True

    def done(self, step: int) -> bool:
        """Tell whether to stop after a step."""
        return step - self.best_step >= self.patience
