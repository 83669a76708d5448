from dataclasses import replace

import msgspec
import numpy as np
import pytest

from features.mfcc import mfcc
from features.standardization import Standardizer
from pipeline.ground import artifacts, params
from pipeline.ground.console import InputError
from pipeline.ground.storage import Store
from pipeline.training import fitting
from pipeline.training.augmentation import (
    Augmentation,
    Sounds,
    vary,
)
from tests.features.sounds import SILENCES
from tests.pipeline.conftest import RATE, change, small_utterance

STILL = params.Sound(
    when="always",
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
LIVELY = params.load().recipes["speakers"].augment.sound


def opened(sound):
    store = Store(artifacts.STANDARDIZED, "standardize")
    split = fitting.Split.open(store, "train")
    return split, Sounds(store, split.entries, sound, params.load())


def test_a_varied_utterance_has_the_length_that_was_planned(standardized):
    augment = msgspec.structs.replace(params.load().recipe.augment, rate=0.2)
    split, sounds = opened(LIVELY)
    augmentation = Augmentation(augment, len(split.entries), np.random.default_rng(3), sounds)
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
    still = params.load().recipes["tutorial"].augment
    augmentation = Augmentation(still, len(split.entries), np.random.default_rng(0), sounds)
    varied, _ = augmentation.apply(0, x + 1, y)
    assert np.abs(varied - (x + 1)).max() > 0.5
    silent = replace(loud, audio=np.resize(SILENCES[name], len(loud.audio)))
    monkeypatch.setattr(Sounds, "read", lambda self, k: silent)
    varied, _ = augmentation.apply(0, x + 1, y)
    np.testing.assert_array_equal(varied, x + 1)


def test_the_epoch_decides_what_is_drawn(standardized):
    split, sounds = opened(LIVELY)
    augment = msgspec.structs.replace(params.load().recipe.augment, rate=0.0)
    n = len(split.entries)
    one, same, other = (
        Augmentation(augment, n, np.random.default_rng(seed), sounds).apply(0, *split.read(0))[0]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1


@pytest.mark.parametrize("known", [True, False])
def test_speakers_who_are_trained_on_keep_their_own_voices(standardized, known):
    store, settings = Store(artifacts.STANDARDIZED, "standardize"), params.load()
    entries = fitting.Split.open(store, "train").entries
    store.about["known_speakers"] = known
    assert settings.recipe.augment.sound.when == "new-speakers"
    assert (Sounds.of(store, entries, settings) is None) == known
    always = msgspec.structs.replace(settings.train, recipe="speakers")
    settings = msgspec.structs.replace(settings, train=always)
    assert Sounds.of(store, entries, settings).sound == LIVELY


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
