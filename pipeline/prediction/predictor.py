"""From sound to articulator tracks with a trained folder: the library behind `pipeline.predict`.

>>> from pipeline import Predictor
>>> predictor = Predictor.load("trained")
>>> tracks = predictor(samples, sample_rate)  # doctest: +SKIP

Runs on onnxruntime; TensorFlow is not imported.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features import speech
from features.context import stack_frames
from features.frames import frame_times
from features.mfcc import mfcc
from features.standardization import FEWEST, Standardizer
from pipeline.formats.audio import mixed
from pipeline.ground import artifacts
from pipeline.ground.utterance import Tracks
from pipeline.trained.description import About, read_model

# recordings may be patients': onnxruntime 1.31 would tell Microsoft of each use, by an identifier
# that it keeps in the home directory
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

Z = "_zscore"  # ends the name of a channel in standard deviations

Array = NDArray[np.float32]
InputStatistics = Literal["auto", "own", "training"]


class Predictor:
    """A trained network that turns sound into tracks; holds no state, so threads can share it.

    Attributes
    ----------
    about : About
        What the trained folder says of the model.
    sha256 : str
        Of the graph's bytes: what identifies the model in results.
    speaker : str or None
        Of training, by whose mean and deviation tracks come back to mm, and features are
        standardised where each speaker has statistics; None for the average over training, since
        those of a new speaker are unknown.
    """

    def __init__(
        self,
        about: About,
        graph: bytes,
        statistics: InputStatistics,
        threads: int,
        speaker: str | None = None,
    ) -> None:
        import onnxruntime  # here, since much can be said about a model without it

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )
        self.about = about
        self.network = about.network
        self._statistics = statistics
        self.sha256 = hashlib.sha256(graph).hexdigest()
        self._know(speaker)

    def _know(self, speaker: str | None) -> None:
        self.speaker = speaker
        known = self.about.statistics if speaker is None else self.about.of_speaker(speaker)
        self._mean = np.array(known.target_mean)
        self._scale = np.array(known.target_scale)
        self.average_inputs = Standardizer()
        self.average_inputs.mean_ = np.array(known.input_mean)
        self.average_inputs.scale_ = np.array(known.input_scale)

    @property
    def to_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and deviation, [channels] each, by which tracks in z come back to mm."""
        return self._mean, self._scale

    @property
    def own_statistics(self) -> bool:
        """Whether features are standardised by the recording's own mean and deviation."""
        if self._statistics != "auto":
            return self._statistics == "own"
        over = self.about.standardize.inputs
        stranger = self.speaker is None and len(self.about.speakers) > 1
        return over == "utterance" or (over == "speaker" and stranger)

    def of(self, speaker: str | None) -> Predictor:
        """Return the same network with the statistics of a speaker it was trained on, or of all."""
        other = copy(self)
        other._know(speaker)
        return other

    @classmethod
    def load(
        cls,
        folder: Path | str = artifacts.TRAINED,
        *,
        statistics: InputStatistics = "auto",
        speaker: str | None = None,
        threads: int = 0,
    ) -> Predictor:
        """Open a trained folder.

        Parameters
        ----------
        folder : Path or str
            Holds model.json and model.onnx. Nothing in it is run as code.
        statistics : {"auto", "own", "training"}
            What features are standardised by: the recording's own mean and deviation, or the
            average over training; auto takes what the network was trained with, and the recording's
            own where that is the speaker's and this one is not among several.
        speaker : str, optional
            One that the network was trained on: tracks come back to mm by that speaker's mean and
            deviation; by default by the average over training.
        threads : int
            Of the network; 0 for one per core.

        Raises
        ------
        InputError
            Where the folder holds no model, or one that is damaged or is none of this project's, or
            it was not trained on that speaker.
        """
        about, graph = read_model(Path(folder))
        return cls(about, graph, statistics, threads, speaker)

    def __call__(
        self, samples: NDArray[np.floating], sample_rate: int, *, standardized: bool = False
    ) -> Tracks:
        """Predict the tracks of a sound.

        Parameters
        ----------
        samples : float [N] or [N, channels]
            Full scale is 1; several channels are averaged, but for two of opposite sign.
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
        sound = mixed(samples) if samples.ndim == 2 else samples
        (z,) = self.run([self.features(sound, sample_rate)])
        return self.tracks(z, standardized=standardized)

    def features(self, sound: NDArray[np.floating], sample_rate: int) -> Array:
        """Return what the network wants of a sound [N], float32 [T, 39] in z."""
        cepstra = mfcc(sound, sample_rate)
        level = speech.levels(sound, sample_rate)
        if np.count_nonzero(level > speech.FLOOR) < speech.FEWEST:
            raise speech.NoSpeechError
        if self.own_statistics:
            return Standardizer().fit_transform(cepstra, self.counted(level))
        return self.average_inputs.transform(cepstra)

    def counted(self, level: NDArray[np.float64]) -> NDArray[np.bool_] | None:
        """Return the frames that a recording's statistics are taken over, given the level of each.

        None for all.
        """
        if self.about.standardize.frames == "all":
            return None
        on = speech.speech_frames(level)
        return on if on.sum() >= FEWEST else None

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Run the network on whole sounds.

        Parameters
        ----------
        inputs : sequence of float32 [T, 39]
            Features in z, of any lengths; those much shorter than the longest waste work.

        Returns
        -------
        list of float32 [T, channels]
            Tracks in z, smoothed as the model says.
        """
        return [self.smooth(z) for z in self.outputs(inputs)]

    def outputs(self, inputs: Sequence[Array]) -> list[Array]:
        """Return what the network gives for sounds: as `run`, not smoothed, [T, outputs] each."""
        lengths = np.array([len(x) for x in inputs], np.int32)
        padded = np.zeros((len(inputs), lengths.max(), self.network.features), np.float32)
        for row, x in zip(padded, inputs, strict=True):
            row[: len(x)] = stack_frames(x, self.about.recipe.context)
        feed = {"inputs": padded, "lengths": lengths} | self.zero_states(len(inputs))
        (tracks,) = self._session.run(["tracks"], feed)
        return [row[:length] for row, length in zip(tracks, lengths, strict=True)]

    def smooth(self, z: Array) -> Array:
        """Return the smooth tracks [T, channels] of what the network gives for a whole sound."""
        return self.about.smooth(z, self._mean, self._scale)

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
        return Tracks(frame_times(len(z), first), values, channels, self.about.unit)
