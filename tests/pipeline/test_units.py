"""A corpus of z-scores, of which millimetres are not known: everything that is shown says so."""

import dataclasses
import json
import re
from types import SimpleNamespace

import pytest
from matplotlib.text import Text

from pipeline import plot
from pipeline.corpora import folder
from pipeline.formats import track_csv
from pipeline.ground import artifacts
from pipeline.plots import style
from tests.pipeline.test_evaluate import echo

__all__ = ["echo"]  # the fixture


@pytest.mark.slow
def test_a_corpus_of_z_scores_says_z_and_nowhere_mm(project, stage, echo, monkeypatch):
    def read_z(path):
        return dataclasses.replace(track_csv.read(path), unit="z")

    monkeypatch.setattr(folder, "track_csv", SimpleNamespace(read=read_z))
    drawn = {}

    def keep(figure, stem, *about):
        drawn[stem.name] = {text.get_text() for text in figure.findobj(Text)}

    monkeypatch.setattr(style, "save", keep)
    monkeypatch.setattr(plot.scenes, "animate", lambda *arguments, **about: [])
    assert "z-scores, no millimetres" in stage("corpus", "--inspect").out
    told = [stage(name) for name in ("corpus", "extract", "standardize", "evaluate")]
    assert [outcome.status for outcome in told] == [0, 0, 0, 0], told
    assert "4 tracks in z;" in told[1].out and re.search(r"RMSE [\d.]+ z ", told[3].out)
    assert "NO millimetres" in json.loads(artifacts.PROTOCOL.read_text())["unit"]
    (project / "trained").mkdir()
    (project / "trained" / "history.csv").write_text(
        "epoch,train_z_mse,validation_z_mse,validation_loss\n1,0.9,0.8,0.8\n2,0.5,0.6,0.6\n"
    )
    outcome = stage("plot")
    assert outcome.status == 0, outcome.err
    assert len(drawn) > 8
    for name, texts in drawn.items():
        assert not any(re.search(r"\bmm\b", text) for text in texts), name
    assert sum(any(re.search(r"\bz\b", text) for text in texts) for texts in drawn.values()) > 6
