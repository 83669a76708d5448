"""Small valid files of every kind that the project reads: what fuzzing starts from.

A corpus is a folder of a few files with 0.3 s of sound and as much of tracks. Everything is
made here; real files of ``../shared/data`` are added where they lie beside the checkout.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import scipy.io
import soundfile
from numpy.typing import NDArray
from onnx import numpy_helper

from benchmarks.machine import ROOT
from benchmarks.predict import noise
from features.mfcc import WIDTH
from pipeline.corpora import mngu0, mocha, mspka, ndi_wave
from pipeline.formats import (
    carstens_pos,
    carstens_text,
    est_track,
    matlab,
    mview,
    ssff,
    textgrid,
    track_csv,
)
from pipeline.ground import params
from pipeline.ground.utterance import Label, Tracks, Utterance
from pipeline.trained import onnx_graph

RATE = 16_000  # Hz, of the sounds
SECONDS = 0.3
LARGEST = 1 << 16  # bytes of a real file that fuzzing starts from
SHARED = ROOT.parent / "shared" / "data"
LABELS = (Label(0, 0.1, "#"), Label(0.1, 0.2, "a"), Label(0.2, 0.3, "b"))
LAB = "#\n0.100 125 #\n0.200 125 a\n0.300 125 b\n"

Files = dict[str, bytes]


def tracks(*channels: str, rate: float = 100.0) -> Tracks:
    """Return tracks that move by some millimetres."""
    time = np.arange(round(SECONDS * rate)) / rate
    speeds = 2 + np.arange(len(channels)) % 5
    return Tracks(time, 10 + 3 * np.sin(2 * np.pi * np.outer(time, speeds) + speeds), channels)


def points(*sensors: str, axes: str = "xy", rate: float = 100.0) -> Tracks:
    """Return the tracks of sensors."""
    return tracks(*(f"{sensor}_{axis}" for sensor in sensors for axis in axes), rate=rate)


def written(write: Callable[[Path], object], name: str = "a") -> bytes:
    """Return what a function writes to a path."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()


@cache
def sound(form: str = "WAV", subtype: str | None = "PCM_16", rate: int = RATE) -> bytes:
    """Return a sound file."""
    memory = io.BytesIO()
    soundfile.write(memory, noise(SECONDS)[: round(SECONDS * rate)], rate, subtype, format=form)
    return memory.getvalue()


