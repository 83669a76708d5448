"""From sound to articulator tracks with a trained folder: the library behind `pipeline.predict`.

>>> from pipeline import Predictor
>>> predictor = Predictor.load("trained")
>>> tracks = predictor(samples, sample_rate)  # doctest: +SKIP

Runs on onnxruntime; TensorFlow is not imported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from features.context import stack_frames
from features.frames import frame_times
from features.mfcc import WIDTH, mfcc
from features.standardization import Standardizer
from pipeline.console import InputError
from pipeline.training import onnx_graph
from pipeline.training.dynamics import Dynamics
from pipeline.training.restandardization import Restandardization
from pipeline.training.smoothing import Smoothing, Units
from pipeline.utterance import Tracks

FOLDER = Path("trained")
LARGEST_JSON = 1 << 20  # bytes
Z = "_zscore"  # ends the name of a channel in standard deviations

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


class About(Struct, frozen=True):
    """Those parts of a model.json that a prediction needs; `pipeline.train.describe` writes it."""

    channels: Annotated[tuple[Channel, ...], Meta(min_length=1)]
    mode: Literal["utterance", "speaker", "corpus"]
    statistics: Statistics
    recipe: Recipe
    sha256: dict[str, str]
    trained_on: dict[str, Any] = {}
    ensemble: Annotated[int, Meta(ge=1, le=64)] = 1
    deltas: Annotated[int, Meta(ge=0, le=2)] = 0
    delta_scale: tuple[Annotated[float, Meta(gt=0)], ...] = ()
    smoothing: Smoothing = Smoothing()
    restandardization: Restandardization = Restandardization()

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
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: {error}; run `dvc repro --force train`") from None
    for name, width in (("input", WIDTH), ("target", len(about.channels))):
        mean, scale = (getattr(about.statistics, f"{name}_{key}") for key in ("mean", "scale"))
        if len(mean) != width or len(scale) != width or min(scale) <= 0:
            raise InputError(f"{path}: statistics of {name}s are not {width} means and deviations")
    orders, rest = divmod(len(about.delta_scale), len(about.channels))
    if rest or orders > 2 or (orders and about.deltas):
        raise InputError(f"{path}: delta_scale: not those of {len(about.channels)} channels")
    if about.smoothing.method == "mlpg" and (
        len(about.smoothing.variances) != about.network.outputs or not (about.deltas or orders)
    ):
        raise InputError(f"{path}: smoothing: mlpg needs deltas and a variance of each output")
    if about.restandardization and len(about.restandardization.gains) != len(about.channels):
        raise InputError(f"{path}: restandardization: {len(about.channels)} gains, one a channel")
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


class Predictor:
    """A trained network that turns sound into tracks; holds no state, so threads can share it.

    Attributes
    ----------
    about : About
        What the trained folder says of the model.
    sha256 : str
        Of the graph's bytes: what identifies the model in results.
    own_statistics : bool
        Whether features are standardised by the recording's own mean and deviation, or by the
        average over training. Tracks come back to mm by the average over training in either case,
        since the true ones are unknown.
    """

    def __init__(self, about: About, graph: bytes, own_statistics: bool, threads: int) -> None:
        import onnxruntime  # here, since much can be said about a model without it

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )
        self.about = about
        self.network = about.network
        self.own_statistics = own_statistics
        self.sha256 = hashlib.sha256(graph).hexdigest()
        average = about.statistics
        self._mean = np.array(average.target_mean)
        self._scale = np.array(average.target_scale)
        self.average_inputs = Standardizer()
        self.average_inputs.mean_ = np.array(average.input_mean)
        self.average_inputs.scale_ = np.array(average.input_scale)

    @classmethod
    def load(
        cls,
        folder: Path | str = FOLDER,
        *,
        statistics: Literal["auto", "own", "training"] = "auto",
        threads: int = 0,
    ) -> Predictor:
        """Open a trained folder.

        Parameters
        ----------
        folder : Path or str
            Holds model.json and model.onnx. Nothing in it is run as code.
        statistics : {"auto", "own", "training"}
            What features are standardised by: the recording's own mean and deviation, or the
            average over training; auto takes what the network was trained with.
        threads : int
            Of the network; 0 for one per core.

        Raises
        ------
        InputError
            Where the folder holds no model, or one that is damaged or is none of this project's.
        """
        about, graph = read_model(Path(folder))
        own = about.mode == "utterance" if statistics == "auto" else statistics == "own"
        return cls(about, graph, own, threads)

    def __call__(
        self, samples: NDArray[np.floating], sample_rate: int, *, standardized: bool = False
    ) -> Tracks:
        """Predict the tracks of a sound.

        Parameters
        ----------
        samples : float [N] or [N, channels]
            Full scale is 1; several channels are averaged.
        sample_rate : int
            Hz.
        standardized : bool
            Give every channel a second time in standard deviations, as ``NAME_zscore``.

        Returns
        -------
        Tracks
            In mm, a frame every 10 ms.

        Raises
        ------
        ValueError
            Sound shorter than 25 ms, silent, or not of finite floats.
        """
        samples = np.asarray(samples)
        sound = samples.mean(axis=1) if samples.ndim == 2 else samples
        (z,) = self.run([self.features(sound, sample_rate)])
        return self.tracks(z, standardized=standardized)

    def features(self, sound: NDArray[np.floating], sample_rate: int) -> Array:
        """Return what the network wants of a sound [N], float32 [T, 39] in z."""
        cepstra = mfcc(sound, sample_rate)
        return self.standardizer(Standardizer().fit(cepstra)).transform(cepstra)

    def standardizer(self, own: Standardizer) -> Standardizer:
        """Return what features are standardised by, given what a recording's own would be."""
        if (own.scale_ == 1).all():  # every one of them is constant
            raise ValueError("silence: there is no sound in it; check the recording")
        return own if self.own_statistics else self.average_inputs

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Run the network on whole sounds.

        Parameters
        ----------
        inputs : sequence of float32 [T, 39]
            Features in z, of any lengths; those much shorter than the longest waste work.

        Returns
        -------
        list of float32 [T, channels]
            Tracks in z, smoothed and restandardised as the model says.
        """
        return [self.restandardize(z) for z in self.run_parts(inputs)]

    def run_parts(self, inputs: Sequence[Array]) -> list[Array]:
        """Run the network on parts of sounds: as `run`, but not restandardised."""
        lengths = np.array([len(x) for x in inputs], np.int32)
        padded = np.zeros((len(inputs), lengths.max(), self.network.features), np.float32)
        for row, x in zip(padded, inputs, strict=True):
            row[: len(x)] = stack_frames(x, self.about.recipe.context)
        feed = {"inputs": padded, "lengths": lengths} | self.zero_states(len(inputs))
        (tracks,) = self._session.run(["tracks"], feed)
        return [self.smooth(row[:length]) for row, length in zip(tracks, lengths, strict=True)]

    def smooth(self, z: Array) -> Array:
        """Return the smooth tracks [T, channels] of what the network gives for a whole sound."""
        return self.about.smooth(z, self._mean, self._scale)

    def restandardize(self, z: Array, whole: Standardizer | None = None) -> Array:
        """Restandardise tracks in z, float32 [T, channels], as the model says.

        Parameters
        ----------
        whole : Standardizer, optional
            Fitted on the tracks of the whole sound, where ``z`` is a part of it.
        """
        if not self.own_statistics:  # a sound that is not standardised as a whole
            return z
        return self.about.restandardization.apply(z, whole)

    def zero_states(self, batch: int) -> dict[str, Array]:
        """Return the states before the first frame; none for a network of two directions."""
        widths = enumerate(self.network.state_units)
        return {f"state_{k}": np.zeros((1, batch, width), np.float32) for k, width in widths}

    def advance(self, inputs: Array, states: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """Run the network on the next frames of one sound, without the output delay.

        Parameters
        ----------
        inputs : float32 [T, 39]
            In z.
        states : dict
            What the call before returned; `zero_states` at first.

        Returns
        -------
        tracks : float32 [T, outputs]
            In z, with the deltas that the network learned; row t is what is known after frame t.
        states : dict
        """
        feed = {"inputs": inputs[None], "lengths": np.array([len(inputs)], np.int32)} | states
        if self.network.delay:
            feed["delay"] = np.array(0)
        tracks, *after = self._session.run(None, feed)
        return tracks[0], dict(zip(states, after, strict=True))

    def tracks(self, z: Array, first: int = 0, *, standardized: bool = False) -> Tracks:
        """Return in mm the tracks given in z, float32 [T, channels], from frame ``first`` on."""
        if not np.isfinite(z).all():
            raise ValueError("the network gives values that are not finite; train it again")
        values = z * self._scale + self._mean
        channels = self.about.channels
        if standardized:
            values = np.concatenate([values, z], axis=1)
            channels += tuple(name + Z for name in channels)
        return Tracks(frame_times(len(z), first), values, channels)
