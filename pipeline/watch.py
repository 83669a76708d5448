"""Before stage 1: list what decides what the stages make and DVC does not see; it always runs.

Names, sizes and dates of all files below `corpus.path`, and of other files that `corpus` names, go
into data/watched/recordings.csv, those of the files that `standardize.lists` names into lists.csv,
and the recipe that is trained, with what it has from those that it is like, into recipe.json.
Stages that depend on one of them run again when it changed. Files whose names start with a dot are
left out.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from pipeline.ground import artifacts, params
from pipeline.ground.console import UsageError, run, say, stage_parser
from pipeline.ground.storage import walk, write_json, write_text

COLUMNS = ("file", "bytes", "modified_ns")  # since 1970, UTC
Listing = dict[str, tuple[str, str]]


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
        with suppress(ValueError, csv.Error), path.open(encoding="utf-8", newline="") as file:
            last = {name: (size, date) for name, size, date in list(csv.reader(file))[1:]}
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


def recordings(corpus: params.Corpus) -> Listing:
    """Return the listing of a corpus's own files; of the embedded one there is none.

    Raises
    ------
    UsageError
        Where its folder is not there.
    """
    others = [corpus.head_correction.recording, *(one.file for one in corpus.palates.values())]
    files = [(name, artifacts.from_project(name)) for name in others if name is not None]
    if corpus.path is not None:
        folder = artifacts.from_project(corpus.path)
        if not folder.is_dir():
            raise UsageError(f"corpus.path: {folder}: no such folder")
        files += [(f"{path.relative_to(folder)}", path) for path in walk(folder)]
    return listing(files)


def main() -> None:
    """Run the stage."""
    stage_parser(__doc__, "watch").parse_args()
    settings = params.load()
    rows = recordings(settings.corpus)
    difference = update(artifacts.WATCHED_RECORDINGS, rows)
    lists = settings.standardize.lists.values()
    update(artifacts.WATCHED_LISTS, listing((name, artifacts.from_project(name)) for name in lists))
    write_json(artifacts.WATCHED_RECIPE, msgspec.to_builtins(settings.recipe))
    say(
        "watch: the embedded corpus, no recordings"
        if settings.corpus.path is None
        else f"watch: {settings.corpus.path}: {len(rows):,} files, {difference}"
    )


if __name__ == "__main__":
    run(main)
