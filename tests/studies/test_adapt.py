"""A few minutes of a new speaker: what is trained, the table and the picture."""

import pytest

from pipeline.ground import params, workspaces
from studies import adapt, trials
from studies.real_corpora import CONTINUED


@pytest.mark.parametrize("overrides", [adapt.SCRATCH, CONTINUED])
def test_every_way_has_parameters_that_params_yaml_could_have(tmp_path, overrides):
    tree = workspaces.overridden(workspaces.read(), overrides)
    workspaces.lay_out(tmp_path, tree, [], tmp_path)
    assert params.load(tmp_path / "params.yaml")


def results(**r):
    return {
        f"DP-{way}/{seed}": {
            "test_frames": [100, 100],
            "test": {"predicted": {name: [value, value] for name in trials.SHOWN}},
        }
        for way, values in r.items()
        for seed, value in enumerate(values, 1)
    }


def test_the_table_has_a_line_for_each_length_and_a_column_for_each_way():
    found = results(**{"scratch-0.25": [0.5, 0.7], "both-0": [0.25], "both-0.25": [0.75]})
    lines = [line.split(" | ") for line in adapt.markdown(found).splitlines()[2:]]
    assert [line[1] for line in lines] == ["0", "0.25"]
    assert lines[1][2] == "0.600 (0.600-0.600) [0.500-0.700], 0.60 mm"
    assert [bool(cell.strip(" |")) for cell in lines[0][2:]] == [False, False, False, True]


def test_only_speakers_that_were_trained_on_have_a_panel(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(adapt.style, "save", lambda figure, stem: drawn.append(figure))
    adapt.draw(results(**{"scratch-0.25": [0.5], "both-0.25": [0.75]}), tmp_path / "picture")
    (axes,) = drawn[0].axes
    assert axes.get_title("left") == "new speaker: DP"
    assert [line.get_ydata().tolist() for line in axes.lines] == [[0.5], [0.75]]
