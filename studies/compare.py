"""The table of docs/results.md: every network beside the default, trained and tested alike.

``python -m studies.compare`` (`make compare`) trains whatever row has not been trained with the
parameters of today, cheapest first, and resumes where it was interrupted; each figure is kept in
``studies/results/compare.json`` as soon as it is known. It then prints and writes the table
(``compare.md``) and draws it (``docs/pictures/compare``). It needs what ``dvc repro standardize``
leaves. Training times are those of the first seed, which has the machine to itself: others may be
trained side by side, by commands for other ``--rows``. A row differs from the default recipe in
what it names and in nothing else: epochs, learning rate and all other settings were chosen for the
default on the validation set.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT, machine
from pipeline.ground.console import UsageError, run, say_text
from pipeline.ground.storage import write_text
from pipeline.plots import style
from studies import trials
from studies.trials import Figure, Result, Results, Trial

FOLDER = Path("data/compare")
RESULTS = ROOT / "studies" / "results" / "compare.json"
PICTURE = ROOT / "docs" / "pictures" / "compare"
HEADER = (
    "test set",
    "command",
    "weights",
    "training (s)",
    "frames/s",
    "validation RMSE (mm)",
    "test RMSE (mm)",
    "Pearson's r",
)

Overrides = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes
    ----------
    text : str
        What stands in the table.
    overrides : mapping
        What differs from params.yaml, by keys with dots.
    seeds : int
        How many trainings are averaged.
    source : str
        Which predictions: those that people get, ``unsmoothed``, ``raw`` as the network gives
        them, or a floor's. Rows of equal overrides share their trainings.
    """

    text: str
    overrides: Overrides
    seeds: int = 1
    source: str = "predicted"


def recipe(**changes: Any) -> Overrides:
    """Return overrides of the default recipe."""
    return {f"recipes.default.{key}": value for key, value in changes.items()}


def one_way(delay: int) -> Overrides:
    """Return the default in one direction that answers ``delay`` frames late."""
    return recipe(bidirectional=False, output_delay=delay)


PLAIN = {
    "noise": 0,
    "stretches": 0,
    "frames": 0,
    "bands": 0,
    "width": 0,
    "rate": 0,
    "sound": None,
}
FRONT = recipe(context=11, dense=[256, 256])
TUTORIAL = {
    "train.recipe": "tutorial",
    "standardize.inputs": "utterance",
    "standardize.targets": "utterance",
}
PUBLISHED = recipe(context=11, dense=[300, 300], units=[300, 300])

# the order is that of training: what tells most in the least time comes first
ROWS: dict[str, Row] = {
    "mean": Row("the mean of the training set", {}, source="mean"),
    "ridge": Row("ridge regression on 11 stacked frames", {}, source="ridge"),
    "default": Row("default: 2 bidirectional LSTM layers of 128", {}, seeds=3),
    "longer": Row("default, 40 epochs", recipe(epochs=40)),
    "wider": Row("2 bidirectional layers of 256", recipe(units=[256, 256])),
    "unsmoothed": Row("default, its tracks not smoothed", {}, seeds=3, source="unsmoothed"),
    "plain": Row("default without augmentation", recipe(augment=PLAIN)),
    "steady": Row("default, rate of speech not varied", {"recipes.default.augment.rate": 0}),
    "no-deltas": Row("default, deltas not learned, no MLPG", recipe(deltas=0)),
    "front": Row("2 dense layers of 256 on 11 frames in front", FRONT, seeds=3),
    "mse": Row("default, squared error alone", recipe(loss="mse")),
    "one-layer": Row("1 bidirectional layer", recipe(units=[128])),
    "three-layers": Row("3 bidirectional layers", recipe(units=[128] * 3), seeds=3),
    "gru": Row("GRU in place of LSTM", recipe(cell="gru")),
    "simple-rnn": Row("simple RNN in place of LSTM", recipe(cell="simple_rnn")),
    "one-way": Row("1 direction, no delay", one_way(0)),
    "one-way-5": Row("1 direction, 5 frames late", one_way(5)),
    "one-way-10": Row("1 direction, 10 frames late", one_way(10)),
    "published": Row("2 dense, 2 bidirectional layers of 300 on 11 frames", PUBLISHED, seeds=3),
    "pellets": Row("4 tongue pellets: other tracks (`pellets`)", {"extract.layout": "pellets"}),
    "tutorial": Row("the tutorial's: 1 LSTM of 1,024, 1 direction", TUTORIAL),
}
FLOORS = ("mean", "ridge")


def trial(name: str, seed: int) -> Trial:
    """Return the training of a row; the first row of equal overrides gives it its name."""
    overrides = ROWS[name].overrides
    first = next(other for other, row in ROWS.items() if row.overrides == overrides)
    return Trial("default" if first in FLOORS else first, overrides, seed)


def wanted(names: Sequence[str], seeds: int | None) -> list[Trial]:
    """Return the trainings of some rows, the first seed of every row before any second."""
    most = {name: ROWS[name].seeds if seeds is None else seeds for name in names}
    found = [
        trial(name, seed)
        for seed in range(1, max(most.values(), default=0) + 1)
        for name in names
        if seed <= (1 if name in FLOORS else most[name])
    ]
    return list({one.key: one for one in found}.values())


def made(results: Results, name: str) -> list[Result]:
    """Return what there is of a row with the parameters of today, seed by seed."""
    own = trial(name, 1).name
    seeds = sorted(int(key.rpartition("/")[2]) for key in results if key.startswith(f"{own}/"))
    tried = [trial(name, seed) for seed in (seeds[:1] if name in FLOORS else seeds)]
    return [results[one.key] for one in tried if trials.is_done(results, one)]


