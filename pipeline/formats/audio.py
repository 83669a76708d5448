"""Sound files: RIFF WAVE, FLAC, OGG, MP3 and whatever else libsndfile opens in, mono float32 out.

libsndfile is lenient: a file cut short is read up to the cut without a word. An utterance that lost
its end is worse than none, so that is looked at here. A header that is merely wrong is mended
(`pipeline.formats.containers`). What a person should know of a sound that is read all the same is a
`SoundWarning`.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from pipeline.formats import containers, mpeg
from pipeline.ground.console import InputError
from pipeline.ground.storage import atomic_path

READ = (
    ".wav .wave .bwf .rf64 .w64 .flac .ogg .oga .opus .mp3 .mp2 .aif .aiff .aifc .au .snd .caf"
    " .sph .nist"
)
FOREIGN = (  # not read here; ffmpeg reads them
    ".m4a .m4b .mp4 .m4v .mov .aac .webm .weba .mkv .mka .wma .wmv .asf .avi .amr .awb .3gp .3g2"
    " .mpga .mpg .mpeg .ac3 .eac3 .dts .ape .wv .tta .spx .ra .rm .mts .ts .flv"
)
SUFFIXES, FOREIGN_SUFFIXES = frozenset(READ.split()), frozenset(FOREIGN.split())
STARTS = {  # of sound files, each too odd for samples
    "WAV": rb"(RIFF|RIFX|RF64|BW64)....WAVE",
    "W64": rb"riff\x2e\x91\xcf\x11",
    "AIFF": rb"FORM....AIF[FC]",
    "FLAC": rb"fLaC",
    "AU": rb"\.snd|dns\.",
    "NIST SPHERE": rb"NIST_1A",
    "MP3": rb"ID3",
    "CAF": rb"caff",
    "Ogg": rb"OggS",
    "MPEG-4": rb"....ftyp",
    "Matroska or WebM": rb"\x1a\x45\xdf\xa3",
    "Windows Media": rb"\x30\x26\xb2\x75\x8e\x66",
    "AMR": rb"#!AMR",
    "WavPack": rb"wvpk",
    "Monkey's Audio": rb"MAC ",
}
FOREIGN_KINDS = {"CAF", "Ogg", "MPEG-4", "Matroska or WebM", "Windows Media", "AMR", "AAC"} | {
    "WavPack",
    "Monkey's Audio",
}
ADTS = (b"\xff\xf1", b"\xff\xf9")  # what AAC without a container starts with
LOWEST_RATE, HIGHEST_RATE = 4_000, 768_000  # Hz; outside, the header is wrong or it is not speech
BLOCK = 1 << 16  # frames read at once: memory follows what is there, not what the header claims
FULL_SCALE = 32768  # of 16-bit samples, as libsndfile reads them
LOUDEST = 1e12  # times full scale: no recorder counts as far, and its power is still a float32
ALIKE = 0.7  # correlation of two channels that hold the same voice
HEARD = 1e-3  # a channel's deviation over the loudest one's: below, it changes no mean
FAINT = 0.004  # of full scale, the largest sample: see docs/predict.md


class SoundWarning(UserWarning):
    """What a person should know of a sound that was read; its text does not name the file."""


class OppositeChannels(SoundWarning):
    """Channels cancel each other, so that one of them was taken in place of their mean."""


@dataclass(frozen=True)
class Header:
    """What a sound file holds.

    Attributes
    ----------
    sample_rate : int
        Hz.
    channels : int
    samples : int
        Per channel; of a damaged file, what its header believes.
    """

    sample_rate: int
    channels: int
    samples: int


@dataclass(frozen=True)
class Source:
    """An open sound file.

    Attributes
    ----------
    path : Path
    files : tuple of SoundFile
        Read one after the other.
    note : str
        What was wrong with the file's header; empty for nothing.
    """

    path: Path
    files: tuple[soundfile.SoundFile, ...]
    note: str

    @property
    def header(self) -> Header:
        """What the file holds."""
        first = self.files[0]
        return Header(first.samplerate, first.channels, sum(file.frames for file in self.files))

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Give the sound from its start, float32 [n, channels]; refuse a lost end."""
        for file in self.files:
            if file.seekable():  # what has no way back is read once
                file.seek(0)
            samples = 0
            while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
                samples += len(block)
                yield block
            if samples < file.frames:
                containers.refuse_truncated(
                    self.path, f"{samples} of {file.frames} samples are there"
                )


