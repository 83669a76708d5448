"""How files of an utterance find each other, what they are called, and which labels are used."""

import os
import shutil
from pathlib import Path

import pytest

from pipeline.corpora import manifest
from pipeline.corpora.files import Companions, below, home, identifier, read_labels, shown
from pipeline.formats import textgrid
from pipeline.ground.utterance import Label
from tests.pipeline.conftest import write_corpus
from tests.pipeline.corpora.recording_files import put, put_sound


def names(folder, paths):
    return [path.relative_to(folder).as_posix() for path in paths]


def test_links_to_speakers_folders_are_followed_once(tmp_path):
    put(tmp_path / "disk" / "anna" / "a.wav", "")
    put(tmp_path / "corpus" / "ben" / "b.wav", "")
    (tmp_path / "corpus" / "anna").symlink_to(tmp_path / "disk" / "anna")
    (tmp_path / "corpus" / "again").symlink_to(tmp_path / "corpus" / "ben")
    (tmp_path / "corpus" / "ben" / "loop").symlink_to(tmp_path / "corpus")
    (tmp_path / "corpus" / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "corpus" / "c.wav").symlink_to(tmp_path / "disk" / "anna" / "a.wav")
    found = names(tmp_path / "corpus", below(tmp_path / "corpus", ".wav"))
    assert found == ["anna/a.wav", "ben/b.wav", "c.wav"]


def test_all_files_in_a_fixed_order_but_hidden_ones(tmp_path):
    for name in ("b/2.wav", "b/1.WAV", "a.lab", ".x/3.wav", "b/._1.wav"):
        put(tmp_path / name, "")
    assert names(tmp_path, below(tmp_path, ".wav")) == ["b/1.WAV", "b/2.wav"]
    assert names(tmp_path, below(tmp_path)) == ["a.lab", "b/1.WAV", "b/2.wav"]


@pytest.mark.parametrize(
    ("own", "other", "belongs"),
    [
        ("S1/a.pos", "S1/a.wav", True),
        ("S1/pos/a.pos", "S1/wav/a.wav", True),
        ("S1/day1/pos/a.pos", "S1/day1/wav_headMic/a.wav", True),
        ("pos/S1/a.pos", "Audio/S1/a.wav", True),
        ("matfiles/a.pos", "wavfiles/a.wav", True),
        ("S1/a.pos", "S1/Sound/A.WAV", True),
        ("S1/pos/a.pos", "S2/wav/a.wav", False),
        ("S1/day1/pos/a.pos", "S1/day2/wav/a.wav", False),
        ("S1/a.pos", "a.wav", False),
        ("Ema/a.pos", "Mat/a.wav", False),  # two speakers with names that are words of ours
        ("Emanuel/a.pos", "Matilda/a.wav", False),
        ("S1/a.pos", "S1/b.wav", False),
    ],
)
def test_a_companion_lies_in_the_same_folder_but_for_kinds_of_files(tmp_path, own, other, belongs):
    path, companion = put(tmp_path / own, ""), put(tmp_path / other, "")
    sounds = Companions(tmp_path, ".wav")
    assert sounds.of(path) == (companion if belongs else None)
    assert sounds.expected(path, ".wav") == (companion if belongs else path.with_suffix(".wav"))
    # names that tell the speaker may lie anywhere
    everywhere = Companions(tmp_path, ".wav", unique=True)
    assert (everywhere.of(path) is None) == (path.stem != companion.stem.lower())


def test_the_nearest_of_several_is_taken(tmp_path):
    path = put(tmp_path / "S1" / "pos" / "a.pos", "")
    for place in ("wav", "S1", "S1/wav", "S1/pos"):
        put(tmp_path / place / "a.wav", "")
    found = Companions(tmp_path, ".wav").of(path)
    assert found == tmp_path / "S1" / "pos" / "a.wav"
    assert home(path.relative_to(tmp_path)) == ("S1",)


def test_ids_keep_the_letters_of_every_script_apart():
    people = ["田中", "鈴木", "Анна", "Мила", "राम", "रिम", "Zoë", "أحمد", "a-b.c_1"]
    assert [identifier(name) for name in people] == people
    assert identifier("Zoe\u0308") == "Zoë"  # as some systems store it
    assert identifier("a b", "$5", "x/y\t\n") == "a_b__5_x_y__"
    assert identifier("M1", "", "a", separator="-") == "M1-a"


def test_a_path_on_one_line(tmp_path):
    path = tmp_path / os.fsdecode(b"b\xe4r\n\t.wav")
    assert shown(path) == f"{tmp_path}/b\\xe4r\\x0a\\x09.wav"
    assert shown(tmp_path / "田中 $5.wav") == f"{tmp_path}/田中 $5.wav"


