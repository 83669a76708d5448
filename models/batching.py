"""Utterances of unequal length in rectangular batches: pad, bucket, pack.

A recurrent network reads arrays of one shape, and XLA compiles once per shape, so what matters is
how few shapes an epoch has and how little of them is padding. Each function below takes the lengths
of a corpus and gives one epoch of `Batch` plans, shuffled by a seeded generator:

- `pad`: as many utterances at random, padded to the longest of them: many shapes, much padding;
- `bucket`: utterances of like length together: few shapes, some padding;
- `pack`: whole utterances end to end in lanes, the state reset where one starts: two shapes, hardly
  any padding.

`assemble` turns a plan into arrays. The loss is a sum of squared errors times weights that are one
over the number of valid frames, so that its value and gradient are the mean over valid frames
alone, whatever the padding.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Lengths = NDArray[np.integer]
Utterances = Sequence[NDArray[np.float32]] | Mapping[int, NDArray[np.float32]]

# One time step costs about as much as this many more lanes, whatever the number of lanes: the
# recurrent kernel is read and the loop turned once per step (LSTM of 1024 on two cores).
STEP_OVERHEAD = 6
# The batch with the long lanes may hold so many times the frames of an update: few lanes are slow.
LARGEST_BATCH = 2.5
# Lengths of the batches of one epoch by `bucket`: XLA compiles once for each.
BUCKETS = 4
# Shares of padding that pack accepts for the sake of fewer, wider steps.
PACK_WASTE = 0.07


@dataclass(frozen=True)
class Batch:
    """A plan: which utterance lies where in an array ``[lanes, frames]``.

    Attributes
    ----------
    lanes, frames : int
        Shape of the batch.
    utterance, lane, start : int [n]
        Utterance ``utterance[i]`` lies in lane ``lane[i]`` from frame ``start[i]`` on.
    """

    lanes: int
    frames: int
    utterance: NDArray[np.intp]
    lane: NDArray[np.intp]
    start: NDArray[np.intp]


def padding_share(plan: Sequence[Batch], lengths: Lengths) -> float:
    """Return the share of an epoch's frames that is padding."""
    capacity = sum(batch.lanes * batch.frames for batch in plan)
    return 1 - sum(int(lengths[batch.utterance].sum()) for batch in plan) / capacity


def _side_by_side(utterances: NDArray[np.integer], lanes: int, frames: int) -> Batch:
    """Lay one utterance in each lane; lanes left over stay empty."""
    n = len(utterances)
    return Batch(lanes, frames, np.asarray(utterances, np.intp), np.arange(n), np.zeros(n, np.intp))


def pad(lengths: Lengths, batch_size: int, rng: np.random.Generator) -> list[Batch]:
    """Draw utterances at random, ``batch_size`` at a time, and pad to the longest of each batch."""
    order = rng.permutation(len(lengths))
    return [
        _side_by_side(chosen, len(chosen), int(lengths[chosen].max()))
        for chosen in np.split(order, np.arange(batch_size, len(order), batch_size))
    ]


def bucket(
    lengths: Lengths, batch_size: int, rng: np.random.Generator, *, buckets: int = BUCKETS
) -> list[Batch]:
    """Batch utterances of like length; every batch of a bucket has one shape.

    The corpus, sorted by length, is cut into at most ``buckets`` runs of whole batches. Within a
    run utterances are drawn at random; the last batch of all may have empty lanes.
    """
    plan = []
    for members in _runs(lengths, batch_size, buckets):
        frames = int(lengths[members].max())
        members = rng.permutation(members)
        for chosen in np.split(members, np.arange(batch_size, len(members), batch_size)):
            plan.append(_side_by_side(chosen, batch_size, frames))
    return [plan[i] for i in rng.permutation(len(plan))]


