"""The study on measured speech: its parameters, its table, and the twin that it is held against."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.ground import params, workspaces
from studies import real_corpora, trials
from studies.real_corpora import RIDGE, ROWS, SETTINGS, TWIN

torch = pytest.importorskip("torch")
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("row", [row for row in ROWS if row not in (RIDGE, TWIN)])
def test_every_training_has_parameters_that_params_yaml_could_have(tmp_path, setting, row):
    overrides = {**SETTINGS[setting].overrides, **ROWS[row][1]}
    tree = workspaces.overridden(workspaces.read(), overrides)
    workspaces.lay_out(tmp_path, tree, [], tmp_path)
    found = params.load(tmp_path / "params.yaml")
    assert found.corpus.reader == SETTINGS[setting].reader
    assert found.standardize.protocol == SETTINGS[setting].split["protocol"]


@pytest.mark.slow
def test_the_network_in_torch_does_not_see_padding():
    from studies import twin

    torch.manual_seed(0)
    model = twin.Twin(5, 3)
    rng = np.random.default_rng(0)
    pairs = [
        (rng.normal(size=(n, 5)).astype(np.float32), np.zeros((n, 3), np.float32))
        for n in (7, 40, 23)
    ]
    x, _, lengths = twin.batch(pairs)
    with torch.no_grad():
        together = model(x, lengths).numpy()
    for k, (alone, _) in enumerate(pairs):
        expected = twin.predict(model, alone)
        np.testing.assert_allclose(together[k, : len(alone)], expected, atol=1e-6)
    squares = [np.square(twin.predict(model, alone)) for alone, _ in pairs]
    expected = np.concatenate(squares).mean()
    assert float(twin.error(model, pairs).detach()) == pytest.approx(expected, rel=1e-5)


LEARN = """
import numpy as np
from studies import twin

twin.UNITS, twin.EPOCHS, twin.RATE = 8, 6, 2e-2
rng = np.random.default_rng(0)
x = [rng.normal(size=(60, 4)).astype(np.float32) for _ in range(12)]
y = [z[:, :2] for z in x]
held_out = list(zip(x[:3], y[:3], strict=True))
model, about = twin.train([[z] * 5 for z in x[3:]], y[3:], held_out, seed=1)
print(about["best_epoch"], float(twin.error(model, held_out).detach()))
"""


@pytest.mark.slow
def test_the_network_in_torch_learns_and_keeps_its_best_epoch():
    """Apart from TensorFlow, beside which the optimisers of torch with CUDA crash the process."""
    ran = subprocess.run([sys.executable, "-c", LEARN], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    best, error = map(float, ran.stdout.split())
    assert 1 < best <= 6
    assert error < 0.5


def test_the_table_has_a_line_for_every_row_that_was_trained():
    own = {name: [0.5, 0.7] for name in trials.SHOWN}
    sources = ("predicted", "own_z", "ridge", "ridge_own_z")
    result = {"test_frames": [100, 300], "seconds": 90, "test": dict.fromkeys(sources, own)}
    results = {"pooled-default/1": result, "pooled-default/2": result, "mngu0-twin/1": result}
    lines = real_corpora.markdown(results).splitlines()[2:]
    assert [line.split(" | ")[1] for line in lines] == [
        "default (2 seeds)",
        ROWS[RIDGE][0],
        ROWS[TWIN][0],
    ]
    assert lines[0].endswith(
        "| 0.60 (0.50-0.70) | 0.600 (0.500-0.700) | 0.650 (0.500-0.700) | 1.5 |"
    )
    assert lines[2].split(" | ")[2] == ""
