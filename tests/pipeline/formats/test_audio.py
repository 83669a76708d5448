"""Sound files: what is read back, and every way in which a file is unusable."""

import struct
import tracemalloc

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.formats import audio
from pipeline.ground.console import InputError

RATE = 16000
TONE = 0.5 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE)


def refusal(path) -> str:
    with pytest.raises(InputError) as caught:
        audio.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@settings(deadline=None)
@given(
    samples=arrays(np.int16, st.integers(1, 300)),
    rate=st.sampled_from([8000, 16000, 20000, 22050, 44100, 48000]),
)
def test_16_bit_samples_survive_a_round_trip_exactly(tmp_path_factory, samples, rate):
    path = tmp_path_factory.mktemp("wav") / "a.wav"
    audio.write(path, samples / 32768, rate)
    read, read_rate = audio.read(path)
    assert read_rate == rate
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read * 32768, samples)
    assert [p.name for p in path.parent.iterdir()] == ["a.wav"]


def test_stretches_are_the_whole_and_the_header_tells_its_length(tmp_path):
    samples = np.random.default_rng(0).uniform(-1, 1, (150_000, 2))
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    whole, _ = audio.read(tmp_path / "a.wav")
    stretches = list(audio.blocks(tmp_path / "a.wav"))
    assert len(stretches) > 2
    np.testing.assert_array_equal(np.concatenate(stretches), whole)
    assert audio.header(tmp_path / "a.wav") == audio.Header(RATE, 2, 150_000)


def test_samples_beyond_full_scale_are_clipped_not_wrapped(tmp_path):
    audio.write(tmp_path / "a.wav", np.array([1.5, -1.5]), RATE)
    np.testing.assert_array_equal(audio.read(tmp_path / "a.wav")[0] * 32768, [32767, -32768])


@pytest.mark.parametrize(
    ("format_", "subtype", "tolerance"),
    [
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "FLOAT", 1e-7),
        ("WAV", "ULAW", 2e-2),
        ("FLAC", "PCM_16", 1e-4),
        ("NIST", "PCM_16", 1e-4),
        ("OGG", "VORBIS", 5e-2),
    ],
)
def test_formats_are_known_by_content_whatever_the_name(tmp_path, format_, subtype, tolerance):
    path = tmp_path / "sound.wav"
    soundfile.write(path, TONE, RATE, format=format_, subtype=subtype)
    read, rate = audio.read(path)
    assert rate == RATE
    np.testing.assert_allclose(read, TONE, atol=tolerance)


def test_channels_are_averaged(tmp_path):
    channels = np.zeros((100_000, 6))
    channels[:, 2] = 0.6
    soundfile.write(tmp_path / "six.wav", channels, RATE, subtype="FLOAT")
    np.testing.assert_allclose(
        audio.read(tmp_path / "six.wav")[0], np.full(100_000, 0.1), rtol=1e-6
    )


def test_missing_empty_folder_and_text_are_refused(tmp_path):
    assert "not found" in refusal(tmp_path / "none.wav")
    assert "not found" in refusal(tmp_path)
    (tmp_path / "empty.wav").touch()
    assert "empty" in refusal(tmp_path / "empty.wav")
    (tmp_path / "text.wav").write_text("This is not a sound.\n" * 1000)
    assert "not a sound file" in refusal(tmp_path / "text.wav")


def test_header_without_samples_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), RATE)
    assert "no samples" in refusal(tmp_path / "a.wav")


@pytest.mark.parametrize(
    "format_", ["WAV", "RF64", "W64", "AIFF", "AU", "FLAC", "NIST", "OGG", "MP3"]
)
@pytest.mark.parametrize("kept", [0.99, 0.6, 0.5])
def test_file_cut_short_is_refused(tmp_path, format_, kept):
    path = tmp_path / "cut"
    soundfile.write(path, TONE, RATE, format=format_)
    whole = path.read_bytes()
    audio.read(path)
    path.write_bytes(whole[: int(len(whole) * kept)])
    refusal(path)


@pytest.mark.parametrize("promised", [0xFFFFFFFF, 0x7FFFFFFF])
def test_wav_written_to_a_pipe_is_not_taken_for_truncated(tmp_path, promised):
    path = tmp_path / "piped.wav"
    audio.write(path, TONE, RATE)
    piped = bytearray(path.read_bytes())
    struct.pack_into("<I", piped, 4, promised)
    struct.pack_into("<I", piped, piped.index(b"data") + 4, promised)
    path.write_bytes(piped)
    assert len(audio.read(path)[0]) == len(TONE)


def test_flac_header_that_claims_hours_reserves_no_memory_for_them(tmp_path):
    path = tmp_path / "liar.flac"
    soundfile.write(path, TONE, RATE)
    liar = bytearray(path.read_bytes())
    liar[22:26] = b"\x7f\xff\xff\xff"  # low 32 of the 36 bits of STREAMINFO's number of samples
    path.write_bytes(liar)
    tracemalloc.start()
    refusal(path)
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused_with_their_time(tmp_path, bad):
    samples = TONE.copy()
    samples[8000:8004] = bad
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    assert f"the sample at 0.5000 s is {bad}" in refusal(tmp_path / "a.wav")


@pytest.mark.parametrize("rate", [100, 2_000_000_000])
def test_sample_rate_that_cannot_be_speech_is_refused(tmp_path, rate):
    audio.write(tmp_path / "a.wav", TONE[:100], rate)
    assert f"{rate} Hz" in refusal(tmp_path / "a.wav")


def test_real_recordings(shared_data):
    tongue, rate = audio.read(shared_data / "xrmb" / "jw11_tp005.wav")
    assert rate == 16000
    assert len(tongue) / rate == pytest.approx(5.024, abs=1e-3)
    sweep, rate = audio.read(shared_data / "carstens" / "0023.wav")
    assert rate == 48000
    assert len(sweep) / rate == pytest.approx(3.584, abs=1e-3)
