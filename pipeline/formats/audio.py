"""Sound files: RIFF WAVE, FLAC, OGG and NIST SPHERE in, mono float32 out.

Anything that libsndfile opens can be read. It is lenient: a file cut short is read up to the cut
without a word, and a header's size field is believed before memory is reserved. An utterance that
lost its end is worse than none, so both are looked at here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from pipeline.ground.console import InputError
from pipeline.ground.storage import atomic_path

LOWEST_RATE, HIGHEST_RATE = 4_000, 768_000  # Hz; outside, the header is wrong or it is not speech
BLOCK = 1 << 16  # frames read at once: memory follows what is there, not what the header claims
UNKNOWN_SIZE = 0x7FFF_0000  # a writer to a pipe cannot know the size and puts 2**31 or 2**32 here
SIZE_FIELD = re.compile(r"(data|SSND|Data Size|riff|Riff size) *: (\d+) \(should be (\d+)\)")
FULL_SCALE = 32768  # of 16-bit samples, as libsndfile reads them


@dataclass(frozen=True)
class Header:
    """What a sound file says of itself.

    Attributes
    ----------
    sample_rate : int
        Hz.
    channels : int
    samples : int
        Per channel; of an MP3 or a damaged file, what its header believes.
    """

    sample_rate: int
    channels: int
    samples: int


def read(path: Path) -> tuple[NDArray[np.float32], int]:
    """Read a sound file; several channels are averaged.

    Parameters
    ----------
    path : Path
        WAV, FLAC, OGG or NIST SPHERE; the content decides, not the name.

    Returns
    -------
    audio : float32 [samples]
        Full scale is 1.
    sample_rate : int
        Hz.

    Raises
    ------
    InputError
        Where the file is missing, empty, not a sound file, cut short, or holds NaN or infinity.
    """
    with opened(path) as file:
        return np.concatenate(list(read_blocks(path, file))), file.samplerate


def header(path: Path) -> Header:
    """Read what a sound file says of itself; raises as `read` does."""
    with opened(path) as file:
        return Header(file.samplerate, file.channels, file.frames)


def blocks(path: Path) -> Iterator[NDArray[np.float32]]:
    """Give what `read` gives stretch by stretch, float32 [n], in memory of one stretch."""
    with opened(path) as file:
        yield from read_blocks(path, file)


@contextmanager
def opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open a sound file and look at its header; what libsndfile refuses becomes one line."""
    if not path.is_file():
        raise InputError(f"{path}: not found")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: empty file")
    try:
        with soundfile.SoundFile(path) as file:
            check_header(path, file)
            yield file
    except soundfile.LibsndfileError as error:
        reason = error.error_string.strip() or f"libsndfile error {error.code}"
        raise InputError(f"{path}: not a sound file, or a damaged one ({reason})") from None


def read_blocks(path: Path, file: soundfile.SoundFile) -> Iterator[NDArray[np.float32]]:
    """Give an open file stretch by stretch, its channels averaged; refuse a lost end and NaN."""
    samples = 0
    while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):  # blocks() would pad
        audio = block.mean(axis=1, dtype=np.float32)
        finite = np.isfinite(audio)
        if not finite.all():
            bad = int(np.argmin(finite))
            time = (samples + bad) / file.samplerate
            raise InputError(f"{path}: the sample at {time:.4f} s is {audio[bad]}; mend the file")
        samples += len(audio)
        yield audio
    if not samples:
        raise InputError(f"{path}: no samples")
    if samples < file.frames:
        refuse_truncated(path, f"{samples} of {file.frames} samples are there")


def check_header(path: Path, file: soundfile.SoundFile) -> None:
    """Refuse a sample rate that cannot be speech and a header that promises more than is there."""
    if not LOWEST_RATE <= file.samplerate <= HIGHEST_RATE:
        raise InputError(
            f"{path}: sample rate {file.samplerate} Hz is outside {LOWEST_RATE} to {HIGHEST_RATE}"
        )
    for name, promised, there in SIZE_FIELD.findall(file.extra_info):
        if int(there) < int(promised) < UNKNOWN_SIZE:
            refuse_truncated(path, f"{name!r} promises {promised} bytes, {there} are there")
    if file.format == "NIST":
        with path.open("rb") as header:
            match = re.search(rb"sample_count -i (\d+)", header.read(1024))
        if match and int(match[1]) > file.frames:
            refuse_truncated(path, f"{file.frames} of {int(match[1])} samples are there")


def refuse_truncated(path: Path, evidence: str) -> None:
    """Raise the error of a file that lost its end."""
    raise InputError(f"{path}: truncated: {evidence}; copy or download it again")


def write(path: Path, audio: NDArray[np.floating], sample_rate: int) -> None:
    """Write mono sound as 16-bit WAV, atomically; what `read` gives for it differs by rounding.

    Parameters
    ----------
    path : Path
        Ends in ``.wav``.
    audio : float [samples]
        Full scale is 1; samples beyond it are clipped.
    sample_rate : int
        Hz.
    """
    scaled = np.round(np.asarray(audio, np.float64) * FULL_SCALE)
    samples = np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    with atomic_path(path) as part:
        soundfile.write(part, samples, sample_rate, format="WAV", subtype="PCM_16")
