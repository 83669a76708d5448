"""Live sound: 16-bit PCM or the microphone in, a CSV row per 10 ms frame out."""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TextIO

import numpy as np
from numpy.typing import NDArray

from features import speech
from features.deltas import WINDOW
from features.frames import FRAME_RATE
from features.mfcc import FRAME, SAMPLE_RATE, mfcc_blocks
from pipeline.formats import track_csv
from pipeline.formats.audio import kind_of
from pipeline.ground.console import InputError, UsageError, refuse_output
from pipeline.prediction import long_sound
from pipeline.prediction.predictor import Predictor

FULL_SCALE = 32768  # of 16-bit samples
CONTEXT = 2 * WINDOW  # frames after its own that a frame's delta-delta sees

HEADER = 12  # bytes that tell whether a sound file starts with them

Sound = Iterable[NDArray[np.float32]]


def load(folder: Path, speaker: str | None = None) -> Predictor:
    """Load a model that can follow a sound; see `Predictor.load`.

    Raises
    ------
    UsageError
        Where the network needs the whole sound, being bidirectional.
    """
    model = Predictor.load(folder, statistics="training", speaker=speaker, threads=1)
    if model.network.bidirectional:
        raise UsageError(
            "--stream needs a network of one direction, and this one is bidirectional;"
            " train one by `dvc exp run -S train.recipe=tutorial`"
        )
    return model


def latency_s(model: Predictor) -> float:
    """Return how long after the instant that it is about a row can be known, in s.

    Half a window of sound, the frames that deltas see, and the delay that the network was trained
    with; a resampling filter adds its own.
    """
    return FRAME / SAMPLE_RATE / 2 + (CONTEXT + model.network.delay) / FRAME_RATE


def follow(
    model: Predictor, sound: Sound, sample_rate: int, out: TextIO, *, standardized: bool = False
) -> int:
    """Write rows as soon as they are known and return their number.

    The rows are those of the same sound predicted offline with the same statistics, by a model
    that does not smooth: that would have to wait. Rows of silence wait for the first speech, since
    a sound without any gives none.

    Parameters
    ----------
    model : Predictor
        From `load`: of one direction, and with the statistics of training, since a sound's own are
        known only at its end.
    sound : iterable of float32 [n]
        Successive stretches of one channel, of any lengths.
    sample_rate : int
        Hz.
    out : text file
        Flushed after every stretch that brought rows.
    """
    frames = 0
    width = len(model.about.channels)  # deltas are for smoothing
    meter = speech.LevelMeter(sample_rate)
    cepstra = mfcc_blocks(speech.checked(sound, meter), sample_rate)
    features = map(model.average_inputs.transform, cepstra)
    waiting: list[NDArray[np.float32]] = []
    for z in long_sound.carried(model, features):
        if len(z):
            waiting.append(z[:, :width])
        if meter.heard and waiting:
            tracks = model.tracks(np.concatenate(waiting), frames, standardized=standardized)
            if not frames:
                out.write(track_csv.header(tracks.channels))
            out.write(track_csv.rows(tracks))
            out.flush()
            frames += len(tracks.time)
            waiting.clear()
    return frames


def pcm(file: IO[bytes]) -> Iterator[NDArray[np.float32]]:
    """Yield what arrives as 16-bit little-endian mono PCM, float32 [n], without waiting for more.

    Raises
    ------
    InputError
        Where nothing arrives at all, or a sound file with a header.
    """
    start = b""
    while len(start) < HEADER and (data := os.read(file.fileno(), 1 << 16)):
        start += data
    if not start:
        raise InputError("no sound on standard input; it takes raw 16-bit mono PCM")
    if kind := kind_of(start):
        raise InputError(
            f"standard input: a {kind} file, and --stream takes raw 16-bit mono PCM; name the file"
            " without --stream, or pipe what `ffmpeg -i FILE -f s16le -ac 1 -ar 16000 -` gives"
        )
    data, rest = start, b""
    while data:
        data = rest + data
        rest = data[len(data) // 2 * 2 :]
        samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2")
        yield samples.astype(np.float32) / np.float32(FULL_SCALE)
        data = os.read(file.fileno(), 1 << 16)


def microphone(sample_rate: int) -> Iterator[NDArray[np.float32]]:
    """Yield the default microphone's sound, float32 [n], a frame at a time, until an interrupt.

    Raises
    ------
    UsageError
        Where the package sounddevice, or PortAudio below it, is missing, or there is no microphone.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise UsageError(f"--microphone needs `pip install sounddevice` ({error})") from None
    heard: queue.SimpleQueue[NDArray[np.float32]] = queue.SimpleQueue()
    try:
        with sounddevice.InputStream(
            samplerate=sample_rate,
            blocksize=sample_rate // FRAME_RATE,
            channels=1,
            callback=lambda data, *_: heard.put(data[:, 0].copy()),
        ):
            while True:
                yield heard.get()
    except sounddevice.PortAudioError as error:
        raise UsageError(f"--microphone: {error}") from None


def to_stdout(model: Predictor, sound: Sound, sample_rate: int, standardized: bool) -> None:
    """Follow a sound on standard output, until it ends or the reader has had enough."""
    try:
        follow(model, sound, sample_rate, sys.stdout, standardized=standardized)
    except ValueError as error:
        raise InputError(f"standard input: {error}") from None
    except OSError as error:
        refuse_output(error)
