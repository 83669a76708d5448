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


@pytest.mark.parametrize("reader", ["hprc", "xrmb", "carstens"])
def test_every_recording_is_compared_channel_by_channel(shared_data, recordings, reader):
    recording = recordings[reader]
    utterance = real_speech.read(reader, recording)
    assert set(recording.channels.values()) <= set(POINTS)
    exact = real_speech.correlate(
        utterance, echo(utterance, recording.channels), recording.channels
    )
    assert (exact.r > 0.97).all()
    late = echo(utterance, recording.channels, late=0.05)
    found = real_speech.correlate(utterance, late, recording.channels)
    assert (found.r < exact.r).all()
    np.testing.assert_allclose(found.lag_ms, 50, atol=10)
    table = real_speech.report(recording, utterance, {"late": found})
    assert all(f"  {sensor} " in table for sensor in recording.sensors)


@pytest.mark.parametrize("reader", ["hprc", "xrmb"])
def test_every_phone_of_a_recording_has_its_sampa(shared_data, recordings, reader):
    recording = recordings[reader]
    utterance = real_speech.read(reader, recording)
    said = imitation.in_sampa(utterance.phones, recording.phones)
    assert {phone.text for phone in said} <= {*phonotactics.VOWELS, *score.CONSONANTS}
    assert {phone.text for phone in utterance.phones} == set(recording.phones)
    assert all(a.end == pytest.approx(b.start) for a, b in itertools.pairwise(said))


def test_data_that_are_not_there_are_one_line(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(real_speech, "DATA", tmp_path)
    for reader, recording in recordings.items():
        with pytest.raises(InputError, match=f"{reader}: no {recording.file}"):
            real_speech.read(reader, recording)


def test_a_model_without_a_name_is_one_line():
    with pytest.raises(UsageError, match="NAME=FOLDER"):
        real_speech.load("trained")
