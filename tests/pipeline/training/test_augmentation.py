from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.deltas import with_deltas
from features.mfcc import mfcc
from features.standardization import Standardizer
from pipeline.ground import artifacts, params
from pipeline.ground.console import InputError
from pipeline.ground.storage import Store
from pipeline.trained.dynamics import Dynamics
from pipeline.training import fitting
from pipeline.training.augmentation import (
    Augmentation,
    Joins,
    Material,
    Origin,
    Pairs,
    Sounds,
    vary,
)
from tests.features.sounds import SILENCES
from tests.pipeline.conftest import RATE, change, small_utterance

STILL = params.Sound(
    probability=1,
    warp=None,
    pitch=None,
    tilt=None,
    decay_s=None,
    direct_db=(0, 15),
    snr_db=None,
    slope=(0, 0),
    gain_db=None,
)
BATCH = 2
LIVELY = params.load().recipes["speakers"].augment.sound


def opened(sound):
    store = Store(artifacts.STANDARDIZED, "standardize")
    split = fitting.Split.open(store, "train")
    return split, Sounds(Origin(store, split.entries), sound, params.load())


def test_a_varied_utterance_has_the_length_that_was_planned(standardized):
    augment = msgspec.structs.replace(params.load().recipe.augment, rate=0.2)
    split, sounds = opened(LIVELY)
    augmentation = Augmentation(
        augment, len(split.entries), np.random.default_rng(3), Material(sounds=sounds)
    )
    lengths = augmentation.lengths(split.lengths)
    assert (lengths != split.lengths).any()
    for k, length in enumerate(lengths):
        x, y = augmentation.apply(k, *split.read(k))
        assert len(x) == len(y) == length
        again, _ = augmentation.apply(k, *split.read(k))
        np.testing.assert_array_equal(x, again)


@pytest.mark.parametrize("mode", ["utterance", "speaker", "corpus"])
def test_sound_that_is_left_as_it_is_gives_the_stored_features(project, stage, mode):
    change(project / "params.yaml", standardize__inputs=mode)
    for wav in sorted((project / "recordings").glob("*.wav"))[:4]:
        tracks = wav.with_suffix(".csv")  # which start late: features and tracks are not cut alike
        header, *rows = tracks.read_text().splitlines(keepends=True)
        tracks.write_text("".join([header, *rows[31:]]))
    for name in ("corpus", "extract", "standardize"):
        assert stage(name).status == 0
    split, sounds = opened(STILL)
    assert any(entry.about["start_s"] > 0.1 for entry in split.entries)
    for k in range(len(split.entries)):
        x, _ = split.read(k)
        np.testing.assert_allclose(sounds.features(k, np.random.default_rng(0)), x, atol=1e-5)


@pytest.fixture(params=["utterance", "speaker", "corpus"])
def joined(request, project, stage):
    """The training set of two speakers in two sessions each, standardised in every way, joined."""
    over = {"standardize__inputs": request.param, "standardize__targets": request.param}
    change(project / "params.yaml", **over)
    names = [wav.stem for wav in sorted((project / "recordings").glob("*.wav"))]
    rows = [f"{name},{'ab'[k % 2]},{k // 2 % 2}\n" for k, name in enumerate(names)]
    (project / "recordings" / "metadata.csv").write_text("".join(["id,speaker,session\n", *rows]))
    for name in ("corpus", "extract", "standardize"):
        assert stage(name).status == 0
    store = Store(artifacts.STANDARDIZED, "standardize")
    split = fitting.Split.open(store, "train")
    return split, Joins(Origin(store, split.entries), BATCH), request.param


def raw_frames(split, k):
    """Features and tracks of an utterance before they were standardised."""
    frames = Store(artifacts.FRAMES, "extract")
    entry = next(e for e in frames.entries if e.id == split.entries[k].id)
    return [frames.frames(entry, name) for name in ("inputs", "targets")]


def test_a_stretch_is_of_one_session_and_standardised_like_an_utterance(joined):
    split, joins, mode = joined
    rng = np.random.default_rng(1)
    speakers = [(entry.about["speaker"], entry.about["session"]) for entry in split.entries]
    assert set(speakers) == {("a", "0"), ("a", "1"), ("b", "0"), ("b", "1")}
    seen = set()
    for k in range(len(split.entries)):
        stretch = joins.pairs.draw(k, rng)
        first, second = stretch.members
        seen.add(stretch.members.index(k))
        assert first != second
        assert speakers[first] == speakers[second] == speakers[k]
        for column, z in enumerate(joins.cut(stretch)):
            if mode == "utterance":
                both = [raw_frames(split, member)[column] for member in stretch.members]
                expected = Standardizer().fit_transform(np.concatenate(both)[stretch.part])
            else:
                both = [split.read(member)[column] for member in stretch.members]
                expected = np.concatenate(both)[stretch.part]
            assert z.dtype == np.float32
            assert len(z) == joins.pairs.frames[k]
            np.testing.assert_allclose(z, expected, atol=2e-4)
    assert seen == {0, 1}


