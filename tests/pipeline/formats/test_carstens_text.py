import numpy as np
import pytest
from numpy.testing import assert_allclose

from pipeline.formats import carstens_pos, carstens_text
from tests.pipeline.formats.recordings import assert_refused

NAMES = ("X", "Y", "Z", "phi", "theta", "RMS", "Extra")


def export(sensors=2, rows=3, decimal="."):
    """Number k of a row is 10 k + row + 0.25."""
    header = "\t".join(f"Ch{s + 1}_{name}" for s in range(sensors) for name in NAMES)
    lines = [
        "\t".join(f"{10 * k + row + 0.25:.2f}".replace(".", decimal) for k in range(7 * sensors))
        for row in range(rows)
    ]
    return "\n".join([header, *lines]) + "\n"


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_export(tmp_path, decimal, newline):
    path = tmp_path / "a.txt"
    path.write_bytes(export(decimal=decimal).replace("\n", newline).encode())
    assert carstens_text.recognised(path)
    tracks = carstens_text.read(path, 250)
    assert tracks.channels[:8] == (
        "1_x",
        "1_z",
        "1_y",
        "1_phi",
        "1_theta",
        "1_rms",
        "1_extra",
        "2_x",
    )
    assert_allclose(tracks.time, [0, 0.004, 0.008])
    assert_allclose(
        carstens_pos.positions(tracks)[1], [[1.25, 11.25, 21.25], [71.25, 81.25, 91.25]]
    )


def test_other_text_is_not_recognised(tmp_path):
    (tmp_path / "prompt.txt").write_text("Ch")
    assert not carstens_text.recognised(tmp_path / "prompt.txt")
    assert not carstens_text.recognised(tmp_path / "nowhere.txt")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (export().replace("Ch1_Z", "Ch1_W"), "line 1: not the columns Ch1_X, Ch1_Y .."),
        (export().replace("Ch2_Extra", ""), "line 1: not the columns"),
        (export().replace("1.25", "x", 1), "line 3, column 1: 'x' is not a number"),
        (export(rows=0), "line 2: no numbers"),
        (export().replace("\t0.25", "", 1) + "1\n", "columns, not"),
        ("", "empty file"),
    ],
)
def test_refusals(tmp_path, content, reason):
    assert_refused(
        lambda p: carstens_text.read(p, 250), tmp_path / "a.txt", content.encode(), reason
    )


def test_a_real_export(shared_data):
    tracks = carstens_text.read(shared_data / "tardis_sf2" / "sf2_0005.txt", 250)
    points = carstens_pos.positions(tracks)
    assert points.shape == (703, 16, 3) and tracks.rate == pytest.approx(250)
    connected = np.isfinite(points).any(axis=(0, 2))
    assert (np.flatnonzero(connected) + 1).tolist() == [*range(1, 8), 12, 13, 14]
    # the lip is in front of the tongue tip
    assert np.nanmean(points[:, 5, 0]) > np.nanmean(points[:, 0, 0]) + 20
