from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models import batching
from models.recurrent import RecurrentStack
from tests.gradients import outputs_and_gradients, relative_error

LENGTHS = st.lists(st.integers(1, 400), min_size=1, max_size=60).map(np.array)
NAMES = st.sampled_from(["pad", "bucket", "pack"])


@given(lengths=LENGTHS, name=NAMES, size=st.integers(1, 9), seed=st.integers(0, 99))
def test_every_utterance_lies_once_and_whole_and_alone(lengths, name, size, seed):
    plan = batching.epoch(name, lengths, size, np.random.default_rng(seed))
    assert sorted(np.concatenate([b.utterance for b in plan])) == list(range(len(lengths)))
    for batch in plan:
        taken = np.zeros((batch.lanes, batch.frames), int)
        for utterance, lane, start in zip(batch.utterance, batch.lane, batch.start, strict=True):
            assert start + lengths[utterance] <= batch.frames
            taken[lane, start : start + lengths[utterance]] += 1
        assert taken.max() == 1
        assert taken.sum() == lengths[batch.utterance].sum()


@given(lengths=LENGTHS, size=st.integers(1, 9), seed=st.integers(0, 99))
# whose lanes are fewer than whole batches have: the last one has empty lanes
@example(lengths=np.array([50, 400, 50, 400, 400, 30, 400, 30, 30, 50]), size=4, seed=0)
def test_pack_has_two_shapes_at_most_the_same_in_each_epoch(lengths, size, seed):
    rng = np.random.default_rng(seed)
    shapes = [
        sorted({(b.lanes, b.frames) for b in batching.epoch("pack", lengths, size, rng)})
        for _ in range(3)
    ]
    assert len(set().union(*shapes)) <= 2


@given(lengths=LENGTHS, size=st.integers(1, 9))
def test_bucket_has_few_shapes_and_pads_less_than_the_longest_everywhere(lengths, size):
    plan = batching.epoch("bucket", lengths, size, np.random.default_rng(0))
    assert len({(b.lanes, b.frames) for b in plan}) <= 4
    worst = -(-len(lengths) // size) * size * lengths.max()
    assert sum(b.lanes * b.frames for b in plan) <= worst


@given(lengths=LENGTHS, frames=st.integers(1, 2000))
def test_batches_by_length_hold_every_utterance_once_and_few_frames(lengths, frames):
    batches = list(batching.by_length(lengths, frames))
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    for members in batches:
        assert len(members) == 1 or len(members) * lengths[members].max() <= frames
    assert all(lengths[a].max() <= lengths[b].min() for a, b in pairwise(batches))


def test_each_epoch_is_another_and_the_seed_tells_which():
    lengths = np.random.default_rng(0).integers(50, 300, 40)
    for name in ("pad", "bucket", "pack"):
        rng = np.random.default_rng(7)
        one, two = (batching.epoch(name, lengths, 8, rng) for _ in range(2))
        again = batching.epoch(name, lengths, 8, np.random.default_rng(7))
        order = [np.concatenate([b.utterance for b in plan]).tolist() for plan in (one, two, again)]
        assert order[0] != order[1]
        assert order[0] == order[2]


@pytest.mark.parametrize("name", ["bucket", "pack"])
def test_neither_the_short_nor_the_long_always_come_first(name):
    lengths = np.geomspace(50, 2000, 60).astype(int)
    plans = [batching.epoch(name, lengths, 4, np.random.default_rng(k)) for k in range(60)]
    shapes = {batch.frames for batch in plans[0]}
    assert len(shapes) > 1
    for place in (0, -1):  # each shape opens some epochs and closes others
        assert {plan[place].frames for plan in plans} == shapes


def test_neighbours_in_length_do_not_always_share_a_batch_of_their_bucket():
    """Two buckets of four batches, in each of five epochs."""
    lengths = np.arange(100, 132)
    plans = [batching.bucket(lengths, 4, np.random.default_rng(k), buckets=2) for k in range(5)]
    assert len({frozenset(b.utterance.tolist()) for plan in plans for b in plan}) > 8


def test_lanes_that_are_filled_one_after_the_other_do_not_always_share_a_batch():
    """The two longest utterances begin the first two lanes."""
    lengths = np.array([1000, 990, *[300] * 62])
    plans = [batching.pack(lengths, 4000, np.random.default_rng(k)) for k in range(40)]
    together = [any({0, 1} <= {*b.utterance.tolist()} for b in plan) for plan in plans]
    assert 0 < sum(together) < 30


def test_utterances_of_a_lane_stand_in_any_order():
    """Though lanes are filled from long to short."""
    lengths = np.array([1000, 10])
    starts = [batching.pack(lengths, 1010, np.random.default_rng(k)) for k in range(40)]
    assert {int(b.start[b.utterance == 0][0]) for (b,) in starts} == {0, 10}


@pytest.mark.parametrize("lengths", [[50, 400, 30, 30, 50], [219, 20, 254, 168, 349]])
def test_pack_takes_lanes_of_little_padding_though_others_are_cheaper(lengths):
    plan = batching.epoch("pack", np.array(lengths), 4, np.random.default_rng(1))
    assert batching.padding_share(plan, np.array(lengths)) < batching.PACK_WASTE


def test_pack_wastes_under_8_percent_of_real_lengths(shared_data):
    object_array = np.load(shared_data / "seed" / "Y.npy", allow_pickle=True, encoding="latin1")
    lengths = np.array([len(tracks) for tracks in object_array])
    for seed in range(20):
        plan = batching.pack(lengths, 8000, np.random.default_rng(seed))
        assert batching.padding_share(plan, lengths) < 0.08
        assert len({(b.lanes, b.frames) for b in plan}) <= 3
        assert np.mean([b.lanes * b.frames for b in plan]) == pytest.approx(8000, rel=0.15)


@given(lengths=LENGTHS, name=NAMES, size=st.integers(1, 5))
def test_assembled_frames_stand_where_the_plan_says(lengths, name, size):
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(n, 3)).astype(np.float32) for n in lengths]
    targets = [x[:, :2] + 1 for x in inputs]
    for batch in batching.epoch(name, lengths, size, rng):
        x, y, weight = batching.assemble(batch, inputs, targets)
        assert weight.sum(dtype=float) == pytest.approx(1, abs=1e-5)
        assert np.count_nonzero(weight) == lengths[batch.utterance].sum()
        for utterance, lane, start in zip(batch.utterance, batch.lane, batch.start, strict=True):
            end = start + lengths[utterance]
            np.testing.assert_array_equal(x["inputs"][lane, start:end], inputs[utterance])
            np.testing.assert_array_equal(y[lane, start:end], targets[utterance])
            assert (weight[lane, start:end] > 0).all()
            assert x["resets"][lane, start]
            assert not x["resets"][lane, start + 1 : end].any()
            assert end == batch.frames or x["resets"][lane, end]


