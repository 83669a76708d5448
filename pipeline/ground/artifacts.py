"""Where each stage's output lies, relative to the project's folder; no stage imports another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CORPUS = Path("data/corpus")
MANIFEST = CORPUS / "manifest.csv"
REFUSED = CORPUS / "refused.csv"
FRAMES = Path("data/frames")
STANDARDIZED = Path("data/standardized")
TRAINED = Path("trained")
PREDICTIONS = Path("data/predictions")
METRICS = Path("reports/metrics.json")
PROTOCOL = Path("reports/protocol.json")
TABLES = Path("reports/tables")
PLOTS = Path("reports/plots")
REPORT = Path("reports/index.html")

STATISTICS = "statistics.npz"  # in STANDARDIZED


def statistics() -> dict[str, NDArray[np.float64]]:
    """Return mean and scale of inputs and targets, each [utterances, width], in the store's order.

    The keys are ``input_mean``, ``input_scale``, ``target_mean`` and ``target_scale``.
    """
    with np.load(STANDARDIZED / STATISTICS, allow_pickle=False) as archive:
        return dict(archive)
