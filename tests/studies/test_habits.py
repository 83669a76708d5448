"""What a row of the table leaves out, and what it says."""

from collections import Counter

import msgspec
import numpy as np
import pytest

from pipeline.corpora.vocaltractlab.delivery import Delivery
from pipeline.corpora.vocaltractlab.habits import Habits
from pipeline.ground.console import UsageError
from pipeline.ground.storage import read_yaml
from studies import habits, imitation, real_speech
from tests.studies.test_real_speech import echo

BY_DELIVERY = {"upper_lip", "upper_lip_on_jaw", "lower_lip_forward"}  # `Alike` leaves them out


def test_every_habit_is_left_out_by_one_group():
    named = Counter(name for group in habits.WITHOUT.values() for name in group)
    assert named.keys() == Habits.__dataclass_fields__.keys() - BY_DELIVERY
    assert set(named.values()) == {1}


def test_a_person_lacks_what_a_row_leaves_out_and_has_what_is_held():
    whole = habits.person(1, 2, (), {"jaw_mm": 25.0})
    assert (whole.held, whole.delivered) == ({"jaw_mm": 25.0}, Delivery)
    less = habits.person(1, 2, ["how far the jaw goes", habits.LIPS], {})
    assert less.held == habits.WITHOUT["how far the jaw goes"]
    assert less.delivered is imitation.Alike


def test_lips_that_move_alike_stay_as_they_are():
    said = imitation.Alike(np.zeros(19), np.zeros((2, 2)), 1, 0.01, None)
    tracks = np.arange(10.0).reshape(2, 5)
    np.testing.assert_array_equal(said.share_lips(tracks, (), np.zeros((2, 19))), tracks)


@pytest.mark.parametrize(
    ("text", "message"), [("jaw_mm", "NAME=VALUE"), ("chin=3", "no habit is 'chin'")]
)
def test_a_wrong_habit_is_one_line(text, message):
    with pytest.raises(UsageError, match=message):
        habits.held([text])


@pytest.mark.filterwarnings("ignore:invalid value")  # points without a sensor do not move
def test_people_are_compared_one_by_one_and_together(shared_data):
    recording = msgspec.convert(
        read_yaml(real_speech.RECORDINGS)["XRMB JW11"], real_speech.Recording
    )
    utterances = real_speech.read(recording)
    exact = [echo(u, recording.channels) for u in utterances]
    late = [echo(u, recording.channels, late=0.1) for u in utterances]
    row = habits.compare([exact, late], {"XRMB JW11": (recording, utterances)})
    (single,), (together,), (tongue,) = row
    assert 0.5 < single < together < 1
    assert tongue == real_speech.tongue(
        recording,
        real_speech.correlate(
            utterances,
            [imitation.consensus(same) for same in zip(exact, late, strict=True)],
            recording.channels,
        ),
    )
    assert habits.line("two", row).startswith(f"| two | {single:.3f} | {together:.3f} (")
