"""What is fuzzed: each kind of file that the project reads, and what reading it may come to.

A target is a folder of valid files, one of which is damaged, and a function that uses the folder
as the project does. Whatever the damage, there are two ends: a result that is whole (`whole_tracks`
and its like say what that means) or an `InputError` of one line that names the file.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np

from benchmarks.machine import ROOT
from pipeline import corpora, predict, watch
from pipeline import corpus as corpus_stage
from pipeline.corpora import emu, manifest, mngu0, palates, protocols, stem_e2va, tutorial, xrmb
from pipeline.extract import on_one_grid
from pipeline.formats import (
    audio,
    carstens_pos,
    carstens_text,
    containers,
    est_track,
    lab,
    matlab,
    mview,
    object_array,
    ssff,
    textgrid,
    track_csv,
)
from pipeline.ground import artifacts, params
from pipeline.ground.console import InputError, UsageError, escaped
from pipeline.ground.params import Corpus, Layout
from pipeline.ground.storage import Entry, Store, StoreWriter, read_yaml, write_yaml
from pipeline.ground.utterance import Label, Tracks, Utterance
from pipeline.prediction import live, outputs, placing, recordings
from pipeline.prediction.batch import Job, Settings, predict_batch
from pipeline.prediction.predictor import Predictor
from pipeline.trained import description, onnx_graph
from pipeline.training import checkpoint
from reliability import seeds

Use = Callable[[Path], object]


@dataclass(frozen=True)
class Target:
    """A file that is damaged, and how the project reads it.

    Attributes
    ----------
    name : str
    file : str
        Relative to the folder.
    seeds : list of bytes
        Valid contents of it.
    use : callable
        Reads the folder and looks at the result; `InputError` is an end that is foreseen.
    others : dict of str to bytes
        The files beside it.
    cost : float
        How many executions of a cheap target one of these costs.
    """

    name: str
    file: str
    seeds: list[bytes]
    use: Use
    others: Mapping[str, bytes] = field(default_factory=dict)
    cost: float = 1

    def lay_out(self, folder: Path) -> None:
        """Put the valid files into a folder."""
        for name, content in {**self.others, self.file: self.seeds[0]}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def execute(self, folder: Path, data: bytes) -> bool:
        """Use the folder with these bytes for the file; tell whether they were accepted.

        Raises
        ------
        AssertionError
            Where a result is not whole, a refusal is not one line that names the file, or the file
            was changed.
        Exception
            Whatever else the project lets through.
        """
        path = folder / self.file
        path.write_bytes(data)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.use(path)
        except InputError as error:
            message = str(error)
            assert not {"\n", "\r"} & {*message}, f"not one line: {message!r}"
            names = [part for name in (self.file, *self.others) for part in Path(name).parts]
            assert any(name in message for name in names), f"names no file: {message}"
            return False
        finally:
            assert path.read_bytes() == data, "the file was changed"
        return True


def whole_tracks(found: Tracks) -> None:
    """Tracks are finite where they are not missing, in order of time."""
    assert len(found.time) and np.isfinite(found.time).all()
    assert not np.isinf(found.values).any() and not np.isnan(found.values).all()
    assert all(isinstance(name, str) and name for name in found.channels)


def whole_labels(found: tuple[Label, ...]) -> None:
    """Labels end after they start."""
    assert all(0 <= label.start <= label.end < float("inf") for label in found)
    assert all(isinstance(label.text, str) for label in found)


def whole_sound(found: Any, sample_rate: int) -> None:
    """Sound is one channel of finite samples."""
    assert found.dtype == np.float32 and found.ndim == 1 and len(found)
    assert np.isfinite(found).all() and 1 <= sample_rate < 1e7


def whole(found: Utterance) -> None:
    """All that an utterance has is whole."""
    whole_tracks(found.tracks)
    whole_labels(found.phones)
    whole_labels(found.words)
    if found.audio is not None:
        whole_sound(found.audio, found.sample_rate)
    if found.inputs is not None:
        assert found.inputs.shape == (len(found.inputs), 39) and np.isfinite(found.inputs).all()
    assert all(len(note.split("\n")) == 1 for note in found.notes), found.notes
    assert all(isinstance(getattr(found, key), str) for key in corpora.KNOWN)


Seeds = Callable[[], list[bytes]]
FORMATS: dict[str, tuple[str, Seeds, Use, float]] = {}


def of_format(name: str, file: str, valid: Seeds, cost: float = 1.5) -> Callable[[Use], Use]:
    """Enter a function that reads a file of a format, and looks at the result."""

    def enter(use: Use) -> Use:
        FORMATS[name] = file, valid, use, cost
        return use

    return enter


def csv_seeds() -> list[bytes]:
    """Return tracks as CSV."""
    valid = seeds.written(lambda path: track_csv.write(path, seeds.points("TT", "LL")))
    return [valid, b"\xef\xbb\xbftime_s, TT_x\r\n0, 1\r\n0.01,\r\n", valid[:40] + b"\n"]


def est_seeds() -> list[bytes]:
    """Return EST tracks, binary and text."""
    found = seeds.points("TT", "LL", rate=200.0)
    kinds: list[dict[str, Any]] = [{}, {"ascii": True}, {"big_endian": True}]
    return [
        *(seeds.written(partial(est_track.write, tracks=found, **kind)) for kind in kinds),
        *seeds.real("est/*.bin"),
    ]


def ssff_seeds() -> list[bytes]:
    """Return SSFF tracks."""
    found = seeds.tracks("posx", "posy", "posz", rate=200.0)
    return [
        seeds.written(partial(ssff.write, tracks=found)),
        seeds.written(partial(ssff.write, tracks=found, big_endian=True)),
        *seeds.real("emu_dfgspp/*0020.t_tip"),
    ]


def mview_seeds() -> list[bytes]:
    """Return recordings of MVIEW's."""
    utterance = seeds.recording("xzy")
    return seeds.mat(lambda path: mview.write(path, utterance, "xzy"), "u.mat")


