"""The midsagittal view: fleshpoints, the tongue through them, lips and palate, still and moving."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from numpy.typing import NDArray
from PIL import Image
from scipy.interpolate import CubicSpline

from features import metrics
from features.phones import phone_classes
from pipeline.evaluation.palates import Palate
from pipeline.formats import audio as sound
from pipeline.ground.console import InputError
from pipeline.ground.sensors import positions, tongue_sensors
from pipeline.ground.storage import atomic_path
from pipeline.ground.utterance import Label, Tracks
from pipeline.plots import names, style

CONTOUR_POINTS = 24
STEPS = 10  # instants that stand for an utterance without labels
BARS = 14  # mm that axis labels take of the width of a picture with one panel
FRAME_RATE = 25  # Hz, of an animation: what a GIF can time exactly
DPI = 110  # of an animation
Array = NDArray[np.floating]


def fleshpoints(channels: Sequence[str]) -> tuple[str, ...]:
    """Return the sensors that have both a forward and a height channel, in their order."""
    return tuple(c[:-2] for c in channels if c.endswith("_x") and f"{c[:-2]}_y" in channels)


def contour_weights(tongue: Array) -> Array:
    """Return what draws a smooth tongue through its points, as a linear map.

    Parameters
    ----------
    tongue : float64 [T, n, 2]
        Tongue points from tip to root.

    Returns
    -------
    float64 [24, n]
        ``weights @ points`` is a cubic spline through ``points`` [n, 2], parametrised by the mean
        distances between neighbours; fewer than three points are joined by a straight line.
    """
    n = tongue.shape[1]
    if n < 2:
        return np.ones((CONTOUR_POINTS, n))
    steps = np.nan_to_num(np.nanmean(np.linalg.norm(np.diff(tongue, axis=1), axis=2), axis=0))
    place = np.concatenate([[0.0], np.cumsum(np.maximum(steps, 1e-6))])
    fine = np.linspace(0, place[-1], CONTOUR_POINTS)
    if n == 2:
        return np.stack([1 - fine / place[-1], fine / place[-1]], axis=1)
    return CubicSpline(place, np.eye(n), bc_type="natural")(fine)


def extent(tracks: Mapping[str, Tracks], palate: Palate | None) -> tuple[Array, Array]:
    """Return the lower left and the upper right corner [2] of all that is ever shown, in mm."""
    clouds = [] if palate is None else [palate.outline]
    if not fleshpoints(next(iter(tracks.values())).channels):
        raise ValueError("no sensor has both a forward (_x) and a height (_y) channel")
    for track in tracks.values():
        places = positions(track.values, track.channels, fleshpoints(track.channels))
        clouds.append(places.reshape(-1, 2))
    everything = np.concatenate(clouds)
    return np.nanmin(everything, axis=0) - 8, np.nanmax(everything, axis=0) + 8


def named(palate: Palate) -> str:
    """Return what the legend calls a palate: it tells where it is from."""
    return f"palate ({palate.source})"


def series(tracks: Mapping[str, Tracks], palate: Palate | None) -> list[str]:
    """Return what the legend names."""
    return [*tracks, *([] if palate is None else [named(palate)])]


def name_offsets(
    points: Mapping[str, Array],
    sensors: Sequence[str],
    tongue: Sequence[int],
    weights: Array,
    palate: Palate | None,
    scale: float,
) -> Array:
    """Return where the sensors' names stand: below the tongue, else away from the middle.

    Parameters
    ----------
    points : mapping of str to float [T, n, 2]
        Of each series, the sensors' places in mm; their mean over time is what names keep clear of.
    sensors : sequence of str, length n
    tongue : sequence of int
        Which of them make the tongue.
    weights : float [24, len(tongue)]
        Of `contour_weights`.
    palate : Palate or None
    scale : float
        Points of print per mm.

    Returns
    -------
    float [n, 2]
        From each sensor of the first series to the middle of its name, in points of print.
    """
    mean = [scale * metrics.mean(places) for places in points.values()]
    lines = [weights @ places[list(tongue)] for places in mean]
    if palate is not None:
        along = np.linspace(0, len(palate.outline) - 1, 4 * CONTOUR_POINTS)
        corner = np.arange(len(palate.outline))
        lines.append(scale * np.stack([np.interp(along, corner, v) for v in palate.outline.T], 1))
    away = np.nan_to_num(mean[0] - metrics.mean(mean[0]))
    away[list(tongue)] = 0, -1
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    return names.beside(
        mean[0], sensors, away, others=np.concatenate(mean[1:] or [mean[0]]), lines=np.vstack(lines)
    )


class View:
    """A midsagittal view on some axes that can be moved from frame to frame.

    Parameters
    ----------
    axes : Axes
        Equal scales, in mm; the lips are on the right.
    tracks : mapping of str to Tracks
        ``measured``, ``predicted`` or both, on one grid.
    palate : Palate or None
    """

    def __init__(
        self,
        axes: Axes,
        tracks: Mapping[str, Tracks],
        palate: Palate | None = None,
    ) -> None:
        self.axes = axes
        self.palate = palate
        first_track = next(iter(tracks.values()))
        self.sensors = fleshpoints(first_track.channels)
        self.points = {
            name: positions(track.values, track.channels, self.sensors)
            for name, track in tracks.items()
        }
        self.tongue = [self.sensors.index(name) for name in tongue_sensors(first_track.channels)]
        first = next(iter(self.points.values()))
        self.weights = contour_weights(first[:, self.tongue])
        if palate is not None:
            axes.plot(*palate.outline.T, **style.stroke(named(palate)))
        self.contours: dict[str, Line2D] = {}
        self.dots: dict[str, Line2D] = {}
        for name in tracks:
            stroke = style.stroke(name)
            inside = stroke["color"] if name == "measured" else "white"
            self.contours[name] = axes.plot([], [], **stroke)[0]
            self.dots[name] = axes.plot(
                [], [], "o", markersize=3, color=stroke["color"], markerfacecolor=inside
            )[0]
        low, high = extent(tracks, palate)
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
        self.names: list[Annotation] = []

    def name_sensors(self, width: float, frame: int | None = None) -> None:
        """Write each sensor's name beside it.

        Parameters
        ----------
        width : float
            Of the panel, in mm.
        frame : int or None
            Of which names cover nothing; None for the mean of all, where the view moves.
        """
        low, high = self.axes.get_xlim()
        shown = slice(None) if frame is None else slice(frame, frame + 1)
        offsets = name_offsets(
            {name: points[shown] for name, points in self.points.items()},
            self.sensors,
            self.tongue,
            self.weights,
            self.palate,
            width * style.MM * 72 / (high - low),
        )
        self.names = [
            self.axes.annotate(
                sensor,
                (0, 0),
                xytext=tuple(offset),
                textcoords="offset points",
                ha="center",
                va="center",
                fontsize=names.SIZE,
                color=style.GREY,
            )
            for sensor, offset in zip(self.sensors, offsets, strict=True)
        ]

    def show(self, frame: int) -> None:
        """Move every point, its name and the contours to a frame."""
        for name, points in self.points.items():
            self.dots[name].set_data(*points[frame].T)
            self.contours[name].set_data(*(self.weights @ points[frame, self.tongue]).T)
        for text, place in zip(self.names, next(iter(self.points.values()))[frame], strict=False):
            text.xy = tuple(place)
            text.set_visible(bool(np.isfinite(place).all()))


def steps(start: float, end: float) -> list[Label]:
    """Return ten stretches of the same length without a name; one of an instant."""
    edges = np.linspace(start, end, STEPS + 1 if end > start else 2).tolist()
    return [Label(a, b, "") for a, b in pairwise(edges)]


def still(
    tracks: Mapping[str, Tracks],
    phones: Sequence[Label],
    palate: Palate | None = None,
    *,
    span: tuple[float, float] | None = None,
    title: str = "",
) -> Figure:
    """Draw the midsagittal view at the middle of each phone, silence left out.

    Parameters
    ----------
    tracks, palate
        As for `View`.
    phones : sequence of Label
        One panel each; without any, ten at even steps.
    span : tuple of float or None
        Seconds from and to which these steps go; None for the whole utterance.

    Returns
    -------
    Figure
        A page wide; a column wide for one panel.
    """
    time, unit = next(iter(tracks.values())).time, next(iter(tracks.values())).unit
    classes = phone_classes(phone.text for phone in phones)
    shown = [phone for phone in phones if classes[phone.text] != "silence"]
    shown = shown or steps(*(span or (float(time[0]), float(time[-1]))))
    columns = min(max(len(shown), 3), 5)
    rows = -(-len(shown) // columns)
    low, high = extent(tracks, palate)
    width = (style.PAGE - BARS) / columns - 2
    across = style.PAGE
    if len(shown) == 1:
        columns, across, width = 1, style.COLUMN, style.COLUMN - BARS
    page = style.figure(across, 18 + rows * (5 + width * (high - low)[1] / (high - low)[0]))
    panels = page.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for panel in panels[len(shown) :]:
        panel.set_visible(False)
    for k, (panel, phone) in enumerate(zip(panels, shown, strict=False)):
        middle = (phone.start + phone.end) / 2
        frame = int(np.argmin(np.abs(time - middle)))
        view = View(panel, tracks, palate)
        if k == 0:
            view.name_sensors(width, frame)
        view.show(frame)
        panel.set_title(f"[{phone.text}] {middle:.2f} s" if phone.text else f"{middle:.2f} s")
        panel.label_outer()
        if k >= len(shown) - columns:  # nothing is shown below it
            panel.tick_params(labelbottom=True)
    page.supxlabel(f"forward ({unit})", fontsize=7)
    page.supylabel(f"height ({unit})", fontsize=7)
    if len(shown) == 1:
        panels[0].set_title(style.fitting(title, across / 2), loc="right")
        style.name_series(page, series(tracks, palate), loc="outside lower center")
    else:
        style.head(page, series(tracks, palate), title)
    return page


def animate(
    stem: Path,
    audio: NDArray[np.floating],
    sample_rate: int,
    tracks: Mapping[str, Tracks],
    palate: Palate | None = None,
    *,
    title: str = "",
) -> list[Path]:
    """Write the moving midsagittal view: a GIF, and an MP4 with sound where ffmpeg is installed.

    Parameters
    ----------
    stem : Path
        Written are ``STEM.gif`` and ``STEM.mp4``.
    audio : float [samples]
        At ``sample_rate`` Hz.
    tracks, palate
        As for `View`.

    Returns
    -------
    list of Path
        What was written.
    """
    page = style.figure(style.COLUMN, 80)
    canvas = FigureCanvasAgg(page)
    page.set_dpi(DPI)
    view = View(page.subplots(), tracks, palate)
    view.name_sensors(style.COLUMN - BARS)
    unit = next(iter(tracks.values())).unit
    view.axes.set(xlabel=f"forward ({unit})", ylabel=f"height ({unit})")
    view.axes.set_title(style.fitting(title, style.COLUMN - 2 * BARS))
    clock = view.axes.set_title("", loc="right")
    style.name_series(page, series(tracks, palate), loc="outside lower center")
    style.make_legible(page)
    time = next(iter(tracks.values())).time
    frames = []
    for instant in np.arange(0, len(audio) / sample_rate, 1 / FRAME_RATE):
        view.show(int(np.argmin(np.abs(time - instant))))
        clock.set_text(f"{instant:.2f} s")
        canvas.draw()
        page.set_layout_engine("none")  # laid out once; the axes do not move again
        frames.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    written = [write_gif(stem.with_suffix(".gif"), frames)]
    if shutil.which("ffmpeg"):
        written.append(write_mp4(stem.with_suffix(".mp4"), frames, audio, sample_rate))
    return written


def write_gif(path: Path, frames: Sequence[NDArray[np.uint8]]) -> Path:
    """Write frames [height, width, 3] as an endless GIF."""
    palette = Image.fromarray(frames[0]).quantize(64, dither=Image.Dither.NONE)
    pictures = [
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in frames
    ]
    with atomic_path(path) as part:
        pictures[0].save(
            part,
            "GIF",
            save_all=True,
            append_images=pictures[1:],
            loop=0,
            duration=1000 // FRAME_RATE,
            optimize=False,
        )
    return path


def write_mp4(
    path: Path, frames: Sequence[NDArray[np.uint8]], audio: NDArray[np.floating], sample_rate: int
) -> Path:
    """Write frames [height, width, 3] and sound as MP4 (H.264 and AAC), by ffmpeg."""
    height, width = (side // 2 * 2 for side in frames[0].shape[:2])  # H.264 wants even sides
    with tempfile.TemporaryDirectory() as folder, atomic_path(path) as part:
        sound.write(Path(folder) / "sound.wav", audio, sample_rate)
        picture = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
        command = ["ffmpeg", "-loglevel", "error", "-y", *picture, "-r", str(FRAME_RATE), "-i", "-"]
        command += ["-i", f"{folder}/sound.wav", "-c:v", "libx264", "-pix_fmt", "yuv420p"]
        command += ["-c:a", "aac", "-movflags", "+faststart", "-f", "mp4", str(part)]
        pixels = b"".join(frame[:height, :width].tobytes() for frame in frames)
        result = subprocess.run(command, input=pixels, capture_output=True)
        if result.returncode:
            reason = " ".join(result.stderr.decode(errors="replace").split())
            raise InputError(f"{path}: ffmpeg could not write it ({reason})")
    return path
