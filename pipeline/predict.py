"""Predict where the articulators were in a sound: NAME.csv, NAME.json and NAME.png for NAME.wav.

    python -m pipeline.predict audio.wav
    python -m pipeline.predict recordings/ 'more/*.flac' --output predicted --format csv,ssff
    arecord -q -t raw -f S16_LE -r 16000 -c 1 | python -m pipeline.predict --stream

NAME.csv has a row every 10 ms: time_s, then x (forward) and y (up) of each articulator in mm.
Any sample rate, any number of channels; WAV, FLAC, OGG and whatever else libsndfile opens.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from features.frames import FRAME_RATE
from features.mfcc import SAMPLE_RATE
from models.batching import by_length
from pipeline.formats import audio
from pipeline.ground import artifacts, workers
from pipeline.ground.console import (
    InputError,
    UsageError,
    grouped,
    progress,
    run,
    say,
    stage_parser,
    warn,
)
from pipeline.prediction import live, outputs, recordings
from pipeline.prediction.batch import Job, Result, Settings, predict_batch
from pipeline.trained import description

BATCH_FRAMES = 8_000  # of one batch, padding and all: what it makes of them stays in the cache


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    options = stage_parser(__doc__, "predict")
    add = options.add_argument
    add("audio", nargs="*", help="sounds, folders of sounds (at any depth), or quoted patterns")
    add("--manifest", type=Path, help="a file that names sounds: a path a line, or CSV")
    add("--output", type=Path, help="folder for the results; for one sound also a file NAME.csv")
    formats = ", ".join(outputs.FORMATS)
    add("--format", help=f"one or more of {formats}, comma-separated; default: csv")
    add("--standardized", action="store_true", help="give every channel also in z, as NAME_zscore")
    add("--plot", action=argparse.BooleanOptionalAction, help="picture; default: for one sound")
    add("--animate", action="store_true", help="moving midsagittal view")
    add("--model", type=Path, default=artifacts.TRAINED, help="trained folder; default: trained")
    add(
        "--statistics",
        choices=("auto", "own", "training"),
        default="auto",
        help="standardise features by the recording's own mean and deviation or by the average"
        " over training; default: as in training",
    )
    add("--channel", type=number, help="which one of each sound, from 1; default: their mean")
    add("--speaker", help="of training, by whose mean and range tracks come to mm; default: all's")
    add("--overwrite", action="store_true", help="replace files that are no predictions, too")
    add("--resume", action="store_true", help="skip sounds whose very same prediction is there")
    workers.add_options(options)
    add("--stream", action="store_true", help="16-bit mono PCM on standard input to CSV rows")
    add("--microphone", action="store_true", help="sound of the microphone to CSV rows")
    add("--rate", type=int, default=SAMPLE_RATE, help="of these two, Hz; default: 16000")
    return options


def number(text: str) -> int:
    """Return the number of a channel; for argparse, which names the option."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a channel, 1 or more")
    return int(text)


def settings(options: argparse.Namespace, sounds: int) -> Settings:
    """Return what is wanted of every sound."""
    named = None if options.output is None else outputs.format_of(options.output)
    formats = outputs.names(options.format or (sounds == 1 and named) or "csv")
    return Settings(
        model=options.model.absolute(),
        statistics=options.statistics,
        speaker=options.speaker,
        formats=formats,
        standardized=options.standardized,
        plot=sounds == 1 if options.plot is None else options.plot,
        animate=options.animate,
        channel=options.channel,
        overwrite=options.overwrite,
        resume=options.resume,
    )


def places(found: Sequence[recordings.Recording], output: Path | None) -> list[Path]:
    """Return the path of every sound's results without suffix."""
    if len(found) == 1 and output is not None and outputs.format_of(output):
        return [outputs.stem_of(output)]
    return recordings.place(found, output)


def headers(found: Sequence[recordings.Recording], stems: Sequence[Path]) -> Iterator[Job | Result]:
    """Yield a job for every sound, or the result that says why there is none."""
    for recording, stem in zip(found, stems, strict=True):
        try:
            yield Job(recording.audio.absolute(), stem.absolute(), audio.header(recording.audio))
        except InputError as error:
            yield Result(recording.audio, error=str(error))


