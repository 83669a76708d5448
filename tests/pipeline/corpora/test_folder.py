"""The folder reader: what it finds, what it knows of it, and what it refuses."""

import numpy as np
import pytest
import soundfile

from pipeline.corpora import folder, reader
from pipeline.formats import audio, textgrid, track_csv
from pipeline.ground.console import InputError
from pipeline.ground.utterance import Label, Tracks
from tests.pipeline.corpora.recording_files import settings

RATE = 16_000
PARAMS = settings("folder")
SOUND = np.sin(np.arange(RATE // 2) / 10) / 2
TRACKS = Tracks(
    np.arange(100) / 200, np.random.default_rng(0).normal(size=(100, 2)), ("A_x", "A_y")
)


def add(place, suffix=".wav"):
    place.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(place.with_suffix(suffix), SOUND, RATE)
    track_csv.write(place.with_suffix(".csv"), TRACKS)


def test_reads_what_was_written(tmp_path):
    add(tmp_path / "a.wav")
    tiers = {"words": [Label(0.1, 0.3, "so")], "phones": [Label(0.1, 0.2, "s")]}
    textgrid.write(tmp_path / "a.TextGrid", tiers, 0.5)
    (tmp_path / "metadata.csv").write_text(
        "sentence,id,note,speaker,session\nso so,a,loud,JW11,2\n,b,,,\n"
    )
    assert reader("folder") is folder
    [item] = folder.find(tmp_path, PARAMS)
    utterance = folder.read(item, PARAMS)
    assert utterance.id == "a"
    assert (utterance.speaker, utterance.session) == ("JW11", "2")
    assert (utterance.sentence, utterance.style) == ("so so", "")
    assert utterance.sample_rate == RATE
    np.testing.assert_allclose(utterance.audio, SOUND, atol=1e-4)
    assert utterance.tracks.channels == ("A_x", "A_y")
    np.testing.assert_allclose(utterance.tracks.values, TRACKS.values, atol=1e-4)
    assert [label for label in utterance.phones if label.text] == tiers["phones"]
    assert [label for label in utterance.words if label.text] == tiers["words"]


def test_subfolders_are_speakers_and_the_order_is_fixed(tmp_path):
    for place in (
        "M2/one.wav",
        "F1/two.wav",
        "F1/one.wav",
        "zero.wav",
        ".cache/one.wav",
        "F1/._one.wav",
    ):
        add(tmp_path / place)
    (tmp_path / "metadata.csv").write_text("id,speaker,style\nF1-two,,loud\nM2-one,Max,\n")
    items = list(folder.find(tmp_path, PARAMS))
    assert [(item.id, item.speaker, item.style) for item in items] == [
        ("F1-one", "F1", ""),
        ("F1-two", "F1", "loud"),
        ("M2-one", "Max", ""),
        ("zero", "", ""),
    ]
    assert all(item.files[0].is_file() and len(item.files) == 2 for item in items)


def test_flac_ogg_and_names_that_other_files_could_not_bear(tmp_path):
    add(tmp_path / "take 1 (good).wav", ".flac")
    add(tmp_path / "ü.wav", ".ogg")
    items = list(folder.find(tmp_path, PARAMS))
    assert [item.id for item in items] == ["take_1__good_", "ü"]
    for item in items:
        assert len(folder.read(item, PARAMS).audio) == len(SOUND)


def test_sound_without_tracks_is_refused_by_the_name_of_what_is_missing(tmp_path):
    audio.write(tmp_path / "a.wav", SOUND, RATE)
    [item] = folder.find(tmp_path, PARAMS)
    with pytest.raises(InputError, match=r"a\.csv: not found"):
        folder.read(item, PARAMS)


@pytest.mark.parametrize("content", [b"name,speaker\na,b\n", b"id,speaker\n\xff\xfe,b\n"])
def test_metadata_that_says_nothing_is_refused(tmp_path, content):
    add(tmp_path / "a.wav")
    (tmp_path / "metadata.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"metadata\.csv"):
        list(folder.find(tmp_path, PARAMS))


def test_folder_without_sound_has_no_utterance(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing here")
    assert list(folder.find(tmp_path, PARAMS)) == []


@pytest.mark.parametrize(
    ("phones", "words", "suffix"),
    [
        ("phone", "word", ".textgrid"),
        ("MAU", "ORT-MAU", ".TextGrid"),
        ("Segments", "ORT", ".TEXTGRID"),
        ("anna - phones", "anna - words", ".TextGrid"),
    ],
)
def test_tiers_by_their_usual_names_and_suffixes_of_any_case(tmp_path, phones, words, suffix):
    add(tmp_path / "a.wav")
    tiers = {words: [Label(0.1, 0.3, "so")], "notes": [], phones: [Label(0.1, 0.2, "s")]}
    textgrid.write(tmp_path / f"a{suffix}", tiers, 0.5)
    [item] = folder.find(tmp_path, PARAMS)
    utterance = folder.read(item, PARAMS)
    assert [label.text for label in utterance.phones if label.text] == ["s"]
    assert [label.text for label in utterance.words if label.text] == ["so"]
    assert utterance.notes == ()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path.write_text("no grid"), "not a TextGrid"),
        (lambda path: textgrid.write(path, {"tones": [Label(0, 0.1, "H")]}, 0.5), "among tones"),
        (lambda path: textgrid.write(path, {"phones": [Label(9, 9.5, "a")]}, 10), "label 'a'"),
    ],
)
def test_labels_that_cannot_be_used_do_not_cost_the_utterance(tmp_path, make, told):
    add(tmp_path / "a.wav")
    make(tmp_path / "a.TextGrid")
    [item] = folder.find(tmp_path, PARAMS)
    utterance = folder.read(item, PARAMS)
    assert [label.text for label in utterance.phones if label.text] == []
    assert any(told in note for note in utterance.notes)


def test_people_of_any_script_are_told_apart(tmp_path):
    people = ["田中", "鈴木", "Анна", "Мила"]
    for name in people:
        add(tmp_path / name / "1.wav")
    (tmp_path / "metadata.csv").write_text("id,sentence\n田中-1,お早う\n", encoding="utf-8")
    items = list(folder.find(tmp_path, PARAMS))
    assert sorted(item.id for item in items) == sorted(f"{name}-1" for name in people)
    assert {item.speaker for item in items} == set(people)
    assert [item.sentence for item in items if item.speaker == "田中"] == ["お早う"]


def test_every_kind_of_sound_that_is_read_is_found(tmp_path):
    for k, suffix in enumerate((".wav", ".opus", ".caf", ".AU", ".w64", ".m4a")):
        (tmp_path / f"u{k}{suffix}").touch()
    assert len(list(folder.find(tmp_path, PARAMS))) == 5
