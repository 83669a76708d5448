"""The utterance browser of the HTML report: Bokeh's charts, filled and moved by browser.js.

The page is one file that needs no network: Bokeh's script, the charts, every utterance's sound,
spectrogram and tracks lie within it.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from bokeh.embed import components
from bokeh.models import ColumnDataSource, FixedTicker, LinearAxis, Model, Range1d
from bokeh.models.annotations import Span
from bokeh.plotting import figure
from bokeh.resources import Resources
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from features.spectrogram import spectrogram
from pipeline.ground.sensors import positions, tongue_sensors
from pipeline.plots import midsagittal, names, style
from pipeline.plots.scene import Scene
from pipeline.plots.timeline import label_rows

WAVEFORM_POINTS = 1200
SPECTROGRAM_HOP_S = 0.005
COUNTS_PER_MM = 100  # of the tracks, as 16-bit integers
MISSING = -32768
LABELS_WIDTH = 150  # mm of print that hold as many labels as the chart of an ordinary window
PLANE = 340  # pixels, width and height of the midsagittal view
NAME_SIZE = 11  # pixels, of a sensor's name in it
SERIES = ("measured", "predicted")
DRAWN = re.compile(r"[0-9a-z]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")

Array = NDArray[np.floating]


def base64_of(data: bytes) -> str:
    """Return bytes as text that a page can hold."""
    return base64.b64encode(data).decode("ascii")


def pack_tracks(values: Array) -> str:
    """Return positions [T, D] in mm as 16-bit integers of 0.01 mm, row by row."""
    counts = np.clip(np.round(values * COUNTS_PER_MM), -32767, 32767)
    return base64_of(np.where(np.isfinite(values), counts, MISSING).astype("<i2").tobytes())


def pack_outline(sound: NDArray[np.float32]) -> str:
    """Return least and greatest sample of every short stretch of a sound as 8-bit integers."""
    step = max(len(sound) // WAVEFORM_POINTS, 1)
    whole = sound[: len(sound) // step * step].reshape(-1, step)
    peak = max(float(np.abs(sound).max(initial=0)), 1e-3)
    outline = np.stack([whole.min(1), whole.max(1)], axis=1) / peak
    return base64_of(np.round(127 * outline).astype(np.int8).tobytes())


def pack_spectrogram(sound: NDArray[np.float32], rate: int) -> dict[str, Any]:
    """Return a spectrogram as a grey PNG, and how far it reaches in s and kHz."""
    time, frequency, level = spectrogram(sound, rate, hop_s=SPECTROGRAM_HOP_S)
    steps = np.round(15 * level[::-1]).astype(np.uint8)  # the top row is the highest frequency
    file = io.BytesIO()
    Image.fromarray(255 - 17 * steps).save(file, "PNG", optimize=True)
    hop = float(time[1]) if len(time) > 1 else SPECTROGRAM_HOP_S
    return {
        "picture": base64_of(file.getvalue()),
        "seconds": float(time[-1]) + hop,
        "khz": float(frequency[-1]) / 1000,
    }


def pack_sound(sound: NDArray[np.float32], rate: int) -> str:
    """Return a sound as a WAV file of 16 bits; in FLAC, Chromium fails to find some places."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(sound, -1, 1), rate, format="WAV", subtype="PCM_16")
    return base64_of(file.getvalue())


