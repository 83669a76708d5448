from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpora import protocols
from pipeline.ground import params
from pipeline.ground.console import InputError, UsageError
from pipeline.ground.storage import Entry
from tests.conftest import ROOT

SHIPPED = params.load(ROOT / "params.yaml").standardize


def settings(**changes) -> params.Standardize:
    return msgspec.structs.replace(SHIPPED, **changes)


def corpus(speakers: int, sentences: int) -> list[Entry]:
    """Every speaker reads every sentence."""
    return [
        Entry(f"s{s}_{t}", 0, 0, 10, {"speaker": f"s{s}", "sentence": f"sentence {t}"})
        for s in range(speakers)
        for t in range(sentences)
    ]


def sets_of(entries, splits, what):
    return {
        split: {e.about[what] for e, s in zip(entries, splits, strict=True) if s == split}
        for split in protocols.SPLITS
    }


@given(n=st.integers(20, 300), seed=st.integers(0, 50), share=st.floats(0.05, 0.3))
def test_random_gives_each_side_its_share_and_the_seed_tells_which(n, seed, share):
    entries = corpus(1, n)
    wanted = settings(seed=seed, test=share, validation=share)
    splits = protocols.assign(entries, wanted)
    assert splits.count("test") == splits.count("validation") == max(1, round(share * n))
    assert splits == protocols.assign(entries, wanted)


def test_held_out_speakers_are_in_one_set_each_whatever_they_read():
    entries = corpus(20, 6)
    splits = protocols.assign(entries, settings(protocol="held-out-speakers"))
    speakers = sets_of(entries, splits, "speaker")
    assert not speakers["train"] & speakers["test"]
    assert not speakers["train"] & speakers["validation"]
    assert not speakers["validation"] & speakers["test"]
    assert (len(speakers["test"]), len(speakers["validation"])) == (3, 2)


@pytest.mark.parametrize(
    ("protocol", "speaker", "known"),
    [
        ("random", None, True),
        ("held-out-sentences", None, True),
        ("speaker-dependent", "s1", True),
        ("leave-one-speaker-out", "s1", False),
        ("held-out-speakers", None, False),
    ],
)
def test_a_speaker_is_known_who_is_tested_and_trained_on(protocol, speaker, known):
    entries = corpus(4, 40)
    entries = [replace(e, about=e.about | {"sentence": ""}) for e in entries]
    splits = protocols.assign(entries, settings(protocol=protocol, speaker=speaker))
    assert protocols.known_speakers(entries, splits) == known
    one_more = replace(entries[0], about={"speaker": "new", "sentence": ""})
    assert not protocols.known_speakers([*entries, one_more], [*splits, "test"])


def test_held_out_speakers_takes_three():
    with pytest.raises(UsageError, match="3 speakers or more; here are 2"):
        protocols.assign(corpus(2, 20), settings(protocol="held-out-speakers"))


@pytest.mark.parametrize(
    ("speakers", "sentences", "name"),
    [(10, 3, "held-out-speakers"), (9, 20, "held-out-sentences"), (1, 40, "random")],
)
def test_auto_holds_out_what_a_corpus_has_many_of(speakers, sentences, name):
    entries = corpus(speakers, sentences)
    wanted = settings(protocol="auto")
    assert protocols.name(entries, wanted) == name
    assert protocols.assign(entries, wanted) == protocols.assign(entries, settings(protocol=name))


def test_another_seed_gives_another_split():
    entries = corpus(1, 50)
    one, two = (protocols.assign(entries, settings(seed=s)) for s in (1, 2))
    assert one != two


def test_random_refuses_a_sentence_in_two_sets():
    with pytest.raises(InputError, match="held-out-sentences keeps it in one"):
        protocols.assign(corpus(4, 20), settings(protocol="random"))


@pytest.mark.parametrize("protocol", ["held-out-sentences", "k-fold"])
def test_no_sentence_is_in_two_sets(protocol):
    entries = corpus(4, 20)
    splits = protocols.assign(entries, settings(protocol=protocol))
    by_set = sets_of(entries, splits, "sentence")
    assert not by_set["train"] & by_set["test"]
    assert not by_set["train"] & by_set["validation"]
    assert not by_set["validation"] & by_set["test"]
    assert all(len(s) == 4 for s in sets_of(entries, splits, "speaker").values())


def test_folds_cover_the_corpus_once():
    entries = corpus(3, 22)
    tested = []
    for fold in range(5):
        splits = protocols.assign(entries, settings(protocol="k-fold", fold=fold))
        tested += [e.id for e, s in zip(entries, splits, strict=True) if s == "test"]
    assert sorted(tested) == sorted(e.id for e in entries)


def test_leave_one_speaker_out_tests_on_that_speaker_alone():
    entries = corpus(4, 20)
    splits = protocols.assign(entries, settings(protocol="leave-one-speaker-out", speaker="s2"))
    speakers = sets_of(entries, splits, "speaker")
    assert speakers["test"] == {"s2"}
    assert "s2" not in speakers["train"] | speakers["validation"]
    sentences = sets_of(entries, splits, "sentence")
    assert not sentences["train"] & sentences["validation"]


def test_speaker_dependent_leaves_the_others_unused():
    entries = corpus(3, 20)
    splits = protocols.assign(entries, settings(protocol="speaker-dependent", speaker="s0"))
    for entry, split in zip(entries, splits, strict=True):
        assert (split == "unused") == (entry.about["speaker"] != "s0")


def write_lists(folder, **ids):
    for split, names in ids.items():
        (folder / split).write_text("\n".join(names))
    return {split: str(folder / split) for split in ids}


def test_file_lists_decide(tmp_path):
    entries = corpus(1, 5)
    lists = write_lists(tmp_path, train=["s0_0", "s0_1"], validation=["s0_2"], test=["s0_4"])
    splits = protocols.assign(entries, settings(protocol="file-lists", lists=lists))
    assert splits == ["train", "train", "validation", "unused", "test"]


def test_file_lists_that_overlap_or_miss_are_refused(tmp_path):
    entries = corpus(1, 5)
    lists = write_lists(tmp_path, train=["s0_0"], validation=["s0_0"], test=["s0_4"])
    with pytest.raises(InputError, match="s0_0 is in the train and the validation set"):
        protocols.assign(entries, settings(protocol="file-lists", lists=lists))
    lists = write_lists(tmp_path, train=["s0_0"], validation=["s0_1"], test=["other"])
    with pytest.raises(InputError, match="none of its 1 utterances"):
        protocols.assign(entries, settings(protocol="file-lists", lists=lists))
    with pytest.raises(UsageError, match="name a file each"):
        protocols.assign(entries, settings(protocol="file-lists"))


def test_too_few_utterances_are_refused():
    with pytest.raises(InputError, match="2 utterances leave none for the train set"):
        protocols.assign(corpus(1, 2), settings())


@pytest.mark.parametrize("protocol", ["leave-one-speaker-out", "speaker-dependent"])
def test_an_unknown_speaker_is_refused(protocol):
    with pytest.raises(UsageError, match="no 's9' among s0, s1"):
        protocols.assign(corpus(2, 9), settings(protocol=protocol, speaker="s9"))


def test_a_fold_beyond_the_last_is_refused():
    with pytest.raises(UsageError, match=r"standardize\.fold: 5"):
        protocols.assign(corpus(1, 9), settings(protocol="k-fold", fold=5))
