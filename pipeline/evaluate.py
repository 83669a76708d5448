"""Stage 5: the model and two floors on the test utterances, in figures and tables.

The floors are what needs no network: the mean predictor, and ridge regression on stacked frames,
fitted to the training utterances. Writes data/predictions, reports/metrics.json, what
they stand on in reports/protocol.json, and a CSV per question in reports/tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features import metrics, ridge
from features.context import stack_frames
from features.frames import FRAME_RATE
from pipeline.corpora import protocols
from pipeline.evaluation import calibration, palates, tables
from pipeline.evaluation.scores import DELTAS, FIGURES, Predictions, Scored, over_frames
from pipeline.ground import artifacts, device, params
from pipeline.ground.console import InputError, progress, run, say, stage_parser
from pipeline.ground.storage import Store, StoreWriter, write_json, write_text
from pipeline.trained import description, variance_scaling

BATCH_FRAMES = 20_000  # of the inputs of one batch, padding and all

Array = NDArray[np.float32]


def predict(inputs: Sequence[Array]) -> Iterator[tuple[int, Array]]:
    """Yield index and outputs [T, outputs] of every utterance [T, features], shortest first.

    Of a network that predicts variances [T, 2 * outputs]: their logarithms stand behind.
    """
    path = artifacts.TRAINED / "model.keras"
    if not path.is_file():
        raise InputError(f"{path}: not found; run `dvc repro train` first")
    context = about_model().recipe.context
    device.choose("auto")
    from models import batching, regressor  # TensorFlow takes seconds to import

    model = regressor.load(path)
    lengths = np.array([len(x) for x in inputs])
    stacked = [stack_frames(x, context) for x in inputs]
    nothing = [np.zeros((length, 0), np.float32) for length in lengths]
    for members in batching.by_length(lengths, BATCH_FRAMES):
        frames = -(-int(lengths[members].max()) // 100) * 100  # few shapes, few compilations
        n = len(members)
        batch = batching.Batch(n, frames, members, np.arange(n), np.zeros(n, np.intp))
        x, _, _ = batching.assemble(batch, stacked, nothing)
        y = model.predict_on_batch(x)
        for lane, member in enumerate(members):
            yield int(member), y[lane, : lengths[member]]


def about_model() -> description.About:
    """Return what the trained folder says of its model."""
    return description.read_about(artifacts.TRAINED / "model.json")


def split_of(store: Store, split: str) -> Iterator[tuple[Array, Array]]:
    """Yield inputs and targets of every utterance of a split."""
    for entry in progress(store.entries, unit="utterances"):
        if entry.about["split"] == split:
            yield store.frames(entry, "inputs"), store.frames(entry, "targets")


def floor(store: Store, settings: params.Evaluate, scaled: bool) -> Callable[[Array], Array]:
    """Return ridge regression from inputs [T, features] to tracks [T, D], in z.

    Where the network's tracks are variance-scaled, so are these if it lowers their error.
    """
    linear = ridge.fit(split_of(store, protocols.TRAIN), settings.context, settings.ridge)

    def predict(inputs: Array) -> Array:
        return linear.predict(stack_frames(inputs, settings.context))

    if not scaled:
        return predict
    pairs = [(predict(x), y) for x, y in split_of(store, protocols.VALIDATION)]
    level, _ = variance_scaling.choose("auto", store.about["mode"], pairs)
    return lambda inputs: level.apply(predict(inputs))


def write_predictions(store: Store, settings: params.Evaluate) -> None:
    """Predict every test utterance by network and ridge, and write them beside what was measured.

    Raises
    ------
    InputError
        Where there is no test utterance.
    """
    test = [k for k, e in enumerate(store.entries) if e.about["split"] == protocols.TEST]
    if not test:
        raise InputError(f"{store.folder}: no test utterance; raise standardize.test")
    entries = [store.entries[k] for k in test]
    inputs = [store.frames(entry, "inputs") for entry in entries]
    predicted = dict(progress(predict(inputs), total=len(inputs), unit="utterances"))
    about = about_model()
    linear = floor(store, settings, bool(about.variance_scaling))
    statistics, level = artifacts.statistics(), about.variance_scaling.apply
    names = ("measured", "predicted", "unsmoothed", "raw", "ridge")
    tracks, outputs = store.columns["targets"], about.network.outputs
    with_variances = predicted[0].shape[1] > outputs
    columns = dict.fromkeys((*names, calibration.DEVIATION) if with_variances else names, tracks)
    if outputs > tracks:
        columns[DELTAS] = outputs - tracks
    with StoreWriter(artifacts.PREDICTIONS, columns, store.about) as writer:
        for k, (row, entry) in enumerate(zip(test, entries, strict=True)):
            own = {key: statistics[key][row] for key in ("target_mean", "target_scale")}
            z, deltas = np.split(predicted[k][:, :outputs], [tracks], axis=1)
            arrays = {
                "measured": store.frames(entry, "targets"),
                "predicted": level(about.smooth(predicted[k][:, :outputs], *own.values())),
                "unsmoothed": level(z),
                "raw": z,
                "ridge": linear(inputs[k]),
            }
            if outputs > tracks:
                arrays[DELTAS] = deltas
            if with_variances:
                log_variances = predicted[k][:, outputs : outputs + tracks]
                arrays[calibration.DEVIATION] = np.exp(log_variances / 2)
            writer.add(entry.id, arrays, **entry.about | {k: v.tolist() for k, v in own.items()})


def figures(scored: Scored, predictions: Predictions) -> dict[str, Any]:
    """Return the figures of merit for ``reports/metrics.json``."""
    pooled = over_frames(predictions, "predicted")
    floors = {floor: scored.summary(floor) for floor in ("mean", "ridge")}
    return {
        "test": {
            **scored.summary("predicted"),
            "all_frames": {name: float(metrics.mean(x)) for name, x in pooled.items()},
        },
        "floors": {
            floor: {name: own[name] for name in FIGURES[:3]} for floor, own in floors.items()
        },
    }


UNITS = {"z": "z-scores of the corpus, NO millimetres, in whatever is called mm here and in tables"}


def protocol(
    store: Store,
    settings: params.Params,
    predictions: Predictions,
    known: Mapping[str, palates.Palate],
) -> dict[str, Any]:
    """Return what a reader has to know to compare the figures with others'."""
    model = about_model()
    splits: dict[str, list[str]] = {split: [] for split in protocols.SPLITS}
    for entry in store.entries:
        splits.setdefault(entry.about["split"], []).append(entry.id)
    return {
        "corpus": settings.corpus.reader,
        "tracks": list(predictions.channels),
        "unit": UNITS.get(predictions.unit, predictions.unit),
        "frame_rate_hz": FRAME_RATE,
        "smoothing": f"zero-phase low-pass of the measured tracks at {settings.extract.cutoff_hz:g}"
        f" Hz before they are sampled; of the predictions: {model.smoothing}",
        "silence": "leading and trailing silence cut"
        if settings.extract.trim_silence
        else "all frames count, silence too",
        "split": f"{store.about['protocol']}, seed {settings.standardize.seed}",
        "standardisation": f"z-scores per {settings.standardize.mode}"
        + "; predicted tracks are brought back to mean 0 and a deviation chosen on the"
        " validation set in every utterance, those of ridge too if that lowers their error there"
        * bool(model.variance_scaling),
        "millimetres": "predicted z-scores times the deviation plus the mean of the measured"
        f" {settings.standardize.mode}, which a true prediction does not know",
        "recipe": settings.train.recipe,
        "means": "error and correlation of each track in each utterance, averaged over utterances,"
        " then over tracks; z_mse weighted by frames, as in training; all_frames: over the frames"
        " of all utterances at once, then averaged over tracks",
        "intervals": "95 %, percentile bootstrap, 2000 draws of the test utterances",
        "undefined": "a measured track that does not move has no correlation and is left out;"
        " a prediction that does not move has correlation 0",
        "palate": palates.sources(known),
        "utterances": {split: len(ids) for split, ids in splits.items()},
        "test_frames": sum(entry.frames for entry in predictions.entries),
        "files": splits,
    }