@of_format("track_csv", "a.csv", csv_seeds)
def _(path: Path) -> None:
    whole_tracks(track_csv.read(path))


@of_format("est_track", "a.track", est_seeds)
def _(path: Path) -> None:
    whole_tracks(est_track.read(path))


@of_format("ssff", "a.ssff", ssff_seeds)
def _(path: Path) -> None:
    whole_tracks(ssff.read(path))


@of_format(
    "carstens_pos",
    "a.pos",
    lambda: [
        *(seeds.sweep(version) for version in ("V003", "V002")),
        seeds.sweep("AG500", 12, 200.0),
        *seeds.real("carstens/ag50?.pos"),
    ],
)
def _(path: Path) -> None:
    sweep = carstens_pos.read(path)
    whole_tracks(sweep)
    assert carstens_pos.positions(sweep).shape[::2] == (len(sweep.time), 3)


@of_format("carstens_text", "a.txt", lambda: [seeds.exported_sweep()], cost=8)
def _(path: Path) -> None:
    whole_tracks(carstens_text.read(path, 250.0))


@of_format(
    "lab",
    "a.lab",
    lambda: [seeds.LAB.encode(), b"0 1600 sil\n1600 4800 a\n", *seeds.real("xrmb/*.lab")],
)
def _(path: Path) -> None:
    notes: list[str] = []
    whole_labels(lab.read(path, notes=notes))
    assert all(len(note.split("\n")) == 1 for note in notes), notes
    whole_labels(lab.read(path))


@of_format(
    "textgrid",
    "a.TextGrid",
    lambda: [
        seeds.grid(),
        seeds.grid().decode().encode("utf-16"),
        seeds.short_grid(),
        seeds.short_grid(chronological=True),
    ],
)
def _(path: Path) -> None:
    notes: list[str] = []
    for labels in textgrid.read(path, notes).values():
        whole_labels(labels)
    assert all(len(note.split("\n")) == 1 for note in notes), notes


