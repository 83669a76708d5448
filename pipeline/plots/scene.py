"""What the pictures of one utterance show, wherever it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from features import metrics
from features.frames import FRAME_RATE
from features.speech import levels, speech_frames
from pipeline.evaluation.palates import Palate
from pipeline.evaluation.scores import Predictions, correlation
from pipeline.formats import audio as sound_file
from pipeline.ground import artifacts
from pipeline.ground.storage import Entry
from pipeline.ground.utterance import Label, Tracks
from pipeline.plots import articulators, midsagittal, style
from pipeline.plots.timeline import timeline
from pipeline.plots.velocity import velocity

FAST = (("TT", "T1"), ("TD", "T3", "TB", "TR"), ("LL",))  # names of the same articulator


@dataclass(frozen=True)
class Scene:
    """An utterance to be shown.

    Attributes
    ----------
    id : str
    tracks : dict of str to Tracks
        ``measured``, ``predicted`` or both, on one frame grid, in mm.
    audio : float32 [samples] or None
        At ``sample_rate`` Hz.
    phones : tuple of Label
        Seconds in the audio.
    palate : Palate or None
    """

    id: str
    tracks: dict[str, Tracks]
    audio: NDArray[np.float32] | None = None
    sample_rate: int = 0
    phones: tuple[Label, ...] = ()
    palate: Palate | None = None
    speaker: str = ""
    style: str = ""
    scores: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", scores(self.tracks))

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels of the first tracks."""
        return next(iter(self.tracks.values())).channels

    @property
    def points(self) -> tuple[str, ...]:
        """Sensors with a place in the midsagittal plane: none where a unit is not a length."""
        placed = next(iter(self.tracks.values())).unit == "mm"
        return midsagittal.fleshpoints(self.channels) if placed else ()

    @property
    def speech(self) -> tuple[float, float] | None:
        """Seconds from and to which there is speech, by its level; None if none is heard."""
        if self.audio is None:
            return None
        heard = np.flatnonzero(speech_frames(levels(self.audio, self.sample_rate)))
        return (heard[0] / FRAME_RATE, heard[-1] / FRAME_RATE) if len(heard) else None


def of_prediction(
    predictions: Predictions, entry: Entry, known_palates: Mapping[str, Palate]
) -> Scene:
    """Return what the pictures of a test utterance show."""
    channels = predictions.channels[predictions.positions]
    time = predictions.time(entry)
    path = entry.about["audio"]
    sound, rate = None, 0
    if path:
        with sound_file.listening([]):
            sound, rate = sound_file.read(artifacts.from_project(path), entry.about.get("channel"))
    return Scene(
        entry.id,
        {
            name: Tracks(time, predictions.mm(entry, name), channels, predictions.unit)
            for name in ("measured", "predicted")
        },
        sound,
        rate,
        tuple(Label(*phone) for phone in entry.about["phones"]),
        known_palates.get(entry.about["speaker"]),
        entry.about["speaker"],
        entry.about["style"],
    )


def scores(tracks: dict[str, Tracks]) -> dict[str, str]:
    """Return correlation and error of every channel as a short text; none with one side alone."""
    if not {"measured", "predicted"} <= tracks.keys():
        return {}
    measured, predicted = tracks["measured"].values, tracks["predicted"].values
    pairs = zip(correlation(measured, predicted), metrics.rmse(measured, predicted), strict=True)
    return {
        channel: style.signed(f"r {r:.2f}, {rmse:.2f} {tracks['measured'].unit}")
        for channel, (r, rmse) in zip(tracks["measured"].channels, pairs, strict=True)
    }


def page(scene: Scene, channels: Sequence[str] | None = None) -> Figure:
    """Draw sound, labels, spectrogram and the tracks of some channels on one time axis.

    Raises
    ------
    ValueError
        For an utterance without sound, or a channel that it lacks.
    """
    if scene.audio is None:
        raise ValueError(f"{scene.id}: no sound to draw")
    return timeline(
        scene.audio,
        scene.sample_rate,
        scene.tracks,
        phones=scene.phones,
        channels=channels,
        scores={name: text.replace(", ", "\n") for name, text in scene.scores.items()},
        title=scene.id,
    )


def pictures(scene: Scene, channel: str) -> Iterator[tuple[str, Figure]]:
    """Yield name and figure of every still picture of one utterance.

    Parameters
    ----------
    scene : Scene
    channel : str
        The one that the smallest picture shows.
    """
    about = {"title": scene.id}
    score = scene.scores.get(channel, "")
    yield "track", articulators.one_track(scene.tracks, channel, score=score, **about)
    yield "tracks", articulators.all_tracks(scene.tracks, scene.scores, **about)
    if scene.audio is not None:
        yield "timeline", page(scene)
    if scene.points:
        span = None if scene.phones else scene.speech
        yield (
            "midsagittal",
            midsagittal.still(scene.tracks, scene.phones, scene.palate, span=span, **about),
        )
    if sensors := midsagittal.fleshpoints(scene.channels):
        found = ([name for name in names if name in sensors] for names in FAST)
        fast = [names[0] for names in found if names] or sensors[:3]
        yield "velocity", velocity(scene.tracks, fast, phones=scene.phones, **about)


def animate(scene: Scene, stem: Path) -> list[Path]:
    """Write the moving midsagittal view, where there is sound and a point to move.

    Parameters
    ----------
    scene : Scene
    stem : Path
        As for `midsagittal.animate`.
    """
    if scene.audio is None or not scene.points:
        return []
    return midsagittal.animate(
        stem, scene.audio, scene.sample_rate, scene.tracks, scene.palate, title=scene.id
    )
