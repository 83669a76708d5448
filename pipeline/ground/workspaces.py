"""A project in a folder of its own: other parameters, the stages run there, the rest shared."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from pipeline.ground import artifacts, params
from pipeline.ground.console import InputError, UsageError, progress
from pipeline.ground.storage import read_yaml, write_yaml

Tree = dict[str, Any]


def read() -> Tree:
    """Return params.yaml as it stands."""
    params.load()  # refuses what is wrong with it
    tree: Tree = read_yaml(params.PATH)
    return tree


def overridden(tree: Tree, overrides: Mapping[str, Any]) -> Tree:
    """Return parameters with some set anew, such as ``{"train.seed": 2}``.

    Raises
    ------
    UsageError
        Where a key's block does not exist.
    """
    tree = deepcopy(tree)
    for key, value in overrides.items():
        *blocks, last = key.split(".")
        place = tree
        for block in blocks:
            if not isinstance(place.get(block), dict):
                raise UsageError(f"{params.PATH}: no block {block!r} for {key}")
            place = place[block]
        place[last] = value
    return tree


def lay_out(folder: Path, tree: Tree, shared: Iterable[Path], source: Path = Path()) -> None:
    """Make a project of the parameters ``tree`` that links to files and folders of another.

    Parameters
    ----------
    shared : iterable of Path
        Relative to either project.
    source : Path
        The project that has them; by default this one.
    """
    if recordings := tree["corpus"]["path"]:
        recordings = str(
            (artifacts.project(source) / recordings).resolve()
        )  # the new folder is elsewhere
        tree = overridden(tree, {"corpus.path": recordings})
    write_yaml(folder / params.PATH, tree)
    for path in shared:
        link = folder / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to((source / path).resolve())


def run_stages(folder: Path, stages: Iterable[str], title: str, source: Path = Path()) -> None:
    """Run stages in a project's folder that `lay_out` made of ``source``.

    Raises
    ------
    InputError
        Where one fails, whose own line stands above, or is killed, which leaves it no time for one.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "DVC_ROOT": str(artifacts.project(source).resolve()),  # where relative paths start
    }
    for name in progress(list(stages), unit="stages"):
        command = [sys.executable, "-m", f"pipeline.{name}"]
        status = subprocess.run(command, cwd=folder, env=environment).returncode
        if status < 0:
            what = f"{name} was killed by signal {-status} ({signal.strsignal(-status)})"
            raise InputError(f"{title}: {what}; run the same command again to go on")
        if status:
            raise InputError(f"{title}: {name} failed; its line above says why")