@of_format("matlab", "a.mat", mview_seeds, cost=10)
def _(path: Path) -> None:
    assert isinstance(matlab.load(path), dict)


@of_format("mview", "a.mat", mview_seeds, cost=10)
def _(path: Path) -> None:
    whole(mview.read(path, "xzy"))


@of_format(
    "object_array",
    "a.npy",
    lambda: [
        seeds.array(np.ones((3, 2), np.float32), np.ones((2, 2)), boxed=True),
        seeds.array(np.ones((3, 4, 2), np.float32)),
    ],
)
def _(path: Path) -> None:
    assert all(one.dtype.kind in "fiu" for one in object_array.read(path))


@of_format("containers", "a.wav", seeds.sounds)
def _(path: Path) -> None:
    if path.stat().st_size:  # `audio.opened` has looked
        found = containers.mended(path)
        assert all(0 <= one.start <= one.end <= path.stat().st_size for one in found.pieces)


@of_format("audio", "a.wav", seeds.sounds, cost=10)
def _(path: Path) -> None:
    header = audio.header(path)
    sound, sample_rate = audio.read(path)
    whole_sound(sound, sample_rate)
    assert sample_rate == header.sample_rate
    assert sum(map(len, audio.blocks(path))) == len(sound)


@of_format("emu-annotation", "u_annot.json", lambda: [json.dumps(seeds.annotation()).encode()])
def _(path: Path) -> None:
    notes: list[str] = []
    tree = emu.read_annotation(path)
    for name in list(emu.attributes(tree)):
        emu.labels_of(path, tree, name, notes)


@of_format(
    "mngu0-z", "u.npy", lambda: [seeds.array(np.random.default_rng(0).normal(size=(60, 12)))]
)
def _(path: Path) -> None:
    whole_tracks(mngu0.z_tracks(path))


@of_format("xrmb-tracks", "tp005.txy", lambda: [seeds.corpora()["xrmb"][1]["JW11/TP005.TXY"]])
def _(path: Path) -> None:
    whole_tracks(xrmb.read_tracks(path))


@of_format(
    "stem-e2va-tracks",
    "DPMIA07.mat",
    lambda: [seeds.corpora()["stem-e2va"][1]["m/DPMIA07.mat"]],
)
def _(path: Path) -> None:
    whole_tracks(stem_e2va.read_tracks(path))


@of_format("palate", "palate.csv", lambda: [b"x_mm,y_mm\n0,1\n1,2\n2,2.5\n"])
def _(path: Path) -> None:
    found = palates.from_csv(path)
    assert found.shape == (len(found), 2) and np.isfinite(found).all()


def read_corpus(folder: Path, settings: Corpus) -> None:
    """Read a corpus as the stage does, and hold every utterance against what later stages need."""
    reader = corpora.reader(settings.reader)
    tutorial.pairs.cache_clear()  # it knows files by their names
    refusals = []
    for item in reader.find(folder, settings):
        try:
            utterance = reader.read(item, settings)
        except InputError as error:
            refusals.append(error)
            continue
        whole(utterance)
        try:
            corpus_stage.check(utterance)
        except InputError:  # with the reason alone
            continue
        manifest.row(item, utterance)
    if refusals:
        raise refusals[0]


def grid_corpus(folder: Path, settings: Corpus) -> None:
    """Read a corpus and bring it onto the grid of frames."""
    reader = corpora.reader(settings.reader)
    layout = Layout(("TT_x", "LL_y"), 2)
    extract = seeds.settings().extract
    for item in reader.find(folder, settings):
        utterance = reader.read(item, settings)
        try:
            corpus_stage.check(utterance)
            _, arrays = on_one_grid(utterance, layout, extract)
        except InputError as error:
            assert "\n" not in str(error)
            continue
        assert all(np.isfinite(array).all() for array in arrays.values())
        assert len({len(array) for array in arrays.values()}) == 1