def predicted(
    jobs: Sequence[Job], wanted: Settings, options: argparse.Namespace
) -> Iterator[Result]:
    """Yield the result of every job as it comes, those of the longest sounds first."""
    frames = np.array([1 + int(FRAME_RATE * job.seconds) for job in jobs])
    groups = [[jobs[k] for k in members] for members in by_length(frames, BATCH_FRAMES)]
    threads = 0 if len(groups) == 1 else 1  # of the network, in each process
    calls = [(group, wanted, threads) for group in reversed(groups)]
    bar: tqdm[Any]
    with progress([], total=len(jobs), unit="sounds") as bar:
        for results in workers.spread(predict_batch, calls, options.jobs, options.cluster):
            bar.update(len(results))
            yield from results


def as_typed(text: str) -> str:
    """Return a line whose absolute paths, which workers need, are relative to this folder again."""
    return text.replace(f"{Path.cwd()}{os.sep}", "")


def summary(done: Sequence[Result], seconds: float) -> str:
    """Return the last line: what was made, and how fast."""
    new = [result for result in done if not result.done_before]
    frames = sum(result.frames for result in new)
    if len(done) == len(new) == 1:
        about = "; ".join(part for part in (new[0].note, *new[0].remarks) if part)
        about = f" ({about})" * bool(about)
        return f"predict: {new[0].audio}{about}: {frames} frames -> {', '.join(new[0].files)}"
    sound = sum(result.seconds for result in new)
    there = f", {len(done) - len(new)} were there" * (len(done) > len(new))
    return (
        f"predict: {len(new)} sounds{there}; {frames} frames in {seconds:.1f} s:"
        f" {frames / seconds:.0f} frames/s, {sound / seconds:.0f} x real time"
    )


def mm(options: argparse.Namespace) -> str:
    """Return in words what millimetres stand on."""
    whose = "the training speakers" if options.speaker is None else f"speaker {options.speaker}"
    return f"mm by the average mean and range of {whose}"


def stream(options: argparse.Namespace) -> None:
    """Write rows to standard output while the sound goes on."""
    if options.audio or options.manifest or options.output:
        raise UsageError("--stream and --microphone take no files and write to standard output")
    if not audio.LOWEST_RATE <= options.rate <= audio.HIGHEST_RATE:
        raise UsageError(f"--rate {options.rate}: not a sample rate of speech, in Hz")
    if options.channel is not None:
        raise UsageError("--channel: --stream and --microphone have one channel")
    if options.statistics == "own":
        raise UsageError("--statistics own: a sound's own statistics are known only at its end")
    model = live.load(options.model, options.speaker)
    sound = live.microphone(options.rate) if options.microphone else live.pcm(sys.stdin.buffer)
    warn(f"predict: rows follow the sound by {1000 * live.latency_s(model):.1f} ms; {mm(options)}")
    if model.about.smoothing.method != "none":
        warn(f"predict: rows are not smoothed; whole files are ({model.about.smoothing})")
    live.to_stdout(model, sound, options.rate, options.standardized)


def files(options: argparse.Namespace) -> None:
    """Predict sounds that are files."""
    started = time.perf_counter()
    if not options.audio and options.manifest is None:
        raise UsageError("name a sound, a folder or a --manifest; --help tells more")
    about = description.read_about(options.model / "model.json")  # before all else
    if options.speaker is not None:
        about.of_speaker(options.speaker)
    passed_over = Counter[str]()
    found = recordings.find(options.audio, options.manifest, passed_over)
    if passed_over:
        warn(f"predict: {audio.what_was_passed_over(passed_over)}")
    wanted = settings(options, len(found))
    known = list(headers(found, places(found, options.output)))
    jobs = [job for job in known if isinstance(job, Job)]
    refused = [result for result in known if isinstance(result, Result)]
    done, failed = [], 0
    for result in chain(refused, predicted(jobs, wanted, options)):
        if not result.error:
            done.append(result)
        elif len(found) == 1:
            raise InputError(as_typed(result.error))
        else:
            warn(as_typed(result.error))
            failed += 1
    if len(done) > 1:
        told = ((result.audio, remark) for result in done for remark in result.remarks)
        for line in grouped(told):
            warn(as_typed(f"predict: {line}"))
    if done:
        say(as_typed(f"{summary(done, time.perf_counter() - started)}; {mm(options)}"))
    if failed:
        raise InputError(f"{failed} of {len(found)} sounds could not be predicted")


def main() -> None:
    """Run the command."""
    options = parser().parse_args()
    if options.stream or options.microphone:
        stream(options)
    else:
        files(options)


if __name__ == "__main__":
    run(main)
