"""What the predictions are worth: figures per utterance, track, phone, speaker and style.

Every figure is taken twice, as papers do: per utterance and then averaged over utterances, with a
bootstrap interval over them; and over all frames of a speaker at once. Figures in mm and
correlations are those of the positions; where a layout has deltas too, they count in the z-scored
error alone.

Tracks are scored as delivered: in mm as `pipeline.predict` gives them, from the sound and what was
known before it. Papers score z-scores of the utterance, whose mean and deviation no prediction has;
those figures stand beside, under `OWN_Z`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features import metrics
from features.frames import frame_times
from pipeline.ground.storage import Entry, Store

DELIVERED = ("predicted", "ridge", "mean")
OWN_Z = {source: f"{source}_own_z" for source in DELIVERED} | {"predicted": "own_z"}
SOURCES = (*DELIVERED, *OWN_Z.values())
FIGURES = ("z_mse", "rmse_mm", "pearson_r", "velocity_rmse_mm_s", "velocity_r")
DELTAS = "deltas"  # the column of deltas that the network learned, in their own units
MAX_LAG = 20  # frames
SEED = 1  # of the bootstrap

Array = NDArray[np.float64]
Scores = dict[str, Array]


def sensor_of(channel: str) -> str:
    """Return the sensor of a channel: ``TT`` of ``TT_x`` and of ``TT_x_delta``."""
    return channel.partition("_")[0]


class Z(NamedTuple):
    """What z-scores stand on: ``z * scale + mean`` is in mm."""

    mean: Array  # [D]
    scale: Array  # [D]

    @classmethod
    def of(cls, entry: Entry, name: str) -> Z:
        """Return those that an utterance's row has by a name."""
        return cls(*(np.array(values) for values in entry.about[name]))

    def to_mm(self, z: NDArray[np.floating]) -> Array:
        """Return z-scores [T, D] in mm."""
        return z * self.scale + self.mean

    def of_mm(self, mm: NDArray[np.floating]) -> Array:
        """Return tracks in mm, [T, D], as z-scores."""
        return (mm - self.mean) / self.scale

    def as_lists(self) -> list[list[float]]:
        """Return both for a file."""
        return [self.mean.tolist(), self.scale.tolist()]


