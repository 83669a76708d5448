"""Every reader takes sound, labels and transcripts of the speaker's own, and never another's."""

import msgspec
import pytest

from pipeline.corpora import READERS, reader
from tests.pipeline.corpora.recording_files import put, settings

# the files of one utterance, the tracks first; {} is what tells one speaker or session from another
FILES = {
    "carstens": ("S{}/pos/0001.pos", "S{}/wav/0001.wav"),
    "carstens sessions": ("S/day{}/pos/0001.pos", "S/day{}/wav/0001.wav"),
    "emu": tuple(f"x_emuDB/s{{}}_ses/b_bndl/b{ending}" for ending in (".t", ".wav", "_annot.json")),
    "folder": ("S{}/a.wav", "S{}/a.csv", "S{}/a.TextGrid"),
    "mngu0": tuple(
        f"{place}/mngu0_s1_000{{}}{ending}"
        for place, ending in (("x_ema_basic", ".ema"), ("x_wav", ".wav"), ("x_lab", ".lab"))
    ),
    "mocha": tuple(f"fsew{{}}/fsew{{}}_001{ending}" for ending in (".ema", ".wav", ".lab")),
    "mspka": (
        *("sp{}/ema/{}_1.ema", "sp{}/wav/{}_1.wav", "sp{}/lab/{}_1.lab"),
        "sp{}/list_sentences",
    ),
    "ndi-wave": ("S{}/0001.tsv", "S{}/0001.wav"),
    "stem-e2va": ("mat/D{}MIA07.mat", "wav/D{}MIA07.wav"),
    "torgo": (
        *("F0{}/Session1/pos/0001.pos", "F0{}/Session1/wav_headMic/0001.wav"),
        *("F0{}/Session1/phn_headMic/0001.PHN", "F0{}/Session1/prompts/0001.txt"),
    ),
    "usc-timit": (
        "F{}/mat/usctimit_ema_f{}_001_005.mat",
        "F{}/trans/usctimit_ema_f{}_001_005.trans",
    ),
    "xrmb": tuple(f"JW1{{}}/TP005{ending}" for ending in (".TXY", ".wav", ".lab")),
}
LETTERS = {"mspka": "ab", "stem-e2va": "PQ"}  # where the names have letters there
ALONE = {"hprc", "tutorial", "vocaltractlab"}  # one file for all, or the files of `folder`


def items(folder, name):
    """What a reader finds, and the parameters by which it does."""
    corpus = settings(name.split()[0], channel_map={1: "TT"})
    tracks = msgspec.structs.replace(corpus.emu, sensors={"TT": "t"})
    corpus = msgspec.structs.replace(corpus, emu=tracks)
    return list(reader(corpus.reader).find(folder, corpus))


def test_every_reader_is_here():
    assert {name.split()[0] for name in FILES} | ALONE == set(READERS)


@pytest.mark.parametrize(
    ("name", "missing"), [(name, k) for name in FILES for k in range(len(FILES[name]))]
)
def test_nothing_of_another_speaker_is_taken(tmp_path, name, missing):
    one, other = LETTERS.get(name, "12")
    mine = [tmp_path / path.format(one, one) for path in FILES[name]]
    others = [tmp_path / path.format(other, other) for path in FILES[name]]
    for path in (*mine[:missing], *mine[missing + 1 :], *others):
        put(
            path,
            f"1) text of {path.relative_to(tmp_path).parts[0]}" if "list" in path.name else "x",
        )
    found = items(tmp_path, name)
    assert {path for item in found for path in item.files} >= set(others[:2])
    for item in found:
        assert not (set(item.files) & set(mine) and set(item.files) & set(others))
        if name == "mspka":
            texts = {mine[0]: "text of spa" if missing != 3 else "1", others[0]: "text of spb"}
            assert item.sentence == texts[item.files[1]]
    # what belongs to it is found where it is, and a sound that is not there is named
    (own,) = [item for item in found if not set(item.files) & set(others)] or [None]
    if missing == 0 and name not in ("emu", "folder"):
        assert own is None  # no tracks, no utterance
    elif own:
        there = {path for path in mine if path.exists() and path.suffix not in (".txt", "")}
        assert there <= set(own.files)
        if missing == 1 and name != "usc-timit":
            assert any(not path.exists() for path in own.files)
