"""How well the network hears real speakers it was never trained on: correlation per articulator.

``python -m studies.real_speech [NAME=FOLDER ...]`` predicts the recordings of ../shared/data that
have measured articulation beside the sound, by one trained folder or several, and prints for every
speaker and channel Pearson's r in an utterance, averaged over his utterances, and the lag at which
it would be highest. Which predicted point stands for which sensor says real_speech.yaml.
``--imitate N`` adds what synthesised speakers would have done, saying the same phones at the same
times, for recordings with labels: JD3, and the mean of N people of the population; see `imitation`.
``--tracks`` draws predicted over measured tracks of one utterance of every speaker.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from features import articulation, metrics
from features.frames import HOP_S, frame_count
from pipeline import Predictor, corpora
from pipeline.ground import artifacts, params
from pipeline.ground.console import InputError, UsageError, run
from pipeline.ground.storage import read_yaml
from pipeline.ground.utterance import Tracks, Utterance
from pipeline.plots import style
from studies.imitation import Person, Request, consensus, imitate

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RECORDINGS = Path(__file__).with_suffix(".yaml")
CUTOFF_HZ, MAX_GAP_S = 20, 0.1
MAX_LAG = 20  # frames
AXES = "xy"
JD3, POPULATION, ALL, LABELLED = "JD3", "population", "all speakers", "with labels"
TONGUE = "T"  # what its sensors begin with


Pair = tuple[NDArray[np.floating], NDArray[np.floating]]


class Recording(msgspec.Struct, forbid_unknown_fields=True):
    """Utterances of a speaker in ../shared/data, and the predicted point of every sensor.

    See real_speech.yaml for what each field says.
    """

    reader: str
    folder: str
    ids: str
    sensors: dict[str, str]
    corpus: dict[str, Any] = {}
    phones: dict[str, str] = {}
    last_s: float = np.inf

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


def read(recording: Recording) -> list[Utterance]:
    """Read the utterances of a recording; a last phone ends where it should."""
    folder = DATA / recording.folder
    tree = msgspec.to_builtins(params.load().corpus)
    for key, value in recording.corpus.items():
        tree[key] = tree[key] | value if key == "emu" else value
    settings = msgspec.convert(tree, params.Corpus)
    reader = corpora.reader(recording.reader)
    items = list(reader.find(folder, settings)) if folder.is_dir() else []
    found = [reader.read(item, settings) for item in items if re.fullmatch(recording.ids, item.id)]
    if not found:
        raise InputError(f"{folder}: no {recording.ids}; it is not part of the project")
    return [with_short_end(one, recording) for one in found]


def with_short_end(utterance: Utterance, recording: Recording) -> Utterance:
    """Return an utterance whose last phone is no longer than a phone can be."""
    spoken = [p for p in utterance.phones if recording.phones.get(p.text, p.text)]
    if not spoken or not np.isfinite(recording.last_s):
        return utterance
    end = min(spoken[-1].end, spoken[-1].start + recording.last_s)
    return replace(utterance, phones=(*spoken[:-1], replace(spoken[-1], end=end)))


def load(wanted: str) -> tuple[str, Predictor]:
    """Return name and model of ``NAME=FOLDER``."""
    name, equals, folder = wanted.partition("=")
    if not equals:
        raise UsageError(f"{wanted!r}: models are named, NAME=FOLDER")
    return name, Predictor.load(folder)


def side_by_side(utterance: Utterance, tracks: Tracks, channels: Mapping[str, str]) -> Pair:
    """Return every measured channel, and the predicted one that stands for it, at equal times."""
    measured = utterance.tracks
    values = measured.values[:, [measured.channels.index(name) for name in channels]]
    first, truth = articulation.onto_grid(
        measured.time, values, CUTOFF_HZ, MAX_GAP_S, len(tracks.time)
    )
    columns = [tracks.channels.index(name) for name in channels.values()]
    return truth, tracks.values[first : first + len(truth), columns]


def correlate(
    utterances: Sequence[Utterance], predicted: Sequence[Tracks], channels: Mapping[str, str]
) -> Found:
    """Compare every measured channel with the predicted one that stands for it.

    r is that of each utterance, averaged over them.
    """
    pairs = [side_by_side(*one, channels) for one in zip(utterances, predicted, strict=True)]
    truths, guesses = zip(*pairs, strict=True)
    lag, best = metrics.best_lag(truths, guesses, MAX_LAG)
    r = np.mean([metrics.pearson(*pair) for pair in pairs], axis=0)
    return Found(r, lag * HOP_S * 1000, best)


def agreement(
    utterances: Sequence[Utterance],
    predicted: Sequence[Tracks],
    imitated: Sequence[Tracks],
    recording: Recording,
) -> Found:
    """Compare what a model says of real sounds with what the population does in their place.

    That is what it was trained to say, however the real speakers moved.
    """
    did = [replace(u, tracks=tracks) for u, tracks in zip(utterances, imitated, strict=True)]
    return correlate(did, predicted, {point: point for point in recording.channels.values()})


def tongue(recording: Recording, found: Found) -> float:
    """Return the mean r of the tongue's channels."""
    on = [name.startswith(TONGUE) for name in recording.channels.values()]
    return float(metrics.mean(found.r[on]))


