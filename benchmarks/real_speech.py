"""How well the network hears real speakers it was never trained on: correlation per articulator.

``python -m benchmarks.real_speech`` predicts the recordings of ../shared/data that have measured
articulation beside the sound, and prints Pearson's r over all frames. Trained on one synthesised
speaker, the network knows neither other tracts nor other microphones: the figures are what further
work starts from.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from features import articulation, metrics
from pipeline import Predictor, corpora, params, predictor
from pipeline.utterance import Utterance

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CUTOFF_HZ, MAX_GAP_S = 20, 0.1

# Which point of the network stands for a sensor is a matter of the distance behind the tongue tip,
# not of its name. The network's TT is the very tip, its others lie 13, 26, 39, 51 and 67 mm behind.
# Front sensors are glued about 10 mm behind the tip; these ones' others lie 19 and 34 mm (HPRC),
# 17, 31 and 45 mm (XRMB) behind the front one, along the mean tongue.
SENSORS: Mapping[str, Mapping[str, str]] = {
    "hprc": {"TT": "TB", "TB": "TF", "TR": "TM", "UL": "UL", "LL": "LL", "JAW": "LI"},
    "xrmb": {
        "T1": "TB",
        "T2": "TF",
        "T3": "TM",
        "T4": "TD",
        "UL": "UL",
        "LL": "LL",
        "MNI": "LI",
    },
}


def utterances(reader: str) -> Iterator[Utterance]:
    """Yield the recordings of a corpus of ../shared/data."""
    settings = params.load().corpus
    for item in corpora.reader(reader).find(DATA / reader, settings):
        yield corpora.reader(reader).read(item, settings)


def correlations(
    utterance: Utterance, predict: Predictor, sensors: Mapping[str, str]
) -> dict[str, float]:
    """Return r between every measured channel and the predicted one that stands for it."""
    assert utterance.audio is not None
    predicted = predict(utterance.audio, utterance.sample_rate)
    measured = utterance.tracks
    channels = {f"{a}_{axis}": f"{b}_{axis}" for a, b in sensors.items() for axis in "xy"}
    values = measured.values[:, [measured.channels.index(name) for name in channels]]
    first, truth = articulation.onto_grid(
        measured.time, values, CUTOFF_HZ, MAX_GAP_S, len(predicted.time)
    )
    columns = [predicted.channels.index(name) for name in channels.values()]
    guess = predicted.values[first : first + len(truth), columns]
    return dict(zip(channels, metrics.pearson(truth, guess), strict=True))


def main() -> None:
    """Predict and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_speech", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--model", type=Path, default=predictor.FOLDER, help="default: trained")
    options = parser.parse_args()
    predict = Predictor.load(options.model)
    for reader, sensors in SENSORS.items():
        for utterance in utterances(reader):
            found = correlations(utterance, predict, sensors)
            print(f"\n{reader} {utterance.id}: mean r {np.mean(list(found.values())):.2f}")
            for a, b in sensors.items():
                x, y = found[f"{a}_x"], found[f"{a}_y"]
                print(f"  {a:4} by {b:4} forward {x:6.2f}   height {y:6.2f}")


if __name__ == "__main__":
    main()
