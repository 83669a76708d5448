"""Each format as those read it who use it, and what it tells of itself."""

import json
import shutil
import subprocess

import numpy as np
import pytest
import scipy.io
import soundfile
from scipy.interpolate import CubicSpline

from pipeline.formats import est_track, ssff, textgrid, track_csv
from pipeline.ground.console import InputError, UsageError
from pipeline.ground.utterance import Tracks
from pipeline.prediction import emu, landmarks, outputs

CHANNELS = ("TT_x", "TT_y", "TB_x", "TB_y", "TD_x", "TD_y", "UL_x", "UL_y", "LL_x", "LL_y", "VL_y")
ABOUT = {"unit": "mm", "model": {"sha256": "0f"}, "audio": {"duration_s": 1.5089}}


@pytest.fixture
def tracks():
    """A second and a half in which every point swings, each in its own time."""
    time = np.arange(150) / 100
    swing = np.sin(2 * np.pi * np.outer(time, np.linspace(1, 3, len(CHANNELS))))
    return Tracks(time, 5 * swing + np.arange(len(CHANNELS)), CHANNELS)


def written(name, tracks, folder):
    form = outputs.FORMATS[name]
    path = folder / f"u1{form.suffix}"
    form.write(path, tracks, ABOUT)
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]
    return path


@pytest.mark.parametrize(
    ("name", "read", "tolerance"),
    [("csv", track_csv.read, 1e-4), ("est", est_track.read, 1e-5), ("ssff", ssff.read, 0)],
)
def test_track_formats_keep_names_times_and_values(name, read, tolerance, tracks, tmp_path):
    found = read(written(name, tracks, tmp_path))
    assert found.channels == CHANNELS
    np.testing.assert_allclose(found.time, tracks.time, atol=1e-6)
    np.testing.assert_allclose(found.values, tracks.values, rtol=0, atol=tolerance)


def test_npz_needs_no_pickle_and_tells_of_itself(tracks, tmp_path):
    with np.load(written("npz", tracks, tmp_path), allow_pickle=False) as arrays:
        assert tuple(arrays["channels"]) == CHANNELS
        np.testing.assert_array_equal(arrays["values"], tracks.values)
        np.testing.assert_array_equal(arrays["time_s"], tracks.time)
        assert json.loads(str(arrays["about"])) == ABOUT


def test_matlab_has_plain_variables(tracks, tmp_path):
    found = scipy.io.loadmat(written("matlab", tracks, tmp_path))
    np.testing.assert_array_equal(found["values"], tracks.values)
    np.testing.assert_array_equal(found["time_s"], tracks.time[:, None])
    assert [str(cell[0]) for cell in found["channels"].ravel()] == list(CHANNELS)
    assert json.loads(str(found["about"][0])) == ABOUT


def test_sound_has_a_channel_per_track_in_mm(tracks, tmp_path):
    path = written("wav", tracks, tmp_path)
    values, rate = soundfile.read(path)
    assert path.name == "u1.tracks.wav"  # never the name of the recording
    assert rate == 100
    # Praat draws a sample at the middle of its 10 ms, the first at 5 ms
    in_praat = (np.arange(len(values)) + 0.5) / rate
    smooth = CubicSpline(tracks.time, tracks.values)
    np.testing.assert_allclose(values[5:-5], smooth(in_praat[5:-5]), atol=1e-2)
    assert len(values) == len(tracks.time)
    np.testing.assert_allclose(values[-1], tracks.values[-1], atol=1e-5)  # nothing is after it
    with soundfile.SoundFile(path) as file:
        assert json.loads(file.comment) == ABOUT


def test_textgrid_has_the_movements_of_each_sensor(tracks, tmp_path):
    path = written("textgrid", tracks, tmp_path)
    assert "xmax = 1.5089" in path.read_text()  # the sound's end, not the last frame's
    found = textgrid.read(path)
    assert list(found) == ["TT", "TB", "TD", "UL", "LL", "VL"]
    texts = [label.text for label in found["VL"] if label.text]
    assert {text.split()[0] for text in texts} == {"up", "down", "hold"}
    moving = [label for label in found["VL"] if label.text[:2] in ("up", "do")]
    fastest = 2 * np.pi * 3 * 5  # mm/s, of 5 mm at 3 Hz
    assert all(float(label.text.split()[1]) == pytest.approx(fastest, rel=0.05) for label in moving)
    assert len(moving) in (9, 10)  # two a period


def test_sensors_without_a_position_have_no_movements():
    time = np.arange(50) / 100
    values = np.sin(np.outer(time, [20, 30, 40])) * 9
    names = ("TT_x", "TT_x_delta", "TT_x_zscore")
    assert list(landmarks.tiers(Tracks(time, values, names))) == ["TT"]


@pytest.mark.parametrize("name", ["est", "ssff"])
def test_speech_tools_read_what_is_written(name, tracks, tmp_path):
    if not shutil.which("ch_track"):
        pytest.skip("no ch_track; it is in the Debian package speech-tools")
    path = written(name, tracks, tmp_path)
    text = subprocess.run(
        ["ch_track", "-itype", name, "-otype", "ascii", "-c", "1", str(path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    np.testing.assert_allclose(np.fromstring(text, sep=" "), tracks.values[:, 1], atol=1e-3)


def test_emu_webapp_finds_every_track_that_its_drawing_names(tracks, tmp_path):
    """The constraints that EMU-webApp checks when it loads a configuration."""
    folder = tmp_path / "mine"
    folder.mkdir()
    emu.write_config(folder, CHANNELS, ".ssff")
    config = json.loads((folder / "mine_DBconfig.json").read_text())
    assert config["name"] == "mine"
    defined = {track["name"] for track in config["ssffTrackDefinitions"]}
    assert defined == set(CHANNELS)
    assert {t["fileExtension"] for t in config["ssffTrackDefinitions"]} == {"ssff"}
    (perspective,) = config["EMUwebAppConfig"]["perspectives"]
    assert set(perspective["signalCanvases"]["order"]) - {"OSCI", "SPEC"} <= defined
    canvases = perspective["twoDimCanvases"]
    (drawing,) = canvases["twoDimDrawingDefinitions"]
    assert canvases["order"] == [drawing["name"]]
    dots = {dot["name"] for dot in drawing["dots"]}
    assert dots == {"TT", "TB", "TD", "UL", "LL"}  # VL has a height alone
    assert {dot["xSsffTrack"] for dot in drawing["dots"]} <= defined
    assert {dot["ySsffTrack"] for dot in drawing["dots"]} <= defined
    lines = [(line["fromDot"], line["toDot"]) for line in drawing["connectLines"]]
    assert lines == [("TT", "TB"), ("TB", "TD"), ("UL", "LL")]


def test_the_configuration_of_another_database_is_not_replaced(tracks, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for _ in range(2):  # the same one is
        emu.write_config(folder, CHANNELS, ".ssff")
    (folder / "mine_DBconfig.json").write_text('{"name": "mine", "UUID": "another"}')
    with pytest.raises(InputError, match="another database"):
        emu.write_config(folder, CHANNELS, ".ssff")


def test_formats_are_known_by_name_and_by_suffix(tmp_path):
    assert outputs.names("csv, NPZ,csv") == ("csv", "npz")
    with pytest.raises(UsageError, match="no 'xls' among csv"):
        outputs.names("csv,xls")
    for name, form in outputs.FORMATS.items():
        assert outputs.format_of(tmp_path / f"a.b{form.suffix}") == name
        assert outputs.stem_of(tmp_path / f"a.b{form.suffix}") == tmp_path / "a.b"
    assert outputs.format_of(tmp_path / "folder") is None
