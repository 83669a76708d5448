"""The tables of the evaluation: one row per track, utterance, speaker, style, phone and class.

Rows are dictionaries; an undefined value is NaN and becomes an empty cell.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from features import metrics
from features import tract_variables as variables
from features.frames import HOP_S
from features.phones import CLASSES, phone_classes
from pipeline.evaluation.palates import Palate
from pipeline.evaluation.scores import (
    DELIVERED,
    DELTAS,
    FIGURES,
    MAX_LAG,
    OWN_Z,
    SEED,
    Predictions,
    Scored,
    Z,
    correlation,
    sensor_of,
    within_speakers,
)
from pipeline.ground import artifacts
from pipeline.ground.console import InputError
from pipeline.ground.storage import Entry
from pipeline.trained.description import About
from pipeline.trained.smoothing import Smoothing, candidates

NAMES = {
    "predictor",
    "source",
    "figures",
    "smoothing",
    "track",
    "sensor",
    "variable",
    "utterance",
    "speaker",
    "style",
    "sex",
    "size",
    "phone",
    "class",
}

UNKNOWN_PALATE = np.full((2, 2), np.nan)

Row = dict[str, Any]
Array = NDArray[np.floating]


def to_csv(rows: Sequence[Row]) -> str:
    """Return rows as CSV: six digits, an empty cell for what is undefined."""
    text = io.StringIO()
    writer = csv.DictWriter(
        text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n"
    )
    writer.writeheader()
    for row in rows:
        writer.writerow({key: cell(value) for key, value in row.items()})
    return text.getvalue()


def cell(value: Any) -> Any:
    """Return a number with six digits, NaN as nothing, anything else as it is."""
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    return value


def read(name: str) -> list[Row]:
    """Return the rows of a table that the stage evaluate wrote.

    Raises
    ------
    InputError
        Where the table is missing.
    """
    return read_csv(artifacts.TABLES / f"{name}.csv", "evaluate")


def read_csv(path: Path, made_by: str) -> list[Row]:
    """Return the rows of a CSV file: names as text, all else as numbers, NaN for an empty cell.

    Raises
    ------
    InputError
        Where the file is missing, naming the stage to run, or is no such table.
    """
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: not found; run `dvc repro {made_by}` first") from None
    except (ValueError, TypeError):
        raise InputError(f"{path}: damaged; run `dvc repro --force {made_by}`") from None


def parse(text: str) -> list[Row]:
    """Return the rows of a table as `read_csv` does, from its text."""
    return [
        {key: cell if key in NAMES else float(cell or "nan") for key, cell in row.items()}
        for row in csv.DictReader(io.StringIO(text))
    ]


def rounded(tree: Any) -> Any:
    """Return a tree of figures with six digits, NaN as None."""
    if isinstance(tree, dict):
        return {key: rounded(value) for key, value in tree.items()}
    if isinstance(tree, float):
        return None if np.isnan(tree) else float(f"{tree:.6g}")
    return tree


def summary(scored: Scored) -> list[Row]:
    """Return rows for the network and each floor: every figure and its 95 % interval.

    First all as delivered, then all by the measured utterance's own mean and deviation.
    """
    overall = scored.overall()
    rows = []
    sources = [(source, "delivered") for source in DELIVERED]
    sources += [(OWN_Z[source], "own_z") for source in DELIVERED]
    for source, way in sources:
        name = {"predicted": "network", "own_z": "network"}.get(source, source.partition("_")[0])
        row: Row = {"predictor": name, "figures": way}
        for figure, value in scored.summary(source).items():
            low, high = overall.interval(source, figure)
            row |= {figure: value}
            row |= {f"{figure}_low": float(low[0]), f"{figure}_high": float(high[0])}
        rows.append(row)
    return rows


def smoothing(predictions: Predictions, about: About) -> list[Row]:
    """Return the figures of every way to smooth the network's tracks, as delivered."""
    used, store = about.smoothing, predictions.store

    def smoothed(entry: Entry, how: Smoothing) -> NDArray[np.float64]:
        z = predictions.network(entry).astype(np.float32)
        if DELTAS in store.columns:
            z = np.concatenate([z, store.frames(entry, DELTAS)], axis=1)
        known = Z.of(entry, "known")
        smooth = msgspec.structs.replace(about, smoothing=how).smooth(z, *known)
        return Z.of(entry, "own").of_mm(known.to_mm(smooth))

    ways = {str(how): how for how in (*candidates(used.variances), used)}
    sources = {name: partial(smoothed, how=how) for name, how in ways.items()}
    scored = Scored.of(predictions, sources)
    return [
        {"smoothing": name, "used": int(name == str(used))} | scored.summary(name) for name in ways
    ]