def cells(name: str, own: Sequence[Result]) -> list[str]:
    """Return a row of the table."""
    row = ROWS[name]
    test = {figure: trials.figure(own, row.source, figure) for figure in trials.SHOWN}
    seeds = f" ({len(own)} seeds)" if len(own) > 1 else ""
    words = [row.text + seeds, f"`--rows {name}`"]
    trained = ["", "", "", ""]
    if name not in FLOORS:
        trained = [
            f"{own[0]['weights']:,}",
            f"{own[0]['seconds']:.0f}",
            f"{own[0]['frames_per_s']:,}",
            f"{sum(r['validation'][row.source] for r in own) / len(own):.3f}",
        ]
    figures = [test["rmse_mm"].text(2), test["pearson_r"].text(3)]
    return [*words, *trained, *figures]


def markdown(results: Results) -> str:
    """Return the table of all rows that have been trained."""
    lines = [HEADER, ("---",) * len(HEADER)]
    lines += [tuple(cells(name, own)) for name in ROWS if (own := made(results, name))]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def verdict(results: Results) -> str:
    """Say which row is best among those that train no longer than the default, and by how much.

    Rows with other tracks have other errors and are left out.
    """
    default = made(results, "default")
    if not default:
        return "the default has not been trained"
    limit = default[0]["seconds"]
    known = {name: own for name in ROWS if name not in FLOORS and (own := made(results, name))}
    rivals = {
        name: trials.figure(own, ROWS[name].source, "rmse_mm").mean
        for name, own in known.items()
        if own[0]["seconds"] <= limit and same_tracks(ROWS[name])
    }
    best = min(rivals, key=rivals.__getitem__)
    lines = [f"best within the default's {limit:.0f} s: {best}, as delivered {rivals[best]:.2f} mm"]
    for name, own in known.items():
        if name != "default" and same_tracks(ROWS[name]):
            apart = trials.difference((default, own), ("predicted", ROWS[name].source))
            lines.append(f"  {name:14} {apart.mean:+.3f} ({apart.low:+.3f} to {apart.high:+.3f})")
    return "\n".join(lines)


def same_tracks(row: Row) -> bool:
    """Tell whether the errors of a row are of the same positions as the default's."""
    return row.overrides.get("extract.layout") != "pellets"


def draw(results: Results, stem: Path) -> None:
    """Draw errors and seconds of every row, the best on top."""
    known = {name: own for name in ROWS if (own := made(results, name)) and name != "mean"}
    test = {n: trials.figure(own, ROWS[n].source, "rmse_mm") for n, own in known.items()}
    order = sorted(known, key=lambda name: -test[name].mean)
    figure = style.figure(style.PAGE, 8 + 5.5 * len(order))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    for y, name in enumerate(order):
        colour = style.VERMILION if name == "default" else style.BLUE
        errors(left, y, test[name], known[name], ROWS[name].source, colour)
        if name not in FLOORS:
            right.plot([known[name][0]["seconds"]], [y], "o", color=colour, markersize=3.5)
    left.set_yticks(range(len(order)), [ROWS[name].text.replace("`", "") for name in order])
    left.set_xlabel("RMSE in mm as delivered (dot: test, 95 %; ring: validation)")
    left.set_xlim(left=0)
    right.set_xlim(left=0)
    right.set_xlabel("seconds of training")
    right.tick_params(axis="y", length=0)
    for axes in (left, right):
        axes.grid(axis="both", color="#E6E6E6", linewidth=0.4)
        axes.set_axisbelow(True)
    style.save(figure, stem)


def errors(
    axes: Any, y: float, test: Figure, own: Sequence[Result], source: str, colour: str
) -> None:
    """Draw the test error with its interval, and the validation error."""
    axes.plot([test.low, test.high], [y, y], color=colour, linewidth=1.2)
    axes.plot([test.mean], [y], "o", color=colour, markersize=3.5)
    if source in own[0]["validation"]:
        validation = sum(result["validation"][source] for result in own) / len(own)
        axes.plot([validation], [y], "o", markerfacecolor="none", color=colour, markersize=3.5)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    command = argparse.ArgumentParser(prog="python -m studies.compare", description=__doc__)
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.add_argument("--rows", nargs="+", metavar="NAME", default=list(ROWS), help="only these")
    command.add_argument("--seeds", type=int, help="of each row; default: three for the top rows")
    command.add_argument("--table", action="store_true", help="train nothing; show what there is")
    command.add_argument("--results", type=Path, default=RESULTS, help="default: %(default)s")
    command.add_argument("--picture", type=Path, default=PICTURE, help="without ending")
    return command


def main() -> None:
    """Train, print, write and draw."""
    options = parser().parse_args()
    if unknown := [name for name in options.rows if name not in ROWS]:
        raise UsageError(f"--rows: no {unknown[0]!r} among {', '.join(ROWS)}")
    for one in [] if options.table else wanted(options.rows, options.seeds):
        trials.run(one, FOLDER, options.results)
    results = trials.load(options.results)
    table = markdown(results)
    facts = machine()
    about = f"{facts['cores']} cores of {facts['processor']}, {facts['system']}"
    write_text(options.results.with_suffix(".md"), table)
    say_text(f"{table}\n{about}\n{verdict(results)}")
    if any(name not in FLOORS for name in ROWS if made(results, name)):
        draw(results, options.picture)


if __name__ == "__main__":
    run(main)
