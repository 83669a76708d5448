"""Sounds in, files out: each sound of `pipeline.predict`, in a batch of its like or piece by piece.

`predict_batch` is all that a worker needs, in this process, another one or on another machine.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.frames import HOP_S
from features.mfcc import SAMPLE_RATE
from pipeline.formats import audio, track_csv
from pipeline.formats.audio import Header
from pipeline.ground.console import InputError, escaped
from pipeline.ground.storage import checksum, write_json
from pipeline.ground.utterance import Tracks
from pipeline.prediction import emu, long_sound, outputs, placing, predictor
from pipeline.prediction.predictor import Predictor

LONG_S = 60.0  # a longer sound is predicted piece by piece and has no picture
PICTURE_DPI = 150


@dataclass(frozen=True)
class Settings:
    """What is wanted of every sound; see the options of `pipeline.predict`."""

    model: Path
    statistics: str
    speaker: str | None
    formats: tuple[str, ...]
    standardized: bool
    plot: bool
    animate: bool
    channel: int | None
    overwrite: bool
    resume: bool


@dataclass(frozen=True)
class Job:
    """A sound, and the path of its results without suffix."""

    audio: Path
    stem: Path
    header: Header

    @property
    def seconds(self) -> float:
        """Duration as the header has it."""
        return self.header.samples / self.header.sample_rate


@dataclass(frozen=True)
class Result:
    """What became of a sound: its frames and files, or the line that says why there are none.

    ``note`` says what was done to it, ``remarks`` what a person should know of it.
    """

    audio: Path
    seconds: float = 0.0
    frames: int = 0
    files: tuple[str, ...] = ()
    note: str = ""
    remarks: tuple[str, ...] = ()
    error: str = ""
    done_before: bool = False


@lru_cache(maxsize=1)
def opened(model: Path, statistics: Any, speaker: str | None, threads: int) -> Predictor:
    """Load a model once in each process."""
    return Predictor.load(model, statistics=statistics, speaker=speaker, threads=threads)


def predict_batch(jobs: Sequence[Job], settings: Settings, threads: int) -> list[Result]:
    """Predict some sounds, best of like length, and write what is wanted of them.

    What goes wrong with one of them is told in its result; the others go on.
    """
    model = opened(settings.model, settings.statistics, settings.speaker, threads)
    results: list[Result] = []
    ready: list[Sound] = []
    for job in jobs:
        with told(job, results):
            sound = Sound(job, model, settings)
            if settings.resume and sound.done():
                results.append(Result(job.audio, done_before=True))
            elif job.seconds > LONG_S:
                results.append(sound.predict_long())
            else:
                sound.read()
                ready.append(sound)
    predicted = model.run([sound.features for sound in ready]) if ready else []
    for sound, z in zip(ready, predicted, strict=True):
        with told(sound.job, results):
            results.append(sound.write(z))
    return results


@contextmanager
def told(job: Job, results: list[Result]) -> Iterator[None]:
    """Make what is wrong with a sound its result, one line that names it."""
    try:
        yield
    except OSError as error:
        place = error.filename or job.stem
        line = f"{job.audio}: {place}: {error.strerror}; choose another --output"
        results.append(Result(job.audio, error=line))
    except ValueError as error:
        results.append(Result(job.audio, error=f"{job.audio}: {' '.join(str(error).split())}"))
    except InputError as error:
        results.append(Result(job.audio, error=str(error)))


class Sound:
    """A job in progress.

    Raises
    ------
    InputError
        Where files that are no predictions are in the way of the results.
    """

    samples: NDArray[np.float32]
    features: NDArray[np.float32]
    stem: Path  # of the results while they are made

    def __init__(self, job: Job, model: Predictor, settings: Settings) -> None:
        self.job = job
        self.model = model
        self.settings = settings
        suffixes = [outputs.FORMATS[name].suffix for name in settings.formats]
        if job.seconds <= LONG_S:
            suffixes += [outputs.PICTURE] * settings.plot
            if settings.animate:
                suffixes += outputs.MOVING if shutil.which("ffmpeg") else outputs.MOVING[:1]
        if not settings.overwrite:
            placing.guard(job.stem, suffixes)
        self.files = [outputs.beside(job.stem, suffix).name for suffix in suffixes]
        self.about = self.describe()
        self.heard: list[audio.SoundWarning] = []

    def describe(self) -> dict[str, Any]:
        """Return what is to be known of the prediction before it is made."""
        import onnxruntime

        model, header = self.model, self.job.header
        z = [name + predictor.Z for name in model.about.channels] * self.settings.standardized
        return {
            "made_by": outputs.MADE_BY,
            "files": self.files,
            "channels": [*model.about.channels, *z],
            "unit": model.about.unit
            + f"; of channels that end in {predictor.Z} standard deviations" * bool(z),
            "hop_s": HOP_S,
            "statistics": {
                "inputs": "own" if model.own_statistics else "average over training",
                "tracks": f"of the training speaker {model.speaker}"
                if model.speaker
                else "average over training: the speaker's own are unknown",
            },
            "audio": {
                "file": self.job.audio.name,
                "sha256": checksum(self.job.audio),
                "sample_rate_hz": header.sample_rate,
                "channels": header.channels,
                "channel": self.settings.channel or "mean",
                "duration_s": self.job.seconds,
            },
            "smoothing": str(model.about.smoothing),
            "model": {
                "sha256": model.sha256,
                "recipe": json.loads(msgspec.json.encode(model.about.recipe)),
                "trained_on": model.about.trained_on,
            },
            "versions": {"numpy": np.__version__, "onnxruntime": onnxruntime.__version__},
        }

    def done(self) -> bool:
        """Tell whether the very same prediction was made before and its files are there."""
        earlier = outputs.read_description(self.job.stem) or {}
        files = (self.job.stem.with_name(name) for name in self.files)
        same = {key: earlier.get(key) for key in self.about} == self.about
        return same and all(file.is_file() for file in files)

    def read(self) -> None:
        """Read the samples and compute the features."""
        with audio.listening(self.heard):
            self.samples, rate = audio.read(self.job.audio, self.settings.channel)
        self.features = self.model.features(self.samples, rate)

    def write(self, z: NDArray[np.float32]) -> Result:
        """Write the predicted tracks [T, channels], given in z, in all formats wanted."""
        tracks = self.model.tracks(z, standardized=self.settings.standardized)
        with placing.together(self.job.stem) as self.stem:
            self.write_formats(tracks)
            if self.settings.plot:
                self.draw(tracks)
            if self.settings.animate:
                self.animate(tracks)
            return self.finish(len(z))

    def write_formats(self, tracks: Tracks) -> None:
        """Write tracks in all formats wanted."""
        for name in self.settings.formats:
            path = outputs.beside(self.stem, outputs.FORMATS[name].suffix)
            outputs.FORMATS[name].write(path, tracks, self.about)
            if name == "ssff":
                emu.write_config(self.job.stem.parent, tracks.channels, path.suffix)

    def finish(self, frames: int) -> Result:
        """Write the description and return what became of the sound."""
        path = outputs.beside(self.stem, outputs.DESCRIPTION)
        remarks = tuple(dict.fromkeys(map(str, self.heard)))
        earlier = [file.name for file in placing.own_files(self.job.stem)]
        others = [name for name in earlier if name not in (*self.files, path.name)]
        known = {"frames": frames, "remarks": remarks, "other_files": others}
        write_json(path, self.about | known)
        files = (*self.files, path.name)
        return Result(self.job.audio, self.job.seconds, frames, files, self.note(), remarks)

    def note(self) -> str:
        """Return in words what was done to a sound that is not short, 16 kHz and one channel."""
        header = self.job.header
        parts = []
        if self.settings.channel:
            parts.append(f"channel {self.settings.channel} of {header.channels}")
        elif not any(isinstance(one, audio.OppositeChannels) for one in self.heard):
            parts += [f"{header.channels} channels averaged"] * (header.channels > 1)
        if header.sample_rate != SAMPLE_RATE:
            parts.append(f"{header.sample_rate} Hz resampled to {SAMPLE_RATE}")
        if header.sample_rate < SAMPLE_RATE:
            parts.append(f"nothing above {header.sample_rate // 2} Hz to predict from")
        if self.job.seconds > LONG_S and (self.settings.plot or self.settings.animate):
            parts.append(f"no picture of more than {LONG_S:g} s")
        return ", ".join(parts)

    def draw(self, tracks: Tracks) -> None:
        """Draw waveform, spectrogram and tracks on one time axis."""
        from pipeline.plots import style
        from pipeline.plots.timeline import timeline

        page = timeline(
            self.samples,
            self.job.header.sample_rate,
            {"predicted": tracks},
            channels=self.model.about.channels,
            title=escaped(self.job.audio.name),
        )
        style.write(page, outputs.beside(self.stem, outputs.PICTURE), PICTURE_DPI)

    def animate(self, tracks: Tracks) -> None:
        """Write the moving midsagittal view."""
        from pipeline.plots import midsagittal

        path = outputs.beside(self.stem, outputs.MOVING[0])
        rate = self.job.header.sample_rate
        midsagittal.animate(path, self.samples, rate, {"predicted": tracks})

    def predict_long(self) -> Result:
        """Predict piece by piece; CSV alone is also written piece by piece."""
        with placing.together(self.job.stem) as self.stem:
            with audio.listening(self.heard):
                frames = self.write_long(self.long_tracks())
            return self.finish(frames)

    def write_long(self, blocks: Iterator[Tracks]) -> int:
        """Write tracks that come piece by piece and return the number of their frames."""
        if self.settings.formats == ("csv",):
            path = outputs.beside(self.stem, outputs.FORMATS["csv"].suffix)
            return track_csv.write_blocks(path, blocks)
        pieces = list(blocks)
        time = np.concatenate([piece.time for piece in pieces])
        values = np.concatenate([piece.values for piece in pieces])
        self.write_formats(Tracks(time, values, pieces[0].channels, pieces[0].unit))
        return len(time)

    def long_tracks(self) -> Iterator[Tracks]:
        """Yield the tracks of a long sound piece by piece."""
        first = 0
        rate = self.job.header.sample_rate
        sound = audio.blocks(self.job.audio, self.settings.channel)
        for z in long_sound.predict_blocks(self.model, sound, rate):
            if len(z):
                yield self.model.tracks(z, first, standardized=self.settings.standardized)
                first += len(z)
