"""An utterance on one time axis: waveform, phone labels, spectrogram and tracks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from features.spectrogram import spectrogram
from pipeline.ground.utterance import Label, Tracks
from pipeline.plots import style

WAVEFORM, LABELS, SPECTROGRAM = 12, 5, 24  # mm
LEFT, RIGHT = 22, 15  # mm, margins of a page
LONG = 5  # letters of a sensor's name that leave room for an axis beside it
LETTER = 1.5  # mm, mean width of one of 6 points
POINTS = 2000  # of the waveform's outline: more than a page can show


def timeline(
    audio: NDArray[np.floating],
    sample_rate: int,
    tracks: Mapping[str, Tracks],
    *,
    phones: Sequence[Label] = (),
    channels: Sequence[str] | None = None,
    scores: Mapping[str, str] | None = None,
    title: str = "",
) -> Figure:
    """Draw waveform, phone labels, spectrogram and trajectories on one time axis.

    Parameters
    ----------
    audio : float [samples]
        At ``sample_rate`` Hz.
    tracks : mapping of str to Tracks
        ``measured``, ``predicted`` or both, or any other names; drawn over each other.
    phones : sequence of Label
        Seconds in the audio; empty for none.
    channels : sequence of str or None
        Which to show and in which order; None for all of the first tracks.
    scores : mapping of str to str or None
        A short text at the right of a channel's panel, such as its correlation.
    title : str
        Above the page.

    Returns
    -------
    Figure
        A page 180 mm wide.

    Raises
    ------
    ValueError
        Where a channel is asked for that no track has.
    """
    known = list(dict.fromkeys(name for track in tracks.values() for name in track.channels))
    shown = known if channels is None else list(channels)
    if missing := [name for name in shown if name not in known]:
        raise ValueError(f"no channel {', '.join(missing)} among {', '.join(known)}")
    row = 7.4 if len(shown) > 12 else 14
    seconds = max(len(audio) / sample_rate, 1e-3)
    phones = [phone for phone in phones if phone.start < seconds]
    labels = [LABELS] if phones else []
    page, panels, behind = stack([WAVEFORM, *labels, SPECTROGRAM, *([row] * len(shown))])
    draw_waveform(panels[0], audio, sample_rate)
    if phones:
        draw_phones(panels[1], phones, seconds)
    draw_spectrogram(panels[1 + len(labels)], audio, sample_rate)
    for panel, channel in zip(panels[2 + len(labels) :], shown, strict=True):
        draw_channel(panel, channel, tracks)
        panel.text(
            1.008,
            0.5,
            (scores or {}).get(channel, ""),
            transform=panel.transAxes,
            va="center",
            fontsize=6,
        )
    edges = sorted({min(edge, seconds) for phone in phones for edge in (phone.start, phone.end)})
    behind.vlines(edges, 0, 1, color=style.GREY, linewidth=0.3, alpha=0.6)
    for panel in (behind, *panels):
        panel.set_xlim(0, seconds)
    behind.set_xlabel(f"time (s)      {style.axes_note(shown)}".rstrip())
    head(behind, tracks, title)
    return page


def head(behind: Axes, series: Iterable[str], title: str) -> None:
    """Write title and legend above a stack of panels."""
    names = list(series)
    behind.set_title(style.fitting(title, style.PAGE - LEFT - RIGHT - style.legend_width(names)))
    style.name_series(
        behind, names, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, borderpad=0.2
    )


def stack(heights: Sequence[float]) -> tuple[Figure, list[Axes], Axes]:
    """Return a page, panels of these heights in mm below each other, and one axis behind them all.

    Margins are fixed: a layout engine would measure each of some hundred tick labels many times.
    """
    left, right, top, bottom, gap = LEFT, RIGHT, 6, 8, 2.4  # mm
    inner = sum(heights) + gap * (len(heights) - 1)
    width, height = style.PAGE, inner + top + bottom
    page = style.figure(width, height, layout=None)
    span = (width - left - right) / width
    behind = page.add_axes((left / width, bottom / height, span, inner / height))
    behind.set(yticks=[], ylim=(0, 1))
    behind.spines["left"].set_visible(False)
    panels = []
    for k, own in enumerate(heights):
        from_bottom = bottom + sum(heights[k + 1 :]) + gap * (len(heights) - k - 1)
        panel = page.add_axes((left / width, from_bottom / height, span, own / height))
        panel.set_xticks([])
        panel.patch.set_visible(False)
        panel.spines["bottom"].set_visible(False)
        panels.append(panel)
    return page, panels, behind


def label(panel: Axes, text: str) -> None:
    """Write the name of a panel at its left, all names flush on one line down the page."""
    panel.annotate(
        text,
        (0, 0.5),
        xytext=(-9.5 * style.MM * 72, 0),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="center",
    )


def draw_waveform(panel: Axes, audio: NDArray[np.floating], sample_rate: int) -> None:
    """Draw the outline of a waveform, least and greatest sample of every short stretch."""
    step = max(len(audio) // POINTS, 1)
    whole = audio[: len(audio) // step * step].reshape(-1, step)
    time = np.arange(len(whole)) * step / sample_rate
    panel.fill_between(
        time, whole.min(1), whole.max(1), color=style.colour("measured"), linewidth=0.3
    )
    peak = max(float(np.abs(audio).max(initial=0)), 1e-3)
    panel.set_ylim(-1.05 * peak, 1.05 * peak)
    panel.set_yticks([])
    panel.spines["left"].set_visible(False)
    label(panel, "sound")


def label_rows(phones: Sequence[Label], seconds: float, width: float) -> list[int | None]:
    """Put labels on two rows so that no text runs into another; None where neither has room.

    Parameters
    ----------
    phones : sequence of Label
        In order of time.
    seconds, width : float
        What the axis shows, and how wide it is in mm.
    """
    free = [-np.inf, -np.inf]  # of each row: where its last text ends, mm
    rows: list[int | None] = []
    for phone in phones:
        middle = (phone.start + phone.end) / 2 / max(seconds, 1e-9) * width
        half = (len(phone.text) * LETTER + 0.6) / 2
        row = next((k for k in (0, 1) if free[k] <= middle - half), None)
        if middle + half > width:
            row = None
        if row is not None and phone.text:
            free[row] = middle + half
        rows.append(row)
    return rows


def draw_phones(panel: Axes, phones: Sequence[Label], seconds: float) -> None:
    """Write each phone into the middle of its stretch, on two rows where they are short."""
    panel.set_ylim(0, 1)
    panel.set_yticks([])
    panel.spines["left"].set_visible(False)
    label(panel, "phones")
    width = style.PAGE - LEFT - RIGHT
    for phone, row in zip(phones, label_rows(phones, seconds, width), strict=True):
        if row is not None:
            panel.text(
                (phone.start + phone.end) / 2,
                (0.75, 0.2)[row],
                phone.text,
                ha="center",
                va="center",
                fontsize=6,
                clip_on=True,
            )


def draw_spectrogram(panel: Axes, audio: NDArray[np.floating], sample_rate: int) -> None:
    """Draw a wide-band spectrogram, the loudest black, in kHz."""
    time, frequency, level = spectrogram(audio, sample_rate)
    top = frequency[-1] / 1000
    end = time[-1] + (time[1] if len(time) > 1 else 0.002)
    panel.imshow(
        level,
        cmap="Greys",
        vmin=0,
        vmax=1,
        origin="lower",
        aspect="auto",
        extent=(0, end, 0, top),
        interpolation="bilinear",
    )
    label(panel, "kHz")
    panel.set_yticks(np.arange(0, top, 2))


def draw_channel(panel: Axes, channel: str, tracks: Mapping[str, Tracks]) -> None:
    """Draw one channel of every series; missing samples are gaps."""
    for name, track in tracks.items():
        if channel in track.channels:
            values = track.values[:, track.channels.index(channel)]
            panel.plot(track.time, values, **style.stroke(name))
    unit = next((track.unit for track in tracks.values() if channel in track.channels), "mm")
    sensor, _, axis = channel.replace("_", " ").rpartition(" ")
    words = f"{sensor}\n{axis}" if len(sensor) > LONG else f"{sensor} {axis}\n"
    label(panel, f"{words} ({unit})".replace("\n ", "\n"))
    style.position_axis(panel)
