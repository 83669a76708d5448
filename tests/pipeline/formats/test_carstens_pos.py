import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from pipeline.formats import carstens_pos
from pipeline.ground.utterance import Tracks
from tests.pipeline.formats.recordings import assert_refused, assert_same, values


def v002(sensors=2, rate="250") -> bytes:
    fields = f"NumberOfChannels={sensors}\nSamplingFrequencyHz={rate}\n".encode()
    length = 15 + 9 + len(fields) + 2
    return b"AG50xDATA_V002\n%08d\n" % length + fields + b"\0\x1a"


def v003(sensors=2, length=96) -> bytes:
    fields = f"NumberOfChannels={sensors}\nSamplingFrequencyHz=1250\n".encode()
    return (b"AG50xDATA_V003\n%08d\n" % length + fields).ljust(length, b"\0")


def frames(count: int, sensors: int) -> bytes:
    return b"".join(struct.pack("<f", k + 1) for k in range(count * sensors * 7))


def put(folder, content: bytes):
    path = folder / "0001.pos"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("head", "rate"), [(v002(), 250), (v003(), 1250)], ids=["V002", "V003"])
def test_headers(tmp_path, head, rate):
    tracks = carstens_pos.read(put(tmp_path, head + frames(3, 2)))
    assert tracks.values.shape == (3, 14)
    assert tracks.rate == pytest.approx(rate)
    assert tracks.time[0] == 0


def test_the_second_number_is_lateral_and_the_third_is_height(tmp_path):
    tracks = carstens_pos.read(put(tmp_path, v002() + frames(1, 2)))
    first = dict(zip(tracks.channels, tracks.values[0], strict=True))
    assert (first["1_x"], first["1_z"], first["1_y"]) == (1, 2, 3)
    assert (first["2_phi"], first["2_theta"], first["2_rms"]) == (11, 12, 13)


def test_ag500_has_no_header_and_twelve_sensors_at_200_hz(tmp_path):
    tracks = carstens_pos.read(put(tmp_path, frames(2, 12)))
    assert tracks.values.shape == (2, 84)
    assert tracks.rate == pytest.approx(200)


def test_real_sweep(shared_data):
    tracks = carstens_pos.read(shared_data / "carstens" / "0023.pos")
    assert tracks.values.shape == (896, 16 * 7)
    assert tracks.rate == pytest.approx(250)
    unconnected = [k for k, name in enumerate(tracks.channels) if int(name.split("_")[0]) >= 10]
    assert not tracks.values[:, unconnected].any()
    connected = np.delete(tracks.values, unconnected, axis=1)
    assert connected[:, [k for k in range(63) if k % 7 < 3]].all()


@pytest.mark.parametrize("name", ["ag500", "ag501"])
def test_values_of_the_third_sensor_of_a_real_file(shared_data, name):
    folder = shared_data / "carstens"
    tracks = carstens_pos.read(folder / f"{name}.pos")
    wanted = np.loadtxt(folder / f"{name}ch03.csv", skiprows=1)
    names = [f"3_{field}" for field in ("x", "z", "y", "phi", "theta", "rms", "extra")]
    third = [tracks.channels.index(name) for name in names]
    assert_array_equal(tracks.values[:, third], wanted)


@settings(deadline=None)
@given(st.data(), st.sampled_from(["V002", "V003", "AG500"]))
def test_round_trip(tmp_path_factory, data, version):
    sensors = 12 if version == "AG500" else data.draw(st.integers(1, 3))
    fields = ("x", "z", "y", "phi", "theta", "rms", "extra")
    names = tuple(f"{k + 1}_{field}" for k in range(sensors) for field in fields)
    table = data.draw(values(len(names), missing=False, bits=32).filter(lambda t: t[0].any()))
    rate = 200 if version == "AG500" or len(table) == 1 else data.draw(st.sampled_from([250, 1250]))
    tracks = Tracks(np.arange(len(table)) / rate, table.astype(np.float64), names)
    path = tmp_path_factory.mktemp("pos") / "a.pos"
    carstens_pos.write(path, tracks, version)
    assert_same(carstens_pos.read(path), tracks)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (v003() + frames(3, 2)[:-4], "offset 208: 52 bytes are left over after 2 frames"),
        (v003(), "offset 96: 0 bytes are left over after 0 frames"),
        (v003().replace(b"00000096", b"00000200"), "line 2: the header does not end after 200"),
        (v003().replace(b"00000096", b"00000040") + frames(3, 2), "NumberOfChannels is ''"),
        (v003().replace(b"00000096", b"000000ab"), "line 2: the header's length is not eight"),
        (v002().replace(b"\x1a", b"") + frames(3, 2), "line 2: the header does not end after"),
        (
            v003(length=96 + 56) + bytes(56) + frames(3, 2),
            "offset 152: the first frame is all zeros",
        ),
        (v003().replace(b"V003", b"V009") + frames(3, 2), "version b'9\\n' is not 1, 2 or 3"),
        (v002(sensors=0) + frames(3, 2), "NumberOfChannels is '0'"),
        (v002(sensors=3) + frames(2, 2), "28 bytes are left over after 1 frames of 3 sensors"),
        (v002(rate="0") + frames(3, 2), "SamplingFrequencyHz is '0'"),
        (v002(rate="1e9") + frames(3, 2), "SamplingFrequencyHz is '1e9'"),
        (frames(2, 12)[:-1], "335 bytes are left over after 1 frames of 12 sensors"),
        (np.linspace(1, 99, 84).astype(">f4").tobytes(), "is the byte order right"),
        (np.full(84, np.nan, "<f4").tobytes(), "all are NaN"),
    ],
)
def test_refusals_name_the_file_and_the_reason(tmp_path, content, reason):
    assert_refused(carstens_pos.read, tmp_path / "0001.pos", content, reason)


def test_missing_samples_cannot_be_written(tmp_path):
    tracks = Tracks(np.arange(2) / 250, np.array([[1.0], [np.nan]]), ("1_x",))
    with pytest.raises(ValueError, match="no way to say"):
        carstens_pos.write(tmp_path / "a.pos", tracks)
