from io import BytesIO
from itertools import combinations
from unittest.mock import patch

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image

from pipeline.ground.utterance import Label, Tracks
from pipeline.plots import articulators, calibration, curves, style, velocity
from pipeline.plots.timeline import timeline

POINTS = ("TT", "TB", "TF", "TM", "TD", "TR", "UL", "LL", "LI", "VL", "EP", "HY")
CHANNELS = tuple(f"{point}_{axis}" for point in POINTS for axis in "xy")


def trajectories(frames=150, channels=CHANNELS, seed=1):
    rng = np.random.default_rng(seed)
    time = np.arange(frames) / 100
    phase = rng.uniform(0, 6, len(channels))
    home = rng.uniform(-50, 50, len(channels))
    return Tracks(time, home + 5 * np.sin(4 * time[:, None] + phase), channels)


@pytest.fixture
def both():
    measured = trajectories()
    noise = np.random.default_rng(2).normal(0, 0.5, measured.values.shape)
    return {
        "measured": measured,
        "predicted": Tracks(measured.time, measured.values + noise, CHANNELS),
    }


def drawn(figure):
    """Draw a figure and return the texts that were drawn, with their boxes in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # lays it out
    renderer, texts = canvas.get_renderer(), {}

    def record(text, renderer):
        if text.get_visible() and text.get_text().strip():
            texts[id(text)] = text

    with patch.object(Text, "draw", record):
        figure.draw(renderer)
    return [(text.get_text(), text.get_window_extent(renderer)) for text in texts.values()]


def assert_readable(figure):
    """No text overlaps another or leaves the page, and none is smaller than 6 points."""
    boxes = drawn(figure)
    page = figure.bbox
    for text, box in boxes:
        assert page.x0 <= box.x0 and box.x1 <= page.x1, f"{text!r} leaves the page"
        assert page.y0 <= box.y0 and box.y1 <= page.y1, f"{text!r} leaves the page"
    for (one, a), (two, b) in combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across < 1 or down < 1.5, f"{one!r} overlaps {two!r}"
    assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 6
    return {text for text, _ in boxes}


PHONES = (Label(0, 0.3, "sil"), Label(0.3, 0.6, "a:"), Label(0.6, 1.0, "S"))
SOUND = np.sin(np.arange(24_000) / 10).astype(np.float32)


@pytest.mark.parametrize(
    ("channels", "note"),
    [
        (CHANNELS, "x forward, y height"),
        (("TT_y",), "y height"),
        (("LL_y", "TT_x", "VL_y"), "x forward, y height"),
    ],
)
def test_timeline_shows_every_channel_asked_for_on_one_axis_of_seconds(both, channels, note):
    page = timeline(
        SOUND,
        16_000,
        both,
        phones=PHONES,
        channels=channels,
        title="u1",
        scores=dict.fromkeys(channels, "r 0.93\n1.40 mm"),
    )
    texts = assert_readable(page)
    assert {f"{channel.replace('_', ' ')}\n(mm)" for channel in channels} <= texts
    known = {f"time (s)      {note}", "kHz", "sound", "phones", "measured", "predicted", "u1"}
    assert {*known, "a:", "S"} <= texts
    assert {axes.get_xlim() for axes in page.axes} == {(0, 1.5)}


def test_timeline_of_a_sample_of_silence_of_one_frame_and_of_gaps(both):
    one = Tracks(np.zeros(1), np.zeros((1, 1)), ("TT_x",))
    assert_readable(timeline(np.zeros(1, np.float32), 16_000, {"predicted": one}))
    gaps = Tracks(both["measured"].time, both["measured"].values.copy(), CHANNELS)
    gaps.values[20:40] = np.nan
    gaps.values[:, 1] = np.nan
    assert_readable(timeline(0 * SOUND, 16_000, {"measured": gaps}))


def test_timeline_refuses_a_channel_that_is_not_there(both):
    with pytest.raises(ValueError, match="no channel XX_x among TT_x"):
        timeline(SOUND, 16_000, both, channels=["XX_x"])


@pytest.mark.slow
def test_pages_of_panels_are_readable(both):
    scores = dict.fromkeys(CHANNELS, "r 0.93, 10.40 mm")
    assert "tongue tip\nheight, TT_y (mm)" in assert_readable(
        articulators.one_track(both, "TT_y", score="r 0.93, 1.40 mm", title="vtl0001")
    )
    texts = assert_readable(articulators.all_tracks(both, scores, title="vtl0001"))
    assert {channel.replace("_", " ") for channel in CHANNELS} <= texts
    values = [track.values for track in both.values()]
    assert_readable(articulators.scatter(*values, CHANNELS, scores))


def test_scatter_of_constant_missing_and_single_values():
    values = np.stack([np.full(5, 3.0), np.full(5, np.nan)], axis=1)
    page = articulators.scatter(values, values, ("TT_x", "TT_y"), {})
    assert_readable(page)


def test_calibration_shows_the_diagonal_and_how_far_tracks_are_from_it():
    rows = [
        {"nominal": share, "observed": 0.9 * share, "TT_x": 0.8 * share, "TT_y": share}
        for share in (0.1, 0.5, 0.9)
    ]
    page = calibration.calibration(rows)
    (axes,) = page.axes
    diagonal, observed = axes.lines
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    np.testing.assert_allclose(observed.get_ydata(), [0.09, 0.45, 0.81])
    (band,) = axes.collections
    assert band.get_paths()[0].get_extents().ymax == pytest.approx(0.9)
    assert_readable(page)


def test_learning_curves_name_both_sides_and_mark_the_epoch_that_is_kept():
    epochs = [
        {
            "epoch": k,
            "train_z_mse": 1 / k,
            "validation_z_mse": 0.4 + k / 50,
            "validation_loss": 0.9 + (k - 4) ** 2 / 50,
        }
        for k in range(1, 11)
    ]
    page = curves.learning_curves(epochs)
    assert {"training", "validation", "kept: 0.480", "epoch"} <= assert_readable(page)
    marker = page.axes[0].lines[-1]
    assert (marker.get_xdata()[0], marker.get_ydata()[0]) == pytest.approx((4, 0.48))
    assert_readable(curves.learning_curves(epochs[:1]))


def test_comparison_has_a_dot_and_an_interval_for_each_value():
    rows = {style.sensor_name(point): {"r": 0.5, "r_low": 0.4, "r_high": 0.6} for point in POINTS}
    page = curves.comparison(
        {"network": rows, "mean": {name: {"r": np.nan} for name in rows}}, {"r": "Pearson's r"}
    )
    assert {"network", "mean", "Pearson's r", "tongue tip TT"} <= assert_readable(page)
    network = next(line for line in page.axes[0].lines if line.get_label() == "network")
    np.testing.assert_array_equal(network.get_xdata(), np.full(12, 0.5))


def test_a_saved_picture_is_the_same_twice_and_as_wide_as_a_column(both, tmp_path):
    files = []
    for _ in range(2):
        style.save(articulators.one_track(both, "TT_y"), tmp_path / "picture")
        files.append([(tmp_path / f"picture.{kind}").read_bytes() for kind in ("png", "pdf")])
    assert files[0] == files[1]
    picture = Image.open(BytesIO(files[0][0]))
    assert picture.width == pytest.approx(style.COLUMN / 25.4 * 300, abs=1)


def test_pages_of_an_utterance_without_labels_leave_no_room_for_them(both):
    with_labels, without = (
        timeline(SOUND, 16_000, both, phones=phones, channels=["TT_y"]) for phones in (PHONES, ())
    )
    assert len(without.axes) == len(with_labels.axes) - 1
    assert without.get_size_inches()[1] < with_labels.get_size_inches()[1]
    assert "phones" not in assert_readable(without)
    speed = velocity.velocity(both, ["TT"])
    assert len(speed.axes) == 2 and "phones" not in assert_readable(speed)


def test_names_with_many_letters_and_in_chinese_leave_the_legend_and_the_score_alone(both):
    for name in ("2024-03-15_session-3_" * 8, "二零二四年三月十五日第三次录音" * 6):
        shown = style.fitting(name, 60)
        assert style.breadth(shown) <= 60 / (0.64 * 7 * 25.4 / 72)
        assert "…" in shown and shown[:5] == name[:5] and shown[-5:] == name[-5:]
    title = "2024-03-15_session-3_" * 8
    score = "r 0.93, 10.40 mm"
    assert_readable(articulators.one_track(both, "TT_y", score=score, title=title))
    assert_readable(articulators.all_tracks(both, {}, title=title))
    assert_readable(timeline(SOUND, 16_000, both, channels=["TT_y"], title=title))
    assert style.fitting("p003-05", 60) == "p003-05"


@pytest.mark.parametrize(
    ("sensors", "name"),
    [
        (("UL", "LL", "LC", "RC", "TB", "TM", "TT"), "tongue back"),  # STEM-E2VA
        (POINTS, "tongue blade"),
        (("TR", "TB", "TT", "UL"), "tongue body"),  # HPRC
        (("TT", "TB", "TD"), "tongue body"),  # TARDIS
        (("TB",), "tongue body"),
        ((), "tongue body"),
    ],
)
def test_what_tb_is_depends_on_what_lies_behind_it(sensors, name):
    assert style.words("TB", sensors) == name
    assert style.sensor_name("TB", sensors) == f"{name} TB"


@pytest.mark.parametrize("channel", ["RC_x", "LC_y", "TB_x"])
def test_the_longest_name_of_a_channel_fits_its_axis(channel):
    track = trajectories(channels=(channel, "TT_y", "TB_y"))
    assert_readable(articulators.one_track({"measured": track}, channel))


def test_a_minus_is_that_of_the_axes():
    assert style.signed("r -0.12, 1.20 mm") == "r −0.12, 1.20 mm"
