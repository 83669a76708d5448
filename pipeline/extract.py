"""Stage 2: 39 MFCCs and the articulator tracks of every utterance on one grid of 10 ms frames.

The tracks are repaired, low-passed without phase shift and resampled by their time stamps to the
instants at which the MFCCs are centred. Writes data/frames; an utterance that cannot be used is
left out with a line that says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from features import articulation, deltas, frames, mfcc, speech
from pipeline import corpora
from pipeline.corpora import Item, layouts, manifest, palates
from pipeline.formats import audio
from pipeline.ground import artifacts, params, workers
from pipeline.ground.console import InputError, progress, run, say, stage_parser, warn
from pipeline.ground.storage import StoreWriter, checksum
from pipeline.ground.utterance import Label, Utterance

SILENCE = {"", "sil", "sp", "pau", "h#", "#", "<sil>", "_", "silence", "breath"}
MINIMUM_FRAMES = 10

Arrays = dict[str, NDArray[np.float32]]


def speech_span(phones: tuple[Label, ...]) -> tuple[float, float]:
    """Return start and end, in s, of what is not leading or trailing silence."""
    speech = [phone for phone in phones if phone.text.strip().lower() not in SILENCE]
    if not speech:
        raise InputError("extract.trim_silence needs phone labels and there are none but silence")
    return speech[0].start, speech[-1].end


def on_one_grid(
    utterance: Utterance, layout: params.Layout, extract: params.Extract
) -> tuple[int, Arrays]:
    """Bring sound and articulation of an utterance onto the frame grid.

    Returns
    -------
    first : int
        Index of the first frame on the grid of the whole sound.
    arrays : dict
        ``inputs`` float32 [T, 39], ``targets`` float32 [T, tracks] and ``speech`` float32 [T, 1],
        1 where a frame holds speech and 0 elsewhere.

    Raises
    ------
    InputError
        With the reason why the utterance cannot be used.
    """
    time, values = utterance.tracks.time, layouts.pick(utterance.tracks, layout)
    if utterance.audio is None:  # features and tracks were given on the grid: they pass through
        assert utterance.inputs is not None
        first, inputs, static = 0, utterance.inputs, values
        spoken = np.ones(len(inputs), np.bool_)
    else:
        try:
            inputs = mfcc.mfcc(utterance.audio, utterance.sample_rate)
            speech.check(utterance.audio, utterance.sample_rate)
            spoken = speech.speech_frames(speech.levels(utterance.audio, utterance.sample_rate))
            for gap in articulation.gaps(time, values, extract.max_gap_s):
                raise InputError(
                    f"channel {layout.channels[gap.column]} has no samples from {gap.start:.3f}"
                    f" to {gap.end:.3f} s, longer than extract.max_gap_s = {extract.max_gap_s:g} s"
                )
            first, static = articulation.onto_grid(
                time, values, extract.cutoff_hz, extract.max_gap_s, len(inputs)
            )
        except ValueError as error:
            raise InputError(str(error)) from None
    targets = deltas.with_deltas(static, layout.deltas)
    covered = slice(first, first + len(targets))
    inputs, spoken = inputs[covered], spoken[covered]
    if extract.trim_silence:
        start, end = speech_span(utterance.phones)
        times = frames.frame_times(len(targets), first)
        keep = np.flatnonzero((times >= start) & (times <= end))
        if len(keep):
            inputs, targets, spoken = inputs[keep], targets[keep], spoken[keep]
            first += int(keep[0])
    if len(targets) < MINIMUM_FRAMES:
        raise InputError(f"sound and tracks share {len(targets)} frames, under {MINIMUM_FRAMES}")
    return first, {
        "inputs": inputs,
        "targets": targets.astype(np.float32),
        "speech": spoken[:, None].astype(np.float32),
    }


def describe(utterance: Utterance, first: int) -> dict[str, Any]:
    """Return what later stages want to know of an utterance."""
    return {
        **{key: getattr(utterance, key) for key in corpora.KNOWN},
        "start_s": float(frames.frame_times(1, first)[0]),
        "phones": [[p.start, p.end, p.text] for p in utterance.phones],
    }


def extract_one(
    item: Item, sha256: str, layout: params.Layout, settings: params.Params
) -> tuple[Arrays, dict[str, Any]] | str:
    """Return the arrays of an utterance and what is known of it, or why it cannot be used."""
    try:
        if checksum(*item.files) != sha256:
            raise InputError("changed since the corpus was read; run `dvc repro --force corpus`")
        with audio.listening([]):  # the stage before this one said it
            utterance = corpora.reader(settings.corpus.reader).read(item, settings.corpus)
        first, arrays = on_one_grid(utterance, layout, settings.extract)
    except InputError as error:
        return str(error).removeprefix(f"{item.files[0]}: ")
    except FileNotFoundError as error:
        return f"not found: {error.filename}; run `dvc repro --force corpus`"
    return arrays, describe(utterance, first)


def resolved(item: Item) -> tuple[Path, ...]:
    """Return the files of an utterance by their absolute paths."""
    return tuple(artifacts.from_project(path).resolve() for path in item.files)


def unit_of_corpus() -> str:
    """Return what the tracks are measured in: mm, or z where a corpus gives z-scores alone."""
    units = sorted({row["unit"] for _, row in manifest.read()})
    if len(units) > 1:
        raise InputError(f"{artifacts.MANIFEST}: tracks in {' and '.join(units)}")
    return units[0]


def with_recording_resolved(settings: params.Params) -> params.Params:
    """Return the parameters with the one path that a reader needs absolute."""
    change, head = msgspec.structs.replace, settings.corpus.head_correction
    if head.recording is None:
        return settings
    head = change(head, recording=str(artifacts.from_project(head.recording).resolve()))
    return change(settings, corpus=change(settings.corpus, head_correction=head))


def extract_all(
    settings: params.Params, jobs: int, cluster: str | None
) -> Iterator[tuple[Item, Any]]:
    """Yield every utterance of the manifest with its result, in order; see `workers.spread`."""
    default = corpora.default_layout(settings.corpus)
    layout = layouts.resolve(settings.extract.layout, settings.layouts, default)
    rows = list(manifest.read())
    there = with_recording_resolved(settings)
    calls = [
        (replace(item, files=resolved(item)), row["sha256"], layout, there) for item, row in rows
    ]
    results = workers.spread(extract_one, calls, jobs, cluster)
    for (item, _), result in zip(
        rows, progress(results, total=len(rows), unit="utterances"), strict=True
    ):
        yield item, result


def main() -> None:
    """Run the stage."""
    parser = stage_parser(__doc__, "extract")
    workers.add_options(parser)
    arguments = parser.parse_args()
    settings = params.load()
    default = corpora.default_layout(settings.corpus)
    layout = layouts.resolve(settings.extract.layout, settings.layouts, default)
    names = layouts.track_names(layout)
    about = {
        "channels": names,
        "layout": settings.extract.layout,
        "deltas": layout.deltas,
        "unit": unit_of_corpus(),
        "palates": {
            speaker: np.round(palate, 3).tolist()
            for speaker, palate in palates.traced(settings.corpus).items()
        },
        "hop_s": frames.HOP_S,
        "sample_rate": mfcc.SAMPLE_RATE,
    }
    refused = total = 0
    columns = {"inputs": mfcc.WIDTH, "targets": len(names), "speech": 1}
    with StoreWriter(artifacts.FRAMES, columns, about) as writer:
        for item, result in extract_all(settings, arguments.jobs, arguments.cluster):
            if isinstance(result, str):
                reason = f"{item.files[0]}: {result}"
                if settings.corpus.strict:
                    raise InputError(f"{reason} (corpus.strict is true)")
                warn(f"refused {reason}")
                refused += 1
                continue
            arrays, known = result
            known |= {"audio": item.files[0].as_posix(), "channel": settings.corpus.channel}
            writer.add(item.id, arrays, **known)
            total += len(arrays["inputs"])
        if not total:
            raise InputError(f"{artifacts.MANIFEST}: none of its {refused} utterances can be used")
    say(
        f"extract: {len(writer.rows)} utterances, {total} frames, 39 MFCCs ->"
        f" {len(names)} tracks in {about['unit']}; {refused} refused -> {artifacts.FRAMES}"
    )


if __name__ == "__main__":
    run(main)