def read_above(depth: int, settings: Corpus, path: Path) -> None:
    """Read the corpus in whose folder, so many levels up, a file lies."""
    read_corpus(path.parents[depth], settings)


def of_corpora() -> Iterator[Target]:
    """Yield a target for every file of every corpus, the sound of one alone."""
    for name, (settings, files) in seeds.corpora().items():
        for file, content in files.items():
            if file.lower().endswith(".wav") and name != "folder":
                continue
            others = {other: one for other, one in files.items() if other != file}
            depth = len(Path(file).parts) - 1
            yield Target(
                f"corpora/{name}/{Path(file).name}",
                file,
                [content],
                partial(read_above, depth, settings),
                others or {"README": b""},
                cost=12,
            )
    settings, files = seeds.corpora()["folder"]
    for file in ("s/u.csv", "s/u.wav"):
        others = {other: one for other, one in files.items() if other != file}
        yield Target(
            f"extract/{Path(file).name}",
            file,
            [files[file]] if file.endswith("csv") else seeds.sounds(),
            lambda path: grid_corpus(path.parents[1], settings),
            others,
            cost=200,
        )


@cache
def model_beside(folder: Path, **options: Any) -> Path:
    """Put a tiny network beside a folder and return where it is."""
    place = folder.with_name(f"{folder.name}-model")
    place.mkdir(exist_ok=True)
    for name, content in seeds.trained(**options).items():
        (place / name).write_bytes(content)
    return place


def predict_sound(path: Path) -> None:
    """Predict a sound as the command does, and look at what it writes."""
    (job,) = predict.headers([recordings.Recording(path, path.stem)], [path.with_suffix("")])
    if not isinstance(job, Job):
        raise InputError(job.error)
    model = model_beside(path.parent)
    settings = Settings(
        model, "auto", None, ("csv", "textgrid"), False, False, False, None, True, False
    )
    try:
        (result,) = predict_batch([job], settings, 1)
        if result.error:
            raise InputError(result.error)
        tracks = track_csv.read(path.with_suffix(".csv"))
        whole_tracks(tracks)
        assert len(tracks.time) == result.frames and np.isfinite(tracks.values).all()
        assert json.loads(path.with_suffix(".json").read_text())["frames"] == result.frames
    finally:
        left = {one.name for one in path.parent.iterdir()} - {path.name}
        for name in left:
            (path.parent / name).unlink()
        assert left <= {f"{path.stem}{suffix}" for suffix in (".csv", ".json", ".TextGrid")}, left


def follow_pcm(path: Path) -> None:
    """Read a file as sound that arrives live."""
    model = live_model(path.parent)
    rows = path.with_suffix(".rows")
    try:
        with path.open("rb") as file, rows.open("w") as out:
            frames = live.follow(model, live.pcm(file), seeds.RATE, out)
        if frames:
            whole_tracks(track_csv.read(rows))
    except ValueError as error:  # `live.to_stdout` makes a line of it
        assert "\n" not in str(error)
    except InputError as error:  # of standard input, which has no name
        assert "\n" not in str(error) and "standard input" in str(error)


@cache
def live_model(folder: Path) -> Predictor:
    """Return a tiny network of one direction."""
    return live.load(model_beside(folder, inputs="corpus", bidirectional=False))


def load_model(path: Path) -> None:
    """Load a trained folder and, if it is accepted, predict by it."""
    model = Predictor.load(path.parent, threads=1)
    try:
        found = model(seeds.noise(seeds.SECONDS), seeds.RATE)
    except ValueError as error:  # of numbers that no training gives; one line for `predict`
        assert "\n" not in str(error)
        return
    whole_tracks(found)
    assert found.channels == model.about.channels


def load_graph(path: Path) -> None:
    """Check a graph against the network that model.json tells of."""
    about = description.read_about(path.with_name("model.json"))
    assert onnx_graph.load(path, about.network) == path.read_bytes()


def load_params(path: Path) -> None:
    """Read params.yaml."""
    assert isinstance(params.load(path), params.Params)


