import pytest

from pipeline.corpora import READERS, reader
from pipeline.corpora.layouts import BUILT_IN, midsagittal
from pipeline.ground.params import Layout
from pipeline.ground.sensors import tongue_sensors


@pytest.mark.parametrize(
    ("name", "tongue"),
    [
        ("hprc", "TT TB TR"),
        ("mngu0", "TT TB TD"),
        ("mocha", "TT TB TD"),
        ("mspka", "TT TD TB"),  # its back comes before its dorsum in the list
        ("stem-e2va", "TT TM TB"),
        ("torgo", "TT TM TB"),  # its TB is the back
        ("tutorial", "T1 T2 T3 T4"),
        ("usc-timit", "TT TB TD"),
        ("vocaltractlab", "TT TB TF TM TD TR"),  # its TB is the blade
        ("xrmb", "T1 T2 T3 T4"),
    ],
)
def test_the_tongue_goes_from_tip_to_root_in_every_corpus(name, tongue):
    layout = reader(name).LAYOUT
    assert tongue_sensors(layout.channels) == tuple(tongue.split())
    assert tongue_sensors(layout.channels[::-1]) == tuple(tongue.split())


def test_every_corpus_with_a_layout_of_its_own_is_in_the_list_above():
    own = {name for name in READERS if isinstance(reader(name).LAYOUT, Layout)}
    assert own - {"folder"} == {
        mark.args[1][k][0]
        for mark in [test_the_tongue_goes_from_tip_to_root_in_every_corpus.pytestmark[0]]
        for k in range(len(mark.args[1]))
    }


def test_a_layout_of_one_s_own_may_list_sensors_as_it_likes():
    assert tongue_sensors(midsagittal("TB", "TT", "UL", "TM")) == ("TT", "TB", "TM")
    assert tongue_sensors(("TT_x", "TB_y", "TD_x", "TD_y")) == ("TD",)
    assert tongue_sensors(BUILT_IN["pellets"].channels[:2]) == ("T1",)
    assert tongue_sensors(("UL_x", "UL_y")) == ()
