import pytest

from pipeline.formats import lab
from pipeline.ground.utterance import Label
from tests.pipeline.formats.recordings import assert_refused


def put(folder, content: str):
    path = folder / "a.lab"
    path.write_text(content, encoding="latin-1")
    return path


def test_start_end_text(tmp_path):
    labels = lab.read(put(tmp_path, "0.00 0.51 sil\n0.51 0.62 a word\n\n0.62 0.70\n"))
    assert labels == (Label(0, 0.51, "sil"), Label(0.51, 0.62, "a"), Label(0.62, 0.70, ""))


def test_esps_labels_start_where_the_one_before_ends(tmp_path):
    content = "separator ;\nnfields 1\n#\n\t0.488000 26\t#\n\t0.560000 26\tD\n\t0.600000 26\t@\n"
    labels = lab.read(put(tmp_path, content))
    assert labels == (Label(0, 0.488, "#"), Label(0.488, 0.56, "D"), Label(0.56, 0.6, "@"))


def test_samples(tmp_path):
    assert lab.read(put(tmp_path, "0 8000 sil\n8000 9600 ah\n"), 16000) == (
        Label(0, 0.5, "sil"),
        Label(0.5, 0.6, "ah"),
    )


def test_real_labels(shared_data):
    labels = lab.read(shared_data / "xrmb" / "jw11_tp005.lab")
    assert [label.text for label in labels] == ["sil", *["s", "a"] * 9]
    assert labels[0] == Label(0, 0.752, "sil") and labels[-1].end == 5.019


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("0 0.1 a\n0.1 b\n", "line 2: '0.1 b' is not a label"),
        ("0 0.1 a\n0.1\n", "line 2: '0.1' is not a label"),
        ("0.2 0.1 a\n", "line 1: a label from 0.2 to 0.1 s"),
        ("-0.2 0.1 a\n", "line 1: a label from -0.2"),
        ("0 nan a\n", "line 1: a label from 0 to nan"),
        ("0 inf a\n", "line 1: a label from 0 to inf"),
        ("#\n0.5 26 a\n0.4 26 b\n", "line 3: a label from 0.5 to 0.4"),
        ("", "empty file"),
    ],
)
def test_refusals_name_the_line(tmp_path, content, reason):
    assert_refused(lab.read, tmp_path / "a.lab", content.encode(), reason)