def test_the_sound_of_a_stretch_gives_the_features_of_the_stretch(joined):
    split, joins, _ = joined
    sounds = Sounds(joins.origin, STILL, params.load())
    rng = np.random.default_rng(2)
    for k in range(6):
        stretch = joins.pairs.draw(k, rng)
        x, _ = joins.cut(stretch)
        heard = sounds.stretch(stretch, rng)
        border = split.entries[stretch.members[0]].frames - stretch.start
        away = np.abs(np.arange(len(x)) - border) > 12  # frames and deltas that hear one alone
        away[:12] = away[-12:] = False
        assert away.sum() > 20
        z = [Standardizer().fit_transform(array[away]) for array in (x, heard)]
        r = np.mean(z[0] * z[1], axis=0)
        assert r.min() > 0.98


@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_the_deltas_of_each_part_are_its_own(joined, rate):
    split, joins, _ = joined
    still = params.load().recipes["tutorial"].augment
    augment = msgspec.structs.replace(still, join=1.0, rate=rate)
    count = len(split.entries)
    varied = Augmentation(augment, count, np.random.default_rng(4), Material(joins))
    dynamics = Dynamics((1.0,) * 8)
    seams = [varied.seam(k) for k in range(count)]
    assert sum(seam > 0 for seam in seams) > count / 2
    for k, seam in enumerate(seams):
        _, y = varied.apply(k, *split.read(k))
        assert 0 <= seam < len(y)
        found = dynamics.beside(y, seam)
        np.testing.assert_array_equal(found[:, :4], y)
        for part in (slice(0, seam), slice(seam, None)):
            if len(y[part]):
                np.testing.assert_allclose(found[part], with_deltas(y[part], 2), atol=1e-6)
    # where it is said to be: what was joined there is the start of another utterance
    if not rate:
        k = next(k for k, seam in enumerate(seams) if seam > 2)
        stretch = joins.pairs.draw(k, np.random.default_rng(varied.seeds[k]))
        x, _ = varied.apply(k, *split.read(k))
        second, _ = split.read(stretch.members[1])
        part = x[seams[k] :]
        r = [np.corrcoef(a, b)[0, 1] for a, b in zip(part.T, second[: len(part)].T, strict=True)]
        assert min(r) > 0.99


def test_an_utterance_that_is_not_joined_has_no_seam(standardized):
    split = fitting.Split.open(Store(artifacts.STANDARDIZED, "standardize"), "train")
    augment = params.load().recipes["tutorial"].augment
    for material in (Material(Joins(Origin(split.store, split.entries), BATCH)), Material()):
        varied = Augmentation(augment, len(split.entries), np.random.default_rng(4), material)
        assert not any(varied.seam(k) for k in range(len(split.entries)))


def test_one_utterance_of_a_speaker_is_joined_to_none(standardized):
    store = Store(artifacts.STANDARDIZED, "standardize")
    split = fitting.Split.open(store, "train")
    alone = Joins(Origin(store, split.entries[:1]), BATCH)
    assert alone.pairs.draw(0, np.random.default_rng(0)) is None
    x, y = split.read(0)
    same = Material(alone).utterance(0, x, y, True, np.random.default_rng(0))
    np.testing.assert_array_equal(same[0], x)
    np.testing.assert_array_equal(same[1], y)


@given(
    frames=st.lists(st.integers(1, 60), min_size=1, max_size=12),
    speakers=st.lists(st.sampled_from("ab"), min_size=12, max_size=12),
    batch=st.integers(1, 5),
)
def test_stretches_have_the_length_that_was_promised_and_lie_in_two_of_a_speaker(
    frames, speakers, batch
):
    pairs = Pairs(np.array(frames), speakers[: len(frames)], batch)
    rng = np.random.default_rng(0)
    for k, n in [*enumerate(frames)] * 5:
        stretch = pairs.draw(k, rng)
        if stretch is None:
            assert pairs.frames[k] == n
            assert speakers[: len(frames)].count(speakers[k]) == 1
            continue
        assert k in stretch.members
        assert len(set(stretch.members)) == 2
        assert len({speakers[member] for member in stretch.members}) == 1
        assert stretch.frames == pairs.frames[k]
        assert stretch.start >= 0
        assert stretch.part.stop <= sum(frames[member] for member in stretch.members)


