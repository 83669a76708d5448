import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error, root_mean_squared_error

from features.context import stack_frames
from pipeline import Predictor, evaluate, plot, train
from pipeline.evaluation import palates, scores, tables
from pipeline.formats import track_csv
from pipeline.ground import artifacts
from pipeline.ground.storage import Store, StoreWriter
from pipeline.trained.description import About, Recipe, Standardization, Statistics
from tests.pipeline.conftest import change


class Echo(Predictor):
    """A network that predicts the first four features, and knows what training would tell it."""

    def __init__(self):
        store = Store(artifacts.STANDARDIZED, "standardize")
        known = train.Known.read(store)

        def numbers(of):
            return Statistics(**{name: tuple(values.tolist()) for name, values in of.items()})

        self.about = About(
            tuple(store.about["channels"]),
            Standardization(**store.about["standardize"]),
            numbers(known.everyone),
            Recipe("lstm", (1,), False, "concat", 0),
            {},
            speakers={name: numbers(of) for name, of in known.speakers.items() if name},
        )
        self.network = self.about.network
        self._statistics = "auto"
        self._know(None)

    def outputs(self, inputs):
        return [x[:, :4] for x in inputs]


@pytest.fixture
def echo(monkeypatch):
    monkeypatch.setattr(evaluate.Predictor, "load", lambda folder: Echo())
    monkeypatch.setattr(evaluate, "about_model", lambda: Echo().about)


