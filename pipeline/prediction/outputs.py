"""Predicted tracks in the formats of those who use them, and what is to be known of them.

A format is a function that writes tracks to a path, and the end of that path's name. Channel names
and time stamps are in all of them; unit, statistics, model and versions are in ``NAME.json``, which
is written last, so that a result that has it is whole, and inside the formats that can hold text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from features.frames import FRAME_RATE
from pipeline.formats import track_csv
from pipeline.ground.console import InputError, UsageError
from pipeline.ground.storage import atomic_path, write_json
from pipeline.ground.utterance import Tracks
from pipeline.prediction.recordings import OWN_SOUND

About = Mapping[str, Any]
MADE_BY = "pipeline.predict"
DESCRIPTION, PICTURE = ".json", ".png"
MOVING = ".gif", ".mp4"  # the second where ffmpeg is


class Format(NamedTuple):
    """A way to write tracks."""

    suffix: str
    write: Callable[[Path, Tracks, About], None]


def write_csv(path: Path, tracks: Tracks, about: About) -> None:
    """Write ``time_s`` and a column per channel, in mm."""
    track_csv.write(path, tracks)


def write_npz(path: Path, tracks: Tracks, about: About) -> None:
    """Write ``time_s`` [T], ``values`` [T, D], ``channels`` [D], and ``about``, which is JSON."""
    with atomic_path(path) as part, part.open("wb") as file:
        np.savez(
            file,
            time_s=tracks.time,
            values=tracks.values,
            channels=np.array(tracks.channels),
            about=np.array(json.dumps(about)),
        )


def write_est(path: Path, tracks: Tracks, about: About) -> None:
    """Write a track of the Edinburgh Speech Tools."""
    from pipeline.formats import est_track

    est_track.write(path, tracks)


def write_ssff(path: Path, tracks: Tracks, about: About) -> None:
    """Write a track of the EMU system, and beside it what EMU-webApp draws it by."""
    from pipeline.formats import ssff
    from pipeline.prediction import emu

    ssff.write(path, tracks)
    emu.write_config(path.parent, tracks.channels, path.suffix)


def write_matlab(path: Path, tracks: Tracks, about: About) -> None:
    """Write variables ``time_s`` [T, 1], ``values`` [T, D], ``channels`` {D, 1} and ``about``."""
    import scipy.io

    variables = {
        "time_s": tracks.time[:, None],
        "values": tracks.values,
        "channels": np.array(tracks.channels, object)[:, None],
        "about": json.dumps(about),
    }
    with atomic_path(path) as part, part.open("wb") as file:
        scipy.io.savemat(file, variables, do_compression=True)


def write_sound(path: Path, tracks: Tracks, about: About) -> None:
    """Write 32-bit float WAV, a channel per track, values in mm: Praat opens it as sound."""
    from soundfile import SoundFile

    width = len(tracks.channels)
    with (
        atomic_path(path) as part,
        SoundFile(part, "w", FRAME_RATE, width, "FLOAT", format="WAV") as file,
    ):
        file.comment = json.dumps(about)  # ahead of the samples, where readers look for it
        file.write(tracks.values.astype(np.float32))


def write_textgrid(path: Path, tracks: Tracks, about: About) -> None:
    """Write the movements of each sensor as a tier of intervals."""
    from pipeline.formats import textgrid
    from pipeline.prediction import landmarks

    textgrid.write(path, landmarks.tiers(tracks), float(tracks.time[-1]))


FORMATS = {
    "csv": Format(".csv", write_csv),
    "npz": Format(".npz", write_npz),
    "est": Format(".track", write_est),
    "ssff": Format(".ssff", write_ssff),
    "matlab": Format(".mat", write_matlab),
    "wav": Format(OWN_SOUND, write_sound),
    "textgrid": Format(".TextGrid", write_textgrid),
}


def names(text: str) -> tuple[str, ...]:
    """Return the formats in a comma-separated list; `UsageError` lists those that there are."""
    chosen = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",")))
    if wrong := [name for name in chosen if name not in FORMATS]:
        raise UsageError(f"--format: no {wrong[0]!r} among {', '.join(FORMATS)}")
    return chosen


def format_of(path: Path) -> str | None:
    """Return the format that a file name ends with, if it is one."""
    fitting = [name for name, form in FORMATS.items() if path.name.endswith(form.suffix)]
    return fitting[0] if fitting else None


def stem_of(path: Path) -> Path:
    """Return a path without the suffix that tells its format."""
    name = format_of(path)
    return path if name is None else path.with_name(path.name.removesuffix(FORMATS[name].suffix))


def beside(stem: Path, suffix: str) -> Path:
    """Return the file of a result, ``STEM`` and the suffix."""
    return stem.with_name(stem.name + suffix)


def read_description(stem: Path) -> dict[str, Any] | None:
    """Return what was written of an earlier prediction there; None if there was none."""
    try:
        about = json.loads(beside(stem, DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return about if isinstance(about, dict) and about.get("made_by") == MADE_BY else None


def own_files(stem: Path) -> list[str]:
    """Return the names of the files there that predictions made, this kind or another."""
    earlier = read_description(stem)
    if earlier is None:
        return []
    names = [*earlier.get("files", ()), *earlier.get("other_files", ())]
    return [name for name in names if stem.with_name(name).is_file()]


def guard(stem: Path, suffixes: list[str]) -> None:
    """Refuse to write over files that are no predictions, such as a corpus's measured tracks.

    Raises
    ------
    InputError
        Naming the file in the way.
    """
    own = own_files(stem)
    if read_description(stem) is not None:
        own.append(beside(stem, DESCRIPTION).name)
    for path in (beside(stem, suffix) for suffix in [*suffixes, DESCRIPTION]):
        if path.exists() and path.name not in own:
            raise InputError(
                f"{path}: exists and is no prediction; choose another place by --output, or"
                " --overwrite it"
            )


def write_description(stem: Path, about: About) -> None:
    """Write what is to be known of a result; the last of its files."""
    others = [name for name in own_files(stem) if name not in about["files"]]
    write_json(beside(stem, DESCRIPTION), {**about, "other_files": others})