@cache
def small_params() -> list[bytes]:
    """Return params.yaml without comments and with one recipe, which reads in a tenth of it."""
    tree = read_yaml(ROOT / params.PATH)
    tree["recipes"] = {
        "default": tree["recipes"]["default"],
        "b": {"like": "default", "units": [2]},
    }
    return [seeds.written(partial(write_yaml, tree=tree)), (ROOT / params.PATH).read_bytes()]


def read_store(path: Path) -> None:
    """Open a store, look at its sums, and read all of it."""
    store = Store(path.parent, "extract")
    store.verify()
    for entry in store.entries:
        for column, width in store.columns.items():
            assert store.frames(entry, column).shape == (entry.frames, width)


@cache
def store_files() -> dict[str, bytes]:
    """Return the files of a store."""
    with TemporaryDirectory() as name:
        folder = Path(name) / "frames"
        with StoreWriter(folder, {"inputs": 3, "targets": 2}, {"unit": "mm"}) as writer:
            for k in range(3):
                arrays = {"inputs": np.ones((4, 3)), "targets": np.ones((4, 2))}
                writer.add(f"u{k}", arrays, speaker="s")
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def statistics_seed() -> bytes:
    """Return data/standardized/statistics.npz."""
    names = ("input_mean", "input_scale", "target_mean", "target_scale")
    arrays: dict[str, Any] = {name: np.ones((2, 3)) for name in names}
    return seeds.written(lambda path: np.savez(path, **arrays), "a.npz")


@dataclass
class Variable:
    """What a checkpoint fills: a stand-in for a variable of Keras."""

    value: Any

    def numpy(self) -> Any:
        """Return its value."""
        return self.value

    def assign(self, value: Any) -> None:
        """Take a value of the same shape."""
        if np.shape(value) != np.shape(self.value):
            raise ValueError("another shape")


@dataclass
class Model:
    """A stand-in for a model of Keras."""

    variables: list[Variable] = field(default_factory=lambda: [Variable(np.ones((2, 3)))])
    weights: list[Variable] = field(default_factory=lambda: [Variable(np.ones((2, 3)))])

    @property
    def optimizer(self) -> Model:
        """Return what has variables of its own."""
        return self


def restore(path: Path) -> None:
    """Go on from a checkpoint, or start anew."""
    checkpoint.restore(path, Model(), "mark")


def checkpoint_seed() -> bytes:
    """Return a checkpoint."""
    model: Any = Model()
    progress = {"fingerprint": "mark", "history": [{"epoch": 1}]}
    return seeds.written(
        lambda path: checkpoint.save(path, model, [np.ones((2, 3))], progress), "a.npz"
    )


def in_its_folder(path: Path, call: Callable[[], object]) -> None:
    """Call a function where ``data/`` lies."""
    before = Path.cwd()
    os.chdir(path.parents[len(artifacts.MANIFEST.parts) - 1])
    try:
        call()
    finally:
        os.chdir(before)


def manifest_seed() -> bytes:
    """Return a manifest of two utterances."""
    utterance = Utterance("u", seeds.points("TT"), noise_audio(), seeds.RATE)
    with TemporaryDirectory() as name:
        sound = Path(name) / "u.wav"
        sound.write_bytes(seeds.sound())
        rows = [
            manifest.row(corpora.Item(f"u{k}", (sound,), speaker="s"), utterance) for k in range(2)
        ]
        manifest.write(Path(name) / "m.csv", rows, list(rows[0]))
        return (Path(name) / "m.csv").read_bytes()


def noise_audio() -> Any:
    """Return a sound."""
    return seeds.noise(seeds.SECONDS)


def split_by_lists(path: Path) -> None:
    """Read the lists of a protocol."""
    settings = seeds.settings().standardize
    lists = {split: str(path.with_name(f"{split}.txt")) for split in protocols.SPLITS}
    entries = [Entry(name, 0, 0, 1, {"speaker": "s", "sentence": name}) for name in "abc"]
    changed = msgspec.structs.replace(settings, protocol="file-lists", lists=lists)
    assert set(protocols.assign(entries, changed)) <= {*protocols.SPLITS, protocols.UNUSED}


