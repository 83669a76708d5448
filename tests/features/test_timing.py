import numpy as np
import pytest

from features.timing import explained

FURTHEST = 12


def speech(seed, lag, frames=150):
    """Features that follow two of three smooth tracks at a lag, with noise."""
    rng = np.random.default_rng(seed)
    smooth = np.stack(
        [np.convolve(rng.normal(size=frames + 60), np.hanning(15), "valid") for _ in range(3)], 1
    )
    tracks = smooth[20 : 20 + frames]
    mixed = np.random.default_rng(0).normal(size=(2, 5))  # the same in every utterance
    heard = smooth[20 - lag : 20 - lag + frames, :2] @ mixed
    return heard + rng.normal(0, 0.3, heard.shape), tracks


@pytest.mark.parametrize("lag", [-9, 0, 5])
def test_the_peak_is_at_the_lag(lag):
    features, tracks = zip(*(speech(seed, lag) for seed in range(4)), strict=True)
    share = explained(features, tracks, FURTHEST)
    assert share.shape == (2 * FURTHEST + 1,)
    assert int(share.argmax()) - FURTHEST == lag
    assert 0.5 < share.max() < 0.75  # two of the three tracks
    assert share.min() < 0.2


def test_a_track_that_stands_still_and_short_utterances_are_no_error():
    features, tracks = speech(1, 3)
    tracks = np.column_stack([tracks, np.full(len(tracks), 7.0)])
    share = explained([features, features[:20]], [tracks, tracks[:20]], FURTHEST)
    assert int(share.argmax()) - FURTHEST == 3
    with pytest.raises(ValueError, match="no utterance of more than 24 frames"):
        explained([features[:20]], [tracks[:20]], FURTHEST)
