import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.frames import HOP_S, frame_count, frame_times


@given(st.integers(1, 10**9), st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000]))
def test_every_frame_centre_lies_within_the_sound_and_the_next_one_does_not(samples, rate):
    n = frame_count(samples, rate)
    assert (n - 1) * rate <= samples * 100 < n * rate  # exact, in hundredths of a second


def test_no_sample_no_frame():
    assert frame_count(0, 16000) == 0


def test_times_are_multiples_of_the_hop():
    np.testing.assert_array_equal(frame_times(3, first=5), [0.05, 0.06, 0.07])
    np.testing.assert_allclose(np.diff(frame_times(1000)), HOP_S)