def named_sounds(path: Path) -> None:
    """Read a manifest of `pipeline.predict`, and find the places of its results."""
    found = recordings.find([], path)
    try:
        recordings.place(found, path.parent / "out")
    except UsageError as error:  # of sounds, wherever they were named
        assert any(escaped(f"{one.audio}") in f"{error}" for one in found), error
        raise UsageError(f"{path}: {error}") from None


def own_results(path: Path) -> None:
    """Look at what an earlier prediction left beside a sound."""
    placing.guard(path.with_suffix(""), [".csv"])


def watch_listing(path: Path) -> None:
    """Compare a listing with the last one."""
    copy = path.with_name("copy.csv")
    copy.write_bytes(path.read_bytes())
    watch.update(copy, {"a": ("1", "2")})


EARLIER = {
    "made_by": outputs.MADE_BY,
    "files": ["u.csv"],
    "other_files": ["u.track"],
    "frames": 3,
    "audio": {"file": "u.wav"},
}


def others() -> Iterator[Target]:
    """Yield what is neither a format nor a corpus."""
    yield Target("params.yaml", "params.yaml", small_params(), load_params, cost=120)
    files = seeds.trained()
    for file in files:
        rest = {name: content for name, content in files.items() if name != file}
        yield Target(f"model/{file}", file, [files[file]], load_model, rest, cost=60)
    about = {"model.json": files["model.json"]}
    yield Target("model/graph", "model.onnx", [files["model.onnx"]], load_graph, about)
    yield Target("predict/sound", "sounds/u.wav", seeds.sounds(), predict_sound, cost=60)
    pcm = (seeds.noise(1.0) * 32768).astype("<i2").tobytes()
    yield Target("predict/live", "live/u.pcm", [pcm], follow_pcm, cost=25)
    lists = ["audio\nu.wav\nv.wav\n", "# sounds\nu.wav\n../v.wav\n", "path,x\na|b,1\n"]
    listed = [text.encode() for text in lists]
    yield Target("predict/manifest", "sounds.csv", listed, named_sounds)
    earlier = json.dumps(EARLIER).encode()
    yield Target("predict/earlier", "u.json", [earlier], own_results, {"u.csv": b"time_s\n"})
    stored = store_files()
    for file in ("index.json", "inputs-00000.npy"):
        rest = {name: content for name, content in stored.items() if name != file}
        place = f"frames/{file}"
        rest = {f"frames/{name}": content for name, content in rest.items()}
        yield Target(f"store/{file}", place, [stored[file]], read_store, rest, cost=8)
    yield Target(
        "store/statistics.npz",
        str(artifacts.STANDARDIZED / artifacts.STATISTICS),
        [statistics_seed()],
        lambda path: in_its_folder(path, artifacts.statistics),
        cost=3,
    )
    yield Target("train/checkpoint.npz", "a.npz", [checkpoint_seed()], restore, cost=3)
    yield Target(
        "manifest.csv",
        str(artifacts.MANIFEST),
        [manifest_seed()],
        lambda path: in_its_folder(path, lambda: list(manifest.read())),
        {"data/corpus/refused.csv": b""},
    )
    yield Target(
        "protocol/lists",
        "train.txt",
        [b"a\n"],
        split_by_lists,
        {"validation.txt": b"b\n", "test.txt": b"c\n"},
    )
    yield Target(
        "watch/recordings.csv",
        "recordings.csv",
        [b"file,bytes,modified_ns\na,1,2\n"],
        watch_listing,
    )


@cache
def targets() -> dict[str, Target]:
    """Return all targets by name."""
    formats = (
        Target(f"formats/{name}", file, valid(), use, cost=cost)
        for name, (file, valid, use, cost) in FORMATS.items()
    )
    found = [*formats, *of_corpora(), *others()]
    return {target.name: target for target in found}
