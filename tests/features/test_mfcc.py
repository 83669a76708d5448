import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import idct

from features import mfcc as mfcc_module
from features.frames import frame_count
from features.mfcc import mel_filters, mfcc, mfcc_blocks


def buzz(seconds, rate):
    """Return a voice of 120 Hz without harmonics above 7 kHz, with one moving formant."""
    t = np.arange(int(seconds * rate)) / rate
    formant = 900 + 400 * np.sin(9 * t)
    harmonics = (
        np.cos(2 * np.pi * f * t + f**2) / (1 + ((f - formant) / 300) ** 2)
        for f in range(120, 7000, 120)
    )
    return (0.1 * sum(harmonics)).astype(np.float32)


@pytest.mark.exact
@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 9999),
    st.lists(st.integers(0, 9000), max_size=6),
    st.sampled_from([16000, 44100]),
)
def test_blocks_of_any_length_give_the_frames_of_the_whole(tail, cuts, rate):
    sound = np.random.default_rng(tail).standard_normal(1200 + tail).astype(np.float32)
    edges = [0, *sorted(min(c, len(sound)) for c in cuts), len(sound)]
    blocks = (sound[a:b] for a, b in pairwise(edges))
    streamed = np.concatenate(list(mfcc_blocks(blocks, rate)))
    np.testing.assert_array_equal(streamed, mfcc(sound, rate))


def test_one_long_block_gives_the_frames_of_the_whole():
    sound = np.random.default_rng(1).standard_normal(16 * 16000).astype(np.float32)
    streamed = np.concatenate(list(mfcc_blocks([sound], 16000)))
    np.testing.assert_array_equal(streamed, mfcc(sound, 16000))


@pytest.mark.exact
@settings(max_examples=40)
@given(st.integers(0, 900), st.integers(3, 500), st.integers(-6, 0))
def test_a_frame_is_the_same_alone_and_anywhere_among_others(first, frames, decade):
    """To the last bit: what else is computed, and in which place, has no part in it."""
    sound = np.random.default_rng(frames).standard_normal(1500 * 160).astype(np.float32)
    sound *= np.float32(10.0**decade)
    whole = mfcc(sound, 16000)[:, :13]
    part = mfcc(sound[first * 160 : (first + frames) * 160], 16000)[:, :13]
    # the outermost frames see the ends of the part
    np.testing.assert_array_equal(part[2:-2], whole[first + 2 : first + frames - 1])


@settings(max_examples=30, deadline=None)
@given(st.integers(1300, 9000), st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000, 96000]))
def test_a_frame_every_ten_milliseconds_at_any_rate(samples, rate):
    if samples < 0.025 * rate:
        samples = int(0.025 * rate) + 1
    frames = mfcc(np.zeros(samples, np.float32), rate)
    assert frames.shape == (frame_count(samples, rate), 39)
    assert frames.dtype == np.float32


@pytest.mark.parametrize("rate", [22050, 44100, 48000])
def test_the_rate_of_the_recording_does_not_show(rate):
    at_16, at_other = mfcc(buzz(1, 16000), 16000), mfcc(buzz(1, rate), rate)
    difference = (at_16 - at_other)[3:-3, :13]  # the sound's ends ring in the resampler
    assert np.sqrt(np.square(difference).mean()) < 0.01 * at_16[:, :13].std(axis=0).mean()


def test_a_tone_shows_in_the_band_that_it_is_the_peak_of():
    mel = 10 * 2595 * np.log10(1 + 8000 / 700) / 27  # corner 10 of 0..27: the peak of band 9
    tone = np.sin(2 * np.pi * 700 * (10 ** (mel / 2595) - 1) * np.arange(16000) / 16000)
    cepstrum = mfcc(tone, 16000)[50, :13] / (1 + 11 * np.sin(np.pi * np.arange(13) / 22))
    bands = idct(cepstrum, n=26, norm="ortho")  # smoothed: 13 of 26 coefficients
    assert bands.argmax() == 9


def test_louder_sound_moves_c0_alone():
    sound = buzz(0.5, 16000)
    difference = mfcc(2 * sound, 16000) - mfcc(sound, 16000)
    np.testing.assert_allclose(difference[:, 0], np.log(4) * np.sqrt(26), atol=1e-3)
    np.testing.assert_allclose(difference[:, 1:], 0, atol=1e-3)


