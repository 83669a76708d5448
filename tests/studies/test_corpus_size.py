"""More data, the same test: who is trained on, and that what is held out never is."""

import json
import sys
from pathlib import Path

import pytest

from pipeline.corpora import protocols
from pipeline.corpora.vocaltractlab import synthesis
from pipeline.ground import console
from pipeline.trained.description import read_about
from studies import corpus_size
from tests.pipeline.conftest import change

EMBEDDED = {"train": ["a", "b", "d"], "validation": ["c"], "test": ["e"]}
LONGEST = list("abcdefgh")


@pytest.mark.parametrize(("size", "train"), [(1, "a"), (3, "abd"), (5, "abdfg"), (99, "abdfgh")])
def test_sizes_grow_in_order_and_hold_the_same_utterances_out(size, train):
    one = corpus_size.trial(size, LONGEST, EMBEDDED)
    assert one.files["train.txt"].split() == list(train)
    assert one.files["validation.txt"].split() == ["c"]
    assert one.files["test.txt"].split() == ["e"]
    assert one.stages == ("standardize", "train", "evaluate")


@pytest.mark.slow
def test_a_longer_corpus_begins_with_the_shorter_one(tmp_path):
    pytest.importorskip("vocaltractlab_cython")
    for length in (1, 2):
        folder = tmp_path / str(length)
        settings = corpus_size.params.Synthesis(speakers=1, utterances=length, seed=5)
        synthesis.synthesize(folder, settings, 1)
    first = synthesis.name_of(None, 0)
    for suffix in (".wav", ".csv", ".TextGrid"):
        short, long = (tmp_path / n / f"{first}{suffix}" for n in "12")
        assert short.read_bytes() == long.read_bytes()


@pytest.mark.slow
def test_every_size_is_tested_on_the_same_utterances(standardized, monkeypatch, stages_run_here):
    change(standardized / "params.yaml", recipes__default__epochs=1, recipes__default__units=[4])
    monkeypatch.setattr(corpus_size, "enlarge", lambda utterances: Path())
    arguments = ["--utterances", "12", "5", "--results", "sizes.json", "--picture", "picture"]
    monkeypatch.setattr(sys, "argv", ["corpus_size", *arguments])
    with pytest.raises(SystemExit) as left:
        console.run(corpus_size.main)
    assert left.value.code == 0
    results = json.loads((standardized / "sizes.json").read_text())
    assert {key: own["utterances"] for key, own in results.items()} == {"5/1": 5, "12/1": 12}
    assert results["5/1"]["test_frames"] == results["12/1"]["test_frames"]
    assert len(results["5/1"]["test_frames"]) == len(corpus_size.splits()[protocols.TEST])
    assert results["5/1"]["frames"] < results["12/1"]["frames"]
    rows = (standardized / "sizes.md").read_text().splitlines()[2:]
    assert [row.split()[1] for row in rows] == ["5", "12"]
    assert (standardized / "picture.png").exists()
    kept = read_about(corpus_size.FOLDER / "trained-12" / "model.json")
    assert kept.trained_on["utterances"] == 12


def test_only_the_embedded_corpus_can_be_any_size(project):
    with pytest.raises(console.UsageError, match="only the embedded corpus"):
        corpus_size.enlarge(10)
