import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ground import storage
from pipeline.ground.console import InputError
from tests.conftest import ROOT


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=30), shard=st.integers(1, 100))
def test_what_is_written_is_read_back_whatever_the_shards(tmp_path_factory, lengths, shard):
    folder = tmp_path_factory.mktemp("store") / "frames"
    rng = np.random.default_rng(0)
    arrays = [
        {"inputs": rng.normal(size=(n, 3)), "targets": rng.normal(size=(n, 2))} for n in lengths
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "SHARD_FRAMES", shard)
        with storage.StoreWriter(folder, {"inputs": 3, "targets": 2}, {"unit": "mm"}) as writer:
            for k, entry in enumerate(arrays):
                writer.add(f"u{k}", entry, speaker="s")
    store = storage.Store(folder, "extract")
    store.verify()
    assert store.about == {"unit": "mm"}
    assert [entry.id for entry in store.entries] == [f"u{k}" for k in range(len(lengths))]
    for entry, array in zip(store.entries, arrays, strict=True):
        assert entry.about == {"speaker": "s"}
        for column, values in array.items():
            np.testing.assert_array_equal(store.frames(entry, column), np.float32(values))


def write_store(folder: Path, fill: float = 1.0) -> None:
    with storage.StoreWriter(folder, {"inputs": 2}, {}) as writer:
        writer.add("a", {"inputs": np.full((5, 2), fill)})


def test_a_failed_writer_leaves_the_old_store(tmp_path):
    write_store(tmp_path / "frames", 1.0)
    with pytest.raises(RuntimeError), storage.StoreWriter(tmp_path / "frames", {"inputs": 2}, {}):
        raise RuntimeError
    store = storage.Store(tmp_path / "frames", "extract")
    assert store.frames(store.entries[0], "inputs").max() == 1.0
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


def test_a_killed_writer_leaves_nothing_that_opens(tmp_path):
    code = (
        "import sys, pathlib, numpy, pipeline.ground.storage as s\n"
        "w = s.StoreWriter(pathlib.Path(sys.argv[1]), {'inputs': 2}, {})\n"
        "w.__enter__(); w.add('a', {'inputs': numpy.zeros((5, 2))}); w._flush()\n"
        "print('ready', flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "frames")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with pytest.raises(InputError, match="dvc repro extract"):
        storage.Store(tmp_path / "frames", "extract")


def test_damage_is_named(tmp_path):
    folder = tmp_path / "frames"
    write_store(folder)
    shard = folder / "inputs-00000.npy"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with pytest.raises(InputError, match=r"inputs-00000\.npy: damaged"):
        storage.Store(folder, "extract").verify()
    shard.write_bytes(content[:50])
    store = storage.Store(folder, "extract")
    with pytest.raises(InputError, match="dvc repro --force extract"):
        store.frames(store.entries[0], "inputs")
    (folder / "index.json").write_text("{")
    with pytest.raises(InputError, match=r"index\.json: damaged"):
        storage.Store(folder, "extract")


def test_arrays_that_do_not_fit_are_refused(tmp_path):
    with (
        pytest.raises(ValueError, match="a: arrays"),
        storage.StoreWriter(tmp_path / "frames", {"inputs": 2, "targets": 1}, {}) as writer,
    ):
        writer.add("a", {"inputs": np.zeros((5, 2)), "targets": np.zeros((4, 1))})
