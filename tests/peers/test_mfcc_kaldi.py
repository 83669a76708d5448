"""Kaldi's MFCCs (kaldi-native-fbank), set to the same filters, against ours.

Two differences remain, and `test_what_remains` shows that they are all: Kaldi's Hamming window is
symmetric, so that its peak lies between two samples, and it pre-emphasises every frame by itself,
so that the frame's first sample has itself as predecessor.
"""

import kaldi_native_fbank as knf
import numpy as np
import pytest
import soundfile
from numpy.lib.stride_tricks import sliding_window_view

from features.mfcc import mel_filters, mfcc


def kaldi(centred):
    """Return MFCCs of frames that start at multiples of 160 samples."""
    options = knf.MfccOptions()
    frame, mel = options.frame_opts, options.mel_opts
    frame.samp_freq, frame.dither, frame.preemph_coeff = 16000, 0, 0.97
    frame.window_type, frame.remove_dc_offset, frame.snip_edges = "hamming", False, True
    mel.num_bins, mel.low_freq, mel.high_freq = 26, 0, 8000
    mel.is_librosa, mel.norm, mel.use_slaney_mel_scale = True, "", False
    options.num_ceps, options.cepstral_lifter, options.use_energy = 13, 22, False
    extractor = knf.OnlineMfcc(options)
    extractor.accept_waveform(16000, (centred * 32768).tolist())
    extractor.input_finished()
    frames = np.stack([extractor.get_frame(i) for i in range(extractor.num_frames_ready)])
    frames[:, 0] -= np.log(2.0**30) * np.sqrt(26)  # 16-bit scale
    return frames


def by_kaldis_ways(centred):
    frames = sliding_window_view(centred.astype(np.float64), 400)[::160]
    frames = np.hstack([0.03 * frames[:, :1], frames[:, 1:] - 0.97 * frames[:, :-1]])
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 399)
    energies = np.abs(np.fft.rfft(frames * window, 512)) ** 2 @ mel_filters()
    n = np.arange(13)
    dct = np.cos(np.pi * np.outer(np.arange(26) + 0.5, n) / 26) * np.sqrt(2 / 26)
    dct[:, 0] /= np.sqrt(2)
    return np.log(np.maximum(energies, 2.0**-30)) @ (dct * (1 + 11 * np.sin(np.pi * n / 22)))


@pytest.fixture(scope="module")
def speech(shared_data):
    return soundfile.read(shared_data / "xrmb" / "jw11_tp005.wav", dtype="float32")[0]


def test_agreement_on_real_speech(speech):
    """Within 2 % of each coefficient's deviation."""
    ours = mfcc(speech, 16000)[:, :13]
    theirs = kaldi(np.pad(speech, (200, 400)))[: len(ours)]
    difference = np.sqrt(np.square(ours - theirs).mean(axis=0))
    assert (difference < 0.02 * ours.std(axis=0)).all()


def test_what_remains(speech):
    centred = np.pad(speech, (200, 400))
    np.testing.assert_allclose(by_kaldis_ways(centred), kaldi(centred), atol=3e-4, rtol=0)
