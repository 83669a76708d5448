import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import periodogram

from features.augmentation import (
    add_noise,
    add_room,
    change_level,
    change_rate,
    change_voice,
    mask,
    tilt_spectrum,
)
from features.deltas import with_deltas
from features.mfcc import mfcc

RATE = 16000


def rng(seed=0):
    return np.random.default_rng(seed)


def sound(samples=RATE):
    return (0.1 * rng(7).standard_normal(samples)).astype(np.float32)


def power(x):
    return float(np.mean(np.square(x, dtype=np.float64)))


def slope(x):
    """Return the slope of the spectrum in dB per octave, 250 Hz to 4 kHz."""
    f, density = periodogram(x, RATE)
    octaves = [density[(f >= 250 * 2**k) & (f < 500 * 2**k)].mean() for k in range(4)]
    return np.polyfit(range(4), 10 * np.log10(octaves), 1)[0]


@settings(deadline=None)
@given(st.floats(-10, 40), st.sampled_from([0.0, 3.0, 6.0]))
def test_noise_has_the_ratio_and_the_colour_asked_for(snr, falling):
    noise = add_noise(sound(), rng(), snr_db=(snr, snr), slope=(falling, falling)) - sound()
    np.testing.assert_allclose(10 * np.log10(power(sound()) / power(noise)), snr, atol=0.05)
    np.testing.assert_allclose(slope(noise), -falling, atol=0.5)


def test_silence_gets_no_noise():
    silence = np.zeros(100, np.float32)
    np.testing.assert_array_equal(add_noise(silence, rng(), snr_db=(0, 10)), silence)


@given(st.floats(-40, 20))
def test_level(gain):
    changed = change_level(sound(1000), rng(), gain_db=(gain, gain))
    np.testing.assert_allclose(10 * np.log10(power(changed) / power(sound(1000))), gain, atol=1e-3)


@pytest.mark.parametrize("tilt", [-6.0, -2.0, 0.0, 4.0])
def test_tilt_keeps_level_and_time(tilt):
    tilted = tilt_spectrum(sound(), rng(), db_per_octave=(tilt, tilt))
    np.testing.assert_allclose(slope(tilted) - slope(sound()), tilt, atol=0.05)
    np.testing.assert_allclose(power(tilted), power(sound()), rtol=1e-5)
    click = np.zeros(2001, np.float32)
    click[1000] = 1
    response = tilt_spectrum(click, rng(), db_per_octave=(tilt, tilt))
    np.testing.assert_allclose(response, response[::-1], atol=1e-6)  # no delay


def test_silence_and_flat_tilt_stay():
    silence = np.zeros(100, np.float32)
    np.testing.assert_array_equal(tilt_spectrum(silence, rng(), db_per_octave=(3, 3)), silence)
    flat = tilt_spectrum(sound(), rng(), db_per_octave=(0, 0))
    np.testing.assert_allclose(flat, sound(), atol=1e-6)


