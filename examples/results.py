"""What the trainings of the tutorials report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass
class Run:
    """What one training on MNIST did.

    Attributes
    ----------
    checks : list of (step, seconds, accuracy)
        On validation images, at the end of every epoch or whenever it became better.
    steps : int
    seconds : float
        Of training and validation together.
    test : float
        Accuracy on the test images.
    """

    checks: list[tuple[int, float, float]] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0
    test: float = 0.0


class Check(NamedTuple):
    """Perplexity of held-out text, and seconds of training up to there without the checks."""

    update: int
    perplexity: float
    seconds: float