def pack(scene: Scene) -> dict[str, Any]:
    """Return an utterance as the page wants it; `ValueError` for one without sound."""
    if scene.audio is None:
        raise ValueError(f"{scene.id}: no sound to play")
    first = next(iter(scene.tracks.values()))
    tongue = tongue_sensors(first.channels)
    weights = midsagittal.contour_weights(positions(first.values, first.channels, tongue))
    palate = "" if scene.palate is None else midsagittal.named(scene.palate)
    corners = midsagittal.extent(scene.tracks, scene.palate) if scene.points else ()
    return {
        "id": scene.id,
        "about": ", ".join(filter(None, (scene.speaker, scene.style, palate))),
        "seconds": len(scene.audio) / scene.sample_rate,
        "start": float(first.time[0]),
        "step": float(np.mean(np.diff(first.time))) if len(first.time) > 1 else 0.01,
        "channels": list(first.channels),
        "unit": first.unit,
        "scores": [scene.scores.get(channel, "") for channel in first.channels],
        "points": list(scene.points),
        "names": name_offsets(scene, tongue, weights),
        "tongue": list(tongue),
        "weights": np.round(weights, 4).tolist(),
        "palate": [] if scene.palate is None else np.round(scene.palate.outline, 2).tolist(),
        "corners": [np.round(corner, 2).tolist() for corner in corners],
        "phones": [[phone.start, phone.end, phone.text] for phone in scene.phones],
        "rows": label_rows(scene.phones, len(scene.audio) / scene.sample_rate, LABELS_WIDTH),
        "tracks": {name: pack_tracks(track.values) for name, track in scene.tracks.items()},
        "outline": pack_outline(scene.audio),
        "spectrogram": pack_spectrogram(scene.audio, scene.sample_rate),
        "sound": pack_sound(scene.audio, scene.sample_rate),
    }


def name_offsets(scene: Scene, tongue: Sequence[str], weights: Array) -> list[list[float]]:
    """Return, in pixels right and down, where each name stands in the view, from its point."""
    if not scene.points:
        return []
    low, high = midsagittal.extent(scene.tracks, scene.palate)
    letter = NAME_SIZE / names.SIZE  # pixels of the view per point of print
    offsets = midsagittal.name_offsets(
        {
            name: positions(track.values, track.channels, scene.points)
            for name, track in scene.tracks.items()
        },
        scene.points,
        [scene.points.index(sensor) for sensor in tongue],
        weights,
        scene.palate,
        PLANE / float((high - low).max()) / letter,
    )
    return np.round(offsets * (letter, -letter), 1).tolist()


def plain(chart: figure) -> None:
    """Take away what a chart does not need."""
    chart.grid.visible = False
    chart.axis.minor_tick_line_color = None
    chart.axis.axis_label_text_font_style = "normal"
    chart.axis.axis_line_width = 0.5


def time_chart(name: str, height: int, time: Range1d, **options: Any) -> figure:
    """Return an empty chart over the common time axis, with the cursor."""
    chart = figure(
        name=f"{name} chart",
        height=height,
        x_range=time,
        sizing_mode="stretch_width",
        tools="",
        toolbar_location=None,
        min_border_left=120,
        min_border_right=120,
        min_border_top=2,
        min_border_bottom=2,
        outline_line_color=None,
        **options,
    )
    plain(chart)
    chart.axis.visible = False
    chart.vspan(
        x="time",
        source=ColumnDataSource({"time": []}, name=f"{name} edges"),
        line_color=style.GREY,
        line_alpha=0.4,
        line_width=0.5,
    )
    cursor = Span(location=0, dimension="height", name=f"{name} cursor")
    cursor.update(line_color=style.BLUE, line_width=1.5, level="overlay")
    chart.add_layout(cursor)
    return chart


def charts() -> dict[str, Model]:
    """Return the empty charts by name; the script fills their sources, which have names too."""
    time = Range1d(start=0, end=1, name="time")

    def source(name: str, *columns: str) -> ColumnDataSource:
        return ColumnDataSource({column: [] for column in columns}, name=name)

    sound = time_chart("sound", 70, time, y_range=(-1.05, 1.05))
    sound.varea(
        "time",
        "low",
        "high",
        source=source("outline", "time", "low", "high"),
        color=style.colour("measured"),
    )
    phones = time_chart("phones", 34, time, y_range=(0, 1))
    phones.text(
        "time",
        "height",
        "phone",
        source=source("phones", "time", "height", "phone"),
        text_align="center",
        text_baseline="middle",
        text_font_size="12px",
    )
    spectrum = time_chart(
        "spectrogram", 150, time, y_range=Range1d(start=0, end=8, name="frequency")
    )
    spectrum.image_url(
        "url",
        0,
        0,
        "seconds",
        "khz",
        anchor="bottom_left",
        source=source("spectrogram", "url", "seconds", "khz"),
    )
    spectrum.yaxis.update(visible=True, axis_label="kHz", ticker=[2, 4, 6])
    tracks = time_chart("tracks", 600, time, y_range=Range1d(start=0, end=1, name="bands"))
    for name in SERIES:
        stroke = style.stroke(name)
        width = stroke["linewidth"] + 0.6
        tracks.multi_line(
            "times",
            "values",
            source=source(name, "times", "values"),
            line_color=stroke["color"],
            line_width=width,
        )
    bands = FixedTicker(name="bands of channels")
    tracks.yaxis.update(visible=True, ticker=bands, name="channels", major_tick_line_color=None)
    scores = LinearAxis(name="scores", major_tick_line_color=None, axis_line_color=None)
    scores.update(ticker=bands)
    tracks.add_layout(scores, "right")
    tracks.xaxis.update(visible=True, axis_label="time (s)")
    return {
        "sound": sound,
        "phones": phones,
        "spectrogram": spectrum,
        "tracks": tracks,
        "midsagittal": midsagittal_chart(source),
    }


