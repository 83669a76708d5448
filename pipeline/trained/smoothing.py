"""Smooth trajectories from predicted tracks, on by what they earn: `train.smoothing`.

A network predicts frame by frame and articulators do not jump. Two ways to say so: a zero-phase
low-pass, and for tracks that were predicted with their deltas the likeliest trajectories (MLPG),
which weigh positions against deltas by the errors that each has on the validation set. Training
tries them there and writes the best into model.json; evaluation and prediction do as it says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from features.frames import FRAME_RATE
from pipeline.ground.console import UsageError

CUTOFFS_HZ = (6.0, 8.0, 10.0, 12.0, 15.0, 20.0)
CONTEXT = 200  # frames beyond which no smoothing remembers anything
PIECE = 1000  # frames of a long sound that are smoothed at once
SMALLEST = 1e-6  # variance, of tracks that are predicted without error because they do not move

Array = NDArray[np.float32]


class Units(NamedTuple):
    """What turns predicted tracks into units in which deltas are those of the tracks.

    Attributes
    ----------
    deltas : int
        How many orders of deltas follow the tracks.
    mean, scale : float [D]
        ``z * scale + mean`` is in those units.
    """

    deltas: int
    mean: NDArray[Any]
    scale: NDArray[Any]


class Validated(NamedTuple):
    """What a network gives for an utterance of the validation set, and what was measured.

    Attributes
    ----------
    predicted, measured : float32 [T, D * (1 + orders)]
        Tracks in z, then their deltas; of what is predicted not smoothed.
    units : Units
        Of `Smoothing.apply`.
    known, own : (mean, scale), float [D] each
        That bring the tracks to mm: those that a prediction knows, from the training set, and
        those that ``measured`` was standardised by.
    """

    predicted: Array
    measured: Array
    units: Units
    known: tuple[NDArray[Any], NDArray[Any]]
    own: tuple[NDArray[Any], NDArray[Any]]

    def squares_mm(self, how: Smoothing, positions: int) -> NDArray[np.float64]:
        """Return the squared error in mm^2 of the first tracks, smoothed, [T, positions]."""
        smooth = how.apply(self.predicted, self.units)
        predicted, measured = (
            z[:, :positions] * scale[:positions] + mean[:positions]
            for z, (mean, scale) in ((smooth, self.known), (self.measured, self.own))
        )
        return np.square(predicted - measured, dtype=np.float64)


class Smoothing(Struct, frozen=True):
    """How the tracks of a model are smoothed; a part of its model.json.

    Attributes
    ----------
    method : {"none", "low-pass", "mlpg"}
    cutoff_hz : float
        Of the low-pass.
    variances : tuple of float
        Of the errors of every track and delta on the validation set, in z; empty where no
        deltas are learned.
    """

    method: Literal["none", "low-pass", "mlpg"] = "none"
    cutoff_hz: Annotated[float, Meta(gt=0, lt=FRAME_RATE / 2)] = CUTOFFS_HZ[-1]
    variances: tuple[Annotated[float, Meta(gt=0)], ...] = ()

    def __str__(self) -> str:
        return f"low-pass {self.cutoff_hz:g} Hz" if self.method == "low-pass" else self.method

    def apply(self, z: Array, units: Units) -> Array:
        """Smooth the tracks of one utterance.

        Parameters
        ----------
        z : float32 [T, D]
            Predicted tracks, then their deltas.
        units : Units

        Returns
        -------
        float32 [T, D]
            In z. Deltas are those of the smooth tracks.
        """
        if self.method == "none" or not len(z) or not np.isfinite(z).all():
            return z  # what is not finite is refused by those who use it
        if self.method == "low-pass":
            from features.articulation import low_pass  # SciPy takes a second to import

            return low_pass(z, FRAME_RATE, self.cutoff_hz).astype(np.float32)
        from features.deltas import with_deltas
        from features.trajectories import mlpg

        deltas, mean, scale = units
        tracks = mlpg(z * scale + mean, np.square(scale) * self.variances, deltas)
        return ((with_deltas(tracks, deltas) - mean) / scale).astype(np.float32)


def check(wanted: str | float, deltas: int) -> None:
    """Raise a `UsageError` where MLPG is wanted and no deltas are learned."""
    if wanted == "mlpg" and not deltas:
        raise UsageError(
            "params.yaml: train.smoothing: mlpg needs deltas: set recipes.NAME.deltas to 2"
        )


def candidates(variances: Sequence[float]) -> list[Smoothing]:
    """Return every smoothing that is worth a try, none first; MLPG where there are variances."""
    known = tuple(float(v) for v in variances)
    low = [Smoothing("low-pass", cutoff, known) for cutoff in CUTOFFS_HZ]
    return [
        Smoothing("none", variances=known),
        *low,
        *[Smoothing("mlpg", variances=known)] * bool(known),
    ]


def choose(
    wanted: str | float,
    utterances: Sequence[Validated],
) -> tuple[Smoothing, dict[str, float]]:
    """Choose by the error of the tracks in mm, without their deltas.

    Parameters
    ----------
    wanted : "auto", "none", "mlpg" or float
        What `train.smoothing` says; a number is the cut-off of a low-pass in Hz.
    utterances : sequence of Validated

    Returns
    -------
    smoothing : Smoothing
    errors : dict of str to float
        RMSE in mm of each track in each utterance, averaged, of everything that was tried, by its
        name, none first.
    """
    squares = np.concatenate(
        [np.square(one.predicted - one.measured, dtype=np.float64) for one in utterances]
    )
    deltas = utterances[0].units.deltas
    variances = squares.mean(axis=0).clip(min=SMALLEST) if deltas else ()
    tried = candidates(variances)
    if isinstance(wanted, float | int):
        tried = [tried[0], Smoothing("low-pass", wanted, tried[0].variances)]
    elif wanted != "auto":
        tried = [how for how in tried if how.method in ("none", wanted)]
    positions = squares.shape[1] // (1 + deltas)
    errors = []
    for how in tried:
        of_each = [one.squares_mm(how, positions).mean(axis=0) for one in utterances]
        errors.append(float(np.sqrt(of_each).mean()))
    best = int(np.argmin(errors)) if wanted == "auto" else len(tried) - 1
    return tried[best], dict(zip(map(str, tried), errors, strict=True))


def in_pieces(blocks: Iterable[Array], smooth: Callable[[Array], Array]) -> Iterator[Array]:
    """Smooth tracks [t, D] that come piece by piece; laid end to end they are those of the whole.

    What is given lies at least `CONTEXT` frames before what is known.
    """
    held: list[Array] = []
    before = 0  # frames of `held` that were given already and serve as context
    for block in blocks:
        held.append(block)
        if sum(map(len, held)) >= before + PIECE + CONTEXT:
            tracks = np.concatenate(held)
            ready = len(tracks) - CONTEXT
            yield smooth(tracks)[before:ready]
            before = min(ready, CONTEXT)
            held = [tracks[ready - before :]]
    if held:
        yield smooth(np.concatenate(held))[before:]