def main() -> None:
    """Run the stage."""
    stage_parser(__doc__, "evaluate").parse_args()
    settings = params.load()
    store = Store(artifacts.STANDARDIZED, "standardize")
    store.verify()
    write_predictions(store, settings.evaluate)
    predictions = Predictions(Store(artifacts.PREDICTIONS, "evaluate"))
    scored = Scored.of(predictions)
    known = palates.known(Store(artifacts.FRAMES, "extract"))
    by_phone, by_class = tables.phones(predictions)
    rows = {
        "summary": tables.summary(scored),
        "smoothing": tables.smoothing(predictions, about_model()),
        "tracks": tables.tracks(scored, predictions),
        "sensors": tables.sensors(scored),
        "utterances": tables.utterances(scored, predictions),
        "speakers": tables.groups(scored, predictions, "speaker"),
        "styles": tables.groups(scored, predictions, "style"),
        "sexes": tables.groups(scored, predictions, "sex"),
        "sizes": tables.groups(scored, predictions, "size"),
        "phones": by_phone,
        "phone_classes": by_class,
        "palates": palates.rows(known),
        "tract_variables": tables.tract_variables(predictions, known),
        "error_cdf": tables.error_cdf(predictions),
        "calibration": calibration.table(predictions),
    }
    for name, table in rows.items():
        write_text(artifacts.TABLES / f"{name}.csv", tables.to_csv(table))
    found = figures(scored, predictions)
    write_json(artifacts.PROTOCOL, protocol(store, settings, predictions, known))
    write_json(artifacts.METRICS, tables.rounded(found))
    test, floors = found["test"], found["floors"]
    say(
        f"evaluate: {len(predictions.entries)} test utterances: z-MSE {test['z_mse']:.3f}"
        f" (ridge {floors['ridge']['z_mse']:.3f}, mean {floors['mean']['z_mse']:.3f}),"
        f" RMSE {test['rmse_mm']:.2f} {predictions.unit}, r {test['pearson_r']:.3f}"
        f" -> {artifacts.METRICS}"
    )


if __name__ == "__main__":
    run(main)
