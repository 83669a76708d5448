"""Pictures of one utterance that move, or show places in place of time."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from pipeline.evaluation.palates import Palate
from pipeline.ground.utterance import Label, Tracks
from pipeline.plots import errors, midsagittal, names, velocity
from pipeline.plots.scene import Scene, animate, pictures
from tests.pipeline.test_plot import (
    CHANNELS,
    PHONES,
    POINTS,
    SOUND,
    assert_readable,
    both,
    trajectories,
)

__all__ = ["both"]  # the fixture
PALATE = Palate(np.array([[-40.0, 20], [0, 35], [40, 20]]))


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_contour_goes_through_the_tongue_points(n):
    rng = np.random.default_rng(n)
    steps = rng.uniform(5, 15, n)
    mean = np.stack([np.cumsum(steps), rng.uniform(-10, 10, n)], axis=1)
    tongue = mean + rng.normal(0, 0.3, (50, n, 2))
    contour = midsagittal.contour_weights(tongue) @ tongue[7]
    apart = np.linalg.norm(contour[:, None] - tongue[7], axis=2).min(axis=0)
    spacing = np.linalg.norm(np.diff(contour, axis=0), axis=1).max() if n > 1 else 1e-9
    assert (apart <= spacing / 2 + 1e-9).all()


@given(st.floats(-100, 100), st.floats(-100, 100))
def test_contour_moves_with_its_points(x, y):
    tongue = np.random.default_rng(1).normal(0, 10, (5, 4, 2))
    weights = midsagittal.contour_weights(tongue)
    moved = weights @ (tongue[0] + [x, y])
    np.testing.assert_allclose(moved, weights @ tongue[0] + [x, y], atol=1e-9)


def test_stills_show_each_phone_but_silence_at_its_middle(both):
    page = midsagittal.still(both, PHONES, PALATE, title="u1")
    texts = assert_readable_points(page)
    assert {"[a:] 0.45 s", "[S] 0.80 s", "measured", "palate (estimated)"} <= texts
    assert not any(text.startswith("[sil]") for text in texts)
    traced = midsagittal.still(both, PHONES, PALATE._replace(source="traced"))
    assert "palate (traced)" in assert_readable_points(traced)
    places = both["predicted"].values[45].reshape(-1, 2)
    dots = [line for line in page.axes[0].lines if line.get_linestyle() == "None"]
    np.testing.assert_allclose(np.array(dots[1].get_data()).T, places)


def assert_readable_points(page):
    """Readable but for the sensors' names, which stand where the sensors are."""
    for text in page.findobj(midsagittal.Annotation):
        if text.get_text() in POINTS:
            text.set_text("")
    return assert_readable(page)


def test_view_without_phones_or_midsagittal_points(both):
    assert len(midsagittal.still(both, ()).axes) >= 1
    flat = Tracks(np.arange(3) / 100, np.zeros((3, 1)), ("VL_y",))
    with pytest.raises(ValueError, match="no sensor"):
        midsagittal.still({"measured": flat}, ())
    drawn = [name for name, _ in pictures(Scene("u", {"measured": flat}), "VL_y")]
    assert drawn == ["track", "tracks"]


def test_speed_and_landmarks_stand_on_the_time_axis_of_the_utterance():
    time = np.arange(200) / 100
    bell = np.cumsum(np.exp(-0.5 * ((time - 1) / 0.08) ** 2)) / 100
    track = Tracks(time, np.stack([50 * bell, 0 * bell], axis=1), ("TT_x", "TT_y"))
    page = velocity.velocity({"measured": track}, ["TT"], phones=PHONES, title="u1")
    assert "TT\n(mm/s)" in assert_readable(page)
    panel = page.axes[2]
    speed, onset, peak, end = panel.lines
    assert speed.get_ydata().max() == pytest.approx(50, rel=0.02)
    half = 0.08 * np.sqrt(2 * np.log(5))
    assert onset.get_xdata()[0] == pytest.approx(1 - half, abs=0.01)
    assert peak.get_xdata()[0] == pytest.approx(1, abs=0.011)
    assert end.get_xdata()[0] == pytest.approx(1 + half, abs=0.01)


@pytest.mark.slow
def test_animation_is_as_long_as_the_sound_and_moves(both, tmp_path):
    scene = Scene("u1", both, SOUND[:8000], 16_000, PHONES, PALATE)
    written = animate(scene, tmp_path / "moving")
    with Image.open(written[0]) as picture:
        frames = [np.array(frame.convert("L"), int) for frame in ImageSequence.Iterator(picture)]
        shown = sum(frame.info["duration"] for frame in ImageSequence.Iterator(picture))
    assert shown == pytest.approx(500, abs=40)
    assert np.abs(frames[0] - frames[len(frames) // 2]).sum() > 0
    assert animate(Scene("u1", both), tmp_path / "silent") == []


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("ffprobe"), reason="no ffmpeg: apt-get install ffmpeg")
def test_film_has_picture_and_sound_of_the_same_length(both, tmp_path):
    film = animate(Scene("u1", both, SOUND[:8000], 16_000), tmp_path / "moving")[1]
    probe = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(film)]
    streams = json.loads(subprocess.run(probe, capture_output=True, check=True).stdout)["streams"]
    assert {stream["codec_type"] for stream in streams} == {"video", "audio"}
    for stream in streams:
        assert float(stream["duration"]) == pytest.approx(0.5, abs=0.08)


