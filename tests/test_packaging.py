"""The wheel and the source archive hold what they promise, and the wheel works outside the project.

No network: `build` takes the environment's own setuptools, `pip` installs the file alone.
"""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

from pipeline.formats import audio, track_csv
from tests.conftest import ROOT
from tests.pipeline import small_model
from tests.pipeline.conftest import RATE, small_utterance
from tests.test_end_to_end import copy_project

PACKAGES = ("features", "models", "pipeline")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PYTHONS = re.search(r"^PYTHONS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
LOCKS = {"requirements.lock": ("synthesis",), "requirements-dev.lock": ("synthesis", "dev")}


def python(folder: Path, *arguments: str, **environment: str) -> str:
    """Run Python where nothing of the checkout can be imported; return what it printed."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, env=kept | environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, set[str], Path]:
    """A copy of the project, the names of its files, and what `build` makes of it."""
    folder = tmp_path_factory.mktemp("built")
    copy_project(folder / "project")
    files = {
        path.relative_to(folder / "project").as_posix()
        for path in (folder / "project").rglob("*")
        if path.is_file()
    }
    python(folder / "project", "-m", "build", "--no-isolation", "--outdir", str(folder / "dist"))
    return folder, files, folder / "dist"


@pytest.mark.slow
def test_the_source_archive_is_the_whole_project(built):
    _, files, dist = built
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert {name for name in files - names if not name.startswith(".ci/")} == set()
    made = {"PKG-INFO", "setup.cfg"}
    assert {name for name in names - files if ".egg-info/" not in name} == made


@pytest.mark.slow
def test_the_wheel_has_every_file_of_its_packages_and_predicts_elsewhere(built, tmp_path):
    _, files, dist = built
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == {name for name in files if name.split("/")[0] in PACKAGES}
    assert {"pipeline/pages/report.html", "pipeline/corpora/vocaltractlab/targets.csv"} <= names

    pip = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile")
    python(tmp_path, *pip, "--target", str(tmp_path / "installed"), str(wheel))
    small_model.write(tmp_path / "elsewhere" / "trained")
    sound, _ = small_utterance(1)
    audio.write(tmp_path / "elsewhere" / "audio.wav", sound, RATE)
    predict = "import pipeline, pipeline.predict as p; print(pipeline.__path__); p.main()"
    installed = {"PYTHONPATH": str(tmp_path / "installed")}
    said = python(tmp_path / "elsewhere", "-c", predict, "audio.wav", **installed)
    assert str(tmp_path / "installed" / "pipeline") in said.splitlines()[0]
    tracks = track_csv.read(tmp_path / "elsewhere" / "audio.csv")
    assert list(tracks.channels) == small_model.CHANNELS
    assert len(tracks.time) == pytest.approx(100 * len(sound) / RATE, abs=2)


def plain(name: str) -> str:
    """Return the name of a package as packages are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(one: Requirement, version: str) -> bool:
    """Tell whether a requirement holds on this machine with a version of Python."""
    python = {"python_version": version, "python_full_version": f"{version}.0"}
    return one.marker is None or one.marker.evaluate(default_environment() | python)


def pins(lock: str, version: str) -> dict[str, str]:
    """Return the version that a lock gives each package under a version of Python."""
    lines = map(Requirement, (ROOT / lock).read_text().splitlines())
    found = [(plain(one.name), str(one.specifier)) for one in lines if needed(one, version)]
    assert all(re.fullmatch(r"==[^*,]+", given) for _, given in found), "not one version"
    assert len(found) == len(dict(found)), "a package twice"
    return {name: given.removeprefix("==") for name, given in found}


@pytest.mark.parametrize("version", PYTHONS)
@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_what_pyproject_asks_for(lock, version):
    pinned = pins(lock, version)
    asked = [*PROJECT["dependencies"], *(need for extra in LOCKS[lock] for need in EXTRAS[extra])]
    for one in (one for one in map(Requirement, asked) if needed(one, version)):
        assert plain(one.name) in pinned, one
        assert one.specifier.contains(pinned[plain(one.name)]), one


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_agrees_with_what_is_pinned(extra):
    pinned = pins("requirements-dev.lock", PYTHONS[0])
    for one in map(Requirement, EXTRAS[extra]):
        if plain(one.name) in pinned:
            assert one.specifier.contains(pinned[plain(one.name)]), one


def test_developers_have_all_of_the_extra_docs():
    assert set(EXTRAS["docs"]) <= set(EXTRAS["dev"])


def test_both_locks_pin_the_same_versions():
    run, dev = (set((ROOT / lock).read_text().splitlines()) for lock in LOCKS)
    assert run <= dev
