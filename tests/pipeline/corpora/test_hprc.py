import numpy as np
import pytest
from numpy.testing import assert_allclose

from pipeline.corpora import hprc
from pipeline.formats import mview
from pipeline.ground.utterance import Label, Tracks, Utterance
from tests.pipeline.corpora.recording_files import column, read_all, read_one, settings

HPRC = settings("hprc")


def put_recording(path, order=hprc.SENSORS):
    """A sentence in which sensor k lies at x = -10 k, lateral k, height 100 + k."""
    path.parent.mkdir(parents=True, exist_ok=True)
    places = [np.array([-10.0 * k, k, 100 + k]) for k in (hprc.SENSORS.index(s) for s in order)]
    values = np.tile(np.concatenate(places), (30, 1))
    channels = tuple(f"{sensor}_{axis}" for sensor in order for axis in "xzy")
    tracks = Tracks(np.arange(30) / 100, values, channels)
    audio = np.linspace(-0.5, 0.5, 13230, dtype=np.float32)
    phones = (Label(0, 0.1, "sp"), Label(0.1, 0.3, "AH0"))
    utterance = Utterance("a", tracks, audio, 44_100, sentence="A sentence.", phones=phones)
    mview.write(path, utterance, "xzy")


def test_name_and_order_of_the_sensors(tmp_path):
    put_recording(tmp_path / "F01" / "data" / "F01_B02_S03_R01_F.mat", hprc.SENSORS[::-1])
    (tmp_path / "F01" / "data" / "F01_palate.mat").write_bytes(b"of another shape")
    utterance = read_one(tmp_path, HPRC)
    assert utterance.id == "F01_B02_S03_R01_F"
    assert (utterance.speaker, utterance.session, utterance.style) == ("F01", "B02", "fast")
    assert utterance.sentence == "A sentence."
    for k, sensor in enumerate(hprc.SENSORS):
        assert_allclose(column(utterance.tracks, f"{sensor}_x"), -10 * k)
        assert_allclose(column(utterance.tracks, f"{sensor}_y"), 100 + k)
        assert_allclose(column(utterance.tracks, f"{sensor}_z"), k)
    assert utterance.phones[1].text == "AH0"


def test_the_layout_is_all_eight_sensors_in_three_dimensions():
    assert len(hprc.LAYOUT.channels) == 24 and hprc.LAYOUT.deltas == 0


def test_one_sentence_at_two_rates_is_the_same_sentence(tmp_path):
    for style in "NF":
        put_recording(tmp_path / f"F01_B02_S03_R01_{style}.mat")
    fast, normal = read_all(tmp_path, HPRC)
    assert (fast.style, normal.style) == ("fast", "normal")
    assert fast.sentence == normal.sentence != ""


def test_real_speaker(shared_data):
    utterance = read_one(shared_data / "hprc", HPRC)
    assert (utterance.id, utterance.style) == ("F01_B01_S01_R01_N", "normal")
    assert set(utterance.tracks.channels) == set(hprc.LAYOUT.channels)
    assert utterance.tracks.values.shape == (262, 24)
    assert (utterance.sample_rate, len(utterance.phones)) == (44_100, 29)
    # the tongue from the root forward to the tip, then the lips; the upper lip above the lower
    places = [column(utterance.tracks, f"{s}_x").mean() for s in ("TR", "TB", "TT", "LL", "UL")]
    assert places == sorted(places)
    assert column(utterance.tracks, "UL_y").mean() > column(utterance.tracks, "LL_y").mean() + 10
    # the corner of the mouth is well off the midline, the tongue is not
    assert column(utterance.tracks, "ML_z").mean() == pytest.approx(28.5, abs=0.1)
    assert abs(column(utterance.tracks, "TT_z").mean()) < 3