def per_name(scored: Scored) -> list[Row]:
    """Return a row per track or sensor: every figure, its 95 % interval, and the floors'."""
    columns: dict[str, Array] = {}
    for name in FIGURES:
        columns[name] = scored.mean("predicted", name)
        columns[f"{name}_low"], columns[f"{name}_high"] = scored.interval("predicted", name)
    for floor in ("ridge", "mean"):
        for name in FIGURES[:3]:
            columns[f"{floor}_{name}"] = scored.mean(floor, name)
    return [
        {key: float(values[d]) for key, values in columns.items()} for d in range(len(scored.names))
    ]


def tracks(scored: Scored, predictions: Predictions) -> list[Row]:
    """Return a row per track: its figures, those over all frames of a speaker, and the lag.

    The lag is that of the best correlation, positive where the prediction comes late.
    """
    pooled = within_speakers(predictions, "predicted")
    columns = {f"within_speakers_{name}": values for name, values in pooled.items()}
    measured, predicted = (
        [predictions.mm(entry, source) for entry in predictions.entries]
        for source in ("measured", "predicted")
    )
    lag, r = metrics.best_lag(measured, predicted, MAX_LAG)
    columns |= {"lag_ms": lag * HOP_S * 1000, "lag_r": r}
    return [
        {"track": scored.names[d]}
        | row
        | {key: float(values[d]) for key, values in columns.items() if d < len(values)}
        for d, row in enumerate(per_name(scored))
    ]


def sensors(scored: Scored) -> list[Row]:
    """Return a row per sensor, the mean over its channels."""
    by_sensor = scored.by_sensor()
    return [
        {"sensor": name} | row
        for name, row in zip(by_sensor.names, per_name(by_sensor), strict=True)
    ]


def utterances(scored: Scored, predictions: Predictions) -> list[Row]:
    """Return a row per test utterance, each figure averaged over tracks."""
    means = scored.overall().figures["predicted"]
    return [
        {
            "utterance": entry.id,
            "speaker": entry.about["speaker"],
            "style": entry.about["style"],
            "seconds": entry.frames * HOP_S,
        }
        | {name: float(values[u, 0]) for name, values in means.items()}
        for u, entry in enumerate(predictions.entries)
    ]


