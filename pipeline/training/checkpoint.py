"""All that training needs to go on as if it had never been stopped, in one file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.storage import atomic_path

if TYPE_CHECKING:
    import keras

Weights = list[NDArray[Any]]


def save(path: Path, model: keras.Model, best: Weights, progress: dict[str, Any]) -> None:
    """Write weights, optimizer, random states and progress atomically.

    Parameters
    ----------
    path : Path
        A ``.npz`` file.
    model : keras.Model
        Compiled and built. Its variables include the states of its random generators.
    best : list of arrays
        The weights of the best epoch so far.
    progress : dict
        Anything that JSON can hold: fingerprint, history, the state of the shuffling generator.
    """
    arrays = {f"variable_{i}": v.numpy() for i, v in enumerate(_variables(model))}
    arrays |= {f"best_{i}": weight for i, weight in enumerate(best)}
    with atomic_path(path) as part, part.open("wb") as file:
        np.savez(file, progress=np.array(json.dumps(progress)), **arrays)


def restore(
    path: Path, model: keras.Model, fingerprint: str
) -> tuple[Weights, dict[str, Any]] | None:
    """Put a model back where `save` left it.

    Returns
    -------
    (list of arrays, dict) or None
        The best weights and the progress, or None where there is no checkpoint of this very run:
        none at all, one that cannot be read, or one whose ``fingerprint`` is another.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            progress = json.loads(archive["progress"].item())
            if progress["fingerprint"] != fingerprint:
                return None
            arrays = [archive[f"variable_{i}"] for i in range(len(_variables(model)))]
            best = [archive[f"best_{i}"] for i in range(len(model.weights))]
    except Exception:  # of zip, zlib and NumPy, which tokenizes headers as Python
        return None
    for variable, array in zip(_variables(model), arrays, strict=True):
        variable.assign(array)
    return best, progress


def _variables(model: keras.Model) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]
