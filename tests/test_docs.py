"""Every command, link and name in the README and in docs/, against the project as it stands."""

import argparse
import importlib
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from dvc.cli.parser import get_main_parser

from pipeline.ground import params
from pipeline.ground.console import InputError
from pipeline.ground.storage import read_yaml, write_yaml
from tests.conftest import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
STAGES = set(read_yaml(ROOT / "dvc.yaml")["stages"])
LANGUAGES = {"sh", "text", "yaml", "python", "{eval-rst}"}
FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)^```$", re.MULTILINE)
INLINE = re.compile(r"(?<!`)`((?:[A-Z_]+=\S+ )*(?:python -m|dvc|make|pip|tensorboard) [^`]+)`(?!`)")
ELSEWHERE = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+(/[\w~!$&'*+,;=:@%./?#-]*)?")
PROGRAMS = {"cp", "arecord", "git", "."}  # of the system, not of this project
OTHERS = {"dask-jobqueue"}  # a package for one kind of cluster, named beside it


class Command(NamedTuple):
    page: str
    line: str

    def __str__(self) -> str:
        return f"{self.page}: {self.line}"


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def commands() -> Iterator[Command]:
    """Yield every line of every block of commands, and those that stand in running text."""
    for page in PAGES:
        text, name = text_of(page), str(page.relative_to(ROOT))
        for language, block in FENCE.findall(text):
            if language == "sh":
                lines = block.replace("\\\n", " ").splitlines()
                yield from (Command(name, line) for line in lines if line.split("#")[0].strip())
        prose = FENCE.sub("", text)
        yield from (Command(name, " ".join(found.split())) for found in INLINE.findall(prose))


COMMANDS = list(commands())


class ReadError(Exception):
    """Ends a command that has read its options, before it works."""


def prove(line: str, folder: Path) -> None:
    """Fail unless the programs, options, keys and targets of a line of shell exist."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;")
    lexer.whitespace_split, lexer.commenters = True, "#"
    words: list[str] = []
    for word in [*lexer, "|"]:
        if word != "|":
            words.append(word)
            continue
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words.pop(0)
        prove_program(words, folder)
        words = []


def prove_program(words: list[str], folder: Path) -> None:
    match words:
        case ["python", "-m", "pytest", *options]:
            known = {marker.split(":")[0] for marker in pytest_markers()}
            for option, value in zip(options, [*options[1:], ""], strict=True):
                assert option.startswith("-") or (ROOT / option).exists() or option in known
                assert option != "-m" or value in known
        case ["python", "-m", "dask", *_] | ["dask", *_]:
            assert any("dask" in need for need in PROJECT["optional-dependencies"]["dask"])
        case ["python", "-m", module, *options]:
            prove_module(module, options)
        case ["dvc", *options]:
            prove_dvc(options, folder)
        case ["make", *targets]:
            for target in targets:
                name, given, _ = target.partition("=")
                assert f"{name} ?=" in MAKEFILE if given else target in TARGETS
        case ["pip", "install", *needs]:
            for need in needs:
                prove_package(need)
        case ["tensorboard", *_]:
            assert "tensorboard" in PROJECT["optional-dependencies"]
        case [program, *_]:
            assert program in PROGRAMS, f"{program}: no program that this test knows"
        case _:
            raise AssertionError("no command")


def pytest_markers() -> list[str]:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]
    return options["ini_options"]["markers"]


def prove_module(module: str, options: list[str]) -> None:
    """Read options by the parser of the module's own command."""
    read = argparse.ArgumentParser.parse_args

    def stop(self, args=None, namespace=None):
        read(self, args, namespace)
        raise ReadError

    main = importlib.import_module(module).main
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        patch.setattr(sys, "argv", [module, *(option for option in options if option != "...")])
        try:
            main()
        except ReadError:
            return
        except SystemExit as left:
            assert left.code == 0 and "--help" in options, "its parser refuses that"
            return
        except InputError as refused:
            raise AssertionError(refused) from None
    assert not options, f"{module} reads no options"


def prove_dvc(options: list[str], folder: Path) -> None:
    """Read options by DVC's own parser, and parameters by those of this project."""
    try:
        read = get_main_parser().parse_args([word for word in options if word != "..."])
    except SystemExit:
        raise AssertionError("DVC's parser refuses that") from None
    except Exception as refused:  # DVC's own
        raise AssertionError(refused) from None
    for target in getattr(read, "targets", None) or []:
        made = target.startswith(("reports/", "cross-validation/"))
        assert target in STAGES or (ROOT / target).exists() or made, target
    sweep = {}
    for setting in getattr(read, "params", None) or getattr(read, "set_param", None) or []:
        key, given, value = setting.partition("=")
        assert given, f"{setting}: no value"
        sweep[key] = value
    if sweep:
        prove_parameters(sweep, folder)


def prove_parameters(settings: dict[str, str], folder: Path) -> None:
    """Fail unless params.yaml has the keys, and takes the values that are not left open."""
    tree = read_yaml(ROOT / "params.yaml")
    for key, value in settings.items():
        *blocks, last = key.lstrip("+").split(".")
        place = tree
        for block in blocks:
            if key.startswith("+") or place is tree.get("recipes"):
                place.setdefault(block, {"like": "default"})
            assert block in place, f"{key}: params.yaml has no such key"
            place = place[block]
        inherited = "like" in place and last in tree["recipes"]["default"]
        assert key.startswith("+") or last in place or inherited or blocks[:1] == ["recipes"], key
        if value == "..." or value.isupper():
            continue
        choices = value if value.startswith("[") else value.split(",")[0]
        (folder / "value.yaml").write_text(f"value: {choices}\n")
        place[last] = read_yaml(folder / "value.yaml")["value"]
        if key == "train.recipe":
            tree["recipes"].setdefault(place[last], {"like": "default"})
    write_yaml(folder / "params.yaml", tree)
    try:
        params.load(folder / "params.yaml")
    except InputError as refused:
        raise AssertionError(refused) from None


def prove_package(need: str) -> None:
    """Fail unless this project has an extra of that name, or needs that package itself."""
    name, _, rest = need.partition("[")
    if name in (".", PROJECT["name"]):
        extras = filter(None, rest.rstrip("]").split(","))
        assert set(extras) <= set(PROJECT["optional-dependencies"]), need
        return
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    needs = [need for group in groups for need in group]
    assert name in OTHERS or any(re.match(rf"{re.escape(name)}\b", one) for one in needs), need


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_in_the_documentation_exists_with_all_its_options(command, tmp_path):
    prove(command.line, tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "python -m pipeline.predict audio.wav --nonsense",
        "python -m pipeline.nothing",
        "python -m examples.mnist_stacked --cell tree",
        "dvc exp run -S train.nothing=1",
        "dvc exp run -S recipes.default.units=[-3]",
        "dvc repro nothing",
        "dvc repro --nonsense",
        "make nothing",
        "pip install '.[nothing]'",
        "predict audio.wav",
    ],
)
def test_a_command_that_does_not_exist_is_found_out(line, tmp_path):
    with pytest.raises((AssertionError, ImportError)):
        prove(line, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_says_its_language_so_that_no_command_is_passed_over(page):
    assert {language for language, _ in FENCE.findall(text_of(page))} <= LANGUAGES


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as forges and MyST make them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


def dead_links(page: Path) -> list[str]:
    """Return the links of a page that lead to no file of the project, to no heading, or nowhere.

    Of another site the form is looked at, no more: a host with a dot, by TLS.
    """
    prose = re.sub(r"`[^`]*`", "", FENCE.sub("", text_of(page)))
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", link):
            if not ELSEWHERE.fullmatch(link):
                dead.append(link)
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    return dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    assert not dead_links(page)


def test_a_dead_link_is_found_out(tmp_path):
    page = tmp_path / "page.md"
    good = "[a](#a-heading) [b](https://e.org) [c](https://e.org/a_b-c/?d=e#f)"
    dead = ["#none", "none.md", "http://e.org", "https://e", "https://e.org/a\\b", "ftp://e.org"]
    page.write_text(f"# A heading\n\n{good} {' '.join(f'[d]({link})' for link in dead)}\n")
    assert dead_links(page) == dead


def test_the_api_pages_have_every_module():
    shown = set()
    for page in (ROOT / "docs" / "api").glob("*.md"):
        shown |= set(re.findall(r"automodule:: (\S+)", text_of(page)))
    folders = ("features", "models", "pipeline/formats", "pipeline/corpora", "pipeline/trained")
    files = [path for folder in folders for path in (ROOT / folder).glob("[a-z]*.py")]
    assert {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files} <= shown


def test_the_licences_name_every_dependency():
    text = text_of(ROOT / "docs" / "licences.md")
    names = [re.match(r"[\w.-]+", need)[0] for need in PROJECT["dependencies"]]
    assert not [name for name in names if f"| {name} |" not in text]


def test_workflow_and_container_call_targets_that_exist():
    workflow = read_yaml(ROOT / ".github" / "workflows" / "test.yml")
    steps = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    lines = [*steps, container["postCreateCommand"]]
    called = {name for line in lines for name in re.findall(r"make (\w+)", line)}
    assert called == {"test", "repro"} <= TARGETS
    pythons = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert pythons == re.search(r"^PYTHONS := (.*)$", MAKEFILE, re.MULTILINE)[1].split()


def test_the_citation_says_what_pyproject_says():
    citation = read_yaml(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    assert f"## {PROJECT['version']}\n" in text_of(ROOT / "CHANGELOG.md")


@pytest.mark.slow
def test_the_cell_of_the_documentation_has_the_gradient_of_automatic_differentiation():
    import numpy as np

    from tests.gradients import outputs_and_gradients

    blocks = FENCE.findall(text_of(ROOT / "docs" / "add-a-cell.md"))
    scope: dict = {"__name__": "add_a_cell"}
    for language, block in blocks:
        if language == "python":
            exec(block, scope)
    rng = np.random.default_rng(1)
    x, upstream = rng.normal(size=(2, 6, 3)), [rng.normal(size=(2, 6, 4))]
    both = {}
    for gradient in ("manual", "automatic"):
        layer = scope["MinimalGated"](
            4, return_sequences=True, dtype="float64", gradient=gradient, name=gradient
        )
        layer.build((None, None, 3))
        draw = np.random.default_rng(2)
        layer.set_weights([0.5 * draw.normal(size=w.shape) for w in layer.get_weights()])
        both[gradient] = outputs_and_gradients(layer, x, upstream)
    for one, other in zip(*both.values(), strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
