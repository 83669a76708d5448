import numpy as np
import pytest
from numpy.testing import assert_allclose

from pipeline.corpora import mspka
from pipeline.ground.console import InputError
from pipeline.ground.utterance import Label
from tests.pipeline.corpora.recording_files import column, put, put_sound, read_one, settings

MSPKA = settings("mspka")
FORWARD = {"UL": 12, "LL": 13, "UI": 1, "LI": 0, "TB": -45, "TD": -30, "TT": -12}


def speaker(folder, sign=1, rows=21):
    """A row per channel; the height of the tongue tip counts the samples."""
    content = []
    for sensor, x in FORWARD.items():
        height = np.arange(80) / 10 if sensor == "TT" else np.full(80, -5.0)
        content += [np.full(80, sign * float(x)), np.full(80, 0.5), height]
    text = "\n".join(" ".join(map(str, row)) for row in content[:rows])
    home = folder / "lls_1.0.0"
    put(home / "ema_1.0.0" / "lls_12.ema", text)
    put_sound(home / "wav_1.0.0" / "lls_12.wav", 0.2, rate=22_050)
    put(home / "lab_1.0.0" / "lls_12.lab", "0.0 0.1 sil sil\n0.1 0.2 a anche\n")
    put(home / "list_sentences", "11) Un'altra.\n12) Anche qui.\n")
    return folder


def test_rows_are_channels(tmp_path):
    utterance = read_one(speaker(tmp_path), MSPKA)
    assert (utterance.id, utterance.speaker) == ("lls_12", "lls")
    assert utterance.sentence == "Anche qui."
    assert utterance.tracks.values.shape == (80, 21)
    assert utterance.tracks.rate == pytest.approx(400)
    assert_allclose(column(utterance.tracks, "TT_y"), np.arange(80) / 10)
    assert_allclose(column(utterance.tracks, "TT_z"), 0.5)
    assert utterance.sample_rate == 22_050
    assert utterance.phones == (Label(0, 0.1, "sil"), Label(0.1, 0.2, "a"))


@pytest.mark.parametrize("sign", [1, -1])
def test_x_points_to_the_lips_whichever_way_the_file_counts(tmp_path, sign):
    tracks = read_one(speaker(tmp_path, sign), MSPKA).tracks
    for sensor, x in FORWARD.items():
        assert_allclose(column(tracks, f"{sensor}_x"), x)


def test_a_missing_row_is_refused(tmp_path):
    speaker(tmp_path, rows=20)
    with pytest.raises(InputError, match=r"lls_12\.ema: 20 rows, not one for each of 21 channels"):
        read_one(tmp_path, MSPKA)


def test_without_a_list_the_number_is_the_sentence(tmp_path):
    (speaker(tmp_path) / "lls_1.0.0" / "list_sentences").unlink()
    assert read_one(tmp_path, MSPKA).sentence == "12"


def test_the_reference_on_the_upper_incisors_is_no_target():
    assert len(mspka.LAYOUT.channels) == 12
    assert not any(name.startswith("UI") for name in mspka.LAYOUT.channels)