def read(path: Path, channel: int | None = None) -> tuple[NDArray[np.float32], int]:
    """Read a sound file.

    Parameters
    ----------
    path : Path
        WAV, FLAC, OGG, MP3, AIFF, NIST SPHERE, ...; the content decides, not the name.
    channel : int or None
        Which one, counted from 1; None for the mean of all.

    Returns
    -------
    audio : float32 [samples]
        Full scale is 1.
    sample_rate : int
        Hz.

    Raises
    ------
    InputError
        Where the file is missing, empty, not a sound file, cut short, has no such channel, or
        holds NaN or infinity.

    Warns
    -----
    SoundWarning
        Of a wrong header, channels that are very unlike, and sound that is hardly there.
    """
    with opened(path) as source:
        return np.concatenate(list(read_blocks(source, channel))), source.header.sample_rate


def header(path: Path) -> Header:
    """Read what a sound file holds; raises as `read` does."""
    with opened(path) as source:
        return source.header


def blocks(path: Path, channel: int | None = None) -> Iterator[NDArray[np.float32]]:
    """Give what `read` gives stretch by stretch, float32 [n], in memory of one stretch."""
    with opened(path) as source:
        yield from read_blocks(source, channel)


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a sound file and look at its header; what libsndfile refuses becomes one line."""
    try:
        if not path.is_file():
            raise InputError(f"{path}: not found")
        if path.stat().st_size == 0:
            raise InputError(f"{path}: empty file")
        with ExitStack() as stack:
            found = containers.mended(path)
            spliced = [containers.Spliced(path, piece) for piece in found.pieces]
            # a name is bytes, which need not be text in the encoding of the locale
            inputs: Sequence[bytes | containers.Spliced] = spliced or [os.fsencode(path)]
            files = tuple(stack.enter_context(soundfile.SoundFile(one)) for one in inputs)
            for file in files:
                check_header(path, file)
            if len({(file.samplerate, file.channels) for file in files}) > 1:
                raise InputError(
                    f"{path}: {len(files)} streams of different sample rates or channels, one after"
                    f" the other; {conversion(path)}"
                )
            yield Source(path, files, found.note)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except soundfile.LibsndfileError as error:
        if kind := foreign(path):
            raise InputError(
                f"{path}: a kind of {kind} file that is not read here; {conversion(path)}"
            ) from None
        reason = error.error_string.strip() or f"libsndfile error {error.code}"
        raise InputError(f"{path}: not a sound file, or a damaged one ({reason})") from None


def kind_of(start: bytes) -> str:
    """Return the kind of a sound file by its first bytes; empty for samples or anything else."""
    for kind, magic in STARTS.items():
        if re.match(magic, start, re.DOTALL):
            return kind
    first = mpeg.frame(start[:4])
    return "MP3" if first and mpeg.frame(start[first.bytes : first.bytes + 4]) else ""


def foreign(path: Path) -> str:
    """Return the kind of a file of which only others read every one; empty for any other."""
    with path.open("rb") as file:
        start = file.read(16)
    kind = "AAC" if start.startswith(ADTS) else kind_of(start)
    return kind if kind in FOREIGN_KINDS else ""


def what_was_passed_over(counts: Counter[str]) -> str:
    """Return in words how many files of which suffixes are no sounds, and what makes them some."""
    foreign = [suffix for suffix in counts if suffix in FOREIGN_SUFFIXES]
    order = sorted(counts, key=lambda suffix: (suffix not in foreign, -counts[suffix], suffix))
    files = ", ".join(f"{counts[suffix]} {suffix or 'without a suffix'}" for suffix in order)
    first = f"NAME{order[0]}"
    command = f" (`ffmpeg -i {first} NAME.wav` makes {first} readable)" * bool(foreign)
    return f"passed over {files}{command}"


def conversion(path: Path) -> str:
    """Return the command that makes a file readable, as the end of a line."""
    name = path.name if not path.name.startswith("-") else f"./{path.name}"
    made = shlex.quote(str(Path(name).with_suffix(".wav" if path.suffix != ".wav" else ".flac")))
    return f"convert it by `ffmpeg -i {shlex.quote(name)} {made}`"


def read_blocks(source: Source, channel: int | None) -> Iterator[NDArray[np.float32]]:
    """Give an open file stretch by stretch, one channel of it or their mean; refuse NaN."""
    path, about = source.path, source.header
    if channel is not None and channel > about.channels:
        raise InputError(f"{path}: channel {channel} is wanted, and it has {about.channels}")
    if source.note:
        remark(source.note)
    if channel is None and about.channels > 1:
        channel = instead_of_mean(source.blocks())
    samples, peak = 0, 0.0
    for block in source.blocks():
        if channel is None:
            audio = block.mean(axis=1, dtype=np.float32)
        else:
            audio = np.ascontiguousarray(block[:, channel - 1])
        possible = np.abs(audio) < LOUDEST  # which NaN is not
        if not possible.all():
            bad = int(np.argmin(possible))
            time = (samples + bad) / about.sample_rate
            raise InputError(f"{path}: the sample at {time:.4f} s is {audio[bad]}; mend the file")
        samples += len(audio)
        peak = max(peak, float(np.abs(audio).max()))
        yield audio
    if not samples:
        raise InputError(f"{path}: no samples")
    if 0 < peak < FAINT:
        remark(
            "hardly any sound: its peak is below 0.4 % of full scale, where the steps of 16-bit"
            " sound alone move the tracks by a millimetre; record it louder"
        )


@contextmanager
def listening(heard: list[SoundWarning]) -> Iterator[None]:
    """Put into a list what there is to say of the sounds that the block reads."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for one in caught:
        if isinstance(one.message, SoundWarning):
            heard.append(one.message)
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def remark(text: str, kind: type[SoundWarning] = SoundWarning) -> None:
    """Warn of a sound."""
    warnings.warn(text, kind, stacklevel=3)


