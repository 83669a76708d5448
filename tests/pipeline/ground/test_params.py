from pathlib import Path

import pytest

from pipeline.ground import params
from pipeline.ground.console import UsageError
from tests.conftest import ROOT

SHIPPED = ROOT / "params.yaml"


def test_the_shipped_file_is_accepted():
    assert params.load(SHIPPED).recipe == params.load(SHIPPED).recipes["default"]


@pytest.mark.parametrize(
    ("old", "new", "key", "reason"),
    [
        ("cell: lstm", "cell: lsmt", "recipes.default.cell", "lsmt"),
        ("  epochs: 10", "  epochs: 0", "recipes.tutorial.epochs", ">= 1"),
        ("  patience: 0", "  patiense: 0", "recipes.default", "patiense"),
        ("utterances: 200", "utterances: many", "corpus.synthesis.utterances", "`int`, got `str`"),
        ("cutoff_hz: 20", "cutoff_hz: 60", "extract.cutoff_hz", "< 50"),
        ("recipe: default", "recipe: mine", "train.recipe", "mine"),
        ("loss: mse+pearson", "loss: gauss", "recipes.default.loss", "gauss"),
        ("weights: {}", "weights: {TT: -1}", "recipes.default.track_weights[...]", ">= 0"),
        ("ensemble: 1", "ensemble: 0", "train.ensemble", ">= 1"),
        ("test: 0.15", "test: 0.95", "standardize.test", "nothing to train on"),
        ("output_delay: 0", "output_delay: 5", "recipes.default.output_delay", "one-directional"),
        ("context: 1 ", "context: 4 ", "recipes.default.context", "odd"),
        ("    context: 1\n", "    context: 3\n", "recipes.tutorial.context", "output_delay"),
        ("plot:", "plots:", "the file", "plots"),
        ("layouts: {}", "layouts: {a: {channels: [], deltas: 0}}", "layouts.a.channels", ">= 1"),
    ],
)
def test_a_wrong_value_is_one_line_naming_file_and_key(tmp_path: Path, old, new, key, reason):
    text = SHIPPED.read_text()
    assert old in text
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        params.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: {key}: ")
    assert reason in message
    assert "\n" not in message


@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"a: b: c", b"\xff\xfe\x00", b"corpus: 3"])
def test_a_file_that_is_no_mapping_is_one_line(tmp_path: Path, content):
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"params\.yaml: [^\n]+$"):
        params.load(path)


def test_a_compiled_step_on_several_devices_is_refused(tmp_path: Path):
    text = SHIPPED.read_text().replace("devices: 1", "devices: 2")
    path = tmp_path / "params.yaml"
    path.write_text(text)
    assert params.load(path).train.devices == 2
    path.write_text(text.replace("compile: false", "compile: true"))
    with pytest.raises(UsageError, match=r"train\.devices: a compiled step is for one device"):
        params.load(path)
