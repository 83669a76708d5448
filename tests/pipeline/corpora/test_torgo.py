import numpy as np
import pytest
from numpy.testing import assert_allclose

from pipeline.corpora import torgo
from pipeline.ground.console import InputError
from pipeline.ground.utterance import Label
from tests.pipeline.corpora.recording_files import (
    column,
    put,
    put_sound,
    read_all,
    read_one,
    settings,
)

TORGO = settings("torgo")


def positions(frames=60, sensors=12) -> bytes:
    """Sensor k at x = k + 1, lateral 20 + k, height 40 + k, and four numbers more."""
    k = np.arange(sensors)
    row = np.stack([k + 1, 20 + k, 40 + k, *np.full((4, sensors), 7)], axis=1)
    return np.tile(row.ravel(), frames).astype("<f4").tobytes()


def session(folder, speaker="F01", name="Session1", content=None):
    home = folder / speaker / name
    put(home / "pos" / "0001.pos", positions() if content is None else content)
    put_sound(home / "wav_headMic" / "0001.wav", 0.3)
    put_sound(home / "wav_arrayMic" / "0001.wav", 0.5)
    put(home / "prompts" / "0001.txt", "The quick\nbrown fox.\n")
    put(home / "phn_headMic" / "0001.PHN", "0 1600 sil\n1600 4800 dh\n")
    return folder


def test_a_recording(tmp_path):
    utterance = read_one(session(tmp_path), TORGO)
    assert utterance.id == "F01_Session1_0001"
    assert (utterance.speaker, utterance.session) == ("F01", "Session1")
    assert (utterance.style, utterance.sentence) == ("dysarthric", "The quick brown fox.")
    assert utterance.tracks.rate == pytest.approx(200)
    for k, sensor in enumerate(torgo.SENSORS):
        assert_allclose(column(utterance.tracks, f"{sensor}_x"), k + 1)
        assert_allclose(column(utterance.tracks, f"{sensor}_y"), 40 + k)
        assert_allclose(column(utterance.tracks, f"{sensor}_z"), 20 + k)
    assert utterance.phones == (Label(0, 0.1, "sil"), Label(0.1, 0.3, "dh"))


def test_the_sound_is_of_the_head_microphone(tmp_path):
    assert len(read_one(session(tmp_path), TORGO).audio) == round(0.3 * 16_000)


def test_the_array_microphone_is_no_substitute(tmp_path):
    (session(tmp_path) / "F01" / "Session1" / "wav_headMic" / "0001.wav").unlink()
    with pytest.raises(InputError, match=r"wav_headMic/0001\.wav: not found"):
        read_one(tmp_path, TORGO)


def test_the_same_number_in_another_session_is_another_recording(tmp_path):
    session(session(session(tmp_path), name="Session2"), speaker="FC02")
    utterances = read_all(tmp_path, TORGO)
    assert [u.id for u in utterances] == [
        "F01_Session1_0001",
        "F01_Session2_0001",
        "FC02_Session1_0001",
    ]
    assert [u.style for u in utterances] == ["dysarthric", "dysarthric", "control"]


def test_the_layout_is_twelve_sensors_in_the_midsagittal_plane():
    assert len(torgo.LAYOUT.channels) == 24 and torgo.LAYOUT.deltas == 0


def test_a_truncated_file_is_refused(tmp_path):
    session(tmp_path, content=positions()[:-10])
    with pytest.raises(InputError, match=r"0001\.pos: offset \d+: 326 bytes are left over"):
        read_one(tmp_path, TORGO)