def rows(name):
    with (artifacts.TABLES / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_trained_network_is_scored_beside_its_floors_the_same_way_twice(trained, stage):
    assert "test utterances" in stage("evaluate").out
    first = artifacts.METRICS.read_bytes()
    found = json.loads(first)
    assert found["floors"]["mean"]["own_z"]["z_mse"] == pytest.approx(1, abs=1e-4)
    test, mean = found["test"]["delivered"], found["floors"]["mean"]["delivered"]
    assert test["rmse_mm"] < mean["rmse_mm"]
    assert stage("evaluate").status == 0
    assert artifacts.METRICS.read_bytes() == first


@pytest.mark.slow
@pytest.mark.parametrize("targets", ["utterance", "speaker"])
def test_figures_as_delivered_are_those_of_the_files_that_predict_writes(project, stage, targets):
    change(project / "params.yaml", standardize__targets=targets)
    for name in ("corpus", "extract", "standardize", "train", "evaluate"):
        assert stage(name).status == 0, name
    test = json.loads(artifacts.METRICS.read_text())["test"]["delivered"]
    frames, errors = Store(artifacts.FRAMES, "extract"), []
    tested = {entry.id for entry in Store(artifacts.PREDICTIONS, "evaluate").entries}
    for entry in frames.entries:
        if entry.id in tested:
            sound = f"recordings/{entry.id}.wav"
            assert stage("predict", sound, "--output", "out", "--no-plot").status == 0
            predicted = track_csv.read(project / "out" / f"{entry.id}.csv").values
            first = round(entry.about["start_s"] * 100)
            measured = frames.frames(entry, "targets")
            errors.append(
                root_mean_squared_error(
                    measured, predicted[first : first + len(measured)], multioutput="raw_values"
                )
            )
    assert test["rmse_mm"] == pytest.approx(np.mean(errors), rel=1e-3)


def test_where_utterances_have_statistics_of_their_own_z_scores_are_given_them(
    project, stage, echo
):
    change(project / "params.yaml", standardize__targets="utterance")
    for name in ("corpus", "extract", "standardize", "evaluate"):
        assert stage(name).status == 0, name
    store = Store(artifacts.PREDICTIONS, "evaluate")
    standardized = Store(artifacts.STANDARDIZED, "standardize")
    by_id = {e.id: e for e in standardized.entries}
    for entry in store.entries:
        for name, column in (("measured", "targets"), ("own_z", "inputs")):
            z = standardized.frames(by_id[entry.id], column)[:, :4]
            np.testing.assert_allclose(store.frames(entry, name), z, atol=1e-3)


@pytest.mark.slow
def test_a_network_on_stacked_frames_is_scored_as_it_predicts(standardized, stage):
    change(
        standardized / "params.yaml",
        recipes__default__context=3,
        recipes__default__dense=[8, 9],
        recipes__default__loss="gaussian",
        train__smoothing="none",
    )
    assert stage("train").status == 0
    store = Store(artifacts.STANDARDIZED, "standardize")
    inputs = [store.frames(entry, "inputs") for entry in store.entries[:3]]
    together = evaluate.deviations(inputs, 12, 4)
    for k, x in enumerate(inputs):
        (alone,) = evaluate.deviations([x], 12, 4)
        assert alone.shape == (len(x), 4)
        np.testing.assert_allclose(together[k], alone, rtol=1e-4)


def test_figures_are_those_of_scipy_and_scikit_learn(standardized, stage, echo):
    assert stage("evaluate").status == 0
    store = Store(artifacts.PREDICTIONS, "evaluate")
    z = [[store.frames(e, name) for e in store.entries] for name in ("measured", "predicted")]
    own = [np.array(e.about["own"]) for e in store.entries]
    mm = [[x * scale + mean for x, (mean, scale) in zip(side, own, strict=True)] for side in z]
    test = json.loads(artifacts.METRICS.read_text())["test"]["delivered"]
    assert test["z_mse"] == pytest.approx(mean_squared_error(*map(np.concatenate, z)), rel=1e-4)
    assert test["rmse_mm"] == pytest.approx(
        np.mean(
            [
                root_mean_squared_error(a, b, multioutput="raw_values")
                for a, b in zip(*mm, strict=True)
            ]
        ),
        rel=1e-4,
    )
    r = [[pearsonr(a[:, d], b[:, d])[0] for a, b in zip(*mm, strict=True)] for d in range(4)]
    assert test["pearson_r"] == pytest.approx(np.mean(r), rel=1e-4)
    assert [float(row["pearson_r"]) for row in rows("tracks")] == pytest.approx(
        np.mean(r, axis=1), rel=1e-4
    )
    pooled = list(map(np.concatenate, mm))
    assert test["within_speakers"]["pearson_r"] == pytest.approx(
        np.mean([pearsonr(pooled[0][:, d], pooled[1][:, d])[0] for d in range(4)]), rel=1e-4
    )
    network = rows("summary")[0]
    assert (network["predictor"], network["figures"]) == ("network", "delivered")
    assert float(network["rmse_mm"]) == test["rmse_mm"]
    assert float(network["rmse_mm_low"]) < test["rmse_mm"] < float(network["rmse_mm_high"])


def test_a_correlation_over_frames_does_not_see_that_speakers_differ(tmp_path):
    rng = np.random.default_rng(7)
    measured = [rng.normal(size=(200, 2)) + 50 * (k % 2) for k in range(4)]
    predicted = [rng.normal(size=(200, 2)) + 50 * (k % 2) for k in range(4)]
    both = [np.concatenate(tracks)[:, 0] for tracks in (measured, predicted)]
    assert pearsonr(*both)[0] > 0.99
    found = scores.within_speakers(predictions(tmp_path / "p", measured, predicted), "predicted")
    assert np.abs(found["pearson_r"]).max() < 0.2


def test_ridge_floor_sees_the_training_side_alone(standardized, stage, echo):
    assert stage("evaluate").status == 0
    store = Store(artifacts.STANDARDIZED, "standardize")
    train = [e for e in store.entries if e.about["split"] == "train"]
    x = np.concatenate([stack_frames(store.frames(e, "inputs"), 3) for e in train])
    y = np.concatenate([store.frames(e, "targets") for e in train])
    other = Ridge(alpha=1.0).fit(x, y)
    predictions = Store(artifacts.PREDICTIONS, "evaluate")
    by_id = {e.id: e for e in store.entries}
    for entry in predictions.entries:
        expected = other.predict(stack_frames(store.frames(by_id[entry.id], "inputs"), 3))
        own, known = (np.array(entry.about[name]) for name in ("own", "known"))
        found = predictions.frames(entry, "ridge") * own[1] + own[0]
        np.testing.assert_allclose(found, expected * known[1] + known[0], atol=1e-2)


def test_the_protocol_lists_every_file_on_its_side(standardized, stage, echo):
    assert stage("evaluate").status == 0
    stated = json.loads(artifacts.PROTOCOL.read_text())
    store = Store(artifacts.STANDARDIZED, "standardize")
    for split, ids in stated["files"].items():
        assert ids == [e.id for e in store.entries if e.about["split"] == split]
    assert "20 Hz" in stated["smoothing"]


def test_no_model_and_no_test_side_are_one_line_each(standardized, stage):
    outcome = stage("evaluate")
    assert outcome.status == 1
    assert "no trained model" in outcome.err.strip().splitlines()[-1]
    index = artifacts.STANDARDIZED / "index.json"
    index.write_text(index.read_text().replace('"split": "test"', '"split": "unused"'))
    outcome = stage("evaluate")
    assert (outcome.status, outcome.err.count("\n")) == (1, 1)
    assert "no test utterance" in outcome.err


def predictions(folder, measured, predicted, *, phones=(), scale=1.0):
    """A store of utterances whose two splits are given in mm [T, 2]."""
    about = {"channels": ["TT_x", "TT_y"], "deltas": 0}
    columns = dict.fromkeys(evaluate.COLUMNS, 2)
    with StoreWriter(folder, columns, about) as writer:
        for k, (a, b) in enumerate(zip(measured, predicted, strict=True)):
            arrays = dict.fromkeys(columns, b / scale)
            arrays |= {"measured": a / scale, "ridge": 0 * b, "ridge_own_z": 0 * b}
            known = {"speaker": f"S{k % 2}", "style": "", "phones": list(phones), "start_s": 0.0}
            units = {name: [[0, 0], [scale] * 2] for name in ("own", "known", "trained")}
            writer.add(f"u{k}", arrays, **known, **units)
    return scores.Predictions(Store(folder, "evaluate"))


def test_error_is_put_down_to_the_phone_in_which_it_happens(tmp_path):
    measured = np.random.default_rng(1).normal(size=(30, 2))
    predicted = measured.copy()
    predicted[10:20, 0] += 3
    predicted[20:, 1] += 2
    labels = [[0, 0.1, "s"], [0.1, 0.2, "a:"], [0.2, 0.3, "i:"]]
    found = predictions(tmp_path / "p", [measured], [predicted], phones=labels)
    by_phone, by_class = tables.phones(found)
    assert {row["phone"]: (row["TT_x"], row["TT_y"]) for row in by_phone} == {
        "s": (0, 0),
        "a:": pytest.approx((3, 0), abs=1e-5),
        "i:": pytest.approx((0, 2), abs=1e-5),
    }
    vowels = by_class[0]
    assert (vowels["class"], vowels["frames"]) == ("vowel", 20)
    assert vowels["TT_x"] == pytest.approx(3 / np.sqrt(2), rel=1e-5)
    distance = {round(row["share"], 2): row["TT"] for row in tables.error_cdf(found)}
    assert (distance[0.0], distance[1.0]) == (0, pytest.approx(3, rel=1e-5))
    assert distance[0.5] == pytest.approx(2, rel=1e-5)


def test_late_predictions_show_as_a_lag_and_speakers_apart(tmp_path):
    rng = np.random.default_rng(2)
    smooth = [np.cumsum(rng.normal(size=(200, 2)), axis=0) for _ in range(4)]
    late = [np.concatenate([x[:1]] * 3 + [x[:-3]]) for x in smooth]
    found = predictions(tmp_path / "p", smooth, late, scale=2.5)
    scored = scores.Scored.of(found)
    for row in tables.tracks(scored, found):
        assert row["lag_ms"] == 30
        assert row["lag_r"] > row["pearson_r"]
    by_speaker = tables.groups(scored, found, "speaker")
    assert [(row["speaker"], row["utterances"]) for row in by_speaker] == [("S0", 2), ("S1", 2)]
    rmse = [row["rmse_mm"] for row in tables.utterances(scored, found)]
    assert by_speaker[1]["rmse_mm"] == pytest.approx(np.mean(rmse[1::2]))


def test_constant_tracks_and_one_frame_have_defined_figures(tmp_path):
    flat = np.stack([np.zeros(50), np.sin(np.arange(50))], axis=1)
    found = predictions(tmp_path / "p", [flat, flat[:1]], [flat + 1, flat[:1] + 1])
    scored = scores.Scored.of(found)
    x, y = tables.tracks(scored, found)
    assert np.isnan(x["pearson_r"])
    assert y["pearson_r"] == pytest.approx(1)
    assert (x["rmse_mm"], y["velocity_rmse_mm_s"]) == (pytest.approx(1), pytest.approx(0, abs=1e-4))
    assert y["ridge_pearson_r"] == 0  # a prediction that does not move
    text = tables.to_csv([x, y])
    assert "nan" not in text
    assert tables.rounded({"r": x["pearson_r"]}) == {"r": None}


def test_deltas_count_in_the_trained_error_alone(standardized, stage, echo):
    change(
        standardized / "params.yaml",
        layouts={"four": {"channels": ["TT_x", "TT_y"], "deltas": 1}},
    )
    for name in ("extract", "standardize", "evaluate"):
        assert stage(name).status == 0, name
    delta = {row["track"]: row for row in rows("tracks")}["TT_x_delta"]
    assert delta["z_mse"]
    assert not delta["rmse_mm"]
    assert [row["sensor"] for row in rows("sensors")] == ["TT"]


def test_lips_have_tract_variables_without_a_palate(tmp_path):
    rng = np.random.default_rng(4)
    channels = ["UL_x", "UL_y", "LL_x", "LL_y", "TT_x", "TT_y"]
    columns = dict.fromkeys(("measured", "predicted", "ridge"), 6)
    own = [[0, 40, 0, 0, 0, 0], [1] * 6]
    about = {"speaker": "S", "style": "", "phones": [], "start_s": 0.0}
    with StoreWriter(tmp_path / "p", columns, {"channels": channels, "deltas": 0}) as writer:
        for k in range(3):
            x = rng.normal(size=(40, 6))
            arrays = {"measured": x, "predicted": x + np.eye(6)[1] * 2, "ridge": 0 * x}
            writer.add(f"u{k}", arrays, **about, own=own)
    found = scores.Predictions(Store(tmp_path / "p", "evaluate"))
    figures = {row["variable"]: row for row in tables.tract_variables(found, {})}
    assert figures["LA"]["rmse_mm"] == pytest.approx(2, rel=0.01)
    assert figures["LP"]["rmse_mm"] == pytest.approx(0, abs=1e-6)
    assert np.isnan(figures["TTCD"]["rmse_mm"])
    found.unit = "z"  # no places, no distances between them
    assert tables.tract_variables(found, {}) == []
    assert tables.parse(tables.to_csv([])) == []


def test_speakers_are_drawn_from_their_own_means(tmp_path):
    columns = dict.fromkeys(("measured", "predicted"), 2)
    about = {"style": "", "phones": [], "start_s": 0.0}
    kinds = {"channels": ["TT_x", "TT_y"], "deltas": 0}
    with StoreWriter(tmp_path / "p", columns, kinds) as writer:
        for k, home in enumerate((-60, 60, -60)):
            x = np.random.default_rng(k).normal(size=(40, 2))
            own = [[home, home], [1, 1]]
            writer.add(
                f"u{k}", {"measured": x, "predicted": x + 2}, **about, own=own, speaker=f"S{home}"
            )
    found = scores.Predictions(Store(tmp_path / "p", "evaluate"))
    measured, predicted = plot.pooled(found)
    assert measured.shape == (120, 2) and np.abs(measured).max() < 6
    np.testing.assert_allclose(predicted - measured, 2, atol=1e-4)


def test_a_tongue_that_stands_still_has_no_palate():
    assert palates.of_speakers({"S": [np.ones((5, 2, 2))], "T": [np.empty((0, 2, 2))]}) == {}
    moving = np.random.default_rng(5).normal(size=(50, 3, 2))
    found = palates.of_speakers({"S": [moving]})
    again = palates.from_rows(tables.parse(tables.to_csv(palates.rows(found))))
    np.testing.assert_allclose(again["S"].outline, found["S"].outline, rtol=1e-5)
    assert again["S"].source == "estimated"


def test_the_interval_of_the_error_weighs_utterances_by_their_frames_as_its_mean_does():
    frames = np.array([[10], [10], [10], [2000]])
    errors = np.array([[1.0], [2.0], [3.0], [4.0]])
    scored = scores.Scored(("TT_x",), {"predicted": {"z_mse": errors, "rmse_mm": errors}}, frames)
    assert scored.mean("predicted", "z_mse") == pytest.approx(3.97, abs=0.01)
    assert scored.mean("predicted", "rmse_mm") == 2.5
    _, high = scored.interval("predicted", "z_mse")
    assert high > 3.99  # draws without the long utterance are as rare as those of it alone
    assert scored.interval("predicted", "rmse_mm")[1] < 3.8


def test_a_traced_palate_goes_before_the_estimate_and_says_so():
    moving = np.random.default_rng(5).normal(size=(50, 3, 2)).reshape(50, 6)
    arch = [[-50.0, 0.0], [-25.0, 10.0], [0.0, -5.0]]
    channels = ("TT_x", "TT_y", "TB_x", "TB_y", "TD_x", "TD_y")
    entries = [SimpleNamespace(about={"speaker": name}) for name in ("S", "T")]
    frames = SimpleNamespace(
        about={"channels": channels, "palates": {"S": arch}},
        entries=entries,
        frames=lambda entry, name: moving,
    )
    known = palates.known(frames)
    assert known["S"].source == "traced" and known["T"].source == "estimated"
    np.testing.assert_array_equal(known["S"].outline, arch)
    assert palates.from_rows(palates.rows(known))["S"].source == "traced"
    assert palates.sources(known).startswith("traced: S; of others the upper envelope")
    assert palates.sources({"T": known["T"]}).startswith("upper envelope")
