import base64
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline import view
from pipeline.evaluation import tables
from pipeline.formats import track_csv
from pipeline.ground.utterance import Label
from pipeline.pages import browser
from pipeline.plots.timeline import label_rows
from tests.pipeline.conftest import change
from tests.pipeline.test_plot_utterance import PHONES


@pytest.fixture
def packed(monkeypatch):
    """What goes into pages, without drawing the other pictures."""
    pages = []
    monkeypatch.setattr(view.scenes, "pictures", lambda scene, channel: iter(()))
    monkeypatch.setattr(view.scenes, "animate", lambda scene, stem: [])
    monkeypatch.setattr(browser, "page", lambda title, one: pages.extend(one) or "")
    return pages


@pytest.mark.parametrize(
    ("reader", "utterance", "channel", "seconds", "phone"),
    [
        ("hprc", "F01_B01_S01_R01_N", "TT_y", 2.605, "ER1"),
        ("xrmb", "JW11_tp005", "T1_y", 5.024, "a"),
        ("carstens", "0023", "S5_y", 3.584, None),
    ],
)
def test_real_recordings_are_shown_as_measured(
    shared_data, project, stage, packed, reader, utterance, channel, seconds, phone
):
    outcome = stage("view", "--reader", reader, "--path", str(shared_data / reader))
    assert outcome.status == 0, outcome.err
    (one,) = packed
    assert one["id"] == utterance
    assert channel in one["channels"]
    assert one["seconds"] == pytest.approx(seconds, abs=1e-3)
    assert list(one["tracks"]) == ["measured"]
    if phone:
        assert phone in [text for _, _, text in one["phones"]]
    if reader != "carstens":
        assert len(one["palate"]) >= 2


def test_z_scores_are_shown_as_such(shared_data, project, stage, packed):
    path = str(shared_data / "mngu0")
    outcome = stage("view", "--reader", "mngu0", "--path", path, "--utterances", "1")
    assert outcome.status == 0, outcome.err
    (one,) = packed
    assert (one["unit"], one["points"], one["palate"]) == ("z", [], [])


def test_channels_of_a_sensor_are_forward_height_lateral(shared_data, project, stage, packed):
    assert stage("view", "--reader", "hprc", "--path", str(shared_data / "hprc")).status == 0
    assert packed[0]["channels"][:3] == ["TR_x", "TR_y", "TR_z"]


@pytest.mark.slow
def test_every_view_of_an_utterance_is_written(project, stage):
    outcome = stage("view", "--utterances", "1", "--output", "seen")
    assert outcome.status == 0, outcome.err
    names = {path.name for path in (project / "seen" / "u00").iterdir()}
    assert {"timeline.png", "timeline.pdf", "midsagittal.gif", "midsagittal.png"} <= names
    assert (project / "seen" / "index.html").stat().st_size > 1e6


def test_what_cannot_be_shown_is_one_line_and_the_rest_goes_on(project, stage, packed):
    path = project / "recordings" / "u00.csv"
    tracks = track_csv.read(path)
    tracks.values[20:80, 0] = np.nan
    track_csv.write(path, tracks)
    outcome = stage("view", "--utterances", "2")
    assert outcome.status == 0
    assert outcome.err.count("refused u00: ") == 1
    assert [one["id"] for one in packed] == ["u01"]
    outcome = stage("view", "--utterances", "1")
    assert (outcome.status, outcome.err.count("\n")) == (1, 2)
    change(project / "params.yaml", corpus__path=None)
    assert stage("view").status == 2


@pytest.mark.parametrize("width", [10.0, 60.0, 150.0])
def test_labels_on_one_row_never_run_into_each_other(width):
    edges = np.sort(np.random.default_rng(3).uniform(0, 2, 41))
    phones = [Label(a, b, "AH0") for a, b in pairwise(edges)]
    rows = label_rows(phones, 2.0, width)
    for row in (0, 1):
        places = [
            (p.start + p.end) / 4 * width for p, r in zip(phones, rows, strict=True) if r == row
        ]
        assert (np.diff(places) >= 3 * 1.5).all()
    assert label_rows(PHONES, 1.5, 144) == [0, 0, 0]


@pytest.mark.slow
def test_runs_are_compared_by_their_names_in_git(tmp_path, monkeypatch, stage):
    def git(*arguments):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True)

    def write(rmse):
        (tmp_path / "reports" / "tables").mkdir(parents=True, exist_ok=True)
        rows = [{"sensor": "TT", "rmse_mm": rmse, "pearson_r": 0.9}]
        (tmp_path / "reports" / "tables" / "sensors.csv").write_text(tables.to_csv(rows))
        test = {"delivered": {"rmse_mm": rmse, "pearson_r": 0.9}, "own_z": {"z_mse": 0.2}}
        (tmp_path / "reports" / "metrics.json").write_text(json.dumps({"test": test}))

    git("init", "-b", "main")
    subprocess.run(
        [Path(sys.executable).with_name("dvc"), "init", "-q"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    write(1.25)
    git("add", ".")
    git("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-m", "run")
    write(2.5)
    monkeypatch.chdir(tmp_path)
    outcome = stage("compare", "main", "workspace")
    assert outcome.status == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[1].split() == ["main", "1.25", "0.900", "0.200"]
    assert lines[2].split() == ["workspace", "2.50", "0.900", "0.200"]
    assert Image.open("reports/runs.png").width > 2000
    outcome = stage("compare", "no-such-run")
    assert (outcome.status, outcome.err.count("\n")) == (1, 1)
    assert "no-such-run" in outcome.err


def test_packed_tracks_keep_a_hundredth_of_a_millimetre_and_the_gaps():
    values = np.array([[1.234, np.nan], [-87.126, 300.0]])
    packed = np.frombuffer(base64.b64decode(browser.pack_tracks(values)), "<i2")
    np.testing.assert_array_equal(packed, [123, browser.MISSING, -8713, 30000])
