import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.ground import params, storage
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
        ("utterances: 330", "utterances: many", "corpus.synthesis.utterances", "`int`, got `str`"),
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


def with_line(path: Path, old: str, new: str) -> Path:
    text = SHIPPED.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


RATE = "learning_rate: 3.0e-3"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("7e-5", 7e-5),
        ("1e-05", 1e-5),
        ("2E-3", 2e-3),
        (".5", 0.5),
        (".5e3", 500),
        ("+.5", 0.5),
        ("1_0.5", 10.5),
        ("3", 3),
        ("+3", 3),
        ("1_000", 1000),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("'7e-5'", 7e-5),
    ],
)
def test_any_number_may_be_written(tmp_path: Path, written, value):
    path = with_line(tmp_path / "params.yaml", RATE, f"learning_rate: {written}")
    assert params.load(path).recipe.learning_rate == value


@pytest.mark.parametrize(("written", "value"), [("1e1", 10), ("45.0", 45), ("1_0", 10), ("+4", 4)])
def test_any_number_may_be_written_where_whole_ones_are_wanted(tmp_path: Path, written, value):
    path = with_line(tmp_path / "params.yaml", "epochs: 36", f"epochs: {written}")
    assert params.load(path).recipe.epochs == value


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("1e400", "recipes.default.learning_rate: inf is no finite number"),
        (".nan", "recipes.default.learning_rate: nan is no finite number"),
        ("1,5", "recipes.default.learning_rate: Expected `float`, got `str`"),
        ("1\n    epochs: 3", "duplicate key"),
    ],
)
def test_what_is_no_number_is_said(tmp_path: Path, written, said):
    path = with_line(tmp_path / "params.yaml", RATE, f"learning_rate: {written}")
    with pytest.raises(UsageError, match=re.escape(said)):
        params.load(path)


def test_a_name_that_looks_like_a_number_wants_quotes(tmp_path: Path):
    path = with_line(tmp_path / "params.yaml", "\n  speaker: null", "\n  speaker: 03")
    with pytest.raises(UsageError, match=r"standardize\.speaker: .* stands in quotes"):
        params.load(path)
    path = with_line(tmp_path / "params.yaml", "\n  speaker: null", "\n  speaker: '03'")
    assert params.load(path).standardize.speaker == "03"


def test_no_is_a_name(tmp_path: Path):  # YAML 1.1 made `false` of it
    path = with_line(tmp_path / "params.yaml", "\n  speaker: null", "\n  speaker: no")
    assert params.load(path).standardize.speaker == "no"


# of speakers, channels and files; no line separators, which ruamel escapes and does not read back
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "))


@settings(max_examples=30)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | NAMES,
        lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
    )
)
def test_what_is_written_is_read_back(tree):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.yaml"
        storage.write_yaml(path, tree)
        assert storage.read_yaml(path) == tree


@given(st.text() | st.text("-:[]{}'\"&*<>!#%@ \n\t.0123456789eE_abTZ"))
def test_whatever_stands_in_a_file_is_read_or_one_line(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError) as caught:
            params.load(path)
    assert "\n" not in str(caught.value)


def recipes(path: Path, text: str) -> params.Params:
    """The shipped parameters, and more recipes after the tutorial's."""
    return params.load(with_line(path, "\nevaluate:", f"{text}\nevaluate:"))


def test_a_recipe_says_only_in_what_it_differs(tmp_path: Path):
    shipped = params.load(SHIPPED).recipes
    sound = shipped["speakers"].augment.sound
    assert sound is not None
    assert shipped["speakers"] == replace(
        shipped["default"], augment=replace(shipped["default"].augment, sound=sound)
    )
    mine = recipes(
        tmp_path / "params.yaml",
        "  mine:\n    like: speakers\n    units: [8]\n    augment: {sound: {warp: [0.9, 1.1]}}\n"
        "    track_weights: {TT_x: 2}\n"
        "  yours:\n    like: mine\n    augment: {sound: null}\n    track_weights: {TT_y: 3}\n",
    ).recipes
    assert mine["mine"] == replace(
        shipped["speakers"],
        units=(8,),
        augment=replace(shipped["speakers"].augment, sound=replace(sound, warp=(0.9, 1.1))),
        track_weights={"TT_x": 2},
    )
    silent = replace(shipped["default"].augment, sound=None)
    assert mine["yours"] == replace(
        shipped["default"], units=(8,), augment=silent, track_weights={"TT_y": 3}
    )  # a mapping that is one value is given whole


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  a: {like: defualt}\n", "recipes.a.like: no 'defualt' among"),
        ("  a: {like: [1]}\n", "recipes.a.like: no [1] among"),
        ("  a: {like: a}\n", "recipes.a.like: a is like a"),
        ("  a: {like: b}\n  b: {like: a}\n", "recipes.b.like: a is like b is like a"),
        ("  a: {like: default, unit: 3}\n", "recipes.a: Object contains unknown field `unit`"),
        ("  a: {like: default, units: many}\n", "recipes.a.units: Expected `array`"),
        ("  a:\n", "recipes.a: Expected `object`, got `null`"),
    ],
)
def test_a_recipe_that_is_like_none_is_one_line(tmp_path: Path, text, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        recipes(tmp_path / "params.yaml", text)


def test_an_experiment_does_not_cut_recipes_loose(tmp_path: Path):
    from dvc.utils.hydra import apply_overrides

    path = tmp_path / "params.yaml"
    path.write_text(SHIPPED.read_text())
    words = ["recipes.default.learning_rate=7e-5", "recipes.default.units=[8,8]"]
    apply_overrides(path, [*words, "recipes.speakers.augment.sound.gain_db=[-6.,6e0]"])
    apply_overrides(path, ["+recipes.speakers.batch_size=6", "recipes.default.augment.rate=.1"])
    found = params.load(path).recipes
    for recipe in (found["default"], found["speakers"]):
        assert (recipe.learning_rate, recipe.units, recipe.augment.rate) == (7e-5, (8, 8), 0.1)
    shipped = params.load(SHIPPED).recipes["default"].batch_size
    assert (found["default"].batch_size, found["speakers"].batch_size) == (shipped, 6)
    assert found["speakers"].augment.sound.gain_db == (-6, 6)


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
