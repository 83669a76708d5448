import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.landmarks import LEAST_SPEED, movements


def glide(time, start, duration, distance):
    """A movement of minimum jerk (Flash and Hogan 1985), the usual model of a reach."""
    s = np.clip((time - start) / duration, 0, 1)
    return distance * (10 * s**3 - 15 * s**4 + 6 * s**5)


def threshold_share():
    """Where the speed 30 s^2 (1 - s)^2 of such a movement is a fifth of its peak, 30 / 16."""
    s = np.linspace(0, 0.5, 100_001)
    return float(s[np.argmin(np.abs(16 * s**2 * (1 - s) ** 2 - 0.2))])


@pytest.mark.parametrize("rate", [100, 500])
def test_a_reach_is_found_where_it_starts_peaks_and_ends(rate):
    time = np.arange(0, 1, 1 / rate)
    position = np.stack([glide(time, 0.3, 0.2, 6.0), glide(time, 0.3, 0.2, -8.0)], axis=1)
    (move,) = movements(time, position)
    share = threshold_share()
    assert move.onset == pytest.approx(0.3 + 0.2 * share, abs=0.005)
    assert move.peak == pytest.approx(0.4, abs=0.5 / rate)
    assert move.end == pytest.approx(0.5 - 0.2 * share, abs=0.005)
    assert move.speed == pytest.approx(10.0 * 30 / 16 / 0.2, rel=0.03)
    held = 1 - 2 * (10 * share**3 - 15 * share**4 + 6 * share**5)  # between the thresholds
    np.testing.assert_allclose(move.displacement, [6 * held, -8 * held], rtol=0.03)


def test_a_point_that_moves_there_and_back_makes_two_movements():
    time = np.arange(0, 1.5, 0.01)
    there_and_back = glide(time, 0.2, 0.3, 9.0) - glide(time, 0.9, 0.3, 9.0)
    up, down = movements(time, there_and_back[:, None])
    assert up.displacement[0] > 8
    assert down.displacement[0] < -8
    assert up.end < 0.5 < 0.9 < down.onset


def test_a_point_at_rest_or_drifting_does_not_move():
    time = np.arange(0, 2, 0.01)
    assert movements(time, np.zeros((200, 2))) == []
    assert movements(time, np.outer(time, [0.9 * LEAST_SPEED, 0])) == []
    assert movements(time[:2], np.zeros((2, 2))) == []


@given(
    seed=st.integers(0, 1000),
    axes=st.integers(1, 3),
    frames=st.integers(3, 200),
)
def test_movements_follow_each_other_within_the_sound(seed, axes, frames):
    rng = np.random.default_rng(seed)
    time = np.arange(frames) * 0.01
    phase, size = rng.uniform(0, 6, (axes, 4)), rng.uniform(0, 5, (axes, 4))
    waves = np.sin(time[:, None, None] * 2 * np.pi * np.array([1, 2, 3, 5]) + phase)
    found = movements(time, (waves * size).sum(axis=-1))
    edges = [t for move in found for t in (move.onset, move.peak, move.end)]
    assert edges == sorted(edges)
    assert all(0 <= t <= time[-1] + 1e-9 for t in edges)
    assert all(move.speed >= LEAST_SPEED for move in found)
