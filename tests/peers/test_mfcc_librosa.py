"""The MFCCs are librosa's: the plain call, but for its decibels and its shifted lifter."""

import librosa
import numpy as np
import pytest
import soundfile

from features.deltas import with_deltas
from features.mfcc import mel_filters, mfcc

LIFTER = 1 + 11 * np.sin(np.pi * np.arange(13) / 22)


def plain_librosa(sound):
    emphasised = np.append(sound[:1], sound[1:] - np.float32(0.97) * sound[:-1])
    decibels = librosa.feature.mfcc(
        y=emphasised,
        sr=16000,
        n_mfcc=13,
        n_fft=512,
        win_length=400,
        hop_length=160,
        window="hamming",
        n_mels=26,
        fmax=8000,
        htk=True,
        mel_norm=None,
    )
    return decibels.T * (np.log(10) / 10) * LIFTER


def noise(samples):
    return (0.1 * np.random.default_rng(3).standard_normal(samples)).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("samples", [512, 1599, 1600, 1601, 48000])
def test_equal_to_the_plain_call_at_every_frame(samples):
    frames = mfcc(noise(samples), 16000)
    expected = plain_librosa(noise(samples))
    assert len(frames) == len(expected)
    np.testing.assert_allclose(frames[:, :13], expected, atol=1e-4, rtol=0)
    np.testing.assert_allclose(frames, with_deltas(expected, 2), atol=1e-4, rtol=0)


def test_equal_on_real_speech(shared_data):
    sound, rate = soundfile.read(shared_data / "xrmb" / "jw11_tp005.wav", dtype="float32")
    assert rate == 16000
    np.testing.assert_allclose(mfcc(sound, rate)[:, :13], plain_librosa(sound), atol=5e-4, rtol=0)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_resampled_as_librosa_resamples(rate):
    sound = noise(rate)
    resampled = librosa.resample(sound, orig_sr=rate, target_sr=16000)
    # 8 kHz leaves the upper bands all but empty: the logarithm shows the last bit of a sample
    tolerance = 1e-3 if rate > 16000 else 0.05
    np.testing.assert_allclose(mfcc(sound, rate), mfcc(resampled, 16000), atol=tolerance, rtol=0)


def test_filters_are_librosas():
    theirs = librosa.filters.mel(sr=16000, n_fft=512, n_mels=26, htk=True, norm=None)
    np.testing.assert_allclose(mel_filters().T, theirs, atol=1e-6)