def report(name: str, recording: Recording, count: int, found: Mapping[str, Found]) -> str:
    """Return a table: a row per sensor, forward and height, for each model."""
    lines = [f"\n{name}, {count} utterances"]
    for model, own in found.items():
        lines.append(
            f"{model}: mean r {metrics.mean(own.r):.2f}; tongue {tongue(recording, own):.2f};"
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


def summary(recordings: Mapping[str, Recording], found: Mapping[str, Mapping[str, Found]]) -> str:
    """Return a table: a row per speaker, and their means; of each model r, and r of the tongue.

    Who imitates has a mean over the speakers with labels, beside the models' over the same.
    """
    models = list(dict.fromkeys(model for own in found.values() for model in own))
    labelled = [name for name, own in found.items() if len(own) == len(models)]
    pairs = {
        name: {m: (float(metrics.mean(r.r)), tongue(recordings[name], r)) for m, r in own.items()}
        for name, own in found.items()
    }
    rows = dict(pairs)
    groups = {ALL: list(found)}
    if 0 < len(labelled) < len(found):
        groups[LABELLED] = labelled
    for title, part in groups.items():
        shared = [m for m in models if all(m in pairs[name] for name in part)]
        rows[title] = {m: np.mean([pairs[n][m] for n in part], axis=0) for m in shared}
    lines = ["\n" + f"{'mean r (tongue)':18}" + "".join(f"{model:>16}" for model in models)]
    for title, own in rows.items():
        cells = (f"{own[m][0]:9.3f} ({own[m][1]:.2f})" if m in own else " " * 16 for m in models)
        lines.append(f"{title:18}{''.join(cells)}".rstrip())
    return "\n".join(lines)


def draw(recordings: Mapping[str, Recording], found: Mapping[str, Mapping[str, Found]]) -> Figure:
    """Draw r of every channel as bars, a panel per recording, a colour per model."""
    page = style.figure(style.PAGE, 32 * len(recordings))
    panels = page.subplots(len(recordings), squeeze=False)[:, 0]
    for panel, (name, recording) in zip(panels, recordings.items(), strict=True):
        place = np.arange(len(recording.channels))
        width = 0.8 / len(found[name])
        for k, (model, own) in enumerate(found[name].items()):
            label = f"{model}, mean {metrics.mean(own.r):.2f}"
            bars = place + (k - (len(found[name]) - 1) / 2) * width
            panel.bar(bars, own.r, width, color=style.SERIES[k], label=label)
        names = [
            text.replace("_x", "\nforward").replace("_y", "\nheight") for text in recording.channels
        ]
        panel.set_xticks(place, names)
        panel.axhline(0, color=style.BLACK, linewidth=0.6)
        lowest = min(-0.5, *(own.r.min() for own in found[name].values()))
        panel.set(ylim=(lowest, 1), ylabel="Pearson's r", title=name)
        panel.legend(loc="lower right", bbox_to_anchor=(1, 0.97), ncols=len(found[name]))
    return page


def shown(recording: Recording) -> dict[str, str]:
    """Return the channels that are drawn, and what they are: of either end of the tongue, a lip."""
    tongue_sensors = [name for name, point in recording.sensors.items() if point[0] == TONGUE]
    front, back = tongue_sensors[0], tongue_sensors[-1]
    return {
        f"{front}_x": "front of the tongue:\nforward",
        f"{front}_y": "front of the tongue:\nheight",
        f"{back}_y": "back of the tongue:\nheight",
        "LL_y": "lower lip:\nheight",
    }


def median_one(pairs: Sequence[Pair]) -> int:
    """Return which utterance has the median of their mean correlations."""
    r = [metrics.mean(metrics.pearson(*pair)) for pair in pairs]
    return int(np.argsort(r, kind="stable")[(len(r) - 1) // 2])


def draw_tracks(drawn: Mapping[str, tuple[Recording, str, Pair]]) -> Figure:
    """Draw predicted over measured tracks, a row of panels for each speaker, given their unit.

    Predictions are given the measured mean and deviation, since only the shape can be compared.
    """
    page = style.figure(style.PAGE, 24 * len(drawn))
    grid = page.subplots(len(drawn), 4, squeeze=False)
    for row, (name, (recording, unit, pair)) in zip(grid, drawn.items(), strict=True):
        names = list(recording.channels)
        for axes, (channel, title) in zip(row, shown(recording).items(), strict=True):
            truth, guess = (values[:, names.index(channel)] for values in pair)
            scaled = (guess - guess.mean()) / guess.std() * truth.std()
            time = np.arange(len(truth)) * HOP_S
            axes.plot(time, truth - truth.mean(), color=style.BLACK, label="measured")
            axes.plot(time, scaled, color=style.VERMILION, label="predicted")
            r = float(metrics.pearson(truth[:, None], guess[:, None])[0])
            axes.set_title(f"r {r:.2f}", loc="right", fontsize="small")
            if axes in grid[0]:
                axes.set_title(title, loc="left", fontsize="small", pad=6)
            axes.margins(x=0)
        row[0].set_ylabel(f"{name}\n{unit}", fontsize="small")
    for axes in grid[-1]:
        axes.set_xlabel("time (s)")
    page.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return page


def main() -> None:
    """Predict and print."""
    parser = argparse.ArgumentParser(prog="python -m studies.real_speech", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "models", nargs="*", metavar="NAME=FOLDER", default=[f"model={artifacts.TRAINED}"]
    )
    parser.add_argument(
        "--imitate", type=int, metavar="N", help="JD3 and N people of the population, too"
    )
    parser.add_argument("--picture", type=Path, help="also draw bars here, a PNG")
    parser.add_argument("--tracks", type=Path, help="draw tracks of the first model here, a PNG")
    options = parser.parse_args()
    recordings = msgspec.convert(read_yaml(RECORDINGS), dict[str, Recording])
    seed = params.load().corpus.synthesis.seed
    models = dict(map(load, options.models))
    found: dict[str, dict[str, Found]] = {}
    drawn: dict[str, tuple[Recording, str, Pair]] = {}
    agreed: dict[str, list[tuple[float, float]]] = {}
    for name, recording in recordings.items():
        utterances = read(recording)
        sounds = [(u.audio, u.sample_rate) for u in utterances if u.audio is not None]
        predicted = {
            model: [predict(*sound) for sound in sounds] for model, predict in models.items()
        }
        if options.imitate and recording.phones:
            lengths = [frame_count(len(audio), rate) for audio, rate in sounds]
            requests = [
                Request(u.phones, recording.phones, frames)
                for u, frames in zip(utterances, lengths, strict=True)
            ]
            predicted[JD3] = imitate(requests)
            everybody = [imitate(requests, Person(seed, n)) for n in range(options.imitate)]
            predicted[POPULATION] = [consensus(same) for same in zip(*everybody, strict=True)]
        first = predicted[next(iter(models))]
        both = [
            side_by_side(*one, recording.channels) for one in zip(utterances, first, strict=True)
        ]
        drawn[name] = recording, utterances[0].tracks.unit, both[median_one(both)]
        found[name] = {
            model: correlate(utterances, tracks, recording.channels)
            for model, tracks in predicted.items()
        }
        print(report(name, recording, len(utterances), found[name]), flush=True)
        if POPULATION in predicted:
            for model in models:
                own = agreement(utterances, predicted[model], predicted[POPULATION], recording)
                pair = float(metrics.mean(own.r)), tongue(recording, own)
                agreed.setdefault(model, []).append(pair)
    print(summary(recordings, found))
    for model, pairs in agreed.items():
        r, own = np.mean(pairs, axis=0)
        print(f"{model} says what the population does in their place with r {r:.3f} ({own:.2f})")
    if options.picture:
        save(draw(recordings, found), options.picture)
    if options.tracks:
        save(draw_tracks(drawn), options.tracks)


def save(page: Figure, path: Path) -> None:
    """Write a picture whose bytes do not depend on the day."""
    page.savefig(path, dpi=200, metadata={"Software": None})


if __name__ == "__main__":
    run(main)
