"""The study of what means and deviations are taken over: its parameters and its table."""

import pytest

from pipeline.ground import params, workspaces
from studies import standardization, trials
from studies.standardization import CORPORA


@pytest.mark.parametrize("name", CORPORA)
def test_every_choice_is_one_that_params_yaml_could_have_and_runs_from_standardize_on(
    tmp_path, name
):
    seen = set()
    for choice in CORPORA[name].choices:
        one = standardization.trial(name, choice, 3)
        assert one.stages[0] == "standardize"
        workspaces.lay_out(tmp_path, one.tree(), [], tmp_path)
        found = params.load(tmp_path / "params.yaml")
        assert (found.standardize.inputs, found.standardize.targets) == choice
        assert found.recipe.epochs == 3
        seen.add(one.key)
    assert len(seen) == len(CORPORA[name].choices) == (4 if name == "JD3" else 9)


def test_a_cell_is_what_was_delivered_and_empty_where_nothing_was_trained():
    figures = {"z_mse": [1.0], "rmse_mm": [1.5, 2.5], "pearson_r": [0.25, 0.75]}
    results = {"JD3-utterance-corpus/1": {"test_frames": [10, 10], "test": {"predicted": figures}}}
    head, _, row = standardization.markdown(results).splitlines()
    assert head.count("|") == row.count("|")
    assert row == "| utterance | corpus | 2.00 mm, r 0.500 |  |  |"
    assert trials.SHOWN[1:] == ("rmse_mm", "pearson_r")
