"""A click in the sound and a step in a track at one instant land on one frame.

Off by one frame is an error that no metric shouts about; this is the proof that sound and
articulation are evaluated at the same instants.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import idct

from features.articulation import onto_grid
from features.frames import FRAME_RATE, frame_count
from features.mfcc import mfcc

SECONDS = 1.0


def frame_of_click(instant, rate):
    """Return the frame whose window weighs the click most, by the lower half of its bands.

    Whatever the recording's rate, they hold the click itself; the upper ones can be empty.
    """
    sound = np.zeros(int(SECONDS * rate), np.float32)
    sound[round(instant * rate)] = 0.9
    lifter = 1 + 11 * np.sin(np.pi * np.arange(13) / 22)
    bands = idct(mfcc(sound, rate)[:, :13] / lifter, n=26, norm="ortho")
    return int(bands[:, :13].sum(axis=1).argmax())


def frame_of_step(instant, rate, offset, jitter):
    """Return the frame nearest to where the track crosses the middle of the step."""
    rng = np.random.default_rng(0)
    n = int(SECONDS * rate)
    time = offset + (np.arange(n) + jitter * rng.uniform(-0.5, 0.5, n)) / rate
    values = np.where(time < instant, -1.0, 1.0)[:, None]
    # the step itself lies somewhere between two samples: put one where it is
    nearest = np.abs(time - instant).argmin()
    time[nearest], values[nearest] = instant, 0
    first, track = onto_grid(time, values, 20, 0.1, frame_count(n, rate))
    before = int(np.flatnonzero(track[:, 0] < 0)[-1])
    low, high = track[before : before + 2, 0]
    return round(first + before - low / (high - low))


@settings(max_examples=150, deadline=None)
@given(
    frame=st.integers(20, 80),
    within=st.floats(-0.4, 0.4),
    sound_rate=st.sampled_from([8000, 16000, 22050, 44100, 48000]),
    track_rate=st.sampled_from([200, 250, 400, 500, 1250]),
    offset=st.floats(0, 0.1),
    jitter=st.floats(0, 0.2),
)
def test_click_and_step_land_on_one_frame(frame, within, sound_rate, track_rate, offset, jitter):
    instant = (frame + within) / FRAME_RATE
    assert frame_of_click(instant, sound_rate) == frame
    assert frame_of_step(instant, track_rate, offset, jitter) == frame


@pytest.mark.parametrize("rate", [100, 145.65])
def test_step_lands_on_its_frame_at_the_lowest_rates(rate):
    for frame in range(20, 80, 7):
        assert frame_of_step(frame / FRAME_RATE, rate, 0.003, 0.0) == frame


def test_one_frame_off_would_be_seen():
    assert frame_of_click(0.500, 16000) == frame_of_step(0.500, 500, 0, 0) == 50
    assert frame_of_click(0.510, 16000) == 51
    assert frame_of_step(0.490, 500, 0, 0) == 49
