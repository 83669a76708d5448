"""How utterances are divided into train, validation and test, by name.

A protocol is a function of the utterances and the `standardize` block that returns the split of
each utterance. `assign` calls it and then checks what every protocol promises: no split is empty
and no sentence is in two of them; in leave-one-speaker-out and held-out-speakers, where all
speakers may have read the same sentences, no speaker is in the test set and in another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from pipeline.ground import artifacts
from pipeline.ground.console import InputError, UsageError
from pipeline.ground.params import Standardize
from pipeline.ground.storage import Entry

TRAIN, VALIDATION, TEST, UNUSED = "train", "validation", "test", "unused"
SPLITS = (TRAIN, VALIDATION, TEST)
MANY = 10  # speakers: enough that those who are left out are more than one

Splits = list[str]


def random(entries: Sequence[Entry], settings: Standardize) -> Splits:
    """Draw utterances at random."""
    return _deal([e.id for e in entries], settings, settings.test)


def held_out_sentences(entries: Sequence[Entry], settings: Standardize) -> Splits:
    """Pool all speakers and draw sentences; a sentence goes with all who read it."""
    return _deal(_sentences(entries), settings, settings.test)


def speaker_dependent(entries: Sequence[Entry], settings: Standardize) -> Splits:
    """Use the utterances of ``standardize.speaker`` alone, drawn by sentence."""
    own = [e for e in entries if e.about["speaker"] == _speaker(entries, settings)]
    split_of = dict(zip((e.id for e in own), held_out_sentences(own, settings), strict=True))
    return [split_of.get(e.id, UNUSED) for e in entries]


def leave_one_speaker_out(entries: Sequence[Entry], settings: Standardize) -> Splits:
    """Test on ``standardize.speaker``, train on all others; validation is drawn by sentence."""
    speaker = _speaker(entries, settings)
    others = [e for e in entries if e.about["speaker"] != speaker]
    split_of = dict(
        zip((e.id for e in others), _deal(_sentences(others), settings, 0), strict=True)
    )
    return [split_of.get(e.id, TEST) for e in entries]


def held_out_speakers(entries: Sequence[Entry], settings: Standardize) -> Splits:
    """Draw speakers: nobody who is tested or validated on is trained on."""
    speakers = [e.about["speaker"] for e in entries]
    if len(set(speakers)) < len(SPLITS):
        raise UsageError(
            f"standardize.protocol: held-out-speakers takes 3 speakers or more; here are"
            f" {len(set(speakers))}"
        )
    return _deal(speakers, settings, settings.test)


def name(entries: Sequence[Entry], settings: Standardize) -> str:
    """Return the name of the protocol, the one that ``auto`` stands for included.

    Speakers are held out where there are `MANY` of them; sentences where some are read more than
    once; otherwise utterances.
    """
    if settings.protocol != "auto":
        return settings.protocol
    if len({e.about["speaker"] for e in entries}) >= MANY:
        return "held-out-speakers"
    texts = [e.about["sentence"] for e in entries if e.about["sentence"]]
    return "held-out-sentences" if len(set(texts)) < len(texts) else "random"


def known_speakers(entries: Sequence[Entry], splits: Splits) -> bool:
    """Tell whether everybody who is tested is trained on, too.

    Utterances that name nobody are one speaker's.
    """
    of = {split: set[str]() for split in SPLITS}
    for entry, split in zip(entries, splits, strict=True):
        of.get(split, set()).add(entry.about["speaker"])
    return of[TEST] <= of[TRAIN]


def k_fold(entries: Sequence[Entry], settings: Standardize) -> Splits:
    """Test on fold ``standardize.fold`` of ``standardize.folds``, drawn by sentence."""
    if settings.fold >= settings.folds:
        raise UsageError(
            f"standardize.fold: {settings.fold} is not below standardize.folds = {settings.folds}"
        )
    sentences = _sentences(entries)
    names = np.random.default_rng(settings.seed).permutation(sorted(set(sentences)))
    held_out = set(names[settings.fold :: settings.folds])
    rest = [s for s in sentences if s not in held_out]
    split_of = dict(zip(rest, _deal(rest, settings, 0), strict=True))
    return [split_of.get(s, TEST) for s in sentences]


def file_lists(entries: Sequence[Entry], settings: Standardize) -> Splits:
    """Read ids from the files under ``standardize.lists``, one a line; others are unused."""
    if set(settings.lists) != set(SPLITS):
        raise UsageError(f"standardize.lists: name a file each for {', '.join(SPLITS)}")
    known = {e.id for e in entries}
    split_of: dict[str, str] = {}
    for split, name in settings.lists.items():
        try:
            ids = artifacts.from_project(name).read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"standardize.lists.{split}: {name}: {error}") from None
        for identity in ids:
            if split_of.setdefault(identity, split) != split:
                raise InputError(
                    f"{name}: {identity} is in the {split_of[identity]} and the {split} set"
                )
        if not known & set(ids):
            raise InputError(f"{name}: none of its {len(ids)} utterances is in the corpus")
    return [split_of.get(e.id, UNUSED) for e in entries]


PROTOCOLS: dict[str, Callable[[Sequence[Entry], Standardize], Splits]] = {
    "random": random,
    "held-out-sentences": held_out_sentences,
    "speaker-dependent": speaker_dependent,
    "leave-one-speaker-out": leave_one_speaker_out,
    "held-out-speakers": held_out_speakers,
    "k-fold": k_fold,
    "file-lists": file_lists,
}


def assign(entries: Sequence[Entry], settings: Standardize) -> Splits:
    """Return the split of each utterance by ``standardize.protocol``.

    Raises
    ------
    InputError, UsageError
        Where a split stays empty, or a promise of the protocol does not hold.
    """
    protocol = name(entries, settings)
    splits = PROTOCOLS[protocol](entries, settings)
    for split in SPLITS:
        if split not in splits:
            raise InputError(f"{len(entries)} utterances leave none for the {split} set")
    apart: tuple[str, ...] = SPLITS
    if protocol in ("leave-one-speaker-out", "held-out-speakers"):
        apart = (TRAIN, VALIDATION) if protocol == "leave-one-speaker-out" else ()
        test = {e.about["speaker"] for e, s in zip(entries, splits, strict=True) if s == TEST}
        rest = {e.about["speaker"] for e, s in zip(entries, splits, strict=True) if s != TEST}
        if test & rest:
            raise InputError(f"speaker {min(test & rest)} is in the test set and in another")
    split_of: dict[str, str] = {}
    for entry, split in zip(entries, splits, strict=True):
        sentence = entry.about["sentence"]
        if sentence and split in apart and split_of.setdefault(sentence, split) != split:
            raise InputError(
                f"sentence {sentence!r} is in the {split_of[sentence]} and the {split} set;"
                " standardize.protocol held-out-sentences keeps it in one"
            )
    return splits


def _sentences(entries: Sequence[Entry]) -> list[str]:
    """Return what identifies each sentence; an utterance without a text is its own."""
    return [e.about["sentence"] or e.id for e in entries]


def _speaker(entries: Sequence[Entry], settings: Standardize) -> str:
    """Return ``standardize.speaker`` if the corpus has it."""
    known = sorted({e.about["speaker"] for e in entries})
    if settings.speaker is None or settings.speaker not in known:
        raise UsageError(f"standardize.speaker: no {settings.speaker!r} among {', '.join(known)}")
    return settings.speaker


def _deal(groups: Sequence[str], settings: Standardize, test: float) -> Splits:
    """Deal groups of utterances out at random until test and validation have their shares."""
    size = Counter(groups)
    left = {
        TEST: max(1, round(test * len(groups))) if test else 0,
        VALIDATION: max(1, round(settings.validation * len(groups))),
    }
    split_of = {}
    for name in np.random.default_rng(settings.seed).permutation(sorted(size)):
        split = TEST if left[TEST] > 0 else VALIDATION if left[VALIDATION] > 0 else TRAIN
        split_of[str(name)] = split
        if split in left:
            left[split] -= size[name]
    return [split_of[group] for group in groups]
