import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.deltas import delta, with_deltas
from features.trajectories import mlpg


def windows(length, orders):
    """Return the matrix from a track to it and its deltas, [(1 + orders) * T, T]."""
    matrices = [np.eye(length)]
    for _ in range(orders):
        matrices.append(delta(matrices[-1]))
    return np.concatenate(matrices)


@settings(deadline=None)
@given(st.integers(1, 80), st.integers(0, 2), st.integers(1, 3), st.booleans(), st.integers(0, 99))
def test_agrees_with_dense_least_squares(length, orders, channels, steady, seed):
    rng = np.random.default_rng(seed)
    width = channels * (1 + orders)
    means = rng.standard_normal((length, width))
    variances = rng.uniform(0.1, 3, width if steady else (length, width))
    tracks = mlpg(means, variances, orders)
    assert tracks.shape == (length, channels)
    everywhere = np.broadcast_to(variances, means.shape)
    for d in range(channels):
        weight = 1 / np.sqrt(everywhere[:, d::channels].T.ravel())
        expected = np.linalg.lstsq(
            weight[:, None] * windows(length, orders), weight * means[:, d::channels].T.ravel()
        )[0]
        np.testing.assert_allclose(tracks[:, d], expected, atol=1e-8)


@given(st.integers(1, 60), st.floats(0.01, 100))
def test_consistent_deltas_give_the_tracks_back(length, variance):
    tracks = np.random.default_rng(length).standard_normal((length, 2))
    variances = np.array([1, 1, variance, variance, 1, 1])
    np.testing.assert_allclose(mlpg(with_deltas(tracks, 2), variances), tracks, atol=1e-8)


def test_deltas_without_weight_change_nothing():
    means = np.random.default_rng(0).standard_normal((50, 6))
    np.testing.assert_allclose(mlpg(means, [1, 1, *[1e12] * 4]), means[:, :2], atol=1e-6)


def test_good_deltas_take_the_noise_from_bad_positions():
    """What is left has the variance of the Gauss-Markov theorem: the diagonal of (W'PW)^-1."""
    rng = np.random.default_rng(0)
    clean = np.cumsum(rng.standard_normal((300, 40)), axis=0)
    deviations = np.array([0.5, 0.02, 0.02]).repeat(40)
    noisy = with_deltas(clean, 2) + deviations * rng.standard_normal((300, 120))
    left = mlpg(noisy, deviations**2) - clean
    weighted = windows(300, 2) / deviations[::40].repeat(300)[:, None]
    expected = np.sqrt(np.diag(np.linalg.inv(weighted.T @ weighted)).mean())
    assert expected < 0.2
    np.testing.assert_allclose(left.std(), expected, rtol=0.03)


@pytest.mark.parametrize(
    ("means", "variances", "message"),
    [
        (np.zeros((5, 4)), np.ones(4), r"shape \(5, 4\)"),
        (np.zeros((0, 3)), np.ones(3), r"shape \(0, 3\)"),
        (np.zeros((5, 3)), [1, 0, 1], "must be positive, not 0"),
        (np.zeros((5, 3)), [1, np.nan, 1], "must be positive, not nan"),
    ],
)
def test_refusals(means, variances, message):
    with pytest.raises(ValueError, match=message):
        mlpg(means, variances)