@pytest.mark.parametrize("direct", [0.0, 12.0])
@pytest.mark.parametrize("decay", [0.1, 0.4])
def test_room_keeps_the_direct_sound_and_dies_away(direct, decay):
    click = np.zeros(RATE, np.float32)
    click[100] = 1
    response = add_room(click, RATE, rng(), decay_s=(decay, decay), direct_db=(direct, direct))
    np.testing.assert_allclose(response[:101], click[:101], atol=1e-6)
    tail = response[101:].astype(np.float64)
    assert np.abs(tail[:30]).max() < 1e-6
    np.testing.assert_allclose(-10 * np.log10(np.square(tail).sum()), direct, atol=0.01)
    n = int(decay * RATE)  # Schroeder's integral falls by 60 dB over the decay time
    energy = np.cumsum(np.square(tail[::-1]))[::-1]
    fall = 10 * np.log10(energy[n // 4] / energy[3 * n // 4])
    np.testing.assert_allclose(fall, 30, atol=1.5)


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(0, 9999))
def test_masks_hide_whole_stretches_and_coefficients_with_their_deltas(length, seed):
    inputs = np.ones((length, 39), np.float32)
    masked = mask(inputs, rng(seed), stretches=2, frames=10, bands=1, width=3)
    np.testing.assert_array_equal(inputs, 1)
    hidden = masked == 0
    frames = hidden.all(axis=1)
    assert frames.sum() <= min(20, 2 * (length // 5))
    if not frames.all():
        coefficients = hidden[~frames].all(axis=0).reshape(3, 13)
        assert (coefficients == coefficients[0]).all()
        assert coefficients[0].sum() <= 3
        assert not hidden[~frames][:, ~coefficients.ravel()].any()


def test_masks_do_hide():
    hidden = [(mask(np.ones((100, 39), np.float32), rng(s)) == 0).mean() for s in range(50)]
    assert 0.05 < np.mean(hidden) < 0.3


@settings(deadline=None)
@given(st.integers(2, 300), st.floats(0.8, 1.25))
def test_rate_changes_both_sides_alike(length, factor):
    t = np.arange(length)
    both = np.sin(t[:, None] / [9, 15, 20]).astype(np.float32)
    faster, targets = change_rate(both, both[:, ::-1], rng(), factor=(factor, factor))
    np.testing.assert_array_equal(faster, targets[:, ::-1])
    assert len(faster) == 1 + int((length - 1) / factor + 1e-6)
    at = np.arange(len(faster)) * factor
    # a spline knows less about the curve at its ends
    np.testing.assert_allclose(faster[3:-3], np.sin(at[:, None] / [9, 15, 20])[3:-3], atol=2e-3)


def test_rate_of_one_frame_and_of_unequal_sides():
    one = np.ones((1, 2), np.float32)
    for side in change_rate(one, one, rng()):
        np.testing.assert_array_equal(side, one)
    with pytest.raises(ValueError, match="1 frames of inputs and 2 of targets"):
        change_rate(one, np.ones((2, 2), np.float32), rng())


def test_the_seed_decides():
    for function in (
        lambda g: add_noise(sound(), g, snr_db=(0, 30), slope=(0, 6)),
        lambda g: change_level(sound(), g, gain_db=(-20, 20)),
        lambda g: tilt_spectrum(sound(), g, db_per_octave=(-6, 6)),
        lambda g: add_room(sound(), RATE, g),
        lambda g: mask(np.ones((100, 39), np.float32), g),
        lambda g: change_rate(*[with_deltas(sound(300)[:, None], 2)] * 2, g)[0][:200],
    ):
        first, again, other = function(rng(1)), function(rng(1)), function(rng(2))
        assert first.dtype == np.float32
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)


def voiced(pitch, resonance=1200.0, seconds=1.0):
    """Return pulses through one resonance, which moves up and down."""
    time = np.arange(int(seconds * RATE)) / RATE
    phase = np.cumsum(2 * np.pi * resonance * 1.3 ** np.sin(2 * np.pi * 2 * time) / RATE)
    since = time % (1 / pitch)
    return (0.3 * np.exp(-400 * since) * np.sin(phase)).astype(np.float32)


def test_the_same_voice_gives_the_features_themselves():
    np.testing.assert_array_equal(change_voice(sound(), RATE, rng()), mfcc(sound(), RATE))


def test_another_pitch_leaves_time_and_resonance_where_they_are():
    audio = voiced(110)
    changed = change_voice(audio, RATE, rng(), pitch=(1.4, 1.4))
    before, inside = mfcc(audio, RATE), slice(5, -5)
    assert np.abs(before - changed).mean() > 0.5
    for k in (1, 2, 3):  # the shape of the spectrum, which the resonance decides
        assert np.corrcoef(before[inside, k], changed[inside, k])[0, 1] > 0.9


@pytest.mark.parametrize("pitch", [0.8, 1.0, 1.4])
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("samples", [2000, 8123])
def test_another_voice_has_the_frames_of_the_sound(pitch, rate, samples):
    changed = change_voice(sound(samples), rate, rng(), pitch=(pitch, pitch), warp=(0.9, 1.1))
    assert changed.shape == mfcc(sound(samples), rate).shape
    assert np.isfinite(changed).all()
