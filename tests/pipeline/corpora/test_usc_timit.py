import numpy as np
import pytest
from numpy.testing import assert_allclose

from pipeline.corpora import usc_timit
from pipeline.formats import mview
from pipeline.ground.console import InputError
from pipeline.ground.utterance import Label, Tracks, Utterance
from tests.pipeline.corpora.recording_files import column, put, read_all, settings

USC = settings("usc-timit")
SENSORS = ("UL", "TT", "JAW", "LL", "TB", "TD")
SOUND_RATE, RATE = 20_000, 98.5
CLICK, STEP = 1.500, 1.478  # s: the articulation is early by 22 ms
TRANSCRIPT = """0,0.3,sil,,,
0.3,0.6,aa,one,"ONE, TWO",1
0.6,0.9,b,two,"ONE, TWO",1
0.9,1.3,sil,,,
1.3,1.6,k,three,THREE,2
1.6,2.0,t,three,THREE,2
2.0,2.5,sil,,,
"""


def put_recording(folder, name="usctimit_ema_f1_001_005", transcript: str | None = TRANSCRIPT):
    audio = np.zeros(round(2.5 * SOUND_RATE), np.float32)
    audio[round(CLICK * SOUND_RATE)] = 0.9
    time = np.arange(round(2.4 * RATE)) / RATE  # it ends before the sound does
    values = np.zeros((len(time), 18))
    values[:, 4] = np.where(time >= STEP, 10, 0)  # TT, second column
    values[:, 5] = 3  # lateral
    channels = tuple(f"{sensor}_{axis}" for sensor in SENSORS for axis in "xyz")
    path = folder / "F1" / "mat" / f"{name}.mat"
    path.parent.mkdir(parents=True)
    utterance = Utterance("a", Tracks(time, values, channels), audio, SOUND_RATE)
    mview.write(path, utterance, "xyz")
    if transcript is not None:
        put(folder / "F1" / "trans" / f"{name}.trans", transcript)
    return folder


def test_sentences_are_cut_out_of_the_file(tmp_path):
    first, second = read_all(put_recording(tmp_path), USC)
    assert first.id == "usctimit_ema_f1_001_005-001"
    assert (first.speaker, first.sentence, second.sentence) == ("F1", "001", "002")
    # with 0.1 s of silence on both sides
    assert len(first.audio) / SOUND_RATE == pytest.approx(0.8)
    assert len(second.audio) / SOUND_RATE == pytest.approx(0.9)
    assert first.phones == tuple(
        Label(*(pytest.approx(t) for t in times), text)
        for *times, text in [(0, 0.1, "sil"), (0.1, 0.4, "aa"), (0.4, 0.7, "b"), (0.7, 0.8, "sil")]
    )
    assert second.tracks.time[0] >= 0 and second.tracks.time[-1] <= 0.9


def test_the_articulation_is_moved_to_the_sound_it_makes(tmp_path):
    _, second = read_all(put_recording(tmp_path), USC)
    click = np.argmax(second.audio) / SOUND_RATE
    step = second.tracks.time[np.argmax(column(second.tracks, "TT_y") > 5)]
    assert click == pytest.approx(CLICK - 1.2)
    assert 0 <= step - click < 1.01 / RATE  # the first sample after the step


def test_height_is_the_second_column_and_the_rate_is_the_files(tmp_path):
    _, second = read_all(put_recording(tmp_path), USC)
    assert_allclose(column(second.tracks, "TT_z"), 3)
    assert second.tracks.rate == pytest.approx(RATE)
    assert set(usc_timit.LAYOUT.channels) < set(second.tracks.channels)


@pytest.mark.parametrize("transcript", [None, "0,2.5,sil,,,\n"], ids=["no file", "no sentence"])
def test_without_sentences_the_file_is_one_utterance(tmp_path, transcript):
    (whole,) = read_all(put_recording(tmp_path, transcript=transcript), USC)
    assert whole.id == "usctimit_ema_f1_001_005"
    assert len(whole.audio) / SOUND_RATE == pytest.approx(2.5)
    assert whole.tracks.time[0] == pytest.approx(0.022)


def test_sentences_without_a_pause_share_none():
    rows = [(Label(0, 1, "a"), 1), (Label(1, 2, "b"), 2), (Label(2.1, 3, "c"), 3)]
    assert usc_timit.sentence_spans(rows) == {
        1: (0, 1),
        2: (1, pytest.approx(2.05)),
        3: (pytest.approx(2.05), pytest.approx(3.1)),
    }


@pytest.mark.parametrize(
    ("transcript", "reason"),
    [
        ("0,0.5,aa,one,ONE,1\n0.5,x,b,one,ONE,1\n", "line 2: '0.5,x,b,one,ONE,1' is not a label"),
        ("0.5,0.2,aa,one,ONE,1\n", "line 1: a label from 0.5 to 0.2 s"),
        ("0,0.5,aa,one,ONE,first\n", "is not a label"),
        ("nonsense\n", "line 1: 'nonsense' is not a label"),
    ],
)
def test_a_broken_transcript_is_refused_when_the_utterance_is_read(tmp_path, transcript, reason):
    put_recording(tmp_path, transcript=transcript)
    reader_items = list(usc_timit.find(tmp_path, USC))
    with pytest.raises(InputError) as refusal:
        usc_timit.read(reader_items[0], USC)
    assert ".trans: " in str(refusal.value) and reason in str(refusal.value)
