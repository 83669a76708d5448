"""python_speech_features against ours: equal but for its filters.

It rounds the corners of its filters to whole bins of the spectrum, which the low bands, two bins
wide, feel most; with our filters in place of its own both agree.
"""

import numpy as np
import pytest
import python_speech_features
import soundfile

from features.mfcc import mel_filters, mfcc


def periodic_hamming(length):
    return 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(length) / length)


def peer(sound, frames):
    cepstra = python_speech_features.mfcc(
        np.pad(sound, (200, 400)),
        samplerate=16000,
        nfilt=26,
        nfft=512,
        highfreq=8000,
        preemph=0.97,
        ceplifter=22,
        appendEnergy=False,
        winfunc=periodic_hamming,
    )[:frames]
    cepstra[:, 0] += np.log(512) * np.sqrt(26)  # it divides the power by the size of the FFT
    return cepstra


@pytest.fixture(scope="module")
def speech(shared_data):
    return soundfile.read(shared_data / "xrmb" / "jw11_tp005.wav", dtype="float32")[0]


def test_agreement_with_its_own_filters(speech):
    """Every coefficient goes the same way: r > 0.9, and > 0.99 for c0 to c3."""
    ours = mfcc(speech, 16000)[:, :13]
    theirs = peer(speech, len(ours))
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(ours.T, theirs.T, strict=True)]
    assert min(r[:4]) > 0.99 and min(r) > 0.9, np.round(r, 3)


def test_agreement_with_the_same_filters(speech, monkeypatch):
    monkeypatch.setattr("python_speech_features.base.get_filterbanks", lambda *_: mel_filters().T)
    ours = mfcc(speech, 16000)[:, :13]
    theirs = peer(speech, len(ours))
    # it pre-emphasises the zeros after the sound as well, which the last two frames see
    np.testing.assert_allclose(theirs[:-2], ours[:-2], atol=1e-4, rtol=0)