def groups(scored: Scored, predictions: Predictions, by: str) -> list[Row]:
    """Return a row per speaker, style, sex or size: figures over its utterances, and intervals.

    No row where the corpus says it of no utterance, unless ``by`` is the speaker or the style.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for u, entry in enumerate(predictions.entries):
        members[entry.about[by]].append(u)
    if by in ("sex", "size") and set(members) == {""}:
        return []
    return [
        {by: name, "utterances": len(rows)} | per_name(scored.only(rows).overall())[0]
        for name, rows in sorted(members.items())
    ]


def labelled(predictions: Predictions, entry: Entry) -> Iterator[tuple[str, slice]]:
    """Yield each phone of an utterance and its frames, those whose centres lie within it."""
    time = predictions.time(entry)
    for start, end, text in entry.about["phones"]:
        first, last = np.searchsorted(time, [start, end])
        yield text, slice(int(first), int(last))


def phones(predictions: Predictions) -> tuple[list[Row], list[Row]]:
    """Return a row per phone and a row per class of phones: RMSE in mm over all their frames.

    Returns
    -------
    phones, classes : lists of rows
        Columns: the phone or class, how many frames, the mean over channels, every channel.
    """
    squares: dict[str, Array | float] = defaultdict(float)
    frames: dict[str, int] = defaultdict(int)
    for entry in predictions.entries:
        error = predictions.mm(entry, "predicted") - predictions.mm(entry, "measured")
        for text, span in labelled(predictions, entry):
            squares[text] = squares[text] + np.nansum(error[span] ** 2, axis=0)
            frames[text] += len(error[span])
    class_of = phone_classes(squares)
    order = sorted(squares, key=lambda text: (CLASSES.index(class_of[text]), text))
    channels = predictions.channels[predictions.positions]

    def row(key: Mapping[str, str], members: Sequence[str]) -> Row:
        n = sum(frames[text] for text in members)
        rmse = np.sqrt(sum(squares[text] for text in members) / max(n, 1))
        values = {"rmse_mm": float(np.mean(rmse))} | dict(zip(channels, rmse.tolist(), strict=True))
        return {**key, "frames": n, **values}

    return (
        [row({"phone": text, "class": class_of[text]}, [text]) for text in order if frames[text]],
        [
            row({"class": name}, members)
            for name in CLASSES
            if (members := [text for text in order if class_of[text] == name and frames[text]])
        ],
    )


def error_cdf(predictions: Predictions) -> list[Row]:
    """Return the distance below which each share of the frames lies, per sensor, in mm.

    The distance is that between the predicted and the measured place of the sensor.
    """
    channels = predictions.channels[predictions.positions]
    names = list(dict.fromkeys(sensor_of(channel) for channel in channels))
    belongs = np.array([[sensor_of(c) == name for name in names] for c in channels], float)
    distance = np.concatenate(
        [
            np.square(predictions.mm(entry, "predicted") - predictions.mm(entry, "measured"))
            @ belongs
            for entry in predictions.entries
        ]
    )
    distance = np.sqrt(distance)  # [frames, sensors]
    shares = np.linspace(0, 1, 101)
    quantiles = metrics.error_quantiles(np.zeros_like(distance), distance, shares)
    return [
        {"share": float(share)} | dict(zip(names, values.tolist(), strict=True))
        for share, values in zip(shares, quantiles, strict=True)
    ]


def tract_variables(predictions: Predictions, palates: Mapping[str, Palate]) -> list[Row]:
    """Return a row per tract variable: RMSE and r per utterance, averaged, with intervals.

    What the tongue does has no value for a speaker without a palate; none has one for tracks in
    another unit than mm, which are no places.
    """
    if predictions.unit != "mm":
        return []
    channels = predictions.channels[predictions.positions]
    scores: dict[str, dict[str, list[Array]]] = defaultdict(lambda: defaultdict(list))
    for entry in predictions.entries:
        palate = palates.get(entry.about["speaker"], Palate(UNKNOWN_PALATE)).outline
        measured, predicted, ridge = (
            variables.tract_variables(predictions.mm(entry, source), channels, palate)
            for source in ("measured", "predicted", "ridge")
        )
        for name, track in measured.items():
            for prefix, other in (("", predicted), ("ridge_", ridge)):
                pair = track[:, None], other[name][:, None]
                scores[name][f"{prefix}rmse_mm"].append(metrics.rmse(*pair))
                scores[name][f"{prefix}pearson_r"].append(correlation(*pair))
    return [
        {"variable": name}
        | {
            key: value
            for figure, values in figures.items()
            for key, value in with_interval(figure, np.concatenate(values)).items()
        }
        for name, figures in scores.items()
    ]


def with_interval(figure: str, values: Array) -> Row:
    """Return the mean of a figure over utterances and both ends of its 95 % interval."""
    low, high = metrics.bootstrap_interval(values, np.random.default_rng(SEED))
    ends = {f"{figure}_low": float(low), f"{figure}_high": float(high)}
    return {figure: float(metrics.mean(values))} | ends
