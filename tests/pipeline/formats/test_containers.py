"""Sound files as recorders and pipes leave them: all that is there is read, with a word."""

import io
import shutil
import struct
import subprocess
import warnings

import numpy as np
import pytest
import soundfile

from pipeline.formats import audio, flac, mpeg
from pipeline.ground.console import InputError

RATE = 16000
RNG = np.random.default_rng(0)
TIME = np.arange(56_320) / RATE
# a second much louder or softer than the rest: MP3 of variable rate guesses its length wrongly
SOUND = (0.15 * np.sin(2 * np.pi * 220 * TIME) + 0.1 * RNG.normal(size=len(TIME))).astype("f4")
LOUD_FIRST, SOFT_FIRST = np.where(TIME < 1, [[1], [0.001]], [[0.02], [1]]) * SOUND

NO_LENGTH = "its header does not tell its length"
WRONG_LENGTH = "its header gives a wrong length"


def read(path):
    """Sound and what was said of it; its header promises as much as there is."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sound, _ = audio.read(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", audio.SoundWarning)
        np.testing.assert_array_equal(np.concatenate(list(audio.blocks(path))), sound)
    assert audio.header(path).samples == len(sound)
    return sound, " ".join(str(one.message) for one in caught)


@pytest.fixture
def ffmpeg(tmp_path):
    """Encode a sound by ffmpeg, to a file or through a pipe."""
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")

    def encode(sound, name, *options, pipe=False):
        soundfile.write(tmp_path / "source.wav", sound, RATE)
        command = ["ffmpeg", "-v", "error", "-y", "-i", tmp_path / "source.wav", *options]
        made = subprocess.run([*command, "-" if pipe else tmp_path / name], capture_output=True)
        if made.returncode:
            pytest.skip(f"this ffmpeg cannot: {made.stderr.decode()}")
        if pipe:
            (tmp_path / name).write_bytes(made.stdout)
        return tmp_path / name

    return encode


def wav(subtype="PCM_16", form="WAV"):
    """Return the bytes of a file, its samples, and where the size of its samples stands."""
    file = io.BytesIO()
    soundfile.write(file, SOUND, RATE, format=form, subtype=subtype)
    data = bytearray(file.getvalue())
    return data, soundfile.read(io.BytesIO(data), dtype="float32")[0], data.index(b"data") + 4


@pytest.mark.parametrize("riff", [None, 0, 0xFFFF_FFFF])
@pytest.mark.parametrize(
    ("size", "word"),
    [
        (lambda own, file: 0, NO_LENGTH),
        (lambda own, file: 0xFFFF_FFFF, NO_LENGTH),
        (lambda own, file: 0x7FFF_FFFF, NO_LENGTH),
        (lambda own, file: 0x8000_0000, NO_LENGTH),
        (lambda own, file: 0x7FFF_F000, NO_LENGTH),
        (lambda own, file: file, WRONG_LENGTH),
        (lambda own, file: file - 8, WRONG_LENGTH),
        (lambda own, file: own // 2, WRONG_LENGTH),
        (lambda own, file: own - 1, WRONG_LENGTH),
        (lambda own, file: 1, WRONG_LENGTH),
    ],
)
@pytest.mark.parametrize(
    ("subtype", "form"),
    [
        ("PCM_16", "WAV"),
        ("PCM_24", "WAV"),
        ("PCM_32", "WAVEX"),
        ("FLOAT", "WAV"),
        ("DOUBLE", "WAV"),
        ("ULAW", "WAV"),
        ("ALAW", "WAV"),
    ],
)
def test_wav_of_a_wrong_size_is_read_whole(tmp_path, subtype, form, size, word, riff):
    data, expected, place = wav(subtype, form)
    (own,) = struct.unpack_from("<I", data, place)
    wrong = size(own, len(data))
    struct.pack_into("<I", data, place, wrong)
    if riff is not None:
        struct.pack_into("<I", data, 4, riff)
    (tmp_path / "a.wav").write_bytes(data)
    sound, said = read(tmp_path / "a.wav")
    np.testing.assert_array_equal(sound, expected)
    assert word in said


@pytest.mark.parametrize("end", [b"LIST\x04\0\0\0INFO", b"\0" * 3000, b"id3 \x02\0\0\0ab", b"x"])
def test_what_follows_the_samples_is_no_sound_and_nothing_to_speak_of(tmp_path, end):
    data, expected, _ = wav()
    (tmp_path / "a.wav").write_bytes(data + end)
    sound, said = read(tmp_path / "a.wav")
    np.testing.assert_array_equal(sound, expected)
    assert said == ""


def test_wav_without_a_sample_has_none(tmp_path):
    data, _, place = wav()
    (tmp_path / "a.wav").write_bytes(data[:place] + bytes(4) + b"LIST\x04\0\0\0INFO")
    with pytest.raises(InputError, match="no samples"):
        audio.read(tmp_path / "a.wav")


@pytest.mark.parametrize("form", ["WAV", "RF64", "W64", "AIFF", "AU", "CAF", "NIST"])
def test_a_lost_end_is_no_wrong_size(tmp_path, form):
    soundfile.write(tmp_path / "a", SOUND, RATE, format=form)
    whole = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(whole[:-20_000])
    with pytest.raises(InputError, match="truncated"):
        audio.read(tmp_path / "a")


@pytest.mark.parametrize(
    ("form", "place", "kind", "sizes"),
    [
        ("RF64", 28, "<Q", (0, 2**64 - 1, 40_000)),  # in ds64
        ("W64", b"data\xf3\xac", "<Q", (0, 24, 2**63 - 1, 2**64 - 1, 40_000)),
        ("AIFF", b"SSND", ">I", (0, 0xFFFF_FFFF, 56_320 * 2 + 16, 40_000)),
        ("AU", 8, ">I", (0, 0xFFFF_FFFF, 56_320 * 2 + 24, 40_000)),
        ("CAF", b"data", ">Q", (2**64 - 1, 0)),
    ],
)
def test_other_containers_of_a_wrong_size_are_read_whole(tmp_path, form, place, kind, sizes):
    soundfile.write(tmp_path / "a", SOUND, RATE, format=form)
    whole = (tmp_path / "a").read_bytes()
    expected, said = read(tmp_path / "a")
    assert said == ""
    at = place if isinstance(place, int) else whole.index(place) + (16 if form == "W64" else 4)
    for size in sizes:
        wrong = bytearray(whole)
        struct.pack_into(kind, wrong, at, size)
        (tmp_path / "a").write_bytes(wrong)
        sound, said = read(tmp_path / "a")
        np.testing.assert_array_equal(sound, expected, err_msg=str(size))
        assert "length" in said, size


@pytest.mark.parametrize("form", ["wav", "aiff", "au", "caf", "w64", "flac"])
def test_what_comes_through_a_pipe_is_read_whole(ffmpeg, form):
    path = ffmpeg(SOUND, f"a.{form}", "-f", form, pipe=True)
    sound, said = read(path)
    np.testing.assert_allclose(sound, SOUND, atol=1e-4)
    assert NO_LENGTH in said or form == "au"  # whose unknown length is a rule of the format


@pytest.mark.parametrize("samples", [1, 191, 192, 4095, 4096, 4097, 65_553])
@pytest.mark.parametrize("channels", [1, 2])
def test_flac_tells_its_length_by_its_last_frame(tmp_path, samples, channels):
    path = tmp_path / "a.flac"
    soundfile.write(path, RNG.normal(0, 0.1, (samples, channels)), RATE)
    data = path.read_bytes()
    info = data[: flac.STREAMINFO]
    assert flac.samples(info, data) == flac.samples_told(info) == samples
    unknown = flac.telling(info, 0) + data[flac.STREAMINFO :]
    path.write_bytes(unknown + b"TAG".ljust(128))
    assert len(read(path)[0]) == samples
    path.write_bytes(unknown[:-2])
    with pytest.raises(InputError, match="truncated"):
        audio.read(path)


def similar(sound, original):
    """Tell how late a sound comes, in samples, and how alike it is to the original then."""
    size = 1 << 18
    product = np.fft.rfft(sound, size) * np.conj(np.fft.rfft(original, size))
    late = int(np.argmax(np.fft.irfft(product)[:4000]))
    stop = min(len(sound) - late, len(original))
    return late, np.corrcoef(sound[late : late + stop], original[:stop])[0, 1]


@pytest.mark.slow
@pytest.mark.parametrize("original", [LOUD_FIRST, SOFT_FIRST], ids=["loud first", "soft first"])
@pytest.mark.parametrize(
    ("name", "options", "pipe"),
    [
        ("a.mp3", ["-f", "mp3", "-q:a", "4"], True),
        ("a.mp3", ["-write_xing", "0", "-q:a", "4"], False),
        ("a.mp3", ["-f", "mp3", "-b:a", "64k"], True),
        ("a.mp3", ["-write_xing", "0", "-q:a", "4", "-ar", "44100", "-ac", "2"], False),
        ("a.wav", ["-c:a", "libmp3lame", "-b:a", "64k"], False),
        ("a.wav", ["-c:a", "libmp3lame", "-q:a", "4"], False),
    ],
)
def test_mp3_without_a_count_of_its_frames_is_read_to_its_end(
    ffmpeg, original, name, options, pipe
):
    sound, said = read(ffmpeg(original, name, *options, pipe=pipe))
    if "44100" in options:
        assert len(sound) / 44100 == pytest.approx(len(original) / RATE, abs=0.06)
    else:
        late, likeness = similar(sound, original)
        assert late <= 1105  # the encoder's own delay, which such a file does not tell
        assert likeness > 0.9
        assert len(sound) >= len(original)
    assert "its frames were counted" in said


@pytest.mark.parametrize("size", [0, 1, 127, 128, 20_000])
def test_id3_tags_of_any_size_are_no_sound(ffmpeg, size):
    path = ffmpeg(LOUD_FIRST, "a.mp3", "-write_xing", "0", "-id3v2_version", "0", "-q:a", "4")
    bare, _ = read(path)
    length = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    tag = b"ID3\x04\0\0" + length + b"\xff\xfb\x90\x00".ljust(size, b"\xff")[:size]
    path.write_bytes(tag + path.read_bytes() + b"TAG".ljust(128))
    np.testing.assert_array_equal(read(path)[0], bare)


def test_mp3_that_tells_its_length_is_left_alone_and_a_lost_end_is_seen(ffmpeg):
    path = ffmpeg(LOUD_FIRST, "a.mp3", "-q:a", "4")
    sound, said = read(path)
    assert len(sound) == len(LOUD_FIRST)
    assert said == ""
    whole = path.read_bytes()
    path.write_bytes(whole[:-500])
    with pytest.raises(InputError, match="truncated"):
        audio.read(path)
    path.write_bytes(whole + whole)
    sound, said = read(path)
    assert len(sound) > 1.9 * len(LOUD_FIRST)
    assert "more frames than its header tells" in said


def test_mp3_that_lost_its_end_or_has_rubbish_in_it(ffmpeg):
    path = ffmpeg(LOUD_FIRST, "a.mp3", "-write_xing", "0", "-b:a", "64k")
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(InputError, match="last frame lacks 100 bytes"):
        audio.read(path)
    found = mpeg.stream(whole, 0, len(whole))
    middle = found.start + 40 * found.first.bytes
    path.write_bytes(whole[:middle] + b"\xff\xfb rubbish" * 20 + whole[middle:])
    again = mpeg.stream(path.read_bytes(), 0, path.stat().st_size)
    assert (again.frames, again.strange) == (found.frames, 200)


@pytest.mark.parametrize("form", ["ogg", "opus"])
def test_ogg_streams_one_after_the_other_are_all_read(ffmpeg, form):
    path = ffmpeg(SOUND, f"a.{form}")
    one, said = read(path)
    assert said == ""
    path.write_bytes(path.read_bytes() * 3)
    sound, said = read(path)
    np.testing.assert_array_equal(sound, np.tile(one, 3))
    assert "3 streams" in said


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.m4a", []),
        ("a.webm", []),
        ("a.aac", []),
        ("a.wma", []),
        ("a.ogg", ["-c:a", "flac"]),
        ("a.caf", ["-c:a", "aac"]),
        ("a.wv", []),
    ],
)
def test_what_only_ffmpeg_reads_names_the_command(ffmpeg, name, options):
    path = ffmpeg(SOUND, name, *options)
    with pytest.raises(InputError, match=f"convert it by `ffmpeg -i {name} a.wav`"):
        audio.read(path)


def test_g_711_and_gsm_and_adpcm_in_wav(ffmpeg):
    for codec in ("pcm_alaw", "pcm_mulaw", "adpcm_ms", "adpcm_ima_wav", "pcm_f64le"):
        sound, said = read(ffmpeg(SOUND, "a.wav", "-c:a", codec))
        assert similar(sound, SOUND)[1] > 0.99
        assert said == ""


def test_a_chunk_that_is_smaller_than_its_own_head_ends_the_search(tmp_path):
    soundfile.write(tmp_path / "a.w64", SOUND, RATE)
    data = bytearray((tmp_path / "a.w64").read_bytes())
    struct.pack_into("<Q", data, 40 + 16, 0)  # of the chunk fmt
    (tmp_path / "a.w64").write_bytes(data)
    with pytest.raises(InputError):
        audio.read(tmp_path / "a.w64")


def test_rf64_without_its_chunk_of_sizes(tmp_path):
    data, expected, _ = wav(form="RF64")
    at = data.index(b"ds64")
    del data[at : at + 8 + struct.unpack_from("<I", data, at + 4)[0]]
    (tmp_path / "a.wav").write_bytes(data)
    np.testing.assert_array_equal(read(tmp_path / "a.wav")[0], expected)
