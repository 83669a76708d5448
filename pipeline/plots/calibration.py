"""Whether predicted variances are right: nominal against observed coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from pipeline.plots import style


def calibration(rows: Sequence[Mapping[str, float]]) -> Figure:
    """Draw how often errors lie within the intervals that are predicted for them.

    Parameters
    ----------
    rows : sequence of mapping
        From `pipeline.evaluation.calibration.table`: ``nominal``, ``observed``, and a column per
        track.

    Returns
    -------
    Figure
        A column wide. Below the diagonal the network is surer than it should be.
    """
    page = style.figure(style.COLUMN, style.COLUMN)
    axes = page.subplots()
    nominal = [row["nominal"] for row in rows]
    tracks = [key for key in rows[0] if key not in ("nominal", "observed")]
    each = [[row[track] for track in tracks] for row in rows]
    axes.plot((0, 1), (0, 1), color=style.BLACK, linewidth=0.5, label="as it should be")
    axes.fill_between(
        nominal,
        [min(values) for values in each],
        [max(values) for values in each],
        color=style.GREY,
        alpha=0.3,
        linewidth=0,
        label="from track to track",
    )
    observed = [row["observed"] for row in rows]
    axes.plot(
        nominal, observed, color=style.VERMILION, marker="o", markersize=2, label="all tracks"
    )
    axes.set(
        xlabel="share of errors within the interval, nominal",
        ylabel="observed",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    axes.legend(loc="upper left")
    return page