@pytest.mark.slow
def test_every_picture_of_a_scene_is_readable(both):
    few = {
        name: Tracks(track.time, track.values[:, :10], CHANNELS[:10])
        for name, track in both.items()
    }
    scene = Scene("u1", few, SOUND, 16_000, PHONES, PALATE)
    for name, figure in pictures(scene, "TT_y"):
        check = assert_readable_points if name == "midsagittal" else assert_readable
        assert "u1" in check(figure), name


def test_error_tables_and_distribution_are_readable():
    rows = [{"share": k / 100} | dict.fromkeys(POINTS, k / 20) for k in range(101)]
    page = errors.error_cdf(rows, {"tongue": POINTS[:6], "lips and jaw": POINTS[6:9]})
    assert {"TT  2.50", "tongue", "share of frames"} <= assert_readable(page)
    phones = [
        {"phone": phone, "class": name, "frames": 10.0} | dict.fromkeys(CHANNELS, 1.5)
        for phone, name in [("a:", "vowel"), ("i:", "vowel"), ("s", "fricative"), ("", "silence")]
    ]
    columns = {point: [f"{point}_x", f"{point}_y"] for point in POINTS}
    texts = assert_readable(errors.phone_errors(phones, "phone", columns))
    assert {"a:  (10)", "silence  (10)", "vowel", "fricative", "1.5"} <= texts
    assert_readable(errors.phone_errors(phones[:1], "class", columns))


def test_labels_of_one_utterance_may_be_missing():
    one = Tracks(np.zeros(1), np.zeros((1, 2)), ("TT_x", "TT_y"))
    scene = Scene("u", {"predicted": one}, np.zeros(80, np.float32), 16_000, (Label(0, 1, "a"),))
    assert len(list(pictures(scene, "TT_x"))) == 5


MOUTH = {  # mm; where seven real sensors were on average, two on top of each other
    "UL": (64, -39), "LL": (48, -75), "LC": (44, -52), "RC": (44.5, -53),
    "TB": (13, -34), "TM": (17.5, -35), "TT": (28, -40),
}  # fmt: skip


def of_mouth(unit="mm"):
    """Tracks of `MOUTH`, moving a little."""
    channels = tuple(f"{sensor}_{axis}" for sensor in MOUTH for axis in "xy")
    moving = trajectories(150, channels).values
    home = np.array(list(MOUTH.values())).ravel()
    return Tracks(np.arange(150) / 100, home + 0.2 * (moving - moving.mean(axis=0)), channels, unit)


def test_without_labels_ten_instants_of_the_speech_are_shown():
    quiet = np.zeros(8000, np.float32)
    sound = np.concatenate([quiet, SOUND[:8000], quiet])
    scene = Scene("u1", {"measured": of_mouth()}, sound, 16_000)
    assert scene.speech == pytest.approx((0.5, 1.0), abs=0.02)
    page = dict(pictures(scene, "TT_x"))["midsagittal"]
    texts = assert_readable(page)
    shown = sorted(float(text[:-2]) for text in texts if text.endswith(" s"))
    assert len(shown) == 10
    assert np.diff(shown) == pytest.approx(0.05, abs=0.011)
    assert 0.5 < shown[0] < 0.55 and 0.95 < shown[-1] < 1.0
    assert set(MOUTH) <= texts
    one = Scene("u1", {"measured": of_mouth()}, np.zeros(24_000, np.float32), 16_000)
    assert one.speech is None


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_names_cover_no_other_name_and_no_point(scale):
    dots = scale * np.array(list(MOUTH.values()), float)
    offsets = names.beside(dots, list(MOUTH))
    half = np.array([[names.WIDE * names.SIZE * len(name) / 2, names.SIZE / 2] for name in MOUTH])
    middle = dots + offsets
    for k in range(len(dots)):
        apart = (np.abs(middle - middle[k]) >= half + half[k] - 1e-9).any(axis=1)
        assert apart.sum() == len(dots) - 1, list(MOUTH)[k]
        assert (np.abs(dots - middle[k]) >= half[k]).any(axis=1).all(), list(MOUTH)[k]


def test_z_scores_have_no_place_in_the_midsagittal_plane():
    scene = Scene("u1", {"measured": of_mouth("z")}, SOUND, 16_000)
    drawn = dict(pictures(scene, "TT_x"))
    assert scene.points == () and "midsagittal" not in drawn
    assert "TT\n(z/s)" in assert_readable(drawn["velocity"])
