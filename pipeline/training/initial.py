"""A network that starts from the weights of another trained folder: `train.init`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.corpora.layouts import with_delta_names
from pipeline.ground.console import InputError, say
from pipeline.ground.params import Recipe
from pipeline.trained.description import read_about

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.regressor import Regressor

SHAPE = ("context", "dense", "cell", "units", "bidirectional", "merge")


def start_from(folder: Path, model: Regressor, recipe: Recipe, tracks: Sequence[str]) -> None:
    """Give a new network the weights of a trained one.

    Tracks, and their deltas, that both have keep the weights of their output; those of others stay
    as they were drawn, which is said.

    Parameters
    ----------
    folder : Path
        A trained folder of one network.
    model : Regressor
        Built by ``recipe``.
    tracks : sequence of str
        Names of what it predicts, in order, deltas behind.

    Raises
    ------
    InputError
        Where there is no model, or one of another shape, naming what differs.
    """
    about = read_about(folder / "model.json")
    if about.ensemble > 1:
        raise InputError(f"{folder}: train.init: an ensemble of {about.ensemble}; name one network")
    for key in SHAPE:
        there, here = getattr(about.recipe, key), getattr(recipe, key)
        if there != here:
            raise InputError(
                f"{folder}: train.init: its {key} is {there} and the recipe's {here}; they must be"
                " alike"
            )
    from models import regressor

    first = regressor.load(folder / "model.keras")
    for new, old in zip((*model.front, model.stack), (*first.front, first.stack), strict=True):
        new.set_weights(old.get_weights())
    orders = len(about.delta_scale) // len(about.channels)
    known = {name: k for k, name in enumerate(with_delta_names(about.channels, orders))}
    fresh = [name for name in tracks if name not in known]
    for new, old in ((model.dense, first.dense), (model.log_variance, first.log_variance)):
        if new is None or old is None:
            continue
        weights = new.get_weights()
        for weight, trained in zip(weights, old.get_weights(), strict=True):
            for k, name in enumerate(tracks):
                if name in known:
                    weight[..., k] = trained[..., known[name]]
        new.set_weights(weights)
    note = f"; new outputs: {', '.join(fresh)}" if fresh else ""
    say(f"train: starts from {folder}, {len(tracks) - len(fresh)} of its outputs{note}")