def sounds() -> list[bytes]:
    """Return sound files of every kind, and of the wrong headers that are mended."""
    kinds = [
        *(("WAV", kind) for kind in ("PCM_16", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM")),
        *((form, "PCM_16") for form in ("RF64", "W64", "AIFF", "AU", "CAF", "NIST")),
        *(("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)),
    ]
    found = [sound(form, subtype, 8_000) for form, subtype in kinds]
    plain = found[0]
    found.append(plain[:40] + b"\xff\xff\xff\xff" + plain[44:])  # as a pipe leaves it
    flac = bytearray(sound("FLAC", "PCM_16", 8_000))
    flac[21] &= 0xF0
    flac[22:26] = bytes(4)
    found += [bytes(flac), found[-2][:-9], 2 * sound("OGG", "VORBIS", 8_000)]
    mp3 = sound("MP3", None, 8_000)
    return [*found, b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + mp3[72:], mp3[100:]]


def mat(write: Callable[[Path], object], name: str) -> list[bytes]:
    """Return a MATLAB file with its variables in plain form, and as it is written."""
    packed = written(write, name)
    return [matlab.unpack(Path(name), packed).getvalue(), packed]


def array(*arrays: NDArray[Any], boxed: bool = False) -> bytes:
    """Return a ``.npy`` file of one array, or of several boxed in an array of objects."""
    memory = io.BytesIO()
    box: NDArray[Any] = arrays[0]
    if boxed:
        box = np.empty(len(arrays), object)
        box[:] = arrays
    np.save(memory, box, allow_pickle=True)
    return memory.getvalue()


def recording(axes: str) -> Utterance:
    """Return what a file of MVIEW's holds."""
    return Utterance(
        "u",
        points("TR", "TB", "TT", "UL", "LL", "ML", "JAW", "JAWL", axes=axes),
        audio=noise(SECONDS)[::4],
        sample_rate=RATE // 4,
        sentence="a b",
        phones=LABELS[1:],
        words=LABELS[1:],
    )


def rows(table: NDArray[np.floating], separator: str = " ") -> str:
    """Return a table as text."""
    return "".join(separator.join(f"{x:.4f}" for x in row) + "\n" for row in table)


def grid() -> bytes:
    """Return a TextGrid in its long form."""
    tiers = {"phones": LABELS, "words": LABELS[1:]}
    return written(lambda path: textgrid.write(path, tiers, SECONDS), "a.TextGrid")


def short_grid(chronological: bool = False) -> bytes:
    """Return a TextGrid in one of its short forms."""
    if chronological:
        lines = [
            '"Praat chronological TextGrid text file"',
            "0 0.3",
            "1",
            '"IntervalTier" "phones"',
        ]
        lines += ["0 0.3", "1 0 0.1", '""', "1 0.1 0.3", '"a"']
    else:
        lines = ['"ooTextFile"', '"TextGrid"', "0", "0.3", "<exists>", "1", '"IntervalTier"']
        lines += ['"phones"', "0", "0.3", "2", "0", "0.1", '""', "0.1", "0.3", '"a ""b"""']
    return "\n".join(lines).encode()


def sweep(version: Any = "V003", sensors: int = 4, rate: float = 250.0) -> bytes:
    """Return a sweep of a Carstens articulograph."""
    fields = [f"{k + 1}_{field}" for k in range(sensors) for field in carstens_pos.FIELDS]
    return written(
        lambda path: carstens_pos.write(path, tracks(*fields, rate=rate), version), "a.pos"
    )


def exported_sweep() -> bytes:
    """Return a sweep as Carstens' software exports it to text."""
    names = [f"Ch{k + 1}_{name}" for k in range(4) for name in carstens_text.COLUMNS]
    table = tracks(*names, rate=250.0).values
    return ("\t".join(names) + "\n" + rows(table, "\t")).encode()


def wave_sweep() -> bytes:
    """Return a sweep of the NDI Wave with a sample missing."""
    names = [ndi_wave.TIME, "MeasId", "WavId"]
    for k in range(4):
        names += [f"Sensor {k + 1} Id", f"Sensor {k + 1} Status", *ndi_wave.AXES]
        names += [f"Q{q}[deg]" for q in "0xyz"]
    table = tracks(*map(str, range(len(names)))).values
    table[:, 0] = np.arange(len(table)) / 100
    return ("\t".join(names) + "\n" + rows(table, "\t").replace("10.0000", "", 1)).encode()


def annotation() -> dict[str, Any]:
    """Return labels as EMU keeps them, words above phones."""

    def item(number: int, name: str, text: str, **times: float) -> dict[str, Any]:
        return {"id": number, "labels": [{"name": name, "value": text}], **times}

    phones = [
        item(k, "MAU", text, sampleStart=1600 * k, sampleDur=1599) for k, text in enumerate("abc")
    ]
    return {
        "name": "u",
        "annotates": "u.wav",
        "sampleRate": RATE,
        "levels": [
            {"name": "ORT", "type": "ITEM", "items": [item(9, "ORT", "word")]},
            {"name": "MAU", "type": "SEGMENT", "items": phones},
        ],
        "links": [{"fromID": 9, "toID": k} for k in range(3)],
    }


@cache
def settings() -> params.Params:
    """Return params.yaml as it stands."""
    return params.load(ROOT / params.PATH)


def corpus_settings(reader: str, **changes: Any) -> params.Corpus:
    """Return the corpus block of params.yaml for a reader, some keys changed."""
    corpus = settings().corpus
    head = msgspec.structs.replace(corpus.head_correction, **changes.pop("head_correction", {}))
    emu = msgspec.structs.replace(corpus.emu, **changes.pop("emu", {}))
    return msgspec.structs.replace(corpus, reader=reader, head_correction=head, emu=emu, **changes)


SENSORS = {1: "TT", 2: "LE", 3: "RE", 4: "NB"}
STILL = {"reference": ("LE", "RE", "NB")}


@cache
def corpora() -> dict[str, tuple[params.Corpus, Files]]:
    """Return a corpus of every reader, some in several of the forms that they go round in."""
    wav, lab = sound(), LAB.encode()
    ema = [f"{sensor}{ending}" for sensor in mngu0.SENSORS for ending in ("_px", "_py", "_pz")]
    normal = [f"{sensor}{ending}" for sensor in mngu0.SENSORS for ending in ("_py", "_pz")]
    twelve = tracks(*normal, rate=200.0)
    moved = [name or f"*{k}" for k, name in enumerate(mocha.CHANNELS)]

    def est(values: Tracks, **options: Any) -> bytes:
        return written(lambda path: est_track.write(path, values, **options))

    def rows_of_ema() -> bytes:
        ten = tracks(*moved, rate=500.0)
        flag = np.ones(len(ten.time))
        return rows(np.column_stack([ten.time, flag, ten.values])).encode()

    side = [f"pos{axis}" for axis in "xyz"]
    pellets = points("UL", "LL", "T1", "T2", "T3", "T4", "MNI", "MNM", rate=145.65)
    microns = np.column_stack([pellets.time * 1e6, pellets.values * 1e3])
    microns[:2, 1:3] = 1_000_000
    table = np.random.default_rng(0).normal(10, 3, (75, 42))
    trans = "0,0.05,sil,,,\n0.05,0.15,a,w,a, b,1\n0.15,0.3,b,w,a b,1\n"
    cepstra = np.random.default_rng(0).normal(size=(30, 39)).astype(np.float32)
    deltas = np.random.default_rng(1).normal(size=(30, 24)).astype(np.float32)
    metadata = "id,speaker,session,style,sentence,sex,size\nu,s,1,read,text,f,small\n"
    emu = {"sensors": {"TT": "t_tip"}}
    return {
        "carstens": (
            corpus_settings("carstens", channel_map=SENSORS, head_correction=STILL),
            {"s/u.pos": sweep(), "s/v.txt": exported_sweep(), "s/u.wav": wav, "s/v.wav": wav},
        ),
        "emu": (
            corpus_settings("emu", emu=emu),
            {
                "a_emuDB/s_ses/u_bndl/u_annot.json": json.dumps(annotation()).encode(),
                "a_emuDB/s_ses/u_bndl/u.wav": wav,
                "a_emuDB/s_ses/u_bndl/u.t_tip": written(
                    lambda path: ssff.write(path, tracks(*side, rate=200.0))
                ),
            },
        ),
        "folder": (
            corpus_settings("folder"),
            {
                "s/u.wav": wav,
                "s/u.csv": written(lambda path: track_csv.write(path, points("TT", "LL"))),
                "s/u.TextGrid": grid(),
                "metadata.csv": metadata.encode(),
            },
        ),
        "hprc": (
            corpus_settings("hprc"),
            {
                "F01/data/F01_B01_S01_R01_N.mat": mat(
                    lambda path: mview.write(path, recording("xzy"), "xzy"), "u.mat"
                )[0]
            },
        ),
        "mngu0-basic": (
            corpus_settings("mngu0"),
            {"u.ema": est(tracks(*ema, rate=200.0)), "u.wav": wav, "u.lab": lab},
        ),
        "mngu0-norm": (
            corpus_settings("mngu0"),
            {
                "e/u.ema": est(twelve),
                "w/u.wav": wav,
                "l/u.lab": lab,
                "e/norm_parms/ema_means.txt": rows(twelve.values[:1]).encode(),
                "e/norm_parms/ema_stds.txt": rows(np.ones((1, 12))).encode(),
            },
        ),
        "mngu0-npy": (
            corpus_settings("mngu0"),
            {"u.npy": array(twelve.values), "u.wav": wav, "u.lab": lab},
        ),
        "mocha": (
            corpus_settings("mocha"),
            {
                "s/fsew0_001.ema": est(tracks(*filter(None, mocha.CHANNELS), rate=500.0)),
                "s/fsew0_002.ema": rows_of_ema(),
                "s/fsew0_001.wav": wav,
                "s/fsew0_002.wav": wav,
                "s/fsew0_001.lab": b"0 0.1 sil\n0.1 0.3 a\n",
            },
        ),
        "mspka": (
            corpus_settings("mspka"),
            {
                "l/e/lls_1.ema": rows(tracks(*mspka.CHANNELS, rate=400.0).values.T).encode(),
                "l/w/lls_1.wav": wav,
                "l/b/lls_1.lab": b"0 0.1 sil\n0.1 0.3 a\n",
                "l/list_sentences": b"1) una frase\n2) due\n",
            },
        ),
        "ndi-wave": (
            corpus_settings("ndi-wave", channel_map=SENSORS, head_correction=STILL),
            {"s/u.tsv": wave_sweep(), "s/u.wav": wav},
        ),
        "stem-e2va": (
            corpus_settings("stem-e2va"),
            {
                "m/DPMIA07.mat": mat(
                    lambda path: scipy.io.savemat(path, {"DPMIA07": table}), "a.mat"
                )[0],
                "w/DPMIA07.wav": wav,
            },
        ),
        "torgo": (
            corpus_settings("torgo"),
            {
                "F01/Session1/pos/0001.pos": sweep("AG500", 12, 200.0),
                "F01/Session1/wav_headMic/0001.wav": wav,
                "F01/Session1/prompts/0001.txt": b"a word\n",
                "F01/Session1/phn_headMic/0001.PHN": b"0 1600 sil\n1600 4800 a\n",
            },
        ),
        "tutorial": (
            corpus_settings("tutorial"),
            {
                "X.npy": array(cepstra, cepstra[:20], boxed=True),
                "Y.npy": array(deltas, deltas[:20], boxed=True),
            },
        ),
        "usc-timit": (
            corpus_settings("usc-timit"),
            {
                "F1/mat/usctimit_ema_f1_001_005.mat": mat(
                    lambda path: mview.write(path, recording("xyz"), "xyz"), "u.mat"
                )[0],
                "F1/trans/usctimit_ema_f1_001_005.trans": trans.encode(),
            },
        ),
        "xrmb": (
            corpus_settings("xrmb"),
            {
                "JW11/TP005.TXY": rows(microns).encode(),
                "JW11/TP005.WAV": wav,
                "JW11/TP005.lab": b"0 0.1 sil\n0.1 0.3 a\n",
            },
        ),
    }


def trained(inputs: str = "utterance", bidirectional: bool = True) -> Files:
    """Return a trained folder of a tiny network with random weights."""
    channels, rng = ("TT_x", "TT_y", "LL_y"), np.random.default_rng(0)
    network = onnx_graph.Network(WIDTH, len(channels), "lstm", (3,), bidirectional)
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.1, shape).astype(np.float32), name)
        for name, shape in network.weight_shapes()
    ]
    graph = onnx_graph.build(network, weights).SerializeToString()
    widths = {"input": WIDTH, "target": len(channels)}
    about = {
        "channels": channels,
        "standardize": {"inputs": inputs, "targets": "speaker", "frames": "speech"},
        "statistics": {
            f"{name}_{key}": [value] * width
            for name, width in widths.items()
            for key, value in (("mean", 1.5), ("scale", 2.5))
        },
        "recipe": {
            **{"cell": network.cell, "units": network.units, "bidirectional": bidirectional},
            **{"merge": network.merge, "output_delay": 0},
        },
        "smoothing": {"method": "low-pass", "cutoff_hz": 10.0},
        "sha256": {"model.onnx": hashlib.sha256(graph).hexdigest()},
    }
    return {"model.json": json.dumps(about).encode(), "model.onnx": graph}


def real(*names: str) -> list[bytes]:
    """Return files of ``../shared/data`` that are there and not too large to fuzz."""
    paths = (path for name in names for path in sorted(SHARED.glob(name)))
    return [path.read_bytes() for path in paths if path.stat().st_size <= LARGEST]
