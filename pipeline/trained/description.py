"""What a trained folder says of its model, and its graph: model.json and model.onnx, checked."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from features.mfcc import WIDTH
from pipeline.ground.console import InputError
from pipeline.trained import onnx_graph
from pipeline.trained.dynamics import Dynamics
from pipeline.trained.smoothing import Smoothing, Units

LARGEST_JSON = 1 << 24  # bytes; a speaker takes 3,000

Array = NDArray[np.float32]
Count = Annotated[int, Meta(ge=1, le=1 << 16)]
Channel = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}\Z")]
Numbers = tuple[float, ...]


class Statistics(Struct, frozen=True):
    """Mean and standard deviation of every feature and track, averaged over training."""

    input_mean: Numbers
    input_scale: Numbers
    target_mean: Numbers
    target_scale: Numbers


class Recipe(Struct, frozen=True):
    """What decides the shape of the network."""

    cell: Literal["simple_rnn", "lstm", "gru"]
    units: Annotated[tuple[Count, ...], Meta(min_length=1, max_length=64)]
    bidirectional: bool
    merge: Literal["concat", "sum", "mean"]
    output_delay: Annotated[int, Meta(ge=0, le=10_000)]
    context: Annotated[int, Meta(ge=1, le=101)] = 1
    dense: Annotated[tuple[Count, ...], Meta(max_length=64)] = ()

    def __post_init__(self) -> None:
        if self.context % 2 == 0 or (self.context > 1 and not self.bidirectional):
            raise ValueError(f"a context of {self.context} frames; odd, and of two directions only")


class Standardization(Struct, frozen=True):
    """What inputs and targets were standardised over, and whether silence counted."""

    inputs: Literal["utterance", "speaker", "corpus"]
    targets: Literal["utterance", "speaker", "corpus"]
    frames: Literal["speech", "all"]


class About(Struct, frozen=True):
    """Those parts of a model.json that a prediction needs; `pipeline.train.describe` writes it."""

    channels: Annotated[tuple[Channel, ...], Meta(min_length=1)]
    standardize: Standardization
    statistics: Statistics
    recipe: Recipe
    sha256: dict[str, str]
    unit: str = "mm"
    trained_on: dict[str, Any] = {}
    ensemble: Annotated[int, Meta(ge=1, le=64)] = 1
    deltas: Annotated[int, Meta(ge=0, le=2)] = 0
    delta_scale: tuple[Annotated[float, Meta(gt=0)], ...] = ()
    smoothing: Smoothing = Smoothing()
    speakers: dict[str, Statistics] = {}

    @property
    def network(self) -> onnx_graph.Network:
        """What the graph has to be."""
        recipe = self.recipe
        return onnx_graph.Network(
            features=recipe.context * WIDTH,
            dense=recipe.dense,
            outputs=len(self.channels) + len(self.delta_scale),
            cell=recipe.cell,
            units=recipe.units,
            bidirectional=recipe.bidirectional,
            merge=recipe.merge,
            delay=recipe.output_delay,
            members=self.ensemble,
        )

    def of_speaker(self, name: str) -> Statistics:
        """Return the statistics of a speaker, averaged over that speaker's training utterances.

        Raises
        ------
        InputError
            Where the model was not trained on the speaker.
        """
        if name not in self.speakers:
            known = ", ".join(sorted(self.speakers)) or "nobody by name"
            raise InputError(f"speaker {name}: the model was trained on {known}")
        return self.speakers[name]

    def units(self, mean: NDArray[Any], scale: NDArray[Any]) -> Units:
        """Return the units of what the network gives, where tracks have this mean and deviation."""
        return Dynamics(self.delta_scale).units(Units(self.deltas, mean, scale))

    def smooth(self, z: Array, mean: NDArray[Any], scale: NDArray[Any]) -> Array:
        """Return the smooth tracks [T, D], in z, of what the network gives for an utterance.

        Parameters
        ----------
        z : float32 [T, D] or [T, D * (1 + orders)]
            Tracks and the deltas that it learned beside them.
        mean, scale : float [D]
            Of the utterance's tracks in mm.
        """
        return self.smoothing.apply(z, self.units(mean, scale))[:, : len(self.channels)]


def read_about(path: Path) -> About:
    """Read and check a model.json.

    Raises
    ------
    InputError
        Where there is none, or naming the key that is wrong.
    """
    if not path.is_file():
        raise InputError(f"{path}: no trained model; run `make repro`, or name a folder by --model")
    if path.stat().st_size > LARGEST_JSON:
        raise InputError(f"{path}: larger than a model.json can be")
    try:
        about = msgspec.json.decode(path.read_bytes(), type=About)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: {error}; run `dvc repro --force train`") from None
    for statistics in (about.statistics, *about.speakers.values()):
        for name, width in (("input", WIDTH), ("target", len(about.channels))):
            mean, scale = (getattr(statistics, f"{name}_{key}") for key in ("mean", "scale"))
            if len(mean) != width or len(scale) != width or min(scale) <= 0:
                raise InputError(
                    f"{path}: statistics of {name}s are not {width} means and deviations"
                )
    orders, rest = divmod(len(about.delta_scale), len(about.channels))
    if rest or orders > 2 or (orders and about.deltas):
        raise InputError(f"{path}: delta_scale: not those of {len(about.channels)} channels")
    if about.smoothing.method == "mlpg" and (
        len(about.smoothing.variances) != about.network.outputs or not (about.deltas or orders)
    ):
        raise InputError(f"{path}: smoothing: mlpg needs deltas and a variance of each output")
    if len(about.channels) % (1 + about.deltas):
        raise InputError(f"{path}: {len(about.channels)} channels are not tracks and their deltas")
    if len(set(about.channels)) != len(about.channels):
        raise InputError(f"{path}: a channel stands more than once")
    return about


def read_model(folder: Path) -> tuple[About, bytes]:
    """Read a trained folder: what model.json says, and the graph of model.onnx, both checked.

    Raises
    ------
    InputError
        Where the folder holds no model, or one that is damaged or is none of this project's.
    """
    about = read_about(folder / "model.json")
    path = folder / "model.onnx"
    graph = onnx_graph.load(path, about.network)
    if hashlib.sha256(graph).hexdigest() != about.sha256.get("model.onnx"):
        raise InputError(f"{path}: not the file that model.json was written with; train again")
    return about, graph
