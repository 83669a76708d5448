"""The stages, one file each: corpus, extract, standardize, train, evaluate, plot, and predict.

The only package that knows the disk and the command line. ``dvc.yaml`` is its table of contents.
`Predictor` is the trained model as a library.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.predictor import Predictor

__all__ = ["Predictor"]


def __getattr__(name: str) -> Any:
    """Import the library on first use: the stages do not need it."""
    if name == "Predictor":
        from pipeline.predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