def midsagittal_chart(source: Any) -> figure:
    """Return the empty midsagittal view."""
    chart = figure(
        name="midsagittal chart",
        frame_width=PLANE,
        frame_height=PLANE,
        tools="",
        toolbar_location=None,
        x_range=Range1d(start=0, end=1, name="forward"),
        y_range=Range1d(start=0, end=1, name="height"),
        x_axis_label="forward (mm)",
        y_axis_label="height (mm)",
        outline_line_color=None,
    )
    chart.xaxis.name, chart.yaxis.name = "forward axis", "height axis"
    plain(chart)
    chart.line("x", "y", source=source("palate", "x", "y"), line_color="black", line_width=1.5)
    for name in SERIES:
        colour = style.colour(name)
        inside = colour if name == "measured" else "white"
        chart.line(
            "x",
            "y",
            source=source(f"{name} tongue", "x", "y"),
            line_color=colour,
            line_width=style.stroke(name)["linewidth"] + 0.8,
        )
        chart.scatter(
            "x",
            "y",
            source=source(f"{name} points", "x", "y"),
            size=8,
            line_color=colour,
            line_width=1.5,
            fill_color=inside,
        )
    chart.text(
        "x",
        "y",
        "name",
        source=source("names", "x", "y", "name", "right", "down"),
        x_offset="right",
        y_offset="down",
        text_align="center",
        text_baseline="middle",
        text_font_size=f"{NAME_SIZE}px",
        text_color=style.GREY,
    )
    return chart


def embedded(models: dict[str, Model]) -> tuple[str, dict[str, str]]:
    """Return the script that draws charts, and their places in the page, the same every time.

    Bokeh draws a name for each by lot.
    """
    script, places = components(models)
    names = {found: f"chart-{k}" for k, found in enumerate(dict.fromkeys(DRAWN.findall(script)))}

    def named(text: str) -> str:
        return DRAWN.sub(lambda found: names[found[0]], text)

    return named(script), {name: named(place) for name, place in places.items()}


def page(title: str, utterances: Sequence[dict[str, Any]], **content: Any) -> str:
    """Return a whole page: the browser of these utterances, and what else the template shows.

    Parameters
    ----------
    title : str
    utterances : sequence of dict
        From `pack`.
    **content
        ``summary``, ``protocol``, ``tables`` and ``pictures`` of `pipeline.report`.
    """
    script, places = embedded(charts())
    loader = PackageLoader("pipeline", "pages")
    template = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    return template.get_template("report.html").render(
        title=title,
        bokeh=Resources(mode="inline", components=["bokeh"]).render(),
        charts_script=script,
        charts=places,
        style=(Path(__file__).parent / "style.css").read_text(encoding="utf-8"),
        browser=(Path(__file__).parent / "browser.js").read_text(encoding="utf-8"),
        utterances=json.dumps(utterances, ensure_ascii=False).replace("</", "<\\/"),
        names=[(k, f"{one['id']}  {one['about']}".strip()) for k, one in enumerate(utterances)],
        series=[name for name in SERIES if any(name in one["tracks"] for one in utterances)],
        colours={name: style.colour(name) for name in SERIES},
        **{"summary": [], "protocol": {}, "tables": [], "pictures": []} | content,
    )
