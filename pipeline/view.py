"""Show utterances of any corpus as they were measured, no model needed.

For each utterance: sound, spectrogram, labels and trajectories, the midsagittal view still and
moving, speed with landmarks; and one page, index.html, to browse them all. The corpus is that of
params.yaml unless the options say otherwise::

    python -m pipeline.view --reader xrmb --path ../shared/data/xrmb --output reports/view
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np

from features import articulation
from features.frames import frame_count, frame_times
from pipeline import corpora
from pipeline.corpora import inspection, palates
from pipeline.evaluation.palates import TRACED, Palate, of_speakers
from pipeline.ground import artifacts, params
from pipeline.ground.console import InputError, UsageError, progress, run, say, stage_parser, warn
from pipeline.ground.sensors import positions, tongue_sensors
from pipeline.ground.storage import write_text
from pipeline.ground.utterance import Tracks, Utterance
from pipeline.pages import browser
from pipeline.plots import scene as scenes
from pipeline.plots import style
from pipeline.plots.scene import Scene


def on_grid(utterance: Utterance, settings: params.Extract) -> Tracks:
    """Return the tracks repaired, smoothed and on the frame grid, as `pipeline.extract` has them.

    The channels of each sensor are in the order forward, height, lateral.

    Raises
    ------
    InputError
        Where a sensor is missing for too long, or the tracks do not cover the sound.
    """
    tracks = utterance.tracks
    seen = np.flatnonzero(np.isfinite(tracks.values).any(axis=0))
    sensors = [channel.rpartition("_")[0] for channel in tracks.channels]
    known = sorted(seen, key=lambda k: (sensors.index(sensors[k]), tracks.channels[k]))
    channels = tuple(tracks.channels[k] for k in known)
    if utterance.audio is None:
        frames = int(tracks.time[-1] * 100) + 1
    else:
        frames = frame_count(len(utterance.audio), utterance.sample_rate)
    try:
        first, values = articulation.onto_grid(
            tracks.time, tracks.values[:, known], settings.cutoff_hz, settings.max_gap_s, frames
        )
    except ValueError as error:
        raise InputError(f"{utterance.id}: {error}") from None
    return Tracks(frame_times(len(values), first), values, channels, tracks.unit)


def scene_of(utterance: Utterance, tracks: Tracks, palate: Palate | None) -> Scene:
    """Return what the pictures of an utterance show."""
    return Scene(
        utterance.id,
        {"measured": tracks},
        utterance.audio,
        utterance.sample_rate,
        utterance.phones,
        palate,
        utterance.speaker,
        utterance.style,
    )


def named(corpus: params.Corpus) -> tuple[params.Corpus, Path]:
    """Return a corpus whose sensors have names, and its folder."""
    if corpus.path is None:
        raise UsageError("corpus.path: no folder given; say --path FOLDER")
    folder = artifacts.from_project(corpus.path)
    return inspection.with_names(corpus, folder), folder


def read(
    corpus: params.Corpus, folder: Path, settings: params.Extract, count: int
) -> Iterator[tuple[Utterance, Tracks]]:
    """Yield the first utterances of a corpus that can be used; a line says why one cannot."""
    reader = corpora.reader(corpus.reader)
    for item in islice(reader.find(folder, corpus), count):
        try:
            utterance = reader.read(item, corpus)
            yield utterance, on_grid(utterance, settings)
        except InputError as error:
            warn(f"refused {error}")


def palates_of(shown: list[tuple[Utterance, Tracks]]) -> dict[str, Palate]:
    """Return the palate of each speaker, estimated from the utterances that are shown."""
    tongue = defaultdict(list)
    for utterance, tracks in shown:
        sensors = tongue_sensors(tracks.channels)
        if sensors and tracks.unit == "mm":
            places = positions(tracks.values, tracks.channels, sensors)
            tongue[utterance.speaker].append(places)
    return of_speakers(tongue)


def main() -> None:
    """Run the command."""
    parser = stage_parser(__doc__, "view")
    parser.add_argument("--reader", help="the kind of corpus: a name of pipeline/corpora")
    parser.add_argument("--path", help="its folder")
    parser.add_argument("--utterances", type=int, default=10, help="how many; default 10")
    parser.add_argument("--output", type=Path, default=Path("reports/view"), help="where to")
    arguments = parser.parse_args()
    settings = params.load()
    chosen = {key: getattr(arguments, key) for key in ("reader", "path") if getattr(arguments, key)}
    corpus, folder = named(msgspec.structs.replace(settings.corpus, **chosen))
    shown = list(read(corpus, folder, settings.extract, arguments.utterances))
    if not shown:
        raise InputError(f"{folder}: no utterance that can be shown")
    traced = palates.traced(corpus)
    known = palates_of(shown) | {s: Palate(outline, TRACED) for s, outline in traced.items()}
    packed = []
    for utterance, tracks in progress(shown, unit="utterances"):
        scene = scene_of(utterance, tracks, known.get(utterance.speaker))
        pictures = arguments.output / utterance.id
        for name, figure in scenes.pictures(scene, tracks.channels[0]):
            style.save(figure, pictures / name)
        scenes.animate(scene, pictures / "midsagittal")
        if scene.audio is not None:
            packed.append(browser.pack(scene))
    if packed:
        title = f"{corpus.reader}: as measured"
        write_text(arguments.output / "index.html", browser.page(title, packed))
    say(f"view: {len(shown)} utterances -> {arguments.output}")


if __name__ == "__main__":
    run(main)
