"""A few minutes of a new speaker: what is trained, the table and the picture."""

import numpy as np
import pytest

from features.standardization import Standardizer
from pipeline import Predictor
from pipeline.ground import artifacts, params, workspaces
from pipeline.ground.storage import StoreWriter
from studies import adapt, trials
from tests.pipeline import small_model


@pytest.mark.parametrize("overrides", [adapt.SCRATCH, adapt.MEASURED])
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
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.25"]  # no gap for others


def test_a_network_as_it_is_is_scored_by_the_channels_that_both_have(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small_model.write(adapt.FOLDER / "population")
    model = Predictor.load(adapt.FOLDER / "population")
    rng = np.random.default_rng(1)
    about = {"channels": ["UL_y", "LC_x", "TT_x"], "deltas": 0}
    pooled = adapt.FOLDER / "pooled"
    with (
        StoreWriter(pooled / artifacts.FRAMES, {"inputs": 39, "speech": 1}, about) as frames,
        StoreWriter(pooled / artifacts.STANDARDIZED, {"targets": 3}, about) as standardized,
    ):
        for name, speaker, split in (
            ("a", "DP", "test"),
            ("b", "JJW", "test"),
            ("c", "DP", "train"),
        ):
            x = rng.normal(4, 2, (60, 39)).astype(np.float32)
            x[:20] += 9
            speech = np.arange(60)[:, None] >= 20  # the rest does not count
            tracks = model.run([Standardizer().fit_transform(x, speech[:, 0])])[0]
            both = tracks[:, [small_model.CHANNELS.index(own) for own in ("UL_y", "TT_x")]]
            y = np.stack([3 * both[:, 0] + 1, rng.standard_normal(60), 2 * both[:, 1]], axis=1)
            frames.add(name, {"inputs": x, "speech": speech.astype(np.float32)})
            standardized.add(name, {"targets": y}, speaker=speaker, split=split)
    path = tmp_path / "results.json"
    adapt.as_it_is("DP", "population", adapt.FOLDER / "population", path)
    ((key, result),) = trials.load(path).items()
    assert key == "DP-population-0/1" and result["test_frames"] == [60]
    assert result["test"] == {"predicted": {"pearson_r": [pytest.approx(1, abs=1e-4)]}}
    (line,) = adapt.markdown(trials.load(path)).splitlines()[2:]
    assert line.startswith("| DP | 0 |") and "mm" not in line
