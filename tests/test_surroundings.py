"""Other languages, names, homes and cores than those of the machine that this was written on."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from pipeline.formats import audio
from tests.conftest import ROOT
from tests.pipeline import small_model
from tests.pipeline.conftest import RATE, small_utterance

pytestmark = pytest.mark.slow

ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model and a sound, its home directory beside it."""
    folder = tmp_path_factory.mktemp("surroundings")
    small_model.write(folder / "trained")
    audio.write(folder / "a.wav", small_utterance(0)[0], RATE)
    (folder / "home").mkdir()
    call(folder, "a.wav", HOME=str(folder / "home"))
    return folder


def call(folder, sound, *arguments, **environment):
    command = [sys.executable, "-m", "pipeline.predict", sound, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "TZ": "Pacific/Auckland"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},  # names are bytes
        {"LC_ALL": "de_DE.UTF-8", "LC_NUMERIC": "de_DE.UTF-8", "TZ": "no/such/zone"},
    ],
)
def test_tracks_depend_on_no_language_name_or_time_zone(place, tmp_path, environment):
    folder = tmp_path / "für Ärzte"
    folder.mkdir()
    name = "Süß é"
    shutil.copy(place / "a.wav", folder / f"{name}.wav")
    model = ["--model", str(place / "trained")]
    call(folder, f"{name}.wav", *model, HOME=str(place / "home"), **environment)
    assert (folder / f"{name}.csv").read_bytes() == (place / "a.csv").read_bytes()
    about = json.loads((folder / f"{name}.json").read_text("utf-8"))
    assert about["audio"]["file"].encode("utf-8", "surrogateescape") == f"{name}.wav".encode()
    assert (folder / f"{name}.png").stat().st_size > 10_000


def test_a_name_that_is_no_text_is_a_name(place, tmp_path):
    name = os.fsdecode(b"S\xfc\xdf")  # Latin-1, as old disks have it
    shutil.copy(place / "a.wav", tmp_path / f"{name}.wav")
    out = call(tmp_path, f"{name}.wav", "--no-plot", "--model", str(place / "trained"))
    assert r"S\udcfc\udcdf.csv" in out
    assert (tmp_path / f"{name}.csv").read_bytes() == (place / "a.csv").read_bytes()


def test_one_core_and_a_home_that_cannot_be_written_to(place, tmp_path):
    home = place / "a.wav" / "home"  # below a file nobody makes a folder, whoever they are
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # children inherit it
    try:
        call(place, "a.wav", "--output", str(tmp_path), HOME=str(home))
    finally:
        os.sched_setaffinity(0, cores)
    assert (tmp_path / "a.csv").read_bytes() == (place / "a.csv").read_bytes()


def test_predicting_leaves_nothing_in_the_home_but_a_cache_of_fonts(place):
    left = [path for path in (place / "home").rglob("*") if path.is_file()]
    assert {path.parent.name for path in left} <= {"matplotlib", "fontconfig"}


def test_another_projects_keras_settings_are_not_taken(tmp_path):
    (tmp_path / ".keras").mkdir()
    settings = {"backend": "jax", "floatx": "float16", "image_data_format": "channels_first"}
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps({**settings, "epsilon": 1e-3}))
    code = (
        "from pipeline.ground import device\n"
        "device.choose('cpu')\n"
        "import keras\n"
        "print(keras.config.backend(), keras.layers.Dense(1).variable_dtype)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=ENVIRONMENT | {"HOME": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["tensorflow", "float32"]
