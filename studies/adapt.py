"""A few minutes of a new speaker: from scratch, and from a network trained on another one.

``python -m studies.adapt`` takes each of the two speakers of STEM-E2VA in ``../shared/data`` as the
new one: it trains on 0.25, 0.5, 1, 2 and 5 minutes of that speaker's sentences, by the recipe
``few-minutes``, in every way of `WAYS`, with three seeds, and tests on sentences that no network
heard; a few seconds of one more sentence choose the epoch. What is trained on is drawn by the seed.
At 0 minutes the networks of others are tested as they are, by those channels that they have, and by
r alone. The population's is the one in ``trained/``, as ``make repro`` leaves it.
``--table`` trains nothing. Figures are kept in ``studies/results/adapt.json`` as soon as they are
known; an interrupted command resumes.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.machine import ROOT, machine
from features import metrics
from features.frames import FRAME_RATE
from features.standardization import Standardizer
from pipeline import Predictor
from pipeline.corpora import protocols
from pipeline.evaluation.scores import correlation
from pipeline.ground import artifacts
from pipeline.ground.console import UsageError, run, say_text
from pipeline.ground.storage import Entry, Store, write_json, write_text
from pipeline.plots import style
from studies import real_corpora, trials
from studies.real_corpora import FOLDER, SETTINGS
from studies.trials import Result, Results, Trial

RESULTS = ROOT / "studies" / "results" / "adapt.json"
PICTURE = ROOT / "docs" / "pictures" / "adapt"
SPEAKERS = ("DP", "JJW")
MINUTES = (0.25, 0.5, 1.0, 2.0, 5.0)
SEEDS = 3
HELD_OUT_S = 8  # of the new speaker, to choose the epoch by
WAYS = {
    "scratch": "from scratch",
    "population": "from the synthesised population",
    "other": "from another real speaker",
    "both": "from the population by way of another real speaker",
}
APART = 0.03  # of the points of two ways, so that their bars are told apart
COLOURS = (style.BLUE, style.GREEN, style.VERMILION, style.BLACK)
SCRATCH = {  # more and larger steps than from where a network has been already
    "train.recipe": "few-minutes",
    "recipes.few-minutes.learning_rate": 3e-3,
    "recipes.few-minutes.epochs": 60,
}
MEASURED = {"train.init": "../../population", "train.recipe": "measured"}
HEADER = ("new speaker", "minutes", *WAYS.values())


def other_speaker(speaker: str, way: str) -> Trial:
    """Return the training on the speaker who is not the new one."""
    (other,) = (name for name in SPEAKERS if name != speaker)
    lists = {split: of_speaker(entries, other) for split, entries in splits().items()}
    return trial(f"{speaker}-{way}-others", lists, MEASURED if way == "both" else {}, 1)


def of_speaker(entries: Sequence[Entry], speaker: str) -> list[Entry]:
    """Return the entries of a speaker."""
    return [entry for entry in entries if entry.about["speaker"] == speaker]


def splits() -> dict[str, list[Entry]]:
    """Return the utterances of both speakers by split, no sentence in two of them."""
    found: dict[str, list[Entry]] = {split: [] for split in protocols.SPLITS}
    for entry in Store(FOLDER / "pooled" / artifacts.STANDARDIZED, "standardize").entries:
        found[entry.about["split"]].append(entry)
    return found


def few(speaker: str, minutes: float, seed: int) -> dict[str, list[Entry]]:
    """Return so many minutes of a speaker's training sentences, and a few seconds beside."""
    entries = splits()
    own = of_speaker(entries[protocols.TRAIN], speaker)
    order = np.random.default_rng(seed).permutation(len(own))
    drawn = [own[k] for k in order.tolist()]
    apart = drawn[0].about["sentence"]  # of the validation set, and of no other
    sides = {
        protocols.VALIDATION: [e for e in drawn if e.about["sentence"] == apart],
        protocols.TRAIN: [e for e in drawn if e.about["sentence"] != apart],
    }
    wanted = {protocols.VALIDATION: HELD_OUT_S * FRAME_RATE, protocols.TRAIN: minutes * 6000}
    lists: dict[str, list[Entry]] = {split: [] for split in sides}
    for split, entries_of in sides.items():
        for entry in entries_of:
            if sum(other.frames for other in lists[split]) < wanted[split]:
                lists[split].append(entry)
    return lists | {protocols.TEST: of_speaker(entries[protocols.TEST], speaker)}


