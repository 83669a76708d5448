import numpy as np
import pytest
import scipy.io
from numpy.testing import assert_allclose

from pipeline.corpora import stem_e2va
from pipeline.ground.console import InputError
from tests.pipeline.corpora.recording_files import column, put_sound, read_all, read_one, settings

STEM = settings("stem-e2va")
SENSORS = ("UL", "LL", "LC", "RC", "TB", "TM", "TT")


def put_sentence(folder, name="DPMIA07", columns=42, frames=100, sound=True):
    """Column k of the array is 1000 k + frame."""
    table = 1000 * np.arange(columns) + np.arange(frames)[:, None].astype(float)
    (folder / "matfiles").mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(folder / "matfiles" / f"{name}.mat", {name: table})
    if sound:
        put_sound(folder / "wavfiles" / f"{name}.wav", frames / 250, rate=48_000)
    return folder


def test_a_sentence(tmp_path):
    utterance = read_one(put_sentence(tmp_path), STEM)
    assert (utterance.id, utterance.speaker, utterance.style) == ("DPMIA07", "DP", "IA")
    assert utterance.sentence == "07"  # the same text for every speaker
    tracks = utterance.tracks
    assert tracks.rate == pytest.approx(250) and tracks.time[0] == 0
    for k, sensor in enumerate(SENSORS):
        for axis, column_of_file in (("x", 0), ("z", 1), ("y", 2)):
            first = column(tracks, f"{sensor}_{axis}")[0]
            assert first == 1000 * (6 * k + column_of_file)
    assert len(stem_e2va.LAYOUT.channels) == 14


def test_another_sentence_s_sound_is_not_taken(tmp_path):
    put_sentence(tmp_path, "DPMIA07", sound=False)
    put_sentence(tmp_path, "JJWMIA07")
    with pytest.raises(InputError, match=r"DPMIA07\.wav: not found"):
        read_all(tmp_path, STEM)


@pytest.mark.parametrize(
    ("columns", "reason"), [(36, "36 columns, not 6 for each of 7 sensors"), (41, "41 columns")]
)
def test_refusals(tmp_path, columns, reason):
    with pytest.raises(InputError, match=reason):
        read_one(put_sentence(tmp_path, columns=columns), STEM)


def test_real_sentences(shared_data):
    items = list(stem_e2va.find(shared_data / "stem_e2va", STEM))
    assert len(items) == 214
    assert {item.speaker for item in items} == {"DP", "JJW"}
    assert {item.style for item in items} == {"NE", "IJ", "MJ", "IA", "MA", "IS", "MS"}
    assert {item.sentence for item in items} == {f"{k:02d}" for k in range(1, 17)}
    for item in items[::53] + [item for item in items if item.id == "JJWMNE12"]:
        utterance = stem_e2va.read(item, STEM)
        assert utterance.sample_rate == 48_000
        tracks, seconds = utterance.tracks, len(utterance.audio) / 48_000
        assert len(tracks.time) / 250 == pytest.approx(seconds, abs=0.005)
        # from back to front; left is left of right; the lips are in front of the tongue
        places = [column(tracks, f"{sensor}_x").mean() for sensor in ("TB", "TM", "TT", "LL", "UL")]
        assert places == sorted(places)
        assert column(tracks, "LC_z").mean() > column(tracks, "RC_z").mean() + 20
        assert column(tracks, "UL_y").mean() > column(tracks, "LL_y").mean() + 15
        assert_allclose(tracks.values, tracks.values.clip(-150, 150))  # mm
