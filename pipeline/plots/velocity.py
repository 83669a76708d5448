"""How fast the articulators move, and when each movement starts, is fastest and ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from features.landmarks import movements
from pipeline.ground.sensors import positions
from pipeline.ground.utterance import Label, Tracks
from pipeline.plots import style
from pipeline.plots.timeline import LABELS, draw_phones, head, label, stack

MARKS = (">", "o", "<")  # onset, peak, end


def speed_of(time: NDArray[np.floating], place: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return how fast a point [T, axes] moves at each time [T] in s; NaN for a single instant."""
    if len(time) < 2:
        return np.full(len(time), np.nan)
    return np.linalg.norm(np.gradient(place, time, axis=0), axis=1)


def velocity(
    tracks: Mapping[str, Tracks],
    sensors: Sequence[str],
    *,
    phones: Sequence[Label] = (),
    title: str = "",
) -> Figure:
    """Draw the speed of some sensors over time, with the landmarks of each movement.

    Parameters
    ----------
    tracks : mapping of str to Tracks
        ``measured``, ``predicted`` or both, on the frame grid.
    sensors : sequence of str
        Each must have a forward and a height channel.
    phones : sequence of Label
        Seconds in the audio.

    Returns
    -------
    Figure
        A page wide. A movement starts and ends 20 % of the way from valley to peak.
    """
    labels = [LABELS] if phones else []
    page, panels, behind = stack([*labels, *([22] * len(sensors))])
    time = next(iter(tracks.values())).time
    if phones:
        draw_phones(panels[0], phones, float(time[-1]))
    edges = sorted({edge for phone in phones for edge in (phone.start, phone.end)})
    behind.vlines(edges, 0, 1, color=style.GREY, linewidth=0.3, alpha=0.6)
    for panel, sensor in zip(panels[len(labels) :], sensors, strict=True):
        for name, track in tracks.items():
            place = positions(track.values, track.channels, [sensor])[:, 0]
            speed = speed_of(track.time, place)
            panel.plot(track.time, speed, **style.stroke(name))
            found = [(m.onset, m.peak, m.end) for m in movements(track.time, place)]
            for instants, shape in zip(np.array(found).reshape(-1, 3).T, MARKS, strict=True):
                panel.plot(
                    instants,
                    np.interp(instants, track.time, speed),
                    shape,
                    markersize=3,
                    markerfacecolor="white",
                    markeredgecolor=style.colour(name),
                    markeredgewidth=0.7,
                )
        panel.set_ylim(0, None)
        label(panel, f"{sensor}\n({next(iter(tracks.values())).unit}/s)")
    for panel in (behind, *panels):
        panel.set_xlim(0, max(float(time[-1]), 0.01))
    behind.set_xlabel(
        "time (s)      ▷ onset, ○ peak, ◁ end of a movement: 20 % of the way up to its peak"
    )
    head(behind, tracks, title)
    return page
