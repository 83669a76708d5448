"""How well the network hears real speakers it was never trained on: correlation per articulator.

``python -m studies.real_speech [NAME=FOLDER ...]`` predicts the recordings of ../shared/data
that have measured articulation beside the sound, by one trained folder or several, and prints for
every channel Pearson's r over all frames and the lag at which r would be highest. Which predicted
point stands for which sensor says real_speech.yaml. Trained on one synthesised speaker, the network
knows neither other tracts nor other microphones. ``--imitate`` adds what that speaker himself would
have done, saying the same phones at the same times, for recordings with labels: see `imitation`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from features import articulation, metrics
from features.frames import HOP_S
from pipeline import Predictor, corpora
from pipeline.ground import artifacts, params
from pipeline.ground.console import InputError, UsageError, run
from pipeline.ground.storage import read_yaml
from pipeline.ground.utterance import Tracks, Utterance
from pipeline.plots import style
from studies.imitation import imitate

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RECORDINGS = Path(__file__).with_suffix(".yaml")
CUTOFF_HZ, MAX_GAP_S = 20, 0.1
MAX_LAG = 20  # frames
AXES = "xy"
SPEAKER = "synthesised speaker"


class Recording(msgspec.Struct, forbid_unknown_fields=True):
    """A file of a corpus in ../shared/data, and the predicted point of every sensor.

    ``phones`` says in SAMPA what its labels are, see `imitation.imitate`; empty: it has none.
    """

    name: str
    file: str
    sensors: dict[str, str]
    channel_map: dict[int, str] = {}
    phones: dict[str, str] = {}

    @property
    def channels(self) -> dict[str, str]:
        """The predicted channel of every measured one."""
        pairs = self.sensors.items()
        return {f"{sensor}_{axis}": f"{point}_{axis}" for sensor, point in pairs for axis in AXES}


class Found(NamedTuple):
    """r per channel, and the lag in ms at which it is highest, with that r."""

    r: NDArray[np.float64]
    lag_ms: NDArray[np.float64]
    best_r: NDArray[np.float64]


def read(reader: str, recording: Recording) -> Utterance:
    """Read the recording of a corpus of ../shared/data."""
    settings = params.load().corpus
    settings = msgspec.structs.replace(settings, channel_map=recording.channel_map)
    items = corpora.reader(reader).find(DATA / reader, settings)
    for item in items:
        if item.files[0].stem == recording.file:
            return corpora.reader(reader).read(item, settings)
    raise InputError(f"{DATA / reader}: no {recording.file}; it is not part of the project")


def load(wanted: str) -> tuple[str, Predictor]:
    """Return name and model of ``NAME=FOLDER``."""
    name, equals, folder = wanted.partition("=")
    if not equals:
        raise UsageError(f"{wanted!r}: models are named, NAME=FOLDER")
    return name, Predictor.load(folder)


def correlate(utterance: Utterance, predicted: Tracks, channels: Mapping[str, str]) -> Found:
    """Compare every measured channel with the predicted one that stands for it."""
    measured = utterance.tracks
    values = measured.values[:, [measured.channels.index(name) for name in channels]]
    first, truth = articulation.onto_grid(
        measured.time, values, CUTOFF_HZ, MAX_GAP_S, len(predicted.time)
    )
    columns = [predicted.channels.index(name) for name in channels.values()]
    guess = predicted.values[first : first + len(truth), columns]
    lag, best = metrics.best_lag([truth], [guess], MAX_LAG)
    return Found(metrics.pearson(truth, guess), lag * HOP_S * 1000, best)


def report(recording: Recording, utterance: Utterance, found: Mapping[str, Found]) -> str:
    """Return a table: a row per sensor, forward and height, for each model."""
    lines = [f"\n{recording.name}, {utterance.id}"]
    for model, own in found.items():
        lines.append(
            f"{model}: mean r {metrics.mean(own.r):.2f};"
            f" forward {metrics.mean(own.r[0::2]):.2f}, height {metrics.mean(own.r[1::2]):.2f}"
        )
        lines.append("  sensor  by   forward r (best at ms)    height r (best at ms)")
        for k, (sensor, point) in enumerate(recording.sensors.items()):
            cells = [
                f"{own.r[i]:9.2f} ({own.best_r[i]:5.2f} at {own.lag_ms[i]:4.0f})"
                for i in (2 * k, 2 * k + 1)
            ]
            lines.append(f"  {sensor:7} {point:3} {'  '.join(cells)}")
    return "\n".join(lines)


def draw(recordings: Mapping[str, Recording], found: Mapping[str, Mapping[str, Found]]) -> Figure:
    """Draw r of every channel as bars, a panel per recording, a colour per model."""
    page = style.figure(style.PAGE, 42 * len(recordings))
    panels = page.subplots(len(recordings), squeeze=False)[:, 0]
    for panel, (reader, recording) in zip(panels, recordings.items(), strict=True):
        place = np.arange(len(recording.channels))
        width = 0.8 / len(found[reader])
        for k, (model, own) in enumerate(found[reader].items()):
            label = f"{model}, mean {metrics.mean(own.r):.2f}"
            bars = place + (k - (len(found[reader]) - 1) / 2) * width
            panel.bar(bars, own.r, width, color=style.SERIES[k], label=label)
        names = [
            name.replace("_x", "\nforward").replace("_y", "\nheight") for name in recording.channels
        ]
        panel.set_xticks(place, names)
        panel.axhline(0, color=style.BLACK, linewidth=0.6)
        panel.set(ylim=(-1, 1), ylabel="Pearson's r", title=recording.name)
        panel.legend(loc="lower right", bbox_to_anchor=(1, 0.97), ncols=len(found[reader]))
    return page


def main() -> None:
    """Predict and print."""
    parser = argparse.ArgumentParser(prog="python -m studies.real_speech", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "models", nargs="*", metavar="NAME=FOLDER", default=[f"model={artifacts.TRAINED}"]
    )
    parser.add_argument("--imitate", action="store_true", help="the synthesised speaker, too")
    parser.add_argument("--picture", type=Path, help="also draw bars here, a PNG")
    options = parser.parse_args()
    recordings = msgspec.convert(read_yaml(RECORDINGS), dict[str, Recording])
    models = dict(map(load, options.models))
    found: dict[str, dict[str, Found]] = {}
    for reader, recording in recordings.items():
        utterance = read(reader, recording)
        assert utterance.audio is not None
        predicted = {
            name: predict(utterance.audio, utterance.sample_rate)
            for name, predict in models.items()
        }
        if options.imitate and recording.phones:
            frames = len(next(iter(predicted.values())).time)
            predicted[SPEAKER] = imitate(utterance.phones, recording.phones, frames)
        found[reader] = {
            name: correlate(utterance, tracks, recording.channels)
            for name, tracks in predicted.items()
        }
        print(report(recording, utterance, found[reader]))
    if options.picture:
        draw(recordings, found).savefig(options.picture, dpi=200, metadata={"Software": None})


if __name__ == "__main__":
    run(main)
