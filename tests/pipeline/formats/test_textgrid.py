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


LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 1.5
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "phones" ! the only tier
        xmin = 0
        xmax = 1.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 1e-05 ! a click: "no" label
            text = "sil"
        intervals [2]:
            xmin = 0.0000099
            xmax = 1.0000001
            text = "say ""a!"" 3"
        intervals [3]:
            xmin = 1
            xmax = 1.5
            text = ""
"""
CHRONOLOGICAL = """"Praat chronological TextGrid text file"
0 1.5   ! Time domain.
2   ! Number of tiers.
"IntervalTier" "phones" 0 1.5
"TextTier" "clicks" 0 1.5
1 0 0.5
""
2 0.7
"click"
1 0.5 1
"a:"
1 1 1.5
""
"""


def test_comments_exponents_quotes_and_ends_that_rounding_moved(tmp_path):
    (tmp_path / "a.TextGrid").write_text(LONG)
    notes = []
    (labels,) = textgrid.read(tmp_path / "a.TextGrid", notes).values()
    assert labels == (
        Label(0, 1e-05, "sil"),
        Label(1e-05, 1.0000001, 'say "a!" 3'),
        Label(1.0000001, 1.5, ""),
    )
    assert notes == []


def test_the_chronological_form(tmp_path):
    (tmp_path / "a.TextGrid").write_text(CHRONOLOGICAL)
    phones = Label(0, 0.5, ""), Label(0.5, 1, "a:"), Label(1, 1.5, "")
    assert textgrid.read(tmp_path / "a.TextGrid") == {"phones": phones}


def test_a_label_that_cannot_be_used_costs_the_label(tmp_path):
    rows = [(0, 0.5, "a"), (0.5, 0.5, "zero"), (0.5, 0.5, ""), (0.4, 0.7, "over"), (0.9, 0.6, "b")]
    rows += [(-0.2, 0.1, "before"), (0.5, 1.5, "c")]
    short = SHORT.partition('"TextTier"')[0].split("3\n0\n0.5")[0]
    short = short.replace("<exists>\n2", "<exists>\n1") + f"{len(rows)}\n"
    short += "".join(f'{start}\n{end}\n"{text}"\n' for start, end, text in rows)
    (tmp_path / "a.TextGrid").write_text(short)
    notes = []
    (labels,) = textgrid.read(tmp_path / "a.TextGrid", notes).values()
    assert [label.text for label in labels] == ["a", "c"]
    assert len(notes) == 4  # an empty label without duration is nothing to tell
    told = "".join(notes)
    assert all(f"'{text}'" in told for text in ("zero", "b", "over", "before"))
    assert "a.TextGrid: tier phones: label 'zero' from 0.5 to 0.5 s" in told


def test_two_tiers_of_one_name(tmp_path):
    tier = SHORT.partition('"IntervalTier"')[2].partition('"TextTier"')[0]
    whole = SHORT.partition('"IntervalTier"')[0] + f'"IntervalTier"{tier}"IntervalTier"{tier}'
    (tmp_path / "a.TextGrid").write_text(whole)
    assert list(textgrid.read(tmp_path / "a.TextGrid")) == ["phones", "phones_2"]


def test_latin_1_and_binary(tmp_path):
    (tmp_path / "a.TextGrid").write_bytes(SHORT.replace("a:", "ä").encode("latin-1"))
    assert textgrid.read(tmp_path / "a.TextGrid")["phones"][1].text == "ä"
    (tmp_path / "a.TextGrid").write_bytes(b"ooBinaryFile\x08TextGrid\0\0")
    with pytest.raises(InputError, match="binary TextGrid; save it from Praat as a text file"):
        textgrid.read(tmp_path / "a.TextGrid")


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
