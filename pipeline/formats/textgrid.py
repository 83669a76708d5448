"""Praat's TextGrid, long or short, UTF-8 or UTF-16, on the praatio library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from praatio import textgrid
from praatio.data_classes.interval_tier import IntervalTier

from pipeline.ground.console import InputError
from pipeline.ground.storage import atomic_path
from pipeline.ground.utterance import Label


def read(path: Path) -> dict[str, tuple[Label, ...]]:
    """Read the interval tiers; point tiers, whose labels have no duration, are left out.

    Returns
    -------
    dict of str to tuple of Label
        Tier name to labels in order of time, silences (empty texts) included. A second tier of the
        same name is called ``NAME_2``.

    Raises
    ------
    InputError
        Where the file is missing, or not a TextGrid.
    """
    if not path.is_file():
        raise InputError(f"{path}: not found")
    try:
        grid = textgrid.openTextgrid(
            str(path),
            includeEmptyIntervals=True,
            reportingMode="silence",
            duplicateNamesMode="rename",
        )
    except UnicodeError:
        raise InputError(f"{path}: neither UTF-8 nor UTF-16; save it again from Praat") from None
    except Exception as error:  # the parser has no error class for text that it does not expect
        raise InputError(f"{path}: not a TextGrid ({' '.join(str(error).split())})") from None
    return {
        tier.name: tuple(Label(*entry) for entry in tier.entries)
        for tier in grid.tiers
        if isinstance(tier, IntervalTier)
    }


def write(path: Path, tiers: Mapping[str, Sequence[Label]], duration: float) -> None:
    """Write interval tiers of an utterance of ``duration`` s, atomically; gaps become silences."""
    grid = textgrid.Textgrid(0, duration)
    for name, labels in tiers.items():
        entries = [(label.start, label.end, label.text) for label in labels]
        grid.addTier(IntervalTier(name, entries, 0, duration), reportingMode="error")
    with atomic_path(path) as part:
        grid.save(
            str(part),
            format="long_textgrid",
            includeBlankSpaces=True,
            minimumIntervalLength=None,
            reportingMode="error",
        )
