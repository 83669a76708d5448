import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pipeline.corpora import xrmb
from pipeline.ground.console import InputError
from pipeline.ground.utterance import Label
from tests.pipeline.corpora.recording_files import column, put, put_sound, read_one, settings

XRMB = settings("xrmb")


def table(frames=20, lost=()):
    """CRLF rows; pellet column k is 1000 k + frame micrometres, some are lost."""
    rows = []
    for frame in range(frames):
        cells = [1000 * k + frame for k in range(16)]
        for lost_frame, lost_column in lost:
            if lost_frame == frame:
                cells[lost_column] = 1_000_000
        rows.append("\t".join(map(str, [6866 * frame, *cells])))
    return "\r\n".join(rows)


def task(folder, content: str, name="JW11/TP005_2.TXY"):
    put(folder / name, content)
    put_sound((folder / name).with_suffix(".WAV"), 0.2)
    return folder


def test_a_task(tmp_path):
    utterance = read_one(task(tmp_path, table()), XRMB)
    assert (utterance.id, utterance.speaker) == ("JW11_tp005_2", "JW11")
    assert utterance.sentence == "tp005"  # a second trial says the same
    tracks = utterance.tracks
    names = [name[:-2] for name in tracks.channels[::2]]
    assert names == ["UL", "LL", "T1", "T2", "T3", "T4", "MNI", "MNM"]
    assert tracks.rate == pytest.approx(1e6 / 6866)
    assert_allclose(column(tracks, "UL_y")[:2], [1.000, 1.001])
    assert_allclose(column(tracks, "MNM_y")[0], 15)


def test_1000000_is_a_lost_pellet_and_no_position(tmp_path):
    utterance = read_one(task(tmp_path, table(lost=[(3, 4), (4, 4), (7, 15)])), XRMB)
    missing = np.argwhere(np.isnan(utterance.tracks.values))
    assert_array_equal(missing, [[3, 4], [4, 4], [7, 15]])
    assert np.nanmax(np.abs(utterance.tracks.values)) < 20


def test_real_task(shared_data):
    utterance = read_one(shared_data / "xrmb", XRMB)
    tracks = utterance.tracks
    assert (utterance.id, utterance.speaker, utterance.sentence) == ("JW11_tp005", "JW11", "tp005")
    assert len(tracks.time) == 730
    assert tracks.time[1] == pytest.approx(0.006866)
    assert tracks.rate == pytest.approx(145.65, abs=0.01)
    assert np.isnan(tracks.values[:6]).all() and not np.isnan(tracks.values[6]).any()
    assert (utterance.sample_rate, len(utterance.audio) / 16_000) == (
        16_000,
        pytest.approx(5.024, abs=1e-3),
    )
    assert len(utterance.phones) == 19 and utterance.phones[1].text == "s"
    # from back to front: the tongue, then the lips; the upper lip is above the lower
    order = ("T4_x", "T3_x", "T2_x", "T1_x", "UL_x")
    places = [np.nanmean(column(tracks, name)) for name in order]
    assert places == sorted(places) and 10 < places[4] - places[3] < 60
    assert np.nanmean(column(tracks, "UL_y")) > np.nanmean(column(tracks, "LL_y")) + 10
    assert np.nanmax(np.abs(tracks.values)) < 100  # mm


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (table() + "\t5", "line 20: 18 columns, not 17"),
        ("0\t1\t2\r\n6866\t1\t2\r\n", "3 columns, not 17"),
        (table().replace("6866\t", "x\t", 1), "line 2, column 1: 'x' is not a number"),
        (table().replace("13732\t", "6866\t", 1), "frame 2: time 0.006866 s does not follow"),
        (table().replace("0\t", "-5\t", 1), "frame 0: time -5e-06 s is negative"),
        (table(2, [(f, c) for f in range(2) for c in range(16)]), "no sample in any of 16"),
        (table().replace("1000\t", "\xff\t", 1), "not ascii text"),
    ],
)
def test_refusals(tmp_path, content, reason):
    task(tmp_path, content)
    with pytest.raises(InputError) as refusal:
        read_one(tmp_path, XRMB)
    assert "TP005_2.TXY: " in str(refusal.value) and reason in str(refusal.value)


def test_another_speaker_s_sound_and_labels_are_not_taken(tmp_path):
    put(tmp_path / "JW11" / "TP005.TXY", table())
    task(tmp_path, table(), "JW12/TP005.TXY")
    put(tmp_path / "JW12" / "TP005.lab", "0 0.1 a\n")
    put(tmp_path / "JW13" / "txy" / "TP005.TXY", table())
    put_sound(tmp_path / "JW13" / "wav" / "TP005.wav", 0.2)
    items = {item.id: item for item in xrmb.find(tmp_path, XRMB)}
    with pytest.raises(InputError, match=r"JW11/TP005\.wav: not found"):
        xrmb.read(items["JW11_tp005"], XRMB)
    assert len(items["JW11_tp005"].files) == 2
    assert xrmb.read(items["JW12_tp005"], XRMB).phones == (Label(0, 0.1, "a"),)
    beside = xrmb.read(items["JW13_tp005"], XRMB)  # kinds of files in folders of their own
    assert beside.speaker == "JW13" and beside.phones == ()
