import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features.deltas import delta, with_deltas


def test_seed_tracks_have_the_same_deltas(shared_data):
    """The tutorial's own data: deltas in columns 8 to 15, delta-deltas in 16 to 23.

    Its values lie on a 16-bit scale from the lowest to the highest of each utterance and column,
    as HTK compresses files; half a step of each value is all that may differ.
    """
    utterances = np.load(shared_data / "seed" / "Y.npy", allow_pickle=True, encoding="latin1")
    assert len(utterances) == 103
    differences = []
    for tracks in utterances.tolist():
        tracks = tracks.astype(np.float64)
        half_step = np.ptp(tracks, axis=0) / 65534 / 2
        difference = np.abs(delta(tracks[:, :16]) - tracks[:, 8:])
        assert (difference <= 0.6 * half_step[:16] + half_step[8:]).all()
        differences.append(np.abs(with_deltas(tracks[:, :8], 2) - tracks))
    assert np.quantile(np.concatenate(differences), 0.9999) < 1.1e-4


def test_formula_by_hand():
    x = np.array([[1.0], [2.0], [4.0], [8.0], [16.0]])
    expected = [
        (1 * (2 - 1) + 2 * (4 - 1)) / 10,
        (1 * (4 - 1) + 2 * (8 - 1)) / 10,
        (1 * (8 - 2) + 2 * (16 - 1)) / 10,
        (1 * (16 - 4) + 2 * (16 - 2)) / 10,
        (1 * (16 - 8) + 2 * (16 - 4)) / 10,
    ]
    np.testing.assert_allclose(delta(x)[:, 0], expected)


@given(st.floats(-5, 5), st.floats(-100, 100), st.integers(1, 40))
def test_a_line_has_its_slope_away_from_the_edges(slope, start, length):
    x = (start + slope * np.arange(length))[:, None]
    np.testing.assert_allclose(delta(x)[2:-2], slope, atol=1e-9)


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 20), st.integers(1, 3)),
        elements=st.floats(-1, 1, width=32),
    )
)
def test_order_two_is_the_delta_of_the_delta(x):
    both = with_deltas(x, 2)
    assert both.dtype == np.float32
    np.testing.assert_array_equal(both, np.hstack([x, delta(x), delta(delta(x))]))


def test_one_frame_does_not_move():
    np.testing.assert_array_equal(with_deltas(np.array([[3.0]]), 2), [[3.0, 0.0, 0.0]])


@pytest.mark.parametrize("x", [np.zeros((0, 3)), np.zeros(5)])
def test_what_has_no_frames_is_refused(x):
    with pytest.raises(ValueError, match="shape"):
        delta(x)


def test_negative_order_is_refused():
    with pytest.raises(ValueError, match="orders=-1"):
        with_deltas(np.zeros((3, 1)), -1)
