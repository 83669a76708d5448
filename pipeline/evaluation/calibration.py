"""What the predicted variances are worth: nominal against observed coverage on the test set."""

from __future__ import annotations

from typing import Any

import numpy as np

from features import calibration
from pipeline.evaluation.scores import Predictions, Z

NOMINAL = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
DEVIATION = "deviation"  # a column of data/predictions, where the network predicts variances


def table(predictions: Predictions) -> list[dict[str, Any]]:
    """Return a row per nominal coverage: observed over all tracks, and on each of them.

    Frames of all test utterances count alike. Empty for a network that predicts no variances.
    """
    store = predictions.store
    if DEVIATION not in store.columns:
        return []
    predicted = np.concatenate([predictions.network(entry) for entry in store.entries])
    deviation = np.concatenate([store.frames(entry, DEVIATION) for entry in store.entries])
    measured = np.concatenate(
        [
            Z.of(entry, "trained").of_mm(Z.of(entry, "own").to_mm(predictions.z(entry, "measured")))
            for entry in store.entries
        ]
    )
    observed = calibration.coverage(measured - predicted, deviation, NOMINAL)
    return [
        {"nominal": nominal, "observed": row.mean()}
        | dict(zip(predictions.channels, row, strict=True))
        for nominal, row in zip(NOMINAL, observed, strict=True)
    ]