def _runs(lengths: Lengths, batch_size: int, buckets: int) -> Iterator[NDArray[np.intp]]:
    """Yield the members of every bucket, those of the shortest first."""
    ranked = np.argsort(lengths, kind="stable")
    batches = -(-len(ranked) // batch_size)
    for share in np.array_split(np.arange(batches), min(buckets, batches)):
        yield ranked[share[0] * batch_size : (share[-1] + 1) * batch_size]


@dataclass(frozen=True)
class _Lanes:
    """Lanes of two lengths, and how many of each a batch holds."""

    short: int
    long: int
    n_short: int
    n_long: int
    per_short: int
    per_long: int

    @property
    def cost(self) -> float:
        """Relative time of an epoch: steps, each as long as its lanes and the overhead."""
        short = self.n_short / self.per_short * self.short * (self.per_short + STEP_OVERHEAD)
        long = self.n_long / self.per_long * self.long * (self.per_long + STEP_OVERHEAD)
        return short + long

    @property
    def largest(self) -> int:
        """Frames of the larger batch."""
        return max(self.short * self.per_short, self.long * self.per_long)

    @property
    def capacity(self) -> int:
        return self.n_short * self.short + self.n_long * self.long


def _fill(
    order: NDArray[np.intp], lengths: Lengths, short: int, long: int, n_long: int
) -> list[list[int]] | None:
    """Lay utterances in lanes, each where it leaves the least room (best fit).

    There are ``n_long`` long lanes; a short one is opened whenever none has room. Gives the
    utterances of each lane, long lanes first, or None where one is too long for a short lane.
    """
    room = [(long, lane) for lane in range(n_long)]  # sorted: (frames left, lane)
    content: list[list[int]] = [[] for _ in room]
    for utterance in order:
        length = int(lengths[utterance])
        place = bisect_left(room, (length, -1))
        if place < len(room):
            left, lane = room.pop(place)
        elif length <= short:
            left, lane = short, len(content)
            content.append([])
        else:
            return None
        content[lane].append(int(utterance))
        insort(room, (left - length, lane))
    return content


def _lanes(lengths: Lengths, short: int, long: int, frames: int) -> _Lanes:
    """Count the lanes of two lengths that hold a corpus, in whole batches of ``frames`` frames."""
    order = np.argsort(-lengths, kind="stable")
    n_long = len(_fill(order[lengths[order] > short], lengths, long, long, 0) or [])
    content = _fill(order, lengths, short, long, n_long)
    assert content is not None
    n_short = len(content) - n_long
    batches = max(2, round((n_short * short + n_long * long) / frames))
    found = []
    for of_long in range(1, batches):
        per_short, per_long = (
            max(1, -(-n // b)) for n, b in ((n_short, batches - of_long), (n_long, of_long))
        )
        whole = (-(-n_short // per_short) * per_short, -(-n_long // per_long) * per_long)
        found.append(_Lanes(short, long, *whole, per_short, per_long))
    small = [f for f in found if f.largest <= LARGEST_BATCH * frames]
    return min(small, key=lambda f: f.cost) if small else min(found, key=lambda f: f.largest)


def _choose_lanes(lengths: Lengths, frames: int) -> _Lanes:
    """Find the two lane lengths that make an epoch cheapest with little padding."""
    # of a large corpus, a sample with the same distribution decides
    step = -(-len(lengths) // 2000)
    sample = np.sort(lengths)[::-step]
    median, longest = np.median(sample), sample[0]
    found = [
        _lanes(sample, int(short), int(long), frames)
        for long in longest * np.array([1, 1.5, 2, 3])
        for short in np.unique(np.geomspace(min(longest, 1.5 * median), long, 10).astype(int))
    ]
    tight = [f for f in found if 1 - sample.sum() / f.capacity <= PACK_WASTE]
    best = min(tight, key=lambda f: f.cost) if tight else min(found, key=lambda f: f.capacity)
    return _lanes(lengths, best.short, best.long, frames)


def pack(lengths: Lengths, frames: int, rng: np.random.Generator) -> list[Batch]:
    """Lay whole utterances end to end in lanes; about ``frames`` frames an update.

    Lanes have two lengths, so an epoch has two shapes at most, and the same ones every epoch.
    Utterances are laid from long to short, each where it leaves the least room, which is what keeps
    padding small; the order is blurred at random as far as they still fit, and lanes are dealt out
    to batches at random.
    """
    lanes = _choose_lanes(lengths, frames)
    content: list[list[int]] | None = None
    for blur in (0.5, 0.2, 0.1, 0.05, 0.0):  # without blur it is the order that chose the lanes
        order = np.argsort(-lengths * np.exp(rng.normal(0, blur, len(lengths))), kind="stable")
        # what fits into long lanes alone must come first
        order = order[np.argsort(lengths[order] <= lanes.short, kind="stable")]
        content = _fill(order, lengths, lanes.short, lanes.long, lanes.n_long)
        if content is not None and len(content) <= lanes.n_long + lanes.n_short:
            break
    assert content is not None
    content += [[] for _ in range(lanes.n_long + lanes.n_short - len(content))]
    long, short = content[: lanes.n_long], content[lanes.n_long :]
    plan = []
    for group, per_batch, length in (
        (long, lanes.per_long, lanes.long),
        (short, lanes.per_short, lanes.short),
    ):
        dealt = [group[i] for i in rng.permutation(len(group))]
        for first in range(0, len(dealt), per_batch):
            plan.append(_end_to_end(dealt[first : first + per_batch], length, lengths, rng))
    plan = [batch for batch in plan if len(batch.utterance)]
    return [plan[i] for i in rng.permutation(len(plan))]


def _end_to_end(
    content: Sequence[Sequence[int]], frames: int, lengths: Lengths, rng: np.random.Generator
) -> Batch:
    """Lay the utterances of each lane one behind the other, in random order."""
    placed = []
    for lane, members in enumerate(content):
        start = 0
        for utterance in rng.permutation(np.asarray(members, np.intp)):
            placed.append((utterance, lane, start))
            start += int(lengths[utterance])
    columns = np.array(placed, np.intp).reshape(-1, 3).T
    return Batch(len(content), frames, *columns)


def by_length(lengths: Lengths, frames: int) -> Iterator[NDArray[np.intp]]:
    """Deal utterances of like length, the shortest first, into batches for prediction.

    Yields
    ------
    int [n]
        Indices; n times the longest of them is at most ``frames``, unless one alone is longer.
    """
    order = np.argsort(lengths, kind="stable")
    while len(order):
        capacity = np.arange(1, len(order) + 1) * lengths[order]  # of the first n: increasing
        n = max(1, int(np.searchsorted(capacity, frames, side="right")))
        yield order[:n]
        order = order[n:]


def epoch(
    batching: str, lengths: Lengths, batch_size: int, rng: np.random.Generator
) -> list[Batch]:
    """Plan one epoch by name.

    Parameters
    ----------
    batching : {"pad", "bucket", "pack"}
    lengths : int [utterances]
        Frames, all at least 1.
    batch_size : int
        Utterances per update; on average for ``pack``.
    rng : numpy.random.Generator

    Raises
    ------
    ValueError
        For an unknown name, or a length below 1.
    """
    lengths = np.asarray(lengths)
    if not len(lengths) or lengths.min() < 1:
        raise ValueError("every utterance needs at least one frame, and there must be one")
    if batching == "pad":
        return pad(lengths, batch_size, rng)
    if batching == "bucket":
        return bucket(lengths, batch_size, rng)
    if batching == "pack":
        return pack(lengths, max(int(lengths.max()), round(batch_size * lengths.mean())), rng)
    raise ValueError(f"batching={batching!r} is none of pad, bucket, pack")


def assemble(
    batch: Batch,
    inputs: Utterances,
    targets: Utterances,
) -> tuple[dict[str, NDArray], NDArray[np.float32], NDArray[np.float32]]:
    """Fill a plan with frames.

    Parameters
    ----------
    batch : Batch
    inputs, targets : sequences or mappings of float32 [T, width]
        One of each for every utterance of the batch, by its number.

    Returns
    -------
    x : dict
        ``inputs`` float32 [lanes, frames, width] and ``resets`` bool [lanes, frames], True where an
        utterance starts and where padding starts, so that neither direction carries anything over.
    y : float32 [lanes, frames, width]
    weight : float32 [lanes, frames]
        One over the number of valid frames of the batch on these, else zero: it sums to 1.
    """
    shape = (batch.lanes, batch.frames)
    x = np.zeros((*shape, inputs[batch.utterance[0]].shape[1]), np.float32)
    y = np.zeros((*shape, targets[batch.utterance[0]].shape[1]), np.float32)
    weight = np.zeros(shape, np.float32)
    resets = np.zeros((batch.lanes, batch.frames + 1), bool)
    for utterance, lane, start in zip(batch.utterance, batch.lane, batch.start, strict=True):
        end = start + len(inputs[utterance])
        x[lane, start:end] = inputs[utterance]
        y[lane, start:end] = targets[utterance]
        weight[lane, start:end] = 1
        resets[lane, [start, end]] = True
    weight /= weight.sum(dtype=np.float64)
    return {"inputs": x, "resets": resets[:, :-1]}, y, weight