@pytest.mark.exact
def test_silence_is_the_floor():
    frames = mfcc(np.zeros(16000, np.float32), 16000)
    np.testing.assert_allclose(frames[:, 0], np.log(2.0**-30) * np.sqrt(26), rtol=1e-5)
    np.testing.assert_allclose(frames[:, 1:], 0, atol=1e-4)
    np.testing.assert_array_equal(frames, np.broadcast_to(frames[0], frames.shape))
    below_one_bit = mfcc(np.full(16000, 1e-7, np.float32), 16000)
    np.testing.assert_array_equal(frames, below_one_bit)


@given(st.floats(2.0**-149, 2.0**127, width=32))
def test_the_logarithm_is_as_exact_as_single_precision(x):
    found, exact = mfcc_module._log(np.array([x], np.float32)), np.log(np.array([x], np.float64))
    np.testing.assert_allclose(found, exact, rtol=6.1e-8, atol=1e-12)


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.05, 1.15, 1.25])
def test_a_shorter_tract_is_undone_by_its_warp(factor):
    """Noise through a spectral envelope stretched along frequency, below the knee."""

    def envelope(f):
        return sum(1 / (1 + ((f - peak) / 120) ** 2) for peak in (500, 1400, 2300, 3200))

    spectrum = np.random.default_rng(1).standard_normal(8001) + 0j
    f = np.arange(8001.0)
    plain = np.fft.irfft(spectrum * envelope(f)).astype(np.float32)
    short = np.fft.irfft(spectrum * envelope(f / factor)).astype(np.float32)
    reference, warped = mfcc(plain, 16000)[:, :13], mfcc(short, 16000, warp=factor)[:, :13]
    unwarped = mfcc(short, 16000)[:, :13]
    left, without = (np.abs((m - reference).mean(axis=0))[1:].sum() for m in (warped, unwarped))
    assert left < 0.2 * without


@pytest.mark.parametrize("warp", [0.5, 0.8, 1.0, 1.25, 2.0])
def test_no_filter_is_empty_or_leaves_the_spectrum(warp):
    filters = mel_filters(warp)
    assert filters.shape == (257, 26)
    assert (filters >= 0).all() and (filters.max(axis=0) > 0.2).all()


@pytest.mark.parametrize(
    ("audio", "rate", "message"),
    [
        (np.zeros(79, np.float32), 16000, "0.0049375 s of sound is less than a frame"),
        (np.zeros(0, np.float32), 16000, "0 s of sound"),
        (np.zeros((10, 2), np.float32), 16000, r"shape \(10, 2\)"),
        (np.zeros(5000, np.int16), 16000, "int16"),
        (np.zeros(5000, np.float32), 0, "sample_rate=0"),
        (
            np.r_[np.zeros(30000), np.nan, np.zeros(9)].astype(np.float32),
            16000,
            "sample 30000 .* nan",
        ),
        (np.r_[np.zeros(7), -np.inf, np.zeros(999)].astype(np.float32), 16000, "sample 7 .* -inf"),
    ],
)
def test_sound_that_cannot_be_used_is_named(audio, rate, message):
    with pytest.raises(ValueError, match=message):
        mfcc(audio, rate)


@pytest.mark.parametrize(("warp", "knee"), [(0.8, 4800), (1.25, 3840)])
def test_filters_are_moved_by_the_warp_up_to_a_knee_and_from_there_to_the_end(warp, knee):
    bin_width = 16000 / 512
    plain, warped = (mel_filters(w).argmax(axis=0) * bin_width for w in (1.0, warp))
    line = np.interp(plain, [0, knee, 8000], [0, warp * knee, 8000])
    # each peak is known to half a bin, where it was, and where it goes to
    np.testing.assert_allclose(warped, line, atol=bin_width * (1 + max(warp, 2 - warp)) / 2)


@pytest.mark.parametrize("warp", [0.0, 2.5, float("nan")])
def test_warp_out_of_range_is_refused(warp):
    with pytest.raises(ValueError, match="warp="):
        mfcc(np.zeros(800, np.float32), 16000, warp=warp)


def test_the_first_mfcc_does_not_load_what_is_slow_to_load():
    """`pipeline.predict` would wait for SciPy's signal package and librosa's own MFCC otherwise."""
    code = (
        "import sys, numpy; from features.mfcc import mfcc;"
        "mfcc(numpy.ones(9000, 'f4'), 48000);"
        "print([m for m in ('scipy.signal', 'librosa.feature.spectral', 'tensorflow')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
