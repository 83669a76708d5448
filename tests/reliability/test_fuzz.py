"""A few damaged files of every kind, and every one that was ever taken for what it is not."""

import io
import random

import numpy as np
import pytest
import soundfile
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from reliability import seeds
from reliability.fuzz import Hunt, damaged, shares
from reliability.targets import Target, targets
from reliability.trees import edited, text_of

TARGETS = targets()
FEW = settings(max_examples=12, derandomize=True, database=None, phases=[Phase.generate])


@pytest.fixture(params=TARGETS)
def laid_out(request, tmp_path):
    """A target and the folder with its files."""
    target = TARGETS[request.param]
    folder = tmp_path / "fuzzed"
    folder.mkdir()
    target.lay_out(folder)
    return target, folder


def test_damage_is_read_or_refused(laid_out):
    target, folder = laid_out

    @FEW
    @given(st.randoms(use_true_random=False), st.sampled_from(target.seeds))
    def damage(rng, valid):
        target.execute(folder, damaged(valid, rng))

    assert target.execute(folder, target.seeds[0])
    damage()


@pytest.mark.parametrize("name", ["params.yaml", "model/model.json", "store/index.json"])
def test_trees_that_are_nearly_right_are_read_or_refused(tmp_path, name):
    target = TARGETS[name]
    target.lay_out(tmp_path)

    @FEW
    @given(edited(target.seeds[0]))
    def build(tree):
        target.execute(tmp_path, text_of(tree, name.endswith(".json")))

    build()


def npy(header: str) -> bytes:
    """A NumPy file with any header."""
    text = header.ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def float_sound(value: float) -> bytes:
    """A sound with one sample that nothing records."""
    samples = seeds.noise(seeds.SECONDS)
    samples[1000] = value
    memory = io.BytesIO()
    soundfile.write(memory, samples, seeds.RATE, "FLOAT", format="WAV")
    return memory.getvalue()


CHRONOLOGICAL = seeds.short_grid(chronological=True)
INDEX = TARGETS["store/index.json"].seeds[0]
ANNOTATION = TARGETS["corpora/emu/u_annot.json"].seeds[0]
MANIFEST = TARGETS["manifest.csv"].seeds[0]
FOUND = {  # by `make fuzz`: not one of them was refused in one line
    "a lone carriage return": ("formats/track_csv", b"time_s,TT_x\r0,1\r0.01,2,\x00"),
    "a name without an end": ("formats/track_csv", b'time_s,"' + b"x" * 140_000),
    "a tier that is no number": (
        "formats/textgrid",
        CHRONOLOGICAL.replace(b'""', b'"" ""', 1),
    ),
    "a tier below the first": ("formats/textgrid", CHRONOLOGICAL.replace(b"1 0 0.1", b"0 0 0.1")),
    "infinitely many tiers": ("formats/textgrid", CHRONOLOGICAL.replace(b"\n1\n", b"\n1e999\n")),
    "a label without end": ("formats/textgrid", CHRONOLOGICAL.replace(b"0.1 0.3", b"0.1 1e999")),
    "a tier's name of two lines, a label of no length": (
        "formats/textgrid",
        CHRONOLOGICAL.replace(b'"phones"', b'"pho\nnes"').replace(b"0.1 0.3", b"0.3 0.1"),
    ),
    "a header that does not end": ("formats/mngu0-z", npy("{'descr': '<f8', 'shape': (")),
    "a sound beyond float32": ("extract/u.wav", float_sound(3e38)),
    "a key of two lines": (
        "params.yaml",
        b'"cor\\npus": 1\n' + TARGETS["params.yaml"].seeds[0],
    ),
    "a label before the sound": (
        "corpora/emu/u_annot.json",
        ANNOTATION.replace(b'"sampleStart": 0', b'"sampleStart": -9'),
    ),
    "bytes that are no text": ("model/model.json", b'{"\xae": 1}'),
    "a null in a name": ("predict/manifest", b"a\0.wav\n"),
    "a folder for a sound": ("predict/manifest", b".\n"),
    "the folder above": ("predict/manifest", b"audio\n..\n"),
    "two names of one sound": ("predict/manifest", b"../v.wav\n./v.wav\n"),
    "files that are none": (
        "predict/earlier",
        b'{"made_by": "pipeline.predict", "files": 3, "other_files": ["", "../u.csv", 5]}',
    ),
    "an index of nothing": ("store/index.json", b"[]"),
    "an utterance without a place": ("store/index.json", INDEX.replace(b'"start"', b'"stars"')),
    "a shard that is not there": ("store/index.json", INDEX.replace(b'"shard": 0', b'"shard": 9')),
    "a width that is none": ("store/index.json", INDEX.replace(b'"inputs": 3', b'"inputs": 4')),
    "statistics that are no archive": ("store/statistics.npz", b"PK"),
    "a checkpoint that is none": ("train/checkpoint.npz", b"\x93NUMPY\x01\x00\x10\x00("),
    "a manifest without ids": ("manifest.csv", MANIFEST.replace(b"id,", b"ie,", 1)),
    "a manifest of other bytes": ("manifest.csv", MANIFEST + b"\xa4\n"),
    "a listing with a short row": ("watch/recordings.csv", b"file\na\n"),
}


@pytest.mark.parametrize("what", FOUND)
def test_what_was_found_is_refused_or_read(tmp_path, what):
    name, data = FOUND[what]
    folder = tmp_path / "fuzzed"
    folder.mkdir()
    TARGETS[name].lay_out(folder)
    TARGETS[name].execute(folder, data)


@pytest.mark.slow
def test_findings_are_counted_and_kept(tmp_path):
    """A reader that lets a defect through, changes its file or never ends is found."""

    def careless(path):
        data = path.read_bytes()
        if data == b"bad":
            raise KeyError("a")
        if data == b"changed":
            path.write_bytes(b"x")
        while data == b"endless":
            pass

    (tmp_path / "work").mkdir()
    target = Target("any/reader", "a.bin", [b"good"], careless)
    hunt = Hunt(target, tmp_path / "found", tmp_path / "work")
    for data in (b"good", b"bad", b"bad", b"changed", b"endless"):
        hunt.execute(data)
    assert (hunt.executions, hunt.accepted) == (5, 1)
    kept = {path.read_bytes() for path in (tmp_path / "found").glob("*.bin")}
    assert kept == {b"bad", b"changed", b"endless"}


def test_cheap_targets_get_most_executions():
    dear, cheap = (Target("t", "t", [b""], print, cost=cost) for cost in (100.0, 1.0))
    assert shares([dear, cheap], 100_000) == [500, pytest.approx(99_900, rel=0.01)]


def test_damage_is_the_same_for_the_same_seed():
    one, two = (damaged(bytes(100), random.Random(3)) for _ in range(2))
    assert one == two != bytes(100)
    assert np.mean([damaged(b"abc" * 9, random.Random(k)) != b"abc" * 9 for k in range(50)]) > 0.8