def trial(
    name: str, lists: dict[str, list[Entry]], overrides: real_corpora.Overrides, seed: int
) -> Trial:
    """Return a training on lists of utterances."""
    own = {
        "standardize.protocol": "file-lists",
        "standardize.lists": {split: f"{split}.txt" for split in protocols.SPLITS},
        **overrides,
    }
    files = {
        f"{split}.txt": "".join(f"{entry.id}\n" for entry in entries)
        for split, entries in lists.items()
    }
    return Trial(name, own, seed, files, SETTINGS["pooled"].overrides)


def as_it_is(speaker: str, way: str, folder: Path, path: Path) -> None:
    """Keep r of a network on a speaker of whom it heard nothing, unless known.

    Of the channels that both have; where this mouth lies the network cannot know, so there are no
    millimetres.
    """
    if (key := f"{speaker}-{way}-0/1") in trials.load(path):
        return
    model = Predictor.load(folder)
    store = Store(FOLDER / "pooled" / artifacts.STANDARDIZED, "standardize")
    frames = Store(FOLDER / "pooled" / artifacts.FRAMES, "extract")
    raw = {entry.id: entry for entry in frames.entries}
    here, there = store.about["channels"], model.about.channels
    both = [name for name in here if name in there]
    entries = of_speaker(splits()[protocols.TEST], speaker)
    found = []
    for entry in entries:
        cepstra, speech = (frames.frames(raw[entry.id], name) for name in ("inputs", "speech"))
        x = Standardizer().fit_transform(cepstra, speech[:, 0] > 0)
        (z,) = model.outputs([x])
        measured, predicted = (
            tracks[:, [names.index(name) for name in both]].astype(np.float64)
            for tracks, names in (
                (store.frames(entry, "targets"), here),
                (model.smooth(z), there),
            )
        )
        r = metrics.mean(correlation(measured, predicted))
        found.append(round(float(r), 6))
    result = {
        "date": datetime.date.today().isoformat(),
        "test_frames": [entry.frames for entry in entries],
        "test": {"predicted": {"pearson_r": found}},
    }
    write_json(path, trials.load(path) | {key: result})


def begin(speaker: str, way: str, path: Path) -> real_corpora.Overrides:
    """Return what a way sets, with the network that it starts from trained."""
    if way == "scratch":
        return SCRATCH
    start = real_corpora.population()
    if way != "population":
        start, one = FOLDER / f"{way}-without-{speaker}", other_speaker(speaker, way)
        if not (start / "model.json").exists():
            results = trials.load(path)
            write_json(path, {key: result for key, result in results.items() if key != one.key})
            trials.run(one, FOLDER, path, real_corpora.prepare("pooled"), keep=start)
    as_it_is(speaker, way, start, path)
    return {"train.init": f"../../{start.name}", "train.recipe": "few-minutes"}


def train(
    speaker: str, ways: Sequence[str], minutes: Sequence[float], seeds: int, path: Path
) -> None:
    """Train all of one new speaker that has not been trained."""
    source = real_corpora.prepare("pooled")
    set_by = {way: begin(speaker, way, path) for way in ways}
    for seed in range(1, seeds + 1):
        for length in minutes:
            lists = few(speaker, length, seed)
            for way, overrides in set_by.items():
                one = trial(f"{speaker}-{way}-{length:g}", lists, overrides, seed)
                if one.key not in trials.load(path):
                    trials.run(one, FOLDER, path, source)


