"""Before stage 1: list what decides what the stages make and DVC does not see; it always runs.

Names, sizes and dates of all files below `corpus.path` go into data/watched/recordings.csv, those
of the files that `standardize.lists` names into lists.csv, and the recipe that is trained, with
what it has from those that it is like, into recipe.json. Stages that depend on one of them run
again when it changed. Files whose names start with a dot are left out.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from pipeline.ground import artifacts, params
from pipeline.ground.console import UsageError, run, say, stage_parser
from pipeline.ground.storage import write_json, write_text

COLUMNS = ("file", "bytes", "modified_ns")  # since 1970, UTC
Listing = dict[str, tuple[str, str]]


def below(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder, behind links to folders, too; never a folder twice."""
    entered = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        found = Path(here).stat()
        if (found.st_dev, found.st_ino) in entered:
            folders.clear()
            continue
        entered.add((found.st_dev, found.st_ino))
        folders[:] = sorted(name for name in folders if name[0] != ".")
        yield from (Path(here, name) for name in files if name[0] != ".")


def listing(files: Iterable[tuple[str, Path]]) -> Listing:
    """Return size and date of each file by its name, in the order of names; none of one gone."""
    rows = {}
    for name, path in files:
        try:
            found = path.stat()
        except FileNotFoundError:  # a link to nowhere, or removed just now
            continue
        shown = os.fsencode(name).decode("utf-8", "backslashreplace")
        rows[shown] = (str(found.st_size), str(found.st_mtime_ns))
    return dict(sorted(rows.items()))


def update(path: Path, rows: Listing) -> str:
    """Write a listing in place of the last one, and say how they differ."""
    last: Listing | None = None
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            last = {row[0]: (row[1], row[2]) for row in list(csv.reader(file))[1:]}
    if rows == last:
        return "as in the last run"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((name, *facts) for name, facts in rows.items())
    write_text(path, text.getvalue())
    if last is None:
        return "seen for the first time"
    changed = sum(rows[name] != last[name] for name in rows.keys() & last.keys())
    return (
        f"{len(rows.keys() - last.keys())} new, {changed} changed,"
        f" {len(last.keys() - rows.keys())} gone since the last run"
    )


def main() -> None:
    """Run the stage."""
    stage_parser(__doc__, "watch").parse_args()
    settings = params.load()
    given = settings.corpus.path
    folder = None if given is None else artifacts.from_project(given)
    if folder is not None and not folder.is_dir():
        raise UsageError(f"corpus.path: {folder}: no such folder")
    rows = {} if folder is None else listing((f"{p.relative_to(folder)}", p) for p in below(folder))
    difference = update(artifacts.WATCHED_RECORDINGS, rows)
    lists = settings.standardize.lists.values()
    update(artifacts.WATCHED_LISTS, listing((name, artifacts.from_project(name)) for name in lists))
    write_json(artifacts.WATCHED_RECIPE, msgspec.to_builtins(settings.recipe))
    say(
        "watch: the embedded corpus, no recordings"
        if given is None
        else f"watch: {given}: {len(rows):,} files, {difference}"
    )


if __name__ == "__main__":
    run(main)
