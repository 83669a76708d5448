import itertools

import msgspec
import numpy as np
import pytest

from pipeline.corpora.layouts import BUILT_IN
from pipeline.corpora.vocaltractlab import phonotactics, score
from pipeline.ground.console import InputError, UsageError
from pipeline.ground.storage import read_yaml
from pipeline.ground.utterance import Tracks
from studies import imitation, real_speech

POINTS = BUILT_IN["fleshpoints"].channels


@pytest.fixture
def recordings():
    return msgspec.convert(read_yaml(real_speech.RECORDINGS), dict[str, real_speech.Recording])


def echo(utterance, channels, late=0.0):
    """The measured tracks under the predicted names."""
    frames = 1 + len(utterance.audio) * 100 // utterance.sample_rate
    time = np.arange(frames) / 100
    measured = utterance.tracks
    values = np.zeros((frames, len(POINTS)))
    for name, point in channels.items():
        column = measured.values[:, measured.channels.index(name)]
        known = np.isfinite(column)
        values[:, POINTS.index(point)] = np.interp(time - late, measured.time[known], column[known])
    return Tracks(time, values, POINTS)


SPEAKERS = list(read_yaml(real_speech.RECORDINGS))


@pytest.mark.parametrize("name", SPEAKERS)
def test_every_recording_is_compared_channel_by_channel(shared_data, recordings, name):
    recording = recordings[name]
    utterances = real_speech.read(recording)[:2]
    assert set(recording.channels.values()) <= set(POINTS)
    echoes = [echo(u, recording.channels) for u in utterances]
    exact = real_speech.correlate(utterances, echoes, recording.channels)
    assert (exact.r > 0.97).all()
    late = [echo(u, recording.channels, late=0.05) for u in utterances]
    found = real_speech.correlate(utterances, late, recording.channels)
    assert (found.r < exact.r).all()
    np.testing.assert_allclose(found.lag_ms, 50, atol=10)
    table = real_speech.report(name, recording, len(utterances), {"late": found})
    last = real_speech.summary(recordings, {name: {"late": found}}).splitlines()[-1]
    assert last.startswith(real_speech.ALL)
    assert float(last.split()[2]) == pytest.approx(found.r.mean(), abs=1e-3)
    assert all(f"  {sensor} " in table for sensor in recording.sensors)


@pytest.mark.parametrize("name", ["HPRC F01", "XRMB JW11", "German speaker"])
def test_every_phone_of_a_recording_has_its_sampa(shared_data, recordings, name):
    recording = recordings[name]
    for utterance in real_speech.read(recording):
        said = imitation.in_sampa(utterance.phones, recording.phones)
        assert {phone.text for phone in said} <= {*phonotactics.VOWELS, *score.CONSONANTS}
        assert said[-1].end - said[-1].start < 0.4
        assert all(a.end == pytest.approx(b.start) for a, b in itertools.pairwise(said))


def test_data_that_are_not_there_are_one_line(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(real_speech, "DATA", tmp_path)
    for recording in recordings.values():
        with pytest.raises(InputError, match=f"{recording.folder}: no .*not part of the project"):
            real_speech.read(recording)


def test_a_model_without_a_name_is_one_line():
    with pytest.raises(UsageError, match="NAME=FOLDER"):
        real_speech.load("trained")


def test_who_imitates_is_compared_with_models_on_the_same_speakers(recordings):
    def all_of(name, r):
        values = np.full(len(recordings[name].channels), r)
        return real_speech.Found(values, values, values)

    found = {
        "HPRC F01": {"model": all_of("HPRC F01", 0.2), "JD3": all_of("HPRC F01", 0.6)},
        "XRMB JW11": {"model": all_of("XRMB JW11", 0.4), "JD3": all_of("XRMB JW11", 0.7)},
        "mngu0": {"model": all_of("mngu0", 0.9)},
    }
    *_, everybody, labelled = real_speech.summary(recordings, found).splitlines()
    assert everybody.removeprefix(real_speech.ALL).split() == ["0.500", "(0.50)"]
    assert labelled.removeprefix(real_speech.LABELLED).split()[::2] == ["0.300", "0.650"]
    del found["mngu0"]
    assert real_speech.LABELLED not in real_speech.summary(recordings, found)


def test_a_model_is_compared_with_those_who_imitate(shared_data, recordings):
    recording = recordings["XRMB JW11"]
    utterances = real_speech.read(recording)
    said = [echo(u, recording.channels) for u in utterances]
    late = [echo(u, recording.channels, late=0.05) for u in utterances]
    found = real_speech.agreement(utterances, late, said, recording)
    assert found.r.shape == (len(recording.channels),)
    np.testing.assert_allclose(found.lag_ms, 50, atol=10)
    exact = real_speech.agreement(utterances, said, said, recording)
    assert (exact.r > 0.99).all()


@pytest.mark.parametrize("name", SPEAKERS)
def test_the_channels_that_are_drawn_are_measured(recordings, name):
    assert set(real_speech.shown(recordings[name])) <= set(recordings[name].channels)


def test_the_median_utterance_is_drawn():
    truth = np.sin(np.arange(200) / 7)[:, None]
    noise = np.random.default_rng(0).normal(size=(200, 1))
    pairs = [(truth, truth + level * noise) for level in (5, 0.1, 0.5, 20, 1)]
    assert real_speech.median_one(pairs) == 4


def test_tracks_are_drawn_in_their_unit_at_the_measured_mean_and_deviation(recordings):
    recording = recordings["mngu0"]
    truth = np.random.default_rng(0).normal(size=(50, len(recording.channels)))
    page = real_speech.draw_tracks({"mngu0": (recording, "z", (truth, 3 * truth + 40))})
    first = page.axes[0]
    assert first.get_ylabel() == "mngu0\nz"
    measured, predicted = (line.get_ydata() for line in first.lines)
    np.testing.assert_allclose(predicted, measured)
    assert first.get_title("right") == "r 1.00"
