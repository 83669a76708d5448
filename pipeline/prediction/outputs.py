"""Predicted tracks in the formats of those who use them, and what is to be known of them.

A format is a function that writes tracks to a path, and the end of that path's name. Channel names
and time stamps are in all of them; unit, statistics, model and versions are in ``NAME.json``, which
is written last, so that a result that has it is whole, and inside the formats that can hold text.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from features.frames import FRAME_RATE, HOP_S
from pipeline.formats import track_csv
from pipeline.ground.console import UsageError
from pipeline.ground.storage import atomic_path
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
    """Write a track of the EMU system."""
    from pipeline.formats import ssff

    ssff.write(path, tracks)


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
    """Write 32-bit float WAV, a channel per track, values in mm: Praat opens it as sound.

    A sample of sound stands, for Praat, for the stretch of 10 ms around its middle: the first one
    lies at 5 ms. What is written are the tracks at these instants, by a cubic spline.
    """
    from scipy.interpolate import CubicSpline
    from soundfile import SoundFile

    values = tracks.values
    if len(values) > 1:
        instants = np.minimum(tracks.time + HOP_S / 2, tracks.time[-1])
        values = CubicSpline(tracks.time, values, bc_type="natural")(instants)
    memory = io.BytesIO()  # a disk that is full is no error to libsndfile
    with SoundFile(memory, "w", FRAME_RATE, len(tracks.channels), "FLOAT", format="WAV") as file:
        file.comment = json.dumps(about)  # ahead of the samples, where readers look for it
        file.write(values.astype(np.float32))
    with atomic_path(path) as part:
        part.write_bytes(memory.getvalue())


def write_textgrid(path: Path, tracks: Tracks, about: About) -> None:
    """Write the movements of each sensor as a tier of intervals."""
    from pipeline.formats import textgrid
    from pipeline.prediction import landmarks

    textgrid.write(path, landmarks.tiers(tracks), about["audio"]["duration_s"])


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
