"""What more data gives: the default trained on 50, 100, 150 and more synthesised utterances.

``python -m studies.corpus_size`` trains once for each size and tests always on the embedded
corpus's own test set; validation is its own, too. An utterance of the embedded corpus depends on
the seed and its number alone, so that a longer corpus begins with the shorter one: the held-out
utterances are the same sounds at every size, and never trained on. Sizes count training utterances;
150 is the embedded corpus itself. Larger ones, such as ``--utterances 350 750``, are synthesised
first, about a second of two cores each. Figures are kept in ``studies/results/corpus_size.json``
as soon as they are known; an interrupted command resumes. The trained folders stay in
``data/corpus-size``, for ``python -m studies.real_speech 750=data/corpus-size/trained-750``.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT
from pipeline.corpora import protocols
from pipeline.ground import artifacts, params, workspaces
from pipeline.ground.console import InputError, UsageError, run, say_text
from pipeline.ground.storage import Store, discard, read_yaml, write_text
from pipeline.plots import style
from studies import trials
from studies.trials import Result, Results, Trial

FOLDER = Path("data/corpus-size")
RESULTS = ROOT / "studies" / "results" / "corpus_size.json"
PICTURE = ROOT / "docs" / "pictures" / "corpus_size"
SIZES = (50, 100, 150)
HEADER = (
    "training utterances",
    "minutes",
    "training (s)",
    "validation RMSE (mm)",
    "test RMSE (mm)",
    "Pearson's r",
)


def splits() -> dict[str, list[str]]:
    """Return the ids of the embedded corpus by split."""
    found: dict[str, list[str]] = {split: [] for split in protocols.SPLITS}
    for entry in Store(artifacts.STANDARDIZED, "standardize").entries:
        found[entry.about["split"]].append(entry.id)
    return found


def trial(size: int, longest: list[str], embedded: dict[str, list[str]]) -> Trial:
    """Return the training on the first ``size`` utterances that are not held out.

    Parameters
    ----------
    longest : list of str
        Ids of the longest corpus, in order.
    embedded : dict of str to list of str
        See `splits`.
    """
    held_out = {id for split in protocols.SPLITS[1:] for id in embedded[split]}
    train = [id for id in longest if id not in held_out][:size]
    lists = {**embedded, protocols.TRAIN: train}
    overrides = {
        "standardize.protocol": "file-lists",
        "standardize.lists": {split: f"{split}.txt" for split in protocols.SPLITS},
    }
    files = {f"{split}.txt": "".join(f"{id}\n" for id in ids) for split, ids in lists.items()}
    return Trial(f"{size}", overrides, files=files)


def enlarge(utterances: int) -> Path:
    """Return a project with frames of so many utterances: this one, or one beside it.

    What the embedded corpus has already is not synthesised again.
    """
    settings = params.load().corpus
    if settings.reader != "vocaltractlab":
        raise UsageError("corpus.reader: only the embedded corpus, vocaltractlab, can be any size")
    if utterances <= settings.synthesis.utterances:
        return Path()
    folder = FOLDER / f"corpus-{utterances}"
    tree = workspaces.overridden(workspaces.read(), {"corpus.synthesis.utterances": utterances})
    blocks = ("corpus", "extract", "layouts")
    if (folder / artifacts.FRAMES).exists() and all(
        read_yaml(folder / params.PATH)[block] == tree[block] for block in blocks
    ):
        return folder
    discard(folder / artifacts.FRAMES)
    workspaces.lay_out(folder, tree, [])
    if not (folder / artifacts.CORPUS).exists():
        shutil.copytree(artifacts.CORPUS, folder / artifacts.CORPUS)
    workspaces.run_stages(folder, ("corpus", "extract"), f"a corpus of {utterances} utterances")
    return folder


def made(results: Results) -> dict[int, Result]:
    """Return the figures of every size, smallest first."""
    return {size: results[f"{size}/1"] for size in sorted(int(key[:-2]) for key in results)}


def markdown(results: Results) -> str:
    """Return the table."""
    lines: list[Sequence[Any]] = [HEADER, ("---",) * len(HEADER)]
    for size, result in made(results).items():
        test = {name: trials.figure([result], "predicted", name) for name in trials.SHOWN}
        lines.append(
            (
                size,
                f"{result['frames'] / 6000:.1f}",
                f"{result['seconds']:.0f}",
                f"{result['validation']['predicted']:.3f}",
                test["rmse_mm"].text(2),
                test["pearson_r"].text(3),
            )
        )
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def draw(results: Results, stem: Path) -> None:
    """Draw error against minutes of training speech."""
    known = made(results).values()
    minutes = [result["frames"] / 6000 for result in known]
    test = [trials.figure([result], "predicted", "rmse_mm") for result in known]
    figure = style.figure(style.COLUMN, 60)
    axes = figure.subplots()
    axes.fill_between(
        minutes,
        [t.low for t in test],
        [t.high for t in test],
        color=style.VERMILION,
        alpha=0.2,
        linewidth=0,
    )
    axes.plot(
        minutes,
        [t.mean for t in test],
        "o-",
        markersize=3.5,
        color=style.VERMILION,
        label="test, 95 %",
    )
    axes.plot(
        minutes,
        [result["validation"]["predicted"] for result in known],
        "o--",
        color=style.BLUE,
        markersize=3.5,
        markerfacecolor="white",
        label="validation",
    )
    axes.set_xscale("log")
    sizes = zip(minutes, made(results), strict=True)
    axes.set_xticks(minutes, [f"{length:.0f}\n({size})" for length, size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("minutes of training speech (utterances)")
    axes.set_ylabel("RMSE in mm, as delivered")
    axes.set_ylim(bottom=0)
    axes.legend()
    style.save(figure, stem)


def main() -> None:
    """Synthesise, train, print, write and draw."""
    parser = argparse.ArgumentParser(prog="python -m studies.corpus_size", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--utterances", type=int, nargs="+", default=SIZES, help="training sets")
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: %(default)s")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="without ending")
    options = parser.parse_args()
    if min(options.utterances) < 1:
        raise UsageError("--utterances: sizes are 1 and more")
    embedded = splits()
    held_out = sum(len(embedded[split]) for split in protocols.SPLITS[1:])
    source = enlarge(max(options.utterances) + held_out)
    longest = [e.id for e in Store(source / artifacts.FRAMES, "extract").entries]
    if len(longest) - held_out < max(options.utterances):
        raise InputError(f"{source}: {len(longest)} utterances are too few; was one refused?")
    for size in sorted(options.utterances):
        one = trial(size, longest, embedded)
        trials.run(one, FOLDER, options.results, source, keep=FOLDER / f"trained-{size}")
        results = trials.load(options.results)
    write_text(options.results.with_suffix(".md"), markdown(results))
    say_text(markdown(results))
    draw(results, options.picture)


if __name__ == "__main__":
    run(main)
