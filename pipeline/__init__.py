"""The stages, one file each: corpus, extract, standardize, train, evaluate, plot, report; predict.

The only package that knows the disk and the command line. ``dvc.yaml`` is its table of contents.
What a stage needs lies in a folder beside it: ``corpora`` and ``formats``, ``training``,
``evaluation``, ``plots``, ``prediction``. `Predictor` is the trained model as a library.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.prediction.predictor import Predictor

__all__ = ["Predictor"]


def __getattr__(name: str) -> Any:
    """Import the library on first use: the stages do not need it."""
    if name == "Predictor":
        from pipeline.prediction.predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