@pytest.mark.parametrize("name", ["pad", "bucket", "pack"])
def test_a_plan_has_the_gradient_of_one_utterance_at_a_time_summed(name):
    """Of the sum of all outputs, each times a target, over what weighs."""
    rng = np.random.default_rng(0)
    lengths = np.array([9, 2, 5, 3, 4, 1])
    inputs = [rng.normal(size=(n, 3)).astype(np.float32) for n in lengths]
    targets = [rng.normal(size=(n, 6)).astype(np.float32) for n in lengths]
    stack = RecurrentStack("lstm", (4, 3))
    stack.build((None, None, 3))

    def gradient(x, y, weight, **resets):
        _, (_, *by_weights) = outputs_and_gradients(stack, x, [y * weight[..., None]], **resets)
        return by_weights

    planned = []
    for batch in batching.epoch(name, lengths, 2, rng):
        x, y, weight = batching.assemble(batch, inputs, targets)
        planned.append(gradient(x["inputs"], y, weight > 0, resets=x["resets"]))
    alone = [
        gradient(x[None], y[None], np.ones((1, len(x))))
        for x, y in zip(inputs, targets, strict=True)
    ]
    found, expected = ([sum(w) for w in zip(*parts, strict=True)] for parts in (planned, alone))
    assert relative_error(found, expected) < 1e-5


@pytest.mark.parametrize("lengths", [[], [3, 0]])
def test_an_empty_utterance_is_refused(lengths):
    with pytest.raises(ValueError, match="at least one frame"):
        batching.epoch("pad", np.array(lengths, int), 2, np.random.default_rng(0))


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="'stack' is none of"):
        batching.epoch("stack", np.array([3]), 2, np.random.default_rng(0))
