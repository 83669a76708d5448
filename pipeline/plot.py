"""Stage 6: draw the predictions beside what was measured, and what the errors are made of.

Writes every picture as PNG and, for print, as PDF into reports/plots; the moving midsagittal view
as GIF, as MP4 with sound where ffmpeg is installed, and as a page of its own, utterance.html.
``plot.utterance`` chooses the test utterance that is shown, ``plot.track`` the one track of the
smallest picture; the last, where there are not so many.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from features import metrics
from pipeline.evaluation import palates, tables
from pipeline.evaluation.scores import Predictions, sensor_of
from pipeline.ground import artifacts, params
from pipeline.ground.console import UsageError, progress, run, say, stage_parser
from pipeline.ground.sensors import TONGUE
from pipeline.ground.storage import Store, write_text
from pipeline.pages import browser
from pipeline.plots import articulators, calibration, curves, errors, style
from pipeline.plots import scene as scenes
from pipeline.plots.curves import QUANTITIES

PAGES = Path("reports/pages")
MEAN = "from the speaker's mean"
Rows = dict[str, dict[str, Any]]
Thing = TypeVar("Thing")
Array = NDArray[np.floating]


def chosen(things: Sequence[Thing], index: int, key: str, what: str) -> Thing:
    """Return the one that a parameter counts to, or the last, and say so."""
    if index >= len(things):
        say(f"plot.{key}: {index}, and there are {len(things)} {what}, from 0: shows the last")
        return things[-1]
    return things[index]


def with_floors(rows: list[dict[str, Any]], key: str) -> dict[str, Rows]:
    """Return a table as runs for `curves.comparison`: the network and the floors it names."""
    names = {row[key]: style.sensor_name(row[key], [row[key] for row in rows]) for row in rows}
    runs: dict[str, Rows] = {"network": {names[row[key]]: row for row in rows}}
    for floor, figures in (("ridge", QUANTITIES), ("mean", ["rmse_mm"])):
        if rows and f"{floor}_rmse_mm" in rows[0]:
            runs[floor] = {
                names[row[key]]: {figure: row[f"{floor}_{figure}"] for figure in figures}
                for row in rows
            }
    return runs


def sensor_groups(sensors: Sequence[str]) -> dict[str, list[str]]:
    """Sort sensors into tongue, lips and jaw, and the rest."""
    tongue = [name for name in sensors if name in TONGUE]
    outer = [
        name for name in sensors if name in ("UL", "LL", "LC", "RC", "LI", "ML", "JAW", "JAWL")
    ]
    rest = [name for name in sensors if name not in {*tongue, *outer}]
    groups = {"tongue": tongue, "lips and jaw": outer, "others": rest}
    return {title: names for title, names in groups.items() if names}


def pooled(predictions: Predictions) -> tuple[Array, Array]:
    """Return all frames [N, D], measured and predicted, from each speaker's measured mean.

    Speakers' coordinates differ: taken as they are, how far speakers are apart would look like
    correlation.
    """
    of_speaker = defaultdict(list)
    for entry in predictions.entries:
        of_speaker[entry.about["speaker"]].append(entry)
    sides: dict[str, list[Array]] = {"measured": [], "predicted": []}
    for entries in of_speaker.values():
        frames = {
            side: np.concatenate([predictions.mm(entry, side) for entry in entries])
            for side in sides
        }
        mean = metrics.mean(frames["measured"])
        for side, found in sides.items():
            found.append(frames[side] - mean)
    return np.concatenate(sides["measured"]), np.concatenate(sides["predicted"])


def of_test_side(predictions: Predictions) -> Iterator[tuple[str, Figure]]:
    """Yield the pictures of the whole test set."""
    channels = predictions.channels[predictions.positions]
    unit, figures = predictions.unit, curves.quantities(predictions.unit)
    rows = {row["track"]: row for row in tables.read("tracks")}
    scores = {c: style.signed(f"r {rows[c]['within_speakers_pearson_r']:.2f}") for c in channels}
    yield "scatter", articulators.scatter(*pooled(predictions), channels, scores, unit, MEAN)
    sensors = tables.read("sensors")
    yield "articulators", curves.comparison(with_floors(sensors, "sensor"), figures)
    groups = sensor_groups([row["sensor"] for row in sensors])
    yield "error_cdf", errors.error_cdf(tables.read("error_cdf"), groups, unit)
    columns = {
        name: [c for c in channels if sensor_of(c) == name]
        for names in groups.values()
        for name in names
    }
    for key in ("phone", "class"):
        if rows_of := tables.read("phones" if key == "phone" else "phone_classes"):
            yield f"{key}_errors", errors.phone_errors(rows_of, key, columns, unit)
    if variables := tables.read("tract_variables"):
        runs = with_floors(variables, "variable")
        yield "tract_variables", curves.comparison(runs, figures)
    if coverage := tables.read("calibration"):
        yield "calibration", calibration.calibration(coverage)


def draw_pictures(predictions: Predictions, settings: params.Plot) -> None:
    """Draw everything that the stage draws."""
    entry = chosen(predictions.entries, settings.utterance, "utterance", "test utterances")
    channels = predictions.channels[predictions.positions]
    track = chosen(channels, settings.track, "track", "tracks")
    scene = scenes.of_prediction(predictions, entry, palates.from_rows(tables.read("palates")))
    history = tables.read_csv(artifacts.TRAINED / "history.csv", "train")
    pictures = chain(
        [("learning_curves", curves.learning_curves(history))],
        scenes.pictures(scene, track),
        of_test_side(predictions),
    )
    count = 0
    for name, figure in progress(pictures, unit="pictures"):
        style.save(figure, artifacts.PLOTS / name)
        count += 1
    count += len(scenes.animate(scene, artifacts.PLOTS / "midsagittal"))
    if scene.audio is not None:
        page = browser.page(scene.id, [browser.pack(scene)])
        write_text(artifacts.PLOTS / "utterance.html", page)
        count += 1
    say(f"plot: {count} pictures -> {artifacts.PLOTS}")


def draw_pages(
    predictions: Predictions, ids: Sequence[str], channels: Sequence[str], folder: Path, dpi: int
) -> None:
    """Draw a page for each of these test utterances, or for all, with these channels, or all."""
    known = {entry.id: entry for entry in predictions.entries}
    if unknown := [name for name in ids if name not in known]:
        raise UsageError(f"no test utterance {', '.join(unknown)} among {', '.join(known)}")
    for name in progress(list(ids) or list(known), unit="pages"):
        scene = scenes.of_prediction(predictions, known[name], {})
        try:
            figure = scenes.page(scene, channels or None)
        except ValueError as error:
            raise UsageError(str(error)) from None
        style.save(figure, folder / name, dpi)
    say(f"plot: {len(ids) or len(known)} pages -> {folder}")


def main() -> None:
    """Run the stage."""
    parser = stage_parser(__doc__, "plot")
    pages = parser.add_argument_group("pages of test utterances in place of the stage's pictures")
    pages.add_argument("--pages", nargs="*", metavar="ID", help="of these utterances; none: all")
    pages.add_argument("--channels", nargs="+", default=[], help="such as TT_y LL_y; default: all")
    pages.add_argument("--output", type=Path, default=PAGES, help=f"folder; default: {PAGES}")
    pages.add_argument("--dpi", type=int, default=300, help="of the PNG; default: 300")
    arguments = parser.parse_args()
    predictions = Predictions(Store(artifacts.PREDICTIONS, "evaluate"))
    if arguments.pages is None:
        draw_pictures(predictions, params.load().plot)
    else:
        draw_pages(
            predictions, arguments.pages, arguments.channels, arguments.output, arguments.dpi
        )


if __name__ == "__main__":
    run(main)
