"""TextGrids: round trips, the dialects of Praat, and errors."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats import textgrid
from pipeline.ground.console import InputError
from pipeline.ground.utterance import Label

TEXTS = st.text("aɪʃ:@#\"'[]=1\\é", min_size=1, max_size=6)

SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
1.5
<exists>
2
"IntervalTier"
"phones"
0
1.5
3
0
0.5
""
0.5
1
"a:"
1
1.5
""
"TextTier"
"clicks"
0
1.5
1
0.7
"click"
"""


@st.composite
def labels_with_gaps(draw):
    bounds = sorted(draw(st.sets(st.integers(0, 10_000), min_size=2, max_size=8)))
    return [
        Label(start / 1000, end / 1000, draw(TEXTS))
        for start, end in itertools.pairwise(bounds)
        if draw(st.booleans())
    ]


@settings(deadline=None)
@given(phones=labels_with_gaps(), words=labels_with_gaps())
def test_round_trip_fills_gaps_with_silence(tmp_path_factory, phones, words):
    path = tmp_path_factory.mktemp("grid") / "a.TextGrid"
    textgrid.write(path, {"phones": phones, "words": words}, 10.0)
    read = textgrid.read(path)
    assert list(read) == ["phones", "words"]
    for tier, labels in (("phones", phones), ("words", words)):
        assert [label for label in read[tier] if label.text] == labels
        assert read[tier][0].start == 0
        assert read[tier][-1].end == 10
        assert all(one.end == next_.start for one, next_ in itertools.pairwise(read[tier]))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_short_form_in_each_encoding_of_praat(tmp_path, encoding, newline):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (tmp_path / "a.TextGrid").write_bytes((mark + SHORT.replace("\n", newline)).encode(encoding))
    phones = Label(0, 0.5, ""), Label(0.5, 1, "a:"), Label(1, 1.5, "")
    assert textgrid.read(tmp_path / "a.TextGrid") == {"phones": phones}


@pytest.mark.parametrize(
    "content",
    [b"", b"0.0 0.5 sil\n", b"\x00\xff\xfe", "é".encode("latin-1"), SHORT[:140].encode(), b"[1]"],
)
def test_what_is_not_a_textgrid_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "a.TextGrid").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.TextGrid: ") as caught:
        textgrid.read(tmp_path / "a.TextGrid")
    assert "\n" not in str(caught.value)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="not found"):
        textgrid.read(tmp_path / "none.TextGrid")
