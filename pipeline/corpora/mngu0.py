"""mngu0, day 1: one British speaker, 1,354 sentences, EMA at 200 Hz (Carstens AG500).

Richmond, Hoole and King 2011 (free for research, by request to CSTR, Edinburgh). Both packages of
the positions are read: ``ema_basic``, and ``ema_norm`` if there is no basic one below the folder.
Where there is neither, the z-scores are as which the corpus goes round in Python: NO millimetres.

Layout on disk: the packages side by side, in folders of any name::

    mngu0_s1_ema_basic_1.1.0/mngu0_s1_0001.ema   EST track, 87 channels, cm
    mngu0_s1_ema_norm_1.0.1/mngu0_s1_0001.ema    EST track, (x - mean) / (4 sd) of cm
    mngu0_s1_ema_norm_1.0.1/norm_parms/          ema_means.txt, ema_stds.txt
    mngu0_s1_wav_16kHz_1.1.0/mngu0_s1_0001.wav
    mngu0_s1_lab_1.1.1/mngu0_s1_0001.lab         ESPS phone labels, end times
    mngu0_s1_0001.npy                            float [T, 12]: z-scores over the corpus

The corpus counts x (``_py``) toward the back of the head; it is turned round here. Height is
``_pz``. ``ema_norm`` lost its leading silence while the sound kept it: its first frame stands at
the end of the leading silence in the labels, a different time in every utterance. The arrays start
with the sound and may end before it; their x is turned round, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.corpora import Item
from pipeline.corpora.files import Companions, below, by_ending, present, usable
from pipeline.corpora.layouts import midsagittal
from pipeline.formats import audio, checked, est_track, lab, object_array
from pipeline.ground.console import InputError
from pipeline.ground.params import Corpus, Layout
from pipeline.ground.utterance import Label, Tracks, Utterance

LAYOUT = Layout(midsagittal("TD", "TB", "TT", "LI", "UL", "LL"), 0)
# in the order of the first twelve channels of ema_norm; the reference is at the upper incisors
SENSORS = {"T3": "TD", "T2": "TB", "T1": "TT", "jaw": "LI", "upperlip": "UL", "lowerlip": "LL"}
SPEAKER = "mngu0_s1"
RATE = 200.0  # Hz
MM = 10  # per cm
SILENCE = "#"
PARAMETERS = "norm_parms"


def find(folder: Path, params: Corpus) -> Iterator[Item]:
    """List the sentences, of the basic package where there is one."""
    sounds, labels = (Companions(folder, ending, unique=True) for ending in (".wav", ".lab"))
    paths = below(folder, ".ema") or below(folder, ".npy")
    basic = [path for path in paths if not (path.parent / PARAMETERS).is_dir()]
    for path in basic or paths:
        scales = [path.parent / PARAMETERS / f"ema_{name}.txt" for name in ("means", "stds")]
        files = present(sounds.expected(path, ".wav"), path, labels.of(path))
        files += tuple(scales) if path.suffix == ".ema" and not basic else ()
        yield Item(path.stem, files, speaker=SPEAKER, sentence=path.stem)


def read(item: Item, params: Corpus) -> Utterance:
    """Read one sentence."""
    files = by_ending(item.files)
    sound, sample_rate = audio.read(item.files[0], params.channel)
    notes: list[str] = []
    labels = lab.read(files[".lab"], notes=notes) if ".lab" in files else ()
    phones = usable(files[".lab"], labels, len(sound) / sample_rate, notes) if labels else ()
    scales = [path for path in item.files if path.suffix == ".txt"]
    if ".npy" in files:
        tracks = z_tracks(files[".npy"])
    elif scales:
        tracks = normalized_tracks(files[".ema"], scales, phones)
    else:
        tracks = basic_tracks(files[".ema"])
    return item.utterance(
        tracks, audio=sound, sample_rate=sample_rate, phones=phones, notes=tuple(notes)
    )


def basic_tracks(path: Path) -> Tracks:
    """Read a file of ema_basic: mm, x forward, z lateral."""
    tracks = est_track.read(path)
    axes = (("x", "_py", -MM), ("y", "_pz", MM), ("z", "_px", MM))
    columns = {
        f"{name}_{axis}": (f"{sensor}{ending}", scale)
        for sensor, name in SENSORS.items()
        for axis, ending, scale in axes
    }
    missing = [source for source, _ in columns.values() if source not in tracks.channels]
    if missing:
        raise InputError(f"{path}: no channel {', '.join(missing)}; is it ema_norm?")
    values = [tracks.values[:, tracks.channels.index(s)] * scale for s, scale in columns.values()]
    return checked.tracks(path, tracks.time, np.column_stack(values), list(columns))


def normalized_tracks(path: Path, scales: list[Path], phones: tuple[Label, ...]) -> Tracks:
    """Read a file of ema_norm: mm, x forward, from the end of the leading silence on."""
    if not phones:
        raise InputError(
            f"{path}: no .lab; without it the place of ema_norm in the sound is unknown"
        )
    channels = midsagittal(*SENSORS.values())
    values = est_track.read(path).values[:, : len(channels)]
    mean, deviation = (
        checked.numbers(scale, checked.text(scale)).ravel()[: len(channels)] for scale in scales
    )
    if not values.shape[1] == len(mean) == len(deviation) == len(channels):
        raise InputError(f"{path}: fewer than {len(channels)} channels, here or in {PARAMETERS}")
    start = phones[0].end if phones[0].text == SILENCE else 0.0
    forward = np.where([name.endswith("_x") for name in channels], -MM, MM)
    values = (values * 4 * deviation + mean) * forward
    return checked.tracks(path, start + np.arange(len(values)) / RATE, values, channels)


def z_tracks(path: Path) -> Tracks:
    """Read an array of z-scores, x forward."""
    channels = midsagittal(*SENSORS.values())
    table = object_array.read_numbers(path)
    if table.dtype.kind != "f" or table.shape[1:] != (len(channels),):
        raise InputError(
            f"{path}: {table.dtype} {table.shape} is no table of {len(channels)} columns"
        )
    values = table.astype(np.float64)
    forward = np.where([name.endswith("_x") for name in channels], -1, 1)
    time = np.arange(len(values)) / RATE
    return replace(checked.tracks(path, time, values * forward, channels), unit="z")
