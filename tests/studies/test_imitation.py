"""The synthesised speaker says what he is asked to, when he is asked to."""

import importlib.metadata

import numpy as np
import pytest

from features import metrics
from pipeline.corpora import vocaltractlab
from pipeline.corpora.vocaltractlab import phonotactics, synthesis
from pipeline.ground import params
from pipeline.ground.console import InputError
from pipeline.ground.params import Synthesis
from pipeline.ground.utterance import Label
from studies import imitation
from tests.conftest import ROOT

SAME = {phone: phone for phone in (*phonotactics.VOWELS, *phonotactics.CONSONANTS, "N")} | {"": ""}


def test_phones_become_sampa_and_share_their_time():
    phones = [Label(0.0, 0.5, "sil"), Label(0.5, 0.7, "CH"), Label(0.7, 0.9, "AA1")]
    said = imitation.in_sampa(phones, {"sil": "", "CH": "t S", "AA1": "a:"})
    assert [phone.text for phone in said] == ["t", "S", "a:"]
    np.testing.assert_allclose([phone.start for phone in said], [0.5, 0.6, 0.7])
    np.testing.assert_allclose([phone.end for phone in said], [0.6, 0.7, 0.9])


def test_an_unknown_phone_is_named():
    with pytest.raises(InputError, match="'ZH'"):
        imitation.in_sampa([Label(0.0, 0.5, "ZH")], {"sil": ""})


@pytest.mark.parametrize(
    ("phones", "syllables"),
    [("s a s a", "s a . s a"), ("a p l a k s", "a . p l a k s"), ("s t", "s t"), ("a E", "a . E")],
)
def test_every_syllable_has_one_vowel_and_none_is_lost(phones, syllables):
    said = [Label(k / 10, (k + 1) / 10, text) for k, text in enumerate(phones.split())]
    made = imitation.prompt(said, -phonotactics.SILENCE, phonotactics.SILENCE)
    assert made.text == syllables
    assert made.phones[0].start == phonotactics.SILENCE


@pytest.mark.slow
def test_an_utterance_of_the_embedded_corpus_is_imitated(tmp_path):
    try:
        importlib.metadata.version(synthesis.LIBRARY)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{synthesis.LIBRARY} is not installed (the extra `synthesis`)")
    vocaltractlab.synthesize(tmp_path, Synthesis(speakers=1, utterances=1, seed=2353), jobs=1)
    shipped = params.load(ROOT / "params.yaml").corpus
    (item,) = vocaltractlab.find(tmp_path, shipped)
    utterance = vocaltractlab.read(item, shipped)
    truth, wait = utterance.tracks, 7  # frames that the recording waits before it speaks
    phones = [Label(p.start + wait / 100, p.end + wait / 100, p.text) for p in utterance.phones]
    request = imitation.Request(phones, SAME, len(truth.time) + 2 * wait)
    (copy,) = imitation.imitate([request])
    assert copy.channels == truth.channels
    np.testing.assert_allclose(np.diff(copy.time), 0.01)
    same = metrics.pearson(truth.values, copy.values[wait : wait + len(truth.time)])
    late = metrics.pearson(truth.values, copy.values[2 * wait : 2 * wait + len(truth.time)])
    assert np.median(same) > 0.98  # another voice: other time constants
    assert np.median(late) < np.median(same) - 0.02


@pytest.mark.slow
def test_people_say_the_same_in_their_own_ways():
    pytest.importorskip("vocaltractlab_cython")
    phones = [Label(0.5 + k / 10, 0.6 + k / 10, text) for k, text in enumerate("sabi")]
    request = imitation.Request(phones, {p.text: p.text for p in phones}, 130)
    said = [imitation.imitate([request], imitation.Person(1, n))[0] for n in range(2)]
    jaw = [tracks.values[:, tracks.channels.index("LI_y")] for tracks in said]
    for height in jaw:
        assert height[50:60].mean() > height[60:72].mean() + 1  # up for /s/, down for /a/
    assert np.abs(jaw[0] - jaw[1]).max() > 0.5
    both = imitation.consensus(said)
    np.testing.assert_allclose(both.values.mean(axis=0), 0, atol=1e-9)
