"""Predicted over measured, articulator by articulator: trajectories, scatter, velocity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.ground.utterance import Tracks
from pipeline.plots import style

Array = NDArray[np.floating]
COLUMNS = 4  # of a page of small panels


def one_track(
    tracks: Mapping[str, Tracks], channel: str, *, score: str = "", title: str = ""
) -> Figure:
    """Draw one channel of one utterance, predicted over measured, a column wide.

    Parameters
    ----------
    tracks : mapping of str to Tracks
        ``measured``, ``predicted``.
    channel : str
        Such as ``TT_y``.
    score, title : str
        Written at the right and at the left above the panel.
    """
    page = style.figure(style.COLUMN, 55)
    axes = page.subplots()
    draw(axes, tracks, channel)
    sensors = [name.partition("_")[0] for name in next(iter(tracks.values())).channels]
    name = style.channel_name(channel, sensors)
    axes.set(xlabel="time (s)", ylabel=f"{name} ({unit_of(tracks)})")
    axes.set_title(style.fitting(title, style.COLUMN - 45))
    axes.set_title(score, loc="right")
    style.name_series(page, tracks, loc="outside lower center")
    return page


def all_tracks(
    tracks: Mapping[str, Tracks], scores: Mapping[str, str], *, title: str = ""
) -> Figure:
    """Draw every channel of one utterance in a panel of its own, with a score in each.

    Parameters
    ----------
    tracks : mapping of str to Tracks
        ``measured``, ``predicted``.
    scores : mapping of str to str
        Channel to what is written at the right above its panel.
    """
    channels = next(iter(tracks.values())).channels
    page, panels = grid(len(channels), 27, sharex=True)
    for panel, channel in zip(panels, channels, strict=True):
        draw(panel, tracks, channel)
        style.position_axis(panel)
        panel.set_title(channel.replace("_", " "))
        panel.set_title(scores.get(channel, ""), loc="right", fontsize=6)
    page.supxlabel("time (s)", fontsize=7)
    note = style.axes_note(channels)
    page.supylabel(f"position ({unit_of(tracks)})" + f": {note}" * bool(note), fontsize=7)
    style.head(page, tracks, title)
    return page


def scatter(
    measured: Array,
    predicted: Array,
    channels: Sequence[str],
    scores: Mapping[str, str],
    unit: str = "mm",
    origin: str = "",
) -> Figure:
    """Draw predicted against measured positions of all frames, the more the darker.

    Parameters
    ----------
    measured, predicted : float [N, D]
    channels : sequence of str, length D
    scores : mapping of str to str
        Channel to what is written into its panel.
    unit : str
        Of the positions.
    origin : str
        What they are measured from, such as ``from the mean``; nothing for the axes of the tracks.
    """
    page, panels = grid(len(channels), 40)
    for d, (panel, channel) in enumerate(zip(panels, channels, strict=True)):
        known = np.isfinite(measured[:, d]) & np.isfinite(predicted[:, d])
        x, y = measured[known, d], predicted[known, d]
        both = np.concatenate([x, y]) if len(x) else np.zeros(1)
        low, high = both.min() - 0.5, both.max() + 0.5
        if len(x):
            panel.hist2d(
                x,
                y,
                bins=60,
                range=[[low, high]] * 2,
                cmap="Blues",
                norm=LogNorm(vmin=0.3),  # so that a single frame still shows
                rasterized=True,
            )
        panel.plot([low, high], [low, high], color=style.GREY, linewidth=0.5)
        panel.set(aspect="equal", xlim=(low, high), ylim=(low, high))
        style.position_axis(panel)
        panel.set_xticks(panel.get_yticks(), minor=False)
        panel.set(xlim=(low, high), ylim=(low, high))
        panel.set_title(channel.replace("_", " "))
        panel.set_title(scores.get(channel, ""), loc="right", fontsize=6)
    within = ", ".join(filter(None, (unit, origin)))
    page.supxlabel(f"measured ({within})", fontsize=7)
    page.supylabel(f"predicted ({within})", fontsize=7)
    return page


def unit_of(tracks: Mapping[str, Tracks]) -> str:
    """Return what tracks are measured in."""
    return next(iter(tracks.values())).unit


def grid(count: int, height: float, *, sharex: bool = False) -> tuple[Figure, list[Axes]]:
    """Return a page and ``count`` small panels of a height in mm, four to a row."""
    columns = min(count, COLUMNS)
    rows = -(-count // columns)
    page = style.figure(style.PAGE, 12 + height * rows)
    panels = page.subplots(rows, columns, squeeze=False, sharex=sharex).ravel()
    for panel in panels[count:]:
        panel.set_visible(False)
    if sharex:
        for panel in panels[max(count - columns, 0) : count]:
            panel.tick_params(labelbottom=True)
    return page, list(panels[:count])


def draw(axes: Axes, tracks: Mapping[str, Tracks], channel: str) -> None:
    """Draw one channel of every series that has it."""
    for name, track in tracks.items():
        if channel in track.channels:
            values = track.values[:, track.channels.index(channel)]
            axes.plot(track.time, values, **style.stroke(name))
    axes.margins(x=0)
