"""Stage 7: all figures and pictures in one page, with a browser of the test utterances.

Writes reports/index.html: opened from disk it needs no network and no other file. As many
utterances are put in as fit, spread over the test set.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from pipeline.evaluation import palates, tables
from pipeline.evaluation.scores import Predictions
from pipeline.ground import artifacts, params
from pipeline.ground.console import progress, run, say, stage_parser
from pipeline.ground.storage import Store, read_json, write_text
from pipeline.pages import browser
from pipeline.plots import style
from pipeline.plots.scene import of_prediction

LIMIT = 11_000_000  # characters of all utterances together; the whole page stays below 20 MB
DISPLAYED = 1000  # pixels, width of a picture that fills a printed page

CAPTIONS = {
    "timeline": "Waveform, spectrogram and trajectories of one test utterance, with its phones.",
    "midsagittal": "The midsagittal plane, phone by phone or, without phones, at even steps.",
    "tracks": "Every track of the same utterance.",
    "track": "One of them, larger.",
    "velocity": "Speed, with onset, peak and end of each movement.",
    "articulators": "Error and correlation per articulator, with 95 % intervals, and the floors.",
    "tract_variables": "The same for tract variables; degrees and locations stand on the palate.",
    "scatter": "Predicted against measured, all frames of the test set; r within speakers.",
    "error_cdf": "How many frames are predicted more nearly than a distance.",
    "class_errors": "Error by class of phones.",
    "phone_errors": "Error by phone.",
    "calibration": "How often errors lie within the intervals that the network gives for them.",
    "learning_curves": "Error in training; the epoch that is kept is marked.",
}
TABLES = {
    "tracks": "Tracks",
    "sensors": "Articulators",
    "tract_variables": "Tract variables",
    "phone_classes": "Classes of phones",
    "styles": "Styles",
    "speakers": "Speakers",
    "sexes": "Sexes",
    "sizes": "Sizes of the speakers' tracts",
    "utterances": "Utterances",
}
FIGURES = {  # what the columns of tables are called, and their digits
    "rmse_mm": ("RMSE ({unit})", 2),
    "pearson_r": ("r", 3),
    "z_mse": ("MSE in own z", 2),
    "velocity_rmse_mm_s": ("velocity RMSE ({unit}/s)", 1),
    "velocity_r": ("velocity r", 3),
    "lag_ms": ("lag (ms)", 0),
    "lag_r": ("r at this lag", 3),
    "seconds": ("duration (s)", 2),
    "utterances": ("utterances", 0),
    "frames": ("frames", 0),
}
WHOSE = {"ridge_": "ridge, ", "mean_": "mean, ", "within_speakers_": "all frames of a speaker, "}


def summary(pooled: dict[str, float], unit: str = "mm") -> list[list[str]]:
    """Return the table at the head of the page, its first row the names of the columns.

    Parameters
    ----------
    pooled : dict
        The network's figures over all frames of a speaker at once.
    unit : str
        Of the tracks.
    """
    columns = {"rmse_mm": f"RMSE ({unit})", "pearson_r": "Pearson's r", "z_mse": "MSE in own z"}
    ways = {"delivered": "as delivered", "own_z": "given the utterance's own mean and deviation"}

    rows, seen = [["test set", *columns.values()]], set()
    for row in tables.read("summary"):
        known = (row["predictor"], *(row[name] for name in columns))
        if known in seen:  # targets of a speaker or corpus: nothing of the utterance is given
            continue
        seen.add(known)
        title = f"{row['predictor']}, {ways[row['figures']]}"
        rows.append([title, *(figure(row[name], 3) for name in columns)])
        ends = [[figure(row[f"{name}_{end}"], 3) for end in ("low", "high")] for name in columns]
        rows.append(["95 % interval", *(interval(low, high) for low, high in ends)])
    over_frames = [figure(pooled.get(name, np.nan), 3) for name in columns]
    rows.insert(3, ["network, as delivered, all frames of a speaker", *over_frames])
    return rows


def protocol(stated: dict[str, Any]) -> dict[str, str]:
    """Return the protocol as texts: lists in one line each."""
    parts: dict[str, Any] = {}
    for name, value in stated.items():
        if isinstance(value, dict):
            parts |= {f"{name}, {key}": part for key, part in value.items()}
        else:
            parts[name] = value
    return {
        name.replace("_hz", " (Hz)").replace("_", " "): (
            ", ".join(value) if isinstance(value, list) else str(value).replace("`", "")
        )
        for name, value in parts.items()
    }


def column(key: str, unit: str) -> tuple[str, int]:
    """Return what a column of figures is called on the page, and how many digits it shows.

    What is no figure by name is the error of a channel.
    """
    for prefix, whose in WHOSE.items():
        if key.startswith(prefix):
            name, digits = column(key.removeprefix(prefix), unit)
            return whose + name, digits
    name, digits = FIGURES.get(key, (f"{key} ({{unit}})", 2))
    return name.format(unit=unit), digits


def table(name: str, unit: str = "mm") -> dict[str, Any] | None:
    """Return a table for the page, each figure with its interval; None without a row."""
    rows = tables.read(name)
    if not rows:
        return None
    head: list[str] = []
    body: list[list[str]] = [[] for _ in rows]
    for key in rows[0]:
        if key in tables.NAMES:
            title, cells = key, [row[key] or "–" for row in rows]
        elif key.endswith(("_low", "_high")):
            continue
        else:
            title, digits = column(key, unit)
            cells = [figure(row[key], digits) for row in rows]
        if f"{key}_low" in rows[0]:
            title += ", 95 % interval"
            ends = [
                [figure(row[f"{key}_{end}"], digits) for end in ("low", "high")] for row in rows
            ]
            cells = [f"{cell} ({interval(*pair)})" for cell, pair in zip(cells, ends, strict=True)]
        head.append(title)
        for shown, cell in zip(body, cells, strict=True):
            shown.append(cell)
    return {"name": name, "caption": TABLES[name], "head": head, "rows": body}


def interval(low: str, high: str) -> str:
    """Return both ends of an interval; a dash where they are one: one utterance tells of no other.

    Parameters
    ----------
    low, high : str
        As `figure` writes them.
    """
    return "–" if low == high else f"{low} to {high}"


def figure(value: float, digits: int) -> str:
    """Return a number with so many digits, a dash if it is undefined."""
    return "–" if np.isnan(value) else style.signed(f"{value:.{digits}f}")


def pictures() -> Iterator[dict[str, Any]]:
    """Yield every picture of the stage plot as a part of the page."""
    film = artifacts.PLOTS / "midsagittal.mp4"
    moving = film if film.exists() else film.with_suffix(".gif")
    if moving.exists():
        kind = "video/mp4" if moving == film else "image/gif"
        data = f"data:{kind};base64,{browser.base64_of(moving.read_bytes())}"
        caption = "The moving midsagittal view of one test utterance."
        yield {"name": "moving", "film": moving == film, "data": data, "width": 500,
               "caption": caption}  # fmt: skip
    for name, caption in CAPTIONS.items():
        path = artifacts.PLOTS / f"{name}.png"
        if path.exists():
            with Image.open(path) as image:
                width = round(DISPLAYED * image.width / (300 * 180 / 25.4))
                file = io.BytesIO()
                image.convert("RGB").quantize(128).save(file, "PNG", optimize=True)
            data = f"data:image/png;base64,{browser.base64_of(file.getvalue())}"
            yield {"name": name, "film": False, "data": data, "width": width, "caption": caption}


def utterances(predictions: Predictions, first: int) -> list[dict[str, Any]]:
    """Return as many packed test utterances as fit, in order, and always the first choice."""
    known = palates.from_rows(tables.read("palates"))
    entries = predictions.entries
    first = min(first, len(entries) - 1)
    spread = np.argsort(((np.arange(len(entries)) - first) * (5**0.5 - 1) / 2) % 1, kind="stable")
    packed: dict[int, dict[str, Any]] = {}
    size = 0
    for k in progress(spread.tolist(), unit="utterances"):
        if not entries[k].about["audio"]:
            continue
        one = browser.pack(of_prediction(predictions, entries[k], known))
        size += len(json.dumps(one))
        if size > LIMIT and packed:
            break
        packed[k] = one
    return [packed[k] for k in sorted(packed)]


def main() -> None:
    """Run the stage."""
    stage_parser(__doc__, "report").parse_args()
    settings = params.load()
    predictions = Predictions(Store(artifacts.PREDICTIONS, "evaluate"))
    found = read_json(artifacts.METRICS, "evaluate")
    shown = utterances(predictions, settings.plot.utterance)
    page = browser.page(
        "Speech to articulation: the test set",
        shown,
        summary=summary(found["test"]["delivered"]["within_speakers"], predictions.unit),
        protocol=protocol(read_json(artifacts.PROTOCOL, "evaluate")),
        tables=[one for name in TABLES if (one := table(name, predictions.unit))],
        pictures=list(pictures()),
    )
    write_text(artifacts.REPORT, page)
    say(
        f"report: {len(shown)} of {len(predictions.entries)} test utterances,"
        f" {len(page) / 1e6:.1f} MB -> {artifacts.REPORT}"
    )


if __name__ == "__main__":
    run(main)
