"""The structure of the code: what a stage depends on, and which folder may import which."""

import re
import tomllib
from pathlib import Path

import grimp
import pytest

from pipeline import fold
from pipeline.corpora import READERS
from pipeline.ground.storage import read_yaml

ROOT = Path(__file__).parents[1]
PACKAGES = ("pipeline", "features", "models")
STAGES = read_yaml(ROOT / "dvc.yaml")["stages"]
INSPECTION = "pipeline.corpora.inspection"  # of `corpus --inspect`, which is no part of the stage


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Every import between the project's modules, those within functions and by name included."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    for reader in READERS.values():
        graph.add_import(importer="pipeline.corpora", imported=reader)
    graph.remove_module(INSPECTION)
    return graph


def above(path: str) -> list[str]:
    """Return a path and the folders that hold it, as dvc.yaml writes them."""
    return [path, *(folder.as_posix() for folder in Path(path).parents)]


def paths(module: str) -> list[str]:
    """Return the file of a module and the folders that hold it."""
    return above(module.replace(".", "/") + ".py")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_that_it_imports_and_on_no_other_code(imports, stage):
    needed = {f"pipeline.{stage}", *imports.find_upstream_modules(f"pipeline.{stage}")}
    given = {dep for dep in STAGES[stage]["deps"] if dep.split("/")[0] in PACKAGES}
    is_package = {m for m in needed if (ROOT / m.replace(".", "/")).is_dir()}
    missing = sorted(m for m in needed - is_package if not given & set(paths(m)))
    assert not missing, f"not among the deps of {stage} in dvc.yaml"
    idle = {dep for dep in given if not any(dep in paths(m) for m in needed)}
    assert not idle, f"deps of {stage} in dvc.yaml that it does not import"


def test_a_fold_depends_on_the_code_of_the_stages_that_it_runs():
    path = ROOT / "cross-validation" / "dvc.yaml"
    given = read_yaml(path)["stages"]["fold"]["deps"]
    code = {dep for stage in fold.STAGES for dep in STAGES[stage]["deps"]}
    missing = [d for d in code if d.split("/")[0] in PACKAGES and not set(given) & set(above(d))]
    assert not missing


def test_no_stage_imports_another(imports):
    stages = {f"pipeline.{stage}" for stage in STAGES}
    for stage in stages:
        assert not stages & imports.find_modules_directly_imported_by(stage)


def test_the_picture_of_the_architecture_is_the_contract_and_has_every_folder():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = (one["layers"] for one in contract["contracts"])
    rows = [[name.strip().removeprefix("pipeline.") for name in row.split("|")] for row in layers]
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    picture = text.split("```text\n")[1].split("\n```")[0].split("\n")
    assert [[name.strip() for name in row.split("|")] for row in picture] == rows
    shown = {name for row in rows for name in row}
    inside = {path.stem for path in (ROOT / "pipeline").iterdir() if path.name[0] not in "_."}
    assert shown == inside | {"features", "models"}


def test_makefile_and_pyproject_name_the_same_pythons():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [c.rpartition(" ")[2] for c in project["classifiers"] if "Python :: 3." in c]
    line = re.search(r"^PYTHONS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert line is not None and line[1].split() == named
    least, beyond = (int(minor) for minor in re.findall(r"3\.(\d+)", project["requires-python"]))
    assert named == [f"3.{minor}" for minor in range(least, beyond)]
