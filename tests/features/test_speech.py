from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import speech
from features.frames import frame_count
from features.speech import FLOOR, PAUSE, LevelMeter, NoSpeechError, speech_frames
from tests.features.sounds import RATE, SILENCES, voice

RATES = [8000, 11_025, 16_000, 44_100, 48_000]


@pytest.mark.exact
@pytest.mark.parametrize("name", SILENCES)
def test_what_holds_no_speech_is_refused(name):
    with pytest.raises(NoSpeechError, match=r"silence: .* -90 dB"):
        speech.check(SILENCES[name], RATE)
    assert not speech_frames(speech.levels(SILENCES[name], RATE)).any()


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("gain", [1.0, 1e-3, 3e-4])
def test_speech_is_not_refused_however_soft(gain, rate):
    sound = gain * voice(rate=rate)
    speech.check(sound, rate)
    levels = speech.levels(sound, rate)
    loud = levels > max(FLOOR, 0.05 * levels.max())
    assert speech_frames(levels)[loud].all()


def test_the_softest_sound_that_counts_is_as_loud_as_the_lowest_bit():
    tone = np.sqrt(2) * FLOOR * np.sin(np.arange(RATE))
    speech.check(1.05 * tone, RATE)
    with pytest.raises(NoSpeechError):
        speech.check(0.95 * tone, RATE)


def test_three_frames_of_speech_are_enough():
    sound = voice()[:400]  # 25 ms, the shortest sound that has MFCCs
    speech.check(sound, RATE)
    burst = np.zeros(RATE)
    burst[8000:8640] = voice()[2000:2640]
    speech.check(burst, RATE)
    with pytest.raises(NoSpeechError):
        speech.check(np.where(np.arange(RATE) < 8320, burst, 0), RATE)


def test_only_the_frames_that_are_asked_for_count():
    sound = np.concatenate([np.zeros(RATE), voice()])
    speech.check(sound, RATE, slice(90, 140))
    with pytest.raises(NoSpeechError):
        speech.check(sound, RATE, slice(0, 90))


@pytest.mark.exact
@settings(max_examples=60)
@given(st.integers(0, 9000), st.lists(st.integers(0, 9000), max_size=6), st.sampled_from(RATES))
def test_blocks_of_any_length_give_the_levels_of_the_whole(length, cuts, rate):
    sound = np.random.default_rng(length).standard_normal(length)
    edges = [0, *sorted(min(c, length) for c in cuts), length]
    meter = LevelMeter(rate)
    parts = [meter.add(sound[a:b]) for a, b in pairwise(edges)]
    whole = speech.levels(sound, rate)
    np.testing.assert_array_equal(np.concatenate([*parts, meter.end()]), whole)
    assert len(whole) == frame_count(length, rate)


@pytest.mark.parametrize("rate", RATES)
def test_a_level_is_that_of_the_20_ms_around_its_frame(rate):
    tone = np.where(np.arange(rate) < rate // 2, 0.1, 0.5) * np.sin(np.arange(rate))
    levels = speech.levels(tone, rate)
    np.testing.assert_allclose(levels[:50], 0.1 / np.sqrt(2), rtol=0.1)
    np.testing.assert_allclose(levels[51:], 0.5 / np.sqrt(2), rtol=0.1)


@pytest.mark.parametrize("before", [0.0, 0.5, 10.0])
@pytest.mark.parametrize("after", [0.0, 3.0])
def test_silence_around_speech_changes_none_of_its_frames(before, after):
    alone = speech_frames(speech.levels(voice(), RATE))
    assert alone[6:95].all()
    for hiss, fade in ((0.0, 2), (1e-4, 6), (5e-3, 6)):  # frames in which the voice is as soft
        noise = hiss * np.random.default_rng(1).standard_normal(11 * RATE)
        first, last = (noise[: round(seconds * RATE)] for seconds in (before, after))
        found = speech_frames(speech.levels(np.concatenate([first, voice(), last]), RATE))
        start = round(100 * before)
        np.testing.assert_array_equal(found[start:][fade : 100 - fade], alone[fade : 100 - fade])
        assert not found[: max(0, start - 1)].any()
        assert not found[start + 102 :].any()


def test_pauses_belong_to_the_speech_around_them_and_longer_ones_do_not():
    levels = np.full(200, 1e-3)
    levels[[*range(20, 50), *range(49 + PAUSE, 90), *range(91 + PAUSE, 150)]] = 0.1
    expected = np.zeros(200, bool)
    expected[20:90] = expected[91 + PAUSE : 150] = True
    np.testing.assert_array_equal(speech_frames(levels), expected)


def test_a_bang_does_not_hide_the_speech():
    levels = np.full(100, 0.01)
    levels[40:49] = 0.9  # shorter than 0.1 s, and 39 dB louder
    assert speech_frames(levels).all()


def test_a_stream_is_heard_as_soon_as_there_is_speech_and_refused_at_its_end():
    silence, meter = SILENCES["dither"][:5000], LevelMeter(RATE)
    heard = [meter.heard for _ in speech.checked([silence, voice()[:2000]], meter)]
    assert heard == [False, True]
    sound = speech.checked([silence, silence], LevelMeter(RATE))
    assert next(sound) is next(sound)
    with pytest.raises(NoSpeechError):
        next(sound)


@pytest.mark.parametrize("rate", [0, -8000, 100])
def test_a_rate_that_is_none_is_named(rate):
    with pytest.raises(ValueError, match=f"sample_rate={rate}"):
        LevelMeter(rate)
