"""What means and deviations are taken over, of features and of tracks: every choice, as delivered.

``python -m studies.standardization`` trains the default network with `standardize.inputs` and
`standardize.targets` by utterance, speaker and corpus, for a speaker that it knows (JD3, other
utterances), for people whom nobody trained on (the embedded population, from `make repro`) and for
measured speech (STEM-E2VA in ``../shared/data``, other sentences), and prints RMSE in mm and
Pearson's r as delivered. Trainings are short, ``--epochs``, since only their order matters.
Figures are kept in ``studies/results/standardization.json``; an interrupted command resumes.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import ROOT, machine
from pipeline.ground import artifacts, workspaces
from pipeline.ground.console import InputError, UsageError, run, say_text
from pipeline.ground.storage import write_text
from studies import real_corpora, trials
from studies.trials import Results, Trial

FOLDER = Path("data/standardization")
RESULTS = ROOT / "studies" / "results" / "standardization.json"
OVER = ("utterance", "speaker", "corpus")
EPOCHS = 12


@dataclass(frozen=True)
class Corpus:
    """What is trained on: its name in the table, and what sets it apart."""

    text: str
    there: real_corpora.Overrides
    speakers: bool = True  # it has several: by speaker is not by corpus

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Of inputs and targets, those that differ."""
        over = OVER if self.speakers else tuple(name for name in OVER if name != "speaker")
        return list(itertools.product(over, over))


CORPORA = {
    "JD3": Corpus(
        "one known speaker, JD3",
        {"corpus.synthesis.speakers": 1, "corpus.synthesis.utterances": 200},
        speakers=False,
    ),
    "population": Corpus("unseen synthesised speakers", {}),
    "STEM": Corpus("STEM-E2VA, held-out sentences", real_corpora.SETTINGS["pooled"].overrides),
}


def source(name: str) -> Path:
    """Return a project whose corpus is read and whose frames are there."""
    if name == "STEM":
        return real_corpora.prepare("pooled")
    if name == "population":
        if not (artifacts.FRAMES / "index.json").exists():
            raise InputError(f"{artifacts.FRAMES}: no frames there; make repro makes them")
        return Path()
    folder = FOLDER / name
    if not (folder / artifacts.FRAMES / "index.json").exists():
        tree = workspaces.overridden(workspaces.read(), CORPORA[name].there)
        workspaces.lay_out(folder, tree, [])
        workspaces.run_stages(folder, ("corpus", "extract"), name)
    return folder


def trial(name: str, choice: tuple[str, str], epochs: int) -> Trial:
    """Return a training on a corpus; inputs and targets are standardised over ``choice``."""
    corpus, (inputs, targets) = CORPORA[name], choice
    overrides = {
        "standardize.inputs": inputs,
        "standardize.targets": targets,
        "recipes.default.epochs": epochs,
    }
    return Trial(f"{name}-{inputs}-{targets}", overrides, there=corpus.there)


def markdown(results: Results) -> str:
    """Return the table of all that was trained."""
    header = ["features by", "tracks by", *(corpus.text for corpus in CORPORA.values())]
    lines: list[Sequence[str]] = [header, ["---"] * len(header)]
    for inputs, targets in itertools.product(OVER, OVER):
        cells = []
        for name in CORPORA:
            found = []
            if result := results.get(f"{name}-{inputs}-{targets}/1"):
                for figure, digits in (("rmse_mm", 2), ("pearson_r", 3)):
                    text = trials.figure([result], "predicted", figure).text(digits)
                    found.append(text.partition(" ")[0])  # without its interval
            cells.append(" mm, r ".join(found))
        if any(cells):
            lines.append([inputs, targets, *cells])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    command = argparse.ArgumentParser(prog="python -m studies.standardization", description=__doc__)
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.add_argument("--corpora", nargs="+", choices=CORPORA, default=list(CORPORA))
    command.add_argument("--epochs", type=int, default=EPOCHS, help="default: %(default)s")
    command.add_argument("--results", type=Path, default=RESULTS, help="default: %(default)s")
    return command


def main() -> None:
    """Train, print and write."""
    options = parser().parse_args()
    if options.epochs < 1:
        raise UsageError("--epochs: one or more")
    for name in options.corpora:
        origin = source(name)
        for choice in CORPORA[name].choices:
            trials.run(trial(name, choice, options.epochs), FOLDER, options.results, origin)
    table, facts = markdown(trials.load(options.results)), machine()
    write_text(options.results.with_suffix(".md"), table)
    say_text(f"{table}\n{facts['cores']} cores of {facts['processor']}, {facts['system']}")


if __name__ == "__main__":
    run(main)
