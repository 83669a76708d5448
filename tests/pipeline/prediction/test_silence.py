"""What lies around the speech does not move its tracks: silence, hiss, clicks, soft music.

Music that is as loud as the speech counts as speech: levels are all that is asked for.
"""

import numpy as np
import pytest

from pipeline import Predictor
from pipeline.prediction import long_sound
from tests.pipeline import small_model
from tests.pipeline.conftest import RATE, small_utterance

SECONDS = 10
EDGE = 8  # frames whose deltas reach beyond the speech


def silence(n):
    return np.zeros(n, np.float32)


def hiss(n):
    return np.random.default_rng(1).normal(0, 1e-4, n).astype(np.float32)


def clicks(n):
    sound = silence(n)
    sound[:: RATE // 3] = 0.9
    return sound


def music(n):
    """Chords of three notes with six harmonics each, struck twice a second; rms about 0.1."""
    struck = []
    for root in (220.0, 174.6, 261.6, 196.0) * (n // (2 * RATE) + 1):
        time = np.arange(RATE // 2) / RATE
        notes = [root * 2 ** (step / 12) for step in (0, 4, 7)]
        waves = (np.sin(2 * np.pi * k * f * time) / k for f in notes for k in range(1, 7))
        struck.append(sum(waves) * np.exp(-3 * time))
    sound = np.concatenate(struck)[:n]
    return (0.1 * sound / np.sqrt(np.mean(sound**2))).astype(np.float32)


def soft_music(n):
    return 0.01 * music(n)


AROUND = [silence, hiss, clicks, soft_music]


@pytest.fixture
def speech():
    return np.concatenate([small_utterance(k)[0][: RATE // 2 + 1] for k in (1, 2, 3, 4)])[
        : 2 * RATE
    ]


def padded(speech, around, where):
    """The sound and the first frame of its halves."""
    noise, half = around(SECONDS * RATE), len(speech) // 2
    frames = SECONDS * 100
    return {
        "before": (np.concatenate([noise, speech]), frames, frames + 100),
        "after": (np.concatenate([speech, noise]), 0, 100),
        "between": (np.concatenate([speech[:half], noise, speech[half:]]), 0, 100 + frames),
    }[where]


@pytest.mark.parametrize("where", ["before", "between", "after"])
@pytest.mark.parametrize("around", AROUND)
def test_it_does_not_change_what_the_network_is_given(tmp_path, speech, around, where):
    small_model.write(tmp_path)
    predictor = Predictor.load(tmp_path)
    alone = predictor.features(speech, RATE)
    sound, *starts = padded(speech, around, where)
    found = predictor.features(sound, RATE)
    for half, start in enumerate(starts):
        expected = alone[100 * half + EDGE : 100 * (half + 1) - EDGE]
        same = found[start + EDGE : start + 100 - EDGE]
        assert np.abs(same - expected).mean() < 0.06


def test_counting_all_frames_it_does(tmp_path, speech):
    small_model.write(tmp_path, frames="all")
    predictor = Predictor.load(tmp_path)
    sound, start, _ = padded(speech, silence, "before")
    moved = predictor.features(sound, RATE)[start : start + 100]
    assert np.abs(moved - predictor.features(speech, RATE)[:100]).mean() > 0.5


def test_music_as_loud_as_the_speech_does(tmp_path, speech):
    small_model.write(tmp_path)
    predictor = Predictor.load(tmp_path)
    sound, start, _ = padded(speech, music, "before")
    moved = predictor.features(sound, RATE)[start : start + 100]
    assert np.abs(moved - predictor.features(speech, RATE)[:100]).mean() > 0.2


@pytest.mark.parametrize("size", [999, 50_000])
def test_a_sound_that_comes_in_pieces_has_the_same_statistics(tmp_path, speech, size):
    small_model.write(tmp_path)
    predictor = Predictor.load(tmp_path)
    sound, *_ = padded(speech, hiss, "between")
    pieces = (sound[k : k + size] for k in range(0, len(sound), size))
    found = np.concatenate(list(long_sound.standardized(predictor, pieces, RATE)))
    np.testing.assert_allclose(found, predictor.features(sound, RATE), atol=1e-4)
