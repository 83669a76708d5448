import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from features.energy import log_energy
from features.frames import frame_count

RATE = 16_000


def test_a_sine_of_full_scale_is_3_db_below_it():
    sound = np.sin(2 * np.pi * 400 * np.arange(RATE) / RATE)
    assert_allclose(log_energy(sound, RATE)[2:-2], -10 * np.log10(2), atol=0.05)


@settings(deadline=None)
@given(st.floats(0.01, 1), st.sampled_from([8000, 16_000, 44_100]))
def test_half_the_amplitude_is_6_db_less(scale, rate):
    sound = scale * np.random.default_rng(0).normal(size=rate // 2)
    difference = log_energy(sound, rate) - log_energy(sound / 2, rate)
    assert_allclose(difference, 20 * np.log10(2), atol=1e-9)


def test_one_value_per_frame_and_a_click_in_the_frame_where_it_is():
    sound = np.zeros(RATE // 2)
    sound[round(0.23 * RATE)] = 0.9
    energy = log_energy(sound, RATE)
    assert len(energy) == frame_count(len(sound), RATE)
    loud = np.flatnonzero(energy > energy.min() + 1)
    assert loud.tolist() == [22, 23, 24]  # all whose 25 ms reach it, symmetric about it


def test_silence_is_soft_and_not_without_bottom():
    sound = np.concatenate([np.zeros(RATE), 0.5 * np.ones(RATE)])
    energy = log_energy(sound, RATE)
    assert energy.max() - energy.min() == pytest.approx(60)
    assert np.isfinite(log_energy(np.zeros(RATE), RATE)).all()
    assert len(log_energy(np.zeros(0), RATE)) == 0