def made(results: Results, speaker: str, way: str, minutes: float) -> list[Result]:
    """Return the seeds of a point."""
    start = f"{speaker}-{way}-{minutes:g}/"
    return [result for key, result in results.items() if key.startswith(start)]


def markdown(results: Results) -> str:
    """Return the table: Pearson's r and RMSE in mm, as delivered."""
    lines: list[Sequence[str]] = [HEADER, ("---",) * len(HEADER)]
    for speaker in SPEAKERS:
        for minutes in (0.0, *MINUTES):
            cells = [""] * len(WAYS)
            for k, way in enumerate(WAYS):
                if own := made(results, speaker, way, minutes):
                    cells[k] = trials.figure(own, "predicted", "pearson_r").text(3)
                    if "rmse_mm" in own[0]["test"]["predicted"]:
                        cells[k] += f", {trials.figure(own, 'predicted', 'rmse_mm').mean:.2f} mm"
            if any(cells):
                lines.append((speaker, f"{minutes:g}", *cells))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def draw(results: Results, stem: Path) -> None:
    """Draw r against minutes, a panel for each new speaker that was trained on."""
    known = [name for name in SPEAKERS if any(key.startswith(f"{name}-") for key in results)]
    figure = style.figure(style.PAGE, 75)
    panels = figure.subplots(1, len(known), sharey=True, squeeze=False)[0]
    ticks = [
        minutes
        for minutes in (0.0, *MINUTES)
        if any(made(results, name, way, minutes) for name in known for way in WAYS)
    ]
    for axes, speaker in zip(panels, known, strict=True):
        for place, (way, colour) in enumerate(zip(WAYS, COLOURS, strict=True)):
            points = [
                (x, trials.figure(own, "predicted", "pearson_r"))
                for x, minutes in enumerate(ticks)
                if (own := made(results, speaker, way, minutes))
            ]
            if points:
                at = [x + (place - (len(WAYS) - 1) / 2) * APART for x, _ in points]
                means = [r.mean for _, r in points]
                bars = [
                    [abs(getattr(r, end) - r.mean) for _, r in points] for end in ("low", "high")
                ]
                axes.errorbar(
                    at, means, bars, color=colour, fmt="o-", markersize=3.5, label=WAYS[way]
                )
        axes.set_xticks(range(len(ticks)), [f"{m:g}" for m in ticks])
        axes.set_xlabel("measured speech of the new speaker (min)")
        axes.set_xlim(-0.2, len(ticks) - 0.8)
        axes.set_title(f"new speaker: {speaker}")
        axes.grid(color="#E6E6E6", linewidth=0.4)
    panels[0].set_ylabel("Pearson's r (bars: 95 % over utterances)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    style.save(figure, stem)


def main() -> None:
    """Train, print, write and draw."""
    parser = argparse.ArgumentParser(prog="python -m studies.adapt", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--speakers", nargs="+", choices=SPEAKERS, default=SPEAKERS)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=tuple(WAYS))
    parser.add_argument("--minutes", type=float, nargs="+", default=MINUTES)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="default: %(default)s")
    parser.add_argument("--table", action="store_true", help="train nothing; show what there is")
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: %(default)s")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="without ending")
    options = parser.parse_args()
    if options.seeds < 1 or min(options.minutes) <= 0:
        raise UsageError("--seeds and --minutes: more than 0")
    for speaker in () if options.table else options.speakers:
        train(speaker, options.ways, options.minutes, options.seeds, options.results)
    results, facts = trials.load(options.results), machine()
    write_text(options.results.with_suffix(".md"), markdown(results))
    say_text(
        f"{markdown(results)}\n{facts['cores']} cores of {facts['processor']}, {facts['system']}"
    )
    if results:
        draw(results, options.picture)


if __name__ == "__main__":
    run(main)
