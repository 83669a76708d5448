"""Sound files: what is read back, and every way in which a file is unusable."""

import struct
import tracemalloc
import warnings

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.formats import audio
from pipeline.ground.console import InputError

pytestmark = pytest.mark.filterwarnings("ignore::pipeline.formats.audio.SoundWarning")

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


def said_of(path, channel=None):
    """The sound, and what was said of it in all."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sound, _ = audio.read(path, channel)
    return sound, " ".join(str(one.message) for one in caught)


NOISE = np.random.default_rng(1).normal(0, 0.1, len(TONE))
SECOND = {  # what people have in the second channel
    "laryngograph": np.sign(np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE + 1.2)) * 0.3,
    "sync pulse": (np.arange(RATE) % 1600 < 20) * 0.9,
    "hum": 0.3 * np.sin(2 * np.pi * 50 * np.arange(RATE) / RATE),
    "noise": NOISE,
}


@pytest.mark.parametrize("kind", SECOND)
def test_a_channel_that_is_no_speech_is_spoken_of_and_can_be_left_out(tmp_path, kind):
    path = tmp_path / "two.wav"
    soundfile.write(path, np.stack([TONE, SECOND[kind]], axis=1), RATE, subtype="FLOAT")
    mean, said = said_of(path)
    np.testing.assert_allclose(mean, (TONE + SECOND[kind]) / 2, atol=1e-6)
    assert "is very unlike channel" in said
    assert "choose the microphone's channel by its number" in said
    for number, expected in ((1, TONE), (2, SECOND[kind])):
        sound, said = said_of(path, number)
        np.testing.assert_allclose(sound, expected, atol=1e-6)
        assert said == ""
        np.testing.assert_array_equal(np.concatenate(list(audio.blocks(path, number))), sound)


@pytest.mark.parametrize("other", [TONE, 0.3 * TONE + 0.02 * NOISE, 0 * TONE, 1e-4 * NOISE])
def test_channels_of_the_same_voice_or_of_none_are_averaged_without_a_word(tmp_path, other):
    path = tmp_path / "two.wav"
    soundfile.write(path, np.stack([TONE, other + 0.1], axis=1), RATE, subtype="FLOAT")
    sound, said = said_of(path)
    np.testing.assert_allclose(sound, (TONE + other + 0.1) / 2, atol=1e-6)
    assert said == ""


@pytest.mark.parametrize("other", [-TONE, 0.001 * NOISE - 0.9 * TONE])
def test_channels_of_opposite_sign_are_not_averaged_to_silence(tmp_path, other):
    path = tmp_path / "two.wav"
    soundfile.write(path, np.stack([TONE, other], axis=1), RATE, subtype="FLOAT")
    sound, said = said_of(path)
    np.testing.assert_allclose(sound, TONE, atol=1e-6)
    assert "opposite sign" in said
    assert "channel 1 was taken" in said
    np.testing.assert_allclose(np.concatenate(list(audio.blocks(path))), TONE, atol=1e-6)


def test_a_channel_that_is_not_there_is_refused(tmp_path):
    audio.write(tmp_path / "one.wav", TONE, RATE)
    with pytest.raises(InputError, match=r"one\.wav: channel 2 is wanted, and it has 1"):
        audio.read(tmp_path / "one.wav", 2)


def test_sound_that_is_hardly_there_is_spoken_of(tmp_path):
    for level, faint in ((0.01, False), (0.001, True)):
        soundfile.write(tmp_path / "a.wav", level * TONE, RATE, subtype="FLOAT")
        assert ("hardly any sound" in said_of(tmp_path / "a.wav")[1]) == faint


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