RATE = 16_000


@pytest.mark.parametrize(
    ("content", "units", "reason"),
    [
        ("0.00 0.50 a\n0.50 2.00 b\n", 1, "seconds"),
        ("0 8000 a\n8000 32000 b\n", 1, "samples"),
        ("0 5000000 a\n5000000 20000000 b -12.5\n", 1, "HTK's 100 ns"),
        ("0 8000 a\n8000 32000 b\n", RATE, "samples, as the corpus says"),
        ("#\n0.50 26 a\n2.00 26 b\n", 1, "ESPS"),
    ],
)
def test_labels_are_read_in_the_unit_that_fits_the_sound(tmp_path, content, units, reason):
    notes = []
    path = put(tmp_path / "a.lab", content)
    labels = read_labels(path, 2.0, RATE, notes, units=units)
    assert labels == (Label(0, 0.5, "a"), Label(0.5, 2.0, "b")), reason
    assert notes == []


def test_labels_of_a_longer_sound_stay_in_seconds(tmp_path):
    notes = []
    labels = read_labels(put(tmp_path / "a.lab", "0 1.5 a\n1.5 5 b\n"), 2.0, RATE, notes)
    assert labels == (Label(0, 1.5, "a"),) and len(notes) == 1


def test_labels_that_cannot_be_used_are_left_out_and_told(tmp_path):
    content = "0 0.5 a\nso so\n0.9 0.5 b\n0.5 2.1 c\n2.1 2.4 d\n1e9 2e9 e\n"
    notes = []
    labels = read_labels(put(tmp_path / "a.lab", content), 2.0, RATE, notes)
    assert labels == (Label(0, 0.5, "a"), Label(0.5, 2.0, "c"))
    assert len(notes) == 4 and all(str(tmp_path / "a.lab") in note for note in notes)
    assert "line 2: 'so so' is not a label" in notes[0]


@pytest.mark.slow
def test_odd_file_names_are_one_line_and_others_go_on(project, stage):
    shutil.rmtree("recordings")
    for name in (b"good|er", b"b\xe4r", b"t\tab", b"line\nbreak", "田中".encode(), "鈴木".encode()):
        write_corpus(project / "recordings", 1)
        for suffix in (".wav", ".csv"):
            odd = project / "recordings" / os.fsdecode(name + suffix.encode())
            (project / "recordings" / f"u00{suffix}").rename(odd)
    for arguments in ((), ("--inspect",)):
        outcome = stage("corpus", *arguments)
        assert outcome.status == 0, outcome.err
        told = (outcome.out + outcome.err).splitlines()
        assert sum("rename it" in line for line in told) == 3
        assert any("corpus: 3 utterances" in line or "utterances: 3" in line for line in told)
    rows = [item for item, _ in manifest.read()]
    assert sorted(item.id for item in rows) == sorted(["good_er", "田中", "鈴木"])
    assert rows[0].files == (Path("recordings/good|er.wav"), Path("recordings/good|er.csv"))
    assert stage("extract").status == 0


@pytest.mark.slow
def test_labels_that_cannot_be_used_are_counted_in_one_line_of_the_stage(project, stage):
    for k in range(3):
        tiers = {"phones": [Label(0.1, 0.2, "a"), Label(90, 91, "b")]}
        textgrid.write(project / "recordings" / f"u0{k}.TextGrid", tiers, 100)
    outcome = stage("corpus")
    assert outcome.status == 0
    (line,) = outcome.err.splitlines()
    assert line.startswith("left out ") and "the first: recordings/u00.TextGrid: " in line
    looked = stage("corpus", "--inspect")
    assert looked.status == 0 and "labels left out: " in looked.out, looked.err


@pytest.mark.slow
def test_htk_labels_of_a_corpus_do_not_end_the_look(tmp_path, project, stage):
    rows = "\r\n".join("\t".join(map(str, [6866 * k, *range(k, k + 16)])) for k in range(200))
    for speaker in ("JW11", "JW12"):
        put(project / "xrmb" / speaker / "TP001.TXY", rows)
        put_sound(project / "xrmb" / speaker / "TP001.wav", 1.4)
        put(project / "xrmb" / speaker / "TP001.lab", "0 2000000 a\n2000000 14000000 b\n")
    put(project / "xrmb" / "JW12" / "TP001.lab", "0 0.2 a\n5e7 6e7 b\n")  # no unit fits
    outcome = stage("corpus", "--inspect", "--reader", "xrmb", "--path", "xrmb")
    assert outcome.status == 0, outcome.err
    assert "phones: 3 of 2 kinds: a (2), b (1)" in outcome.out
    assert "labels left out: 1" in outcome.out
