"""Where each stage's output lies, relative to the project's folder; no stage imports another.

And where a path leads that stands in params.yaml, which may be that of a copy of the project.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.console import InputError

WATCHED_RECORDINGS = Path("data/watched/recordings.csv")
WATCHED_LISTS = Path("data/watched/lists.csv")
WATCHED_RECIPE = Path("data/watched/recipe.json")
CORPUS = Path("data/corpus")
MANIFEST = CORPUS / "manifest.csv"
REFUSED = CORPUS / "refused.csv"
FRAMES = Path("data/frames")
STANDARDIZED = Path("data/standardized")
TRAINED = Path("trained")
PREDICTIONS = Path("data/predictions")
TIMING = Path("reports/training.csv")  # what a clock said: no output, it is never the same twice
METRICS = Path("reports/metrics.json")
PROTOCOL = Path("reports/protocol.json")
TABLES = Path("reports/tables")
PLOTS = Path("reports/plots")
REPORT = Path("reports/index.html")

STATISTICS = "statistics.npz"  # in STANDARDIZED
STATISTICS_OF = ("input_mean", "input_scale", "target_mean", "target_scale")


def project(here: Path = Path()) -> Path:
    """Return the project's folder: ``here``, or the one that ``here`` is a copy of.

    DVC makes copies below .dvc/tmp for `dvc exp run` with ``--queue`` or ``--temp``, and tells a
    stage by ``DVC_ROOT`` whose copy it stands in; `workspaces` makes them below data.
    """
    if root := os.environ.get("DVC_ROOT"):
        copy, whole = here.resolve(), Path(root).resolve()
        if copy.is_relative_to(whole) and copy.relative_to(whole).parts[:1] in (
            (".dvc",),
            ("data",),
        ):
            return whole
    return here


def from_project(path: str | Path) -> Path:
    """Return where a path of params.yaml, or of the manifest, leads.

    Relative ones start in the project's folder, from a copy of it, too: recordings are seldom in
    git, and then no copy has them. A file that the copy has, such as what a stage made, is its own.
    """
    return Path(path) if Path(path).is_file() else project() / path


def to_project(path: Path) -> Path:
    """Return the path that `from_project` leads back: the same from the project and its copies."""
    root = project()
    return path.relative_to(root) if root != Path() and path.is_relative_to(root) else path


def statistics(of: Path = Path()) -> dict[str, NDArray[np.float64]]:
    """Return mean and scale of inputs and targets, each [utterances, width], in the store's order.

    The keys are ``input_mean``, ``input_scale``, ``target_mean`` and ``target_scale``.
    """
    path = of / STANDARDIZED / STATISTICS
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in STATISTICS_OF}
    except FileNotFoundError:
        raise InputError(f"{path}: not found; run `dvc repro standardize` first") from None
    except Exception:  # of zip, zlib and NumPy, which tokenizes headers as Python
        raise InputError(f"{path}: damaged; run `dvc repro --force standardize`") from None
