import struct

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pipeline.corpora import mocha
from pipeline.ground.console import InputError
from pipeline.ground.utterance import Label
from tests.pipeline.corpora.recording_files import column, put, put_sound, read_one, settings

MOCHA = settings("mocha")
# the header of a real file, as its users describe it
NAMES = (
    *("ui_x", "li_x", "ul_x", "ll_x", "tt_x", "ui_y", "li_y", "ul_y", "ll_y", "tt_y"),
    *("tb_x", "td_x", '"v_x "', "****", "bn_x", "tb_y", "td_y", '"v_y "', "****", "bn_y"),
)
HEADER = "\n".join(
    [
        "EST_File Track",
        "DataType binary",
        "ByteOrder 01",
        "NumFrames 50",
        "NumChannels 20",
        "EqualSpace 0",
        "BreaksPresent true",
        "CommentChar ;",
        "",
        *(f"Channel_{k} {name}" for k, name in enumerate(NAMES)),
        "EST_Header_End",
        "",
    ]
)


def rows():
    """Channel k is 1000 k + frame, in 1e-5 m, so that a wrong column shows."""
    return [(f / 500, 1.0, *(1000.0 * k + f for k in range(20))) for f in range(50)]


def speaker(folder, ema: bytes):
    put(folder / "fsew0" / "fsew0_001.ema", ema)
    put_sound(folder / "fsew0" / "fsew0_001.wav", 0.1, format="NIST")
    put(folder / "fsew0" / "fsew0_001.lab", "0.0 0.02 sil\n0.02 0.08 aa\n0.08 0.1 sil\n")
    put(folder / "fsew0" / "fsew0_palate.ema", "of another shape")
    return folder


BINARY = HEADER.encode() + b"".join(struct.pack("<22f", *row) for row in rows())
ASCII = "".join(" ".join(map(str, row)) + "\n" for row in rows()).encode()


@pytest.mark.parametrize("ema", [BINARY, ASCII], ids=["EST", "rows alone"])
def test_a_sentence(tmp_path, ema):
    utterance = read_one(speaker(tmp_path, ema), MOCHA)
    assert (utterance.id, utterance.speaker, utterance.sentence) == ("fsew0_001", "fsew0", "001")
    tracks = utterance.tracks
    assert set(mocha.LAYOUT.channels) < set(tracks.channels)
    assert "UI_x" in tracks.channels and len(tracks.channels) == 18
    assert tracks.rate == pytest.approx(500)
    # channel 4, and not the fourth column: 4000 * 1e-5 m is 40 mm
    assert_allclose(column(tracks, "TT_x")[:2], [40.00, 40.01], atol=1e-4)
    assert_allclose(column(tracks, "TT_y")[0], 90, atol=1e-4)
    assert_allclose(column(tracks, "VL_x")[0], 120, atol=1e-4)
    assert_allclose(column(tracks, "BN_y")[0], 190, atol=1e-4)
    assert utterance.phones[1] == Label(0.02, 0.08, "aa")


def test_the_sound_is_nist_sphere_whatever_its_name(tmp_path):
    utterance = read_one(speaker(tmp_path, BINARY), MOCHA)
    assert (tmp_path / "fsew0" / "fsew0_001.wav").read_bytes().startswith(b"NIST_1A")
    assert utterance.sample_rate == 16_000
    tone = np.sin(2 * np.pi * 200 * np.arange(1600) / 16_000) / 2
    assert_allclose(utterance.audio, tone, atol=1e-4)


def test_rows_of_another_width_are_refused(tmp_path):
    speaker(tmp_path, b"0.0 1 2 3\n0.002 1 2 3\n")
    with pytest.raises(InputError, match=r"fsew0_001\.ema: line 1: 4 columns, not 22"):
        read_one(tmp_path, MOCHA)


def test_a_missing_sound_is_named(tmp_path):
    speaker(tmp_path, BINARY)
    (tmp_path / "fsew0" / "fsew0_001.wav").unlink()
    with pytest.raises(InputError, match=r"fsew0_001\.wav: not found"):
        read_one(tmp_path, MOCHA)
