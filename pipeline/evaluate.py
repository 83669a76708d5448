"""Stage 5: the model and two floors on the test utterances, in figures and tables.

The floors are what needs no network: the mean predictor, and ridge regression on stacked frames,
fitted to the training utterances. Writes data/predictions, reports/metrics.json, what
they stand on in reports/protocol.json, and a CSV per question in reports/tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features import metrics, ridge
from features.context import stack_frames
from features.frames import FRAME_RATE
from features.standardization import Standardizer
from pipeline import corpora
from pipeline.corpora import manifest, protocols
from pipeline.evaluation import calibration, palates, tables
from pipeline.evaluation.scores import (
    DELTAS,
    FIGURES,
    OWN_Z,
    Predictions,
    Scored,
    Z,
    within_speakers,
)
from pipeline.ground import artifacts, device, params
from pipeline.ground.console import InputError, progress, run, say, stage_parser
from pipeline.ground.storage import Entry, Store, StoreWriter, write_json, write_text
from pipeline.prediction.predictor import Predictor
from pipeline.trained import description

BATCH_FRAMES = 20_000  # of the inputs of one batch, padding and all
COLUMNS = ("measured", "predicted", "unsmoothed", "own_z", "ridge", "ridge_own_z")

Array = NDArray[np.float32]


def about_model() -> description.About:
    """Return what the trained folder says of its model."""
    return description.read_about(artifacts.TRAINED / "model.json")


def outputs(
    model: Predictor, corpus: params.Corpus, raw_inputs: Iterable[tuple[Entry, Array]]
) -> Iterator[Array]:
    """Yield what the network gives for every utterance, [T, outputs], as `pipeline.predict` does.

    Its features are computed of the whole sound, as the corpus's reader gives it, and standardised
    by what a prediction knows; of the frames, those that were measured are given.

    Parameters
    ----------
    model : Predictor
    corpus : params.Corpus
    raw_inputs : iterable of (Entry, float32 [T, 39])
        Features that are not standardised, for a corpus without sound.
    """
    items = {item.id: item for item, _ in manifest.read()}
    reader = corpora.reader(corpus.reader)
    for entry, raw in raw_inputs:
        utterance = reader.read(manifest.located(items[entry.id]), corpus)
        own = known_to(model, entry)
        first = 0
        if utterance.audio is None:
            by = Standardizer().fit(raw) if own.own_statistics else own.average_inputs
            features = by.transform(raw)
        else:
            features = own.features(utterance.audio, utterance.sample_rate)
            first = round(entry.about["start_s"] * FRAME_RATE)
        (given,) = own.outputs([features])
        yield given[first : first + entry.frames]


def known_to(model: Predictor, entry: Entry) -> Predictor:
    """Return the model as it predicts an utterance: it may know the speaker, or it may not."""
    speaker = entry.about["speaker"]
    return model.of(speaker if speaker in model.about.speakers else None)


def deviations(inputs: Sequence[Array], outputs: int, tracks: int) -> list[Array]:
    """Return the deviation of every frame and track, [T, tracks], of a network that predicts it.

    Of features in z; the ONNX graph has none of it.
    """
    context = about_model().recipe.context
    device.choose("auto")
    from models import batching, regressor  # TensorFlow takes seconds to import

    model = regressor.load(artifacts.TRAINED / "model.keras")
    lengths = np.array([len(x) for x in inputs])
    stacked = [stack_frames(x, context) for x in inputs]
    nothing = [np.zeros((length, 0), np.float32) for length in lengths]
    found: dict[int, Array] = {}
    for members in batching.by_length(lengths, BATCH_FRAMES):
        frames = -(-int(lengths[members].max()) // 100) * 100  # few shapes, few compilations
        n = len(members)
        batch = batching.Batch(n, frames, members, np.arange(n), np.zeros(n, np.intp))
        x, _, _ = batching.assemble(batch, stacked, nothing)
        y = model.predict_on_batch(x)[..., outputs : outputs + tracks]
        for lane, member in enumerate(members.tolist()):
            found[member] = np.exp(y[lane, : lengths[member]] / 2)
    return [found[k] for k in range(len(inputs))]


def split_of(store: Store, split: str) -> Iterator[tuple[Array, Array]]:
    """Yield inputs and targets of every utterance of a split."""
    for entry in progress(store.entries, unit="utterances"):
        if entry.about["split"] == split:
            yield store.frames(entry, "inputs"), store.frames(entry, "targets")


def write_predictions(store: Store, settings: params.Params) -> None:
    """Predict every test utterance by network and ridge, and write them beside what was measured.

    All in units of the measured utterance's own mean and deviation, see `scores.Predictions`.

    Raises
    ------
    InputError
        Where there is no test utterance.
    """
    test = [k for k, e in enumerate(store.entries) if e.about["split"] == protocols.TEST]
    if not test:
        raise InputError(f"{store.folder}: no test utterance; raise standardize.test")
    model, over = Predictor.load(artifacts.TRAINED), store.about["standardize"]
    about, tracks = model.about, store.columns["targets"]
    floor, extra = settings.evaluate, about.network.outputs - tracks
    linear = ridge.fit(split_of(store, protocols.TRAIN), floor.context, floor.ridge)
    statistics = artifacts.statistics()
    entries = [store.entries[k] for k in test]
    inputs = [store.frames(entry, "inputs") for entry in entries]
    raw_inputs = (
        (entry, x * statistics["input_scale"][k] + statistics["input_mean"][k])
        for k, entry, x in zip(test, entries, inputs, strict=True)
    )
    columns = dict.fromkeys(COLUMNS, tracks)
    if extra:
        columns[DELTAS] = extra
    spread: list[Array] = []
    if settings.recipe.loss == "gaussian":
        columns[calibration.DEVIATION] = tracks
        spread = deviations(inputs, tracks + extra, tracks)
    given = progress(
        outputs(model, settings.corpus, raw_inputs), total=len(test), unit="utterances"
    )
    with StoreWriter(artifacts.PREDICTIONS, columns, store.about) as writer:
        for k, (row, entry, network) in enumerate(zip(test, entries, given, strict=True)):
            trained = Z(statistics["target_mean"][row], statistics["target_scale"][row])
            mm = trained.to_mm(store.frames(entry, "targets"))
            counted = (
                store.frames(entry, "speech")[:, 0] > 0 if over["frames"] == "speech" else None
            )
            fitted = Standardizer().fit(mm, counted)
            own, average = Z(fitted.mean_, fitted.scale_), known_to(model, entry)
            known = Z(*average.to_mm)
            # an utterance's own statistics, where it was standardised by them: no prediction has
            given_own = own if over["targets"] == "utterance" else known
            linearly = linear.predict(stack_frames(inputs[k], floor.context))
            smooth = average.smooth(network)
            arrays: dict[str, NDArray[np.floating]] = {
                "measured": own.of_mm(mm),
                "predicted": own.of_mm(known.to_mm(smooth)),
                "unsmoothed": own.of_mm(known.to_mm(network[:, :tracks])),
                "own_z": own.of_mm(given_own.to_mm(smooth)),
                "ridge": own.of_mm(known.to_mm(linearly)),
                "ridge_own_z": own.of_mm(given_own.to_mm(linearly)),
            }
            if extra:
                arrays[DELTAS] = network[:, tracks:]
            if spread:
                arrays[calibration.DEVIATION] = spread[k]
            units = {"own": own, "known": known, "trained": trained}
            writer.add(
                entry.id,
                {name: x.astype(np.float32) for name, x in arrays.items()},
                **entry.about | {name: z.as_lists() for name, z in units.items()},
            )


def figures(scored: Scored, predictions: Predictions) -> dict[str, Any]:
    """Return the figures of merit for ``reports/metrics.json``."""

    def both(source: str, names: Sequence[str]) -> dict[str, Any]:
        ways = {"delivered": scored.summary(source), "own_z": scored.summary(OWN_Z[source])}
        return {way: {name: own[name] for name in names} for way, own in ways.items()}

    test = both("predicted", FIGURES)
    pooled = within_speakers(predictions, "predicted")
    test["delivered"]["within_speakers"] = {k: float(metrics.mean(x)) for k, x in pooled.items()}
    return {
        "test": test,
        "floors": {floor: both(floor, FIGURES[:3]) for floor in ("mean", "ridge")},
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
    over = model.standardize
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
        "standardisation": f"z-scores of inputs per {over.inputs}, of targets per {over.targets};"
        f" mean and deviation of {'frames of speech' if over.frames == 'speech' else 'all frames'}",
        "delivered": "tracks in mm as `pipeline.predict` gives them, from the sound: brought to mm"
        " by the average mean and deviation of the speaker's training utterances (`--speaker`), or"
        " of all of them for a speaker who has none; nothing of the measured utterance is known",
        "own_z": "tracks in units of the measured utterance's own mean and deviation"
        + ", which are given to the prediction: no user has these figures, papers do"
        * (over.targets == "utterance"),
        "recipe": settings.train.recipe,
        "means": "error and correlation of each track in each utterance, averaged over utterances,"
        " then over tracks; z_mse weighted by frames, as in training; within_speakers: over the"
        " frames of all utterances of a speaker at once, averaged over speakers, then tracks",
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
    write_predictions(store, settings)
    predictions = Predictions(Store(artifacts.PREDICTIONS, "evaluate"))
    scored = Scored.of(predictions)
    known = palates.known(Store(artifacts.FRAMES, "extract")) if predictions.unit == "mm" else {}
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
    test, own_z = found["test"]["delivered"], found["test"]["own_z"]
    ridge_mm, mean_mm = (found["floors"][k]["delivered"]["rmse_mm"] for k in ("ridge", "mean"))
    say(
        f"evaluate: {len(predictions.entries)} test utterances, as delivered:"
        f" RMSE {test['rmse_mm']:.2f} {predictions.unit} (ridge {ridge_mm:.2f},"
        f" mean {mean_mm:.2f}), r {test['pearson_r']:.3f};"
        f" in the utterance's own z: MSE {own_z['z_mse']:.3f}"
        f" -> {artifacts.METRICS}"
    )


if __name__ == "__main__":
    run(main)