def test_every_other_utterance_of_a_speaker_is_drawn_and_equally_often():
    frames = np.array([30, 10, 20, 40, 50])
    pairs = Pairs(frames, "aaaab", 2)
    rng = np.random.default_rng(1)
    assert pairs.draw(4, rng) is None
    for k in range(4):
        drawn = [sum(pairs.draw(k, rng).members) - k for _ in range(900)]
        others, counts = np.unique(drawn, return_counts=True)
        enough = [o for o in range(4) if o != k and frames[o] + frames[k] >= pairs.frames[k]]
        assert others.tolist() == enough
        assert counts == pytest.approx(900 / len(enough), rel=0.2)


def test_as_many_utterances_are_joined_as_wanted(standardized):
    split = fitting.Split.open(Store(artifacts.STANDARDIZED, "standardize"), "train")
    still = params.load().recipes["tutorial"].augment
    material = Material(Joins(Origin(split.store, split.entries), BATCH))
    for share in (0.0, 0.5, 1.0):
        augment = msgspec.structs.replace(still, join=share)
        changed = []
        for seed in range(20):
            rng = np.random.default_rng(seed)
            augmentation = Augmentation(augment, len(split.entries), rng, material)
            lengths = augmentation.lengths(split.lengths)
            for k in range(len(split.entries)):
                x, y = augmentation.apply(k, *split.read(k))
                assert len(x) == len(y) == lengths[k]
                changed.append(not np.array_equal(x, split.read(k)[0]))
        assert np.mean(changed) == pytest.approx(share, abs=0.1)


def test_each_change_changes_the_features_and_none_moves_them():
    sound, _ = small_utterance(3)
    before = mfcc(sound, RATE)
    for key in ("warp", "pitch", "tilt", "decay_s", "snr_db", "gain_db"):
        only = msgspec.structs.replace(STILL, **{key: getattr(LIVELY, key)})
        after = vary(sound, RATE, only, np.random.default_rng(1))
        assert after.shape == before.shape
        assert np.abs(after - before).max() > 0.1, key
        if key == "decay_s":  # a room prolongs what it hears
            continue
        z = [Standardizer().fit_transform(x)[:, 0] for x in (before, after)]
        lags = [np.mean(z[0][5:-5] * z[1][5 + lag : len(z[1]) - 5 + lag]) for lag in range(-4, 5)]
        assert np.argmax(lags) == 4, key


@pytest.mark.parametrize("name", SILENCES)
def test_a_stretch_without_speech_stays_as_it_is_stored(standardized, monkeypatch, name):
    split, sounds = opened(STILL)
    x, y = split.read(0)
    loud = sounds.read(0)
    varied, _ = Material(sounds=sounds).utterance(0, x + 1, y, False, np.random.default_rng(0))
    assert np.abs(varied - (x + 1)).max() > 0.5
    silent = replace(loud, audio=np.resize(SILENCES[name], len(loud.audio)))
    monkeypatch.setattr(Sounds, "read", lambda self, k: silent)
    varied, _ = Material(sounds=sounds).utterance(0, x + 1, y, False, np.random.default_rng(0))
    np.testing.assert_array_equal(varied, x + 1)


def test_the_epoch_decides_what_is_drawn(standardized):
    split, sounds = opened(LIVELY)
    material = Material(Joins(Origin(split.store, split.entries), BATCH), sounds)
    augment = msgspec.structs.replace(params.load().recipe.augment, join=1.0, rate=0.0)
    n = len(split.entries)
    one, same, other = (
        Augmentation(augment, n, np.random.default_rng(seed), material).apply(0, *split.read(0))[0]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1


def test_features_without_sound_are_refused_in_one_line(standardized, monkeypatch):
    monkeypatch.setattr(Sounds, "read", lambda self, k: small_without_sound())
    with pytest.raises(InputError, match=r"recipes\.default\.augment\.sound: .* set it to null"):
        opened(LIVELY)


def small_without_sound():
    from pipeline.ground.utterance import Utterance

    _, tracks = small_utterance(0)
    return Utterance("u00", tracks, inputs=np.zeros((80, 39), np.float32))


def test_an_upside_down_range_is_named(project, stage):
    sound = msgspec.to_builtins(LIVELY) | {"snr_db": [40, 10]}
    change(project / "params.yaml", recipes__default__augment__sound=sound)
    outcome = stage("train")
    assert outcome.status == 2
    assert "recipes.default.augment.sound.snr_db: from 40 to 10" in outcome.err


def test_a_voice_beyond_the_filters_is_named(project, stage):
    sound = msgspec.to_builtins(LIVELY) | {"warp": [1, 1.6], "pitch": [1, 1.5]}
    change(project / "params.yaml", recipes__default__augment__sound=sound)
    outcome = stage("train")
    assert outcome.status == 2
    assert "recipes.default.augment.sound.pitch: times warp goes from 1 to 2.4" in outcome.err
