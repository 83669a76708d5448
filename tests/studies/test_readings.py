"""How alike the readings of a sentence are."""

import numpy as np

from studies import readings


def test_a_slower_reading_is_brought_to_the_times_of_this_one():
    rng = np.random.default_rng(0)
    features, tracks = rng.normal(size=(40, 6)), rng.normal(size=(40, 3))
    slower = np.repeat(np.arange(40), rng.integers(1, 4, 40))
    found = readings.aligned(features, features[slower], tracks[slower])
    np.testing.assert_allclose(found, tracks, atol=1e-12)


def test_frames_that_match_one_are_averaged():
    features = np.array([[0.0], [9.0]])
    others, tracks = np.array([[0.0], [9.0], [9.0]]), np.array([[1.0], [2.0], [4.0]])
    np.testing.assert_allclose(readings.aligned(features, others, tracks), [[1.0], [3.0]])
