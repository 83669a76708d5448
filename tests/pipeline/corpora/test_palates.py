import numpy as np
import pytest

from pipeline.corpora import palates
from pipeline.ground.console import InputError, UsageError
from pipeline.ground.params import PalateTrace
from tests.pipeline.conftest import change
from tests.pipeline.corpora.recording_files import put, settings


def traced(path, sensor=None):
    return settings("folder", palates={"A": PalateTrace(str(path), sensor)})


def test_a_table_is_read_from_back_to_front(tmp_path):
    path = put(tmp_path / "p.csv", "y_mm,x_mm,note\n-5,0,front\n2,-50,back\n10,-25,\n")
    found = palates.traced(traced(path))["A"]
    np.testing.assert_array_equal(found, [[-50, 2], [-25, 10], [0, -5]])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("x,y\n1,2\n", "not rows of numbers x_mm, y_mm"),
        ("x_mm,y_mm\n1,high\n", "not rows of numbers"),
        ("x_mm,y_mm\n1,2\n", "1 rows, or one that is not finite"),
        ("x_mm,y_mm\n1,2\n3,nan\n", "2 rows, or one that is not finite"),
        ("", "empty file"),
    ],
)
def test_a_table_that_is_no_palate(tmp_path, content, reason):
    with pytest.raises(InputError, match=reason):
        palates.traced(traced(put(tmp_path / "p.csv", content)))


def test_a_sensor_needs_a_reader_of_sweeps_and_has_to_move(tmp_path):
    with pytest.raises(UsageError, match="the reader folder has no sweeps"):
        palates.traced(traced(tmp_path / "p.pos", sensor=3))
    with pytest.raises(InputError, match="FILE: it moved over 1 mm: no palate"):
        palates.outline(np.full((50, 2), 3.3), "FILE")


def test_the_stages_keep_it_and_know_no_stranger(project, stage):
    put(project / "p.csv", "x_mm,y_mm\n-50,2\n0,-5\n")
    change(project / "params.yaml", corpus__palates={"nobody": {"file": "p.csv"}})
    outcome = stage("corpus")
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert "corpus.palates: no speaker nobody" in outcome.err