class Predictions:
    """The store that `pipeline.evaluate` writes, in z and in mm.

    Tracks are in units of the measured utterance's own mean and deviation, ``own`` in its row. The
    row also has what is ``known`` to a prediction, by which the network's z-scores came to mm, and
    ``trained``, what the measured tracks were standardised by for training.

    Attributes
    ----------
    channels : tuple of str, length D
    positions : slice
        Which of them are positions; their deltas follow.
    unit : str
        ``mm``; ``z`` for a corpus of z-scores, of which millimetres are not known.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.entries = store.entries
        self.channels = tuple(store.about["channels"])
        self.unit: str = store.about.get("unit", "mm")
        self.positions = slice(len(self.channels) // (store.about["deltas"] + 1))

    def z(self, entry: Entry, source: str) -> Array:
        """Return the z-scores [T, D] of ``measured`` or one of `SOURCES`."""
        if source == "mean_own_z":
            return np.zeros((entry.frames, len(self.channels)))
        if source == "mean":
            known = Z.of(entry, "own").of_mm(Z.of(entry, "known").mean)
            return np.tile(known, (entry.frames, 1))
        return self.store.frames(entry, source).astype(np.float64)

    def mm(self, entry: Entry, source: str) -> Array:
        """Return the positions [T, positions] in mm."""
        return self.in_mm(entry, self.z(entry, source))

    def in_mm(self, entry: Entry, z: Array) -> Array:
        """Return the positions [T, positions] of z-scores [T, D] in mm."""
        return Z.of(entry, "own").to_mm(z)[:, self.positions]

    def network(self, entry: Entry) -> Array:
        """Return the z-scores [T, D] that the network gave, not smoothed."""
        own, known = Z.of(entry, "own"), Z.of(entry, "known")
        return known.of_mm(own.to_mm(self.z(entry, "unsmoothed")))

    def time(self, entry: Entry) -> Array:
        """Return the centres of the frames [T], s in the sound."""
        return entry.about["start_s"] + frame_times(entry.frames)


def correlation(measured: Array, predicted: Array) -> Array:
    """Return Pearson's r per channel [D]; 0 for a prediction that does not move.

    NaN where what was measured does not move: there is nothing to predict.
    """
    moves = [(x != x[:1]).any(axis=0) for x in (measured, predicted)]
    return np.where(moves[0] & ~moves[1], 0.0, metrics.pearson(measured, predicted))


def score(predictions: Predictions, entry: Entry, predicted: Array) -> dict[str, Array]:
    """Return every figure of one utterance per track [D]; NaN for what deltas do not have.

    Parameters
    ----------
    predicted : float [T, D]
        In z.
    """
    z = predictions.z(entry, "measured"), predicted
    mm = [predictions.in_mm(entry, values) for values in z]
    speed = [metrics.velocity(positions) for positions in mm]
    figures = [metrics.z_mse(*z), metrics.rmse(*mm), correlation(*mm)]
    figures += [metrics.rmse(*speed), correlation(*speed)]
    deltas = np.full(len(predictions.channels) - mm[0].shape[1], np.nan)
    return {
        name: values if name == "z_mse" else np.concatenate([values, deltas])
        for name, values in zip(FIGURES, figures, strict=True)
    }


@dataclass(frozen=True)
class Scored:
    """Every figure of every utterance, for the model and its floors.

    Attributes
    ----------
    names : tuple of str, length D
        Tracks, or sensors.
    figures : dict of source to dict of figure to float64 [utterances, D]
    frames : int [utterances, 1]
    """

    names: tuple[str, ...]
    figures: dict[str, dict[str, Array]]
    frames: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        predictions: Predictions,
        sources: Mapping[str, Callable[[Entry], Array]] | None = None,
    ) -> Scored:
        """Score every track of every utterance.

        Parameters
        ----------
        sources : mapping of str to function
            Which give the predicted z-scores [T, D] of an utterance; those of `SOURCES` by default.
        """
        figures = {}
        sources = sources or {name: partial(predictions.z, source=name) for name in SOURCES}
        for source, z in sources.items():
            rows = [score(predictions, entry, z(entry)) for entry in predictions.entries]
            figures[source] = {name: np.stack([row[name] for row in rows]) for name in FIGURES}
        frames = np.array([[entry.frames] for entry in predictions.entries])
        return cls(predictions.channels, figures, frames)

    def by_sensor(self) -> Scored:
        """Return the same figures per sensor: the mean over its channels."""
        sensors = np.array([sensor_of(name) for name in self.names])
        names = tuple(dict.fromkeys(sensors.tolist()))
        figures = {
            source: {
                figure: np.stack(
                    [metrics.mean(values[:, sensors == name].T) for name in names], axis=1
                )
                for figure, values in own.items()
            }
            for source, own in self.figures.items()
        }
        return Scored(names, figures, self.frames)

    def weights(self, figure: str) -> NDArray[np.int64] | None:
        """Return what an utterance counts: its frames for the error that is trained, else 1."""
        return self.frames if figure == "z_mse" else None

    def mean(self, source: str, figure: str) -> Array:
        """Return the mean of a figure over utterances [D]."""
        return metrics.mean(self.figures[source][figure], self.weights(figure))

    def interval(self, source: str, figure: str) -> tuple[Array, Array]:
        """Return both ends of the 95 % interval of `mean`, each [D]."""
        rng = np.random.default_rng(SEED)
        values = self.figures[source][figure]
        return metrics.bootstrap_interval(values, rng, weights=self.weights(figure))

    def summary(self, source: str) -> dict[str, float]:
        """Return the mean over utterances and tracks of every figure."""
        return {name: float(metrics.mean(self.mean(source, name))) for name in FIGURES}

    def overall(self) -> Scored:
        """Return the same figures averaged over tracks: one column."""
        figures = {
            source: {figure: metrics.mean(values.T)[:, None] for figure, values in own.items()}
            for source, own in self.figures.items()
        }
        return Scored(("mean",), figures, self.frames)

    def only(self, utterances: Sequence[int]) -> Scored:
        """Return the figures of some utterances."""
        rows = list(utterances)
        figures = {
            source: {figure: values[rows] for figure, values in own.items()}
            for source, own in self.figures.items()
        }
        return Scored(self.names, figures, self.frames[rows])


def within_speakers(predictions: Predictions, source: str) -> Scores:
    """Return RMSE in mm and r of each position, [positions], over all frames of each speaker.

    Averaged over speakers: where sensors of several speakers lie in different places, one
    correlation over all of them would say how far apart those are.
    """
    of: dict[str, list[Entry]] = defaultdict(list)
    for entry in predictions.entries:
        of[entry.about["speaker"]].append(entry)
    rows: dict[str, list[Array]] = defaultdict(list)
    for entries in of.values():
        measured, predicted = (
            np.concatenate([predictions.mm(entry, name) for entry in entries])
            for name in ("measured", source)
        )
        rows["rmse_mm"].append(metrics.rmse(measured, predicted))
        rows["pearson_r"].append(correlation(measured, predicted))
    return {name: metrics.mean(np.stack(values)) for name, values in rows.items()}
