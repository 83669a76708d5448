"""Stage 6: draw the predictions beside what was measured, and what the errors are made of.

Writes every picture as PNG and, for print, as PDF into reports/plots; the moving midsagittal view
as GIF and, where ffmpeg is installed, as MP4 with sound. ``plot.utterance`` chooses the test
utterance that is shown, ``plot.track`` the one track of the smallest picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from features import metrics
from pipeline import evaluate, params, tables, train
from pipeline.console import UsageError, progress, run, say, stage_parser
from pipeline.formats import audio
from pipeline.plots import articulators, curves, style
from pipeline.plots.timeline import timeline
from pipeline.scores import Predictions, correlation
from pipeline.storage import Entry, Store
from pipeline.utterance import Label, Tracks

FOLDER = Path("reports/plots")
QUANTITIES = {"rmse_mm": "RMSE (mm)", "pearson_r": "Pearson's r"}


def chosen(predictions: Predictions, index: int) -> Entry:
    """Return the test utterance that ``plot.utterance`` names."""
    if index >= len(predictions.entries):
        raise UsageError(
            f"plot.utterance: {index}, and the test side has {len(predictions.entries)} utterances"
        )
    return predictions.entries[index]


def tracks_of(predictions: Predictions, entry: Entry) -> dict[str, Tracks]:
    """Return the measured and the predicted positions of an utterance."""
    channels = predictions.channels[predictions.positions]
    time = predictions.time(entry)
    return {
        name: Tracks(time, predictions.mm(entry, name), channels)
        for name in ("measured", "predicted")
    }


def phones_of(entry: Entry) -> tuple[Label, ...]:
    """Return the phone labels of an utterance."""
    return tuple(Label(*phone) for phone in entry.about["phones"])


def scores_of(tracks: dict[str, Tracks]) -> dict[str, str]:
    """Return correlation and error of every channel as a short text."""
    measured, predicted = tracks["measured"].values, tracks["predicted"].values
    pairs = zip(correlation(measured, predicted), metrics.rmse(measured, predicted), strict=True)
    return {
        channel: f"r {r:.2f}, {rmse:.2f} mm"
        for channel, (r, rmse) in zip(tracks["measured"].channels, pairs, strict=True)
    }


def with_floors(rows: list[dict[str, Any]], key: str) -> dict[str, dict[str, dict[str, float]]]:
    """Return a table as runs for `curves.comparison`: the network and its floors."""
    names = {row[key]: style.sensor_name(row[key]) for row in rows}
    runs: dict[str, dict[str, dict[str, float]]] = {
        "network": {names[row[key]]: row for row in rows}
    }
    for floor, figures in (("ridge", QUANTITIES), ("mean", ["rmse_mm"])):
        runs[floor] = {
            names[row[key]]: {figure: row[f"{floor}_{figure}"] for figure in figures}
            for row in rows
        }
    return runs


def pictures(predictions: Predictions, settings: params.Plot) -> Iterator[tuple[str, Figure]]:
    """Yield the name and the figure of every still picture."""
    entry = chosen(predictions, settings.utterance)
    tracks, phones = tracks_of(predictions, entry), phones_of(entry)
    scores = scores_of(tracks)
    channels = tracks["measured"].channels
    if settings.track >= len(channels):
        raise UsageError(f"plot.track: {settings.track}, and there are {len(channels)} tracks")
    channel = channels[settings.track]
    yield (
        "track",
        articulators.one_track(tracks, channel, score=scores[channel], title=entry.id),
    )
    yield "tracks", articulators.all_tracks(tracks, scores, title=entry.id)
    yield (
        "learning_curves",
        curves.learning_curves(tables.read_csv(train.FOLDER / "history.csv", "train")),
    )
    yield (
        "articulators",
        curves.comparison(with_floors(tables.read("sensors"), "sensor"), QUANTITIES),
    )
    if entry.about["audio"]:
        sound, rate = audio.read(Path(entry.about["audio"]))
        yield (
            "timeline",
            timeline(sound, rate, tracks, phones=phones, scores=scores, title=entry.id),
        )


def main() -> None:
    """Run the stage."""
    stage_parser(__doc__, "plot").parse_args()
    settings = params.load().plot
    predictions = Predictions(Store(evaluate.PREDICTIONS, "evaluate"))
    count = 0
    for name, figure in progress(pictures(predictions, settings), unit="pictures"):
        style.save(figure, FOLDER / name)
        count += 1
    say(f"plot: {count} pictures -> {FOLDER}")


if __name__ == "__main__":
    run(main)