def instead_of_mean(blocks: Iterable[NDArray[np.floating]]) -> int | None:
    """Return the channel to take where the mean of all would not be the voice; None for the mean.

    Parameters
    ----------
    blocks : iterable of float [n, channels]
        The whole sound.

    Warns
    -----
    SoundWarning
        Where a channel that can be heard is very unlike the loudest one.
    """
    count, total, products = 0, np.zeros(1), np.zeros((1, 1))
    for block in blocks:
        exact = block.astype(np.float64)
        count += len(exact)
        total = total + exact.sum(axis=0)
        products = products + exact.T @ exact
    if not count or not np.isfinite(products).all():
        return None  # reading it will say so
    covariance = products / count - np.outer(total, total) / count**2
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0))
    loudest = int(np.argmax(deviation))
    heard = np.flatnonzero(deviation > HEARD * deviation[loudest])
    correlation = covariance[loudest, heard] / (deviation[loudest] * deviation[heard])
    unlike = heard[correlation < ALIKE] + 1
    if not len(unlike):
        return None
    others = ", ".join(map(str, unlike))
    if correlation.min() < -ALIKE:
        remark(
            f"channel {others} has the opposite sign of channel {loudest + 1}, and their mean would"
            f" be silence: channel {loudest + 1} was taken; another can be chosen by its number",
            OppositeChannels,
        )
        return loudest + 1
    remark(
        f"channel {others} is very unlike channel {loudest + 1}, and their mean was taken; choose"
        " the microphone's channel by its number"
    )
    return None


def mixed(samples: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the mean of channels, float [n, channels] to [n], or one of them, as `read` does."""
    channel = instead_of_mean([samples])
    return samples.mean(axis=1) if channel is None else samples[:, channel - 1]


def check_header(path: Path, file: soundfile.SoundFile) -> None:
    """Refuse a sample rate that cannot be speech and a header that promises more than is there."""
    if not LOWEST_RATE <= file.samplerate <= HIGHEST_RATE:
        raise InputError(
            f"{path}: sample rate {file.samplerate} Hz is outside {LOWEST_RATE} to {HIGHEST_RATE}"
        )
    if file.format == "NIST":
        with path.open("rb") as header:
            match = re.search(rb"sample_count -i (\d+)", header.read(1024))
        if match and int(match[1]) > file.frames:
            containers.refuse_truncated(path, f"{file.frames} of {int(match[1])} samples are there")


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
    memory = io.BytesIO()  # a disk that is full is no error to libsndfile
    soundfile.write(memory, samples, sample_rate, format="WAV", subtype="PCM_16")
    with atomic_path(path) as part:
        part.write_bytes(memory.getvalue())
