import msgspec
import numpy as np
import pytest

from features.mfcc import mfcc
from features.standardization import Standardizer
from pipeline import fitting, params, standardize
from pipeline.console import InputError
from pipeline.storage import Store
from pipeline.variation import Sounds, Variation, vary
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
LIVELY = params.load().recipes["speakers"].augment.sound


def opened(sound):
    store = Store(standardize.FOLDER, "standardize")
    side = fitting.Side.open(store, "train")
    return side, Sounds(store, side.entries, sound, params.load())


def test_a_varied_utterance_has_the_length_that_was_planned(standardized):
    augment = msgspec.structs.replace(params.load().recipe.augment, rate=0.2)
    side, sounds = opened(LIVELY)
    variation = Variation(augment, len(side.entries), np.random.default_rng(3), sounds)
    lengths = variation.lengths(side.lengths)
    assert (lengths != side.lengths).any()
    for k, length in enumerate(lengths):
        x, y = variation.apply(k, *side.read(k))
        assert len(x) == len(y) == length
        again, _ = variation.apply(k, *side.read(k))
        np.testing.assert_array_equal(x, again)


@pytest.mark.parametrize("mode", ["utterance", "speaker", "corpus"])
def test_sound_that_is_left_as_it_is_gives_the_stored_features(project, stage, mode):
    change(project / "params.yaml", standardize__mode=mode)
    for wav in sorted((project / "recordings").glob("*.wav"))[:4]:
        tracks = wav.with_suffix(".csv")  # which start late: features and tracks are not cut alike
        header, *rows = tracks.read_text().splitlines(keepends=True)
        tracks.write_text("".join([header, *rows[31:]]))
    for name in ("corpus", "extract", "standardize"):
        assert stage(name).status == 0
    side, sounds = opened(STILL)
    assert any(entry.about["start_s"] > 0.1 for entry in side.entries)
    for k in range(len(side.entries)):
        x, _ = side.read(k)
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


def test_the_epoch_decides_what_is_drawn(standardized):
    side, sounds = opened(LIVELY)
    augment, n = params.load().recipe.augment, len(side.entries)
    one, same, other = (
        Variation(augment, n, np.random.default_rng(seed), sounds).apply(0, *side.read(0))[0]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1


def test_features_without_sound_are_refused_in_one_line(standardized, monkeypatch):
    monkeypatch.setattr(Sounds, "read", lambda self, k: small_without_sound())
    with pytest.raises(InputError, match=r"recipes\.default\.augment\.sound: .* set it to null"):
        opened(LIVELY)


def small_without_sound():
    from pipeline.utterance import Utterance

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
