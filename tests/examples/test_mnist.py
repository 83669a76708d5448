import gzip
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from examples import mnist
from pipeline.ground.console import InputError


@pytest.fixture
def folder(shared_data: Path) -> Path:
    return shared_data / "mnist"


@pytest.mark.slow
def test_real_files_hold_the_known_digits(folder):
    data = mnist.load(folder)
    assert [side.rows.shape for side in data] == [(n, 28, 28) for n in (55000, 5000, 10000)]
    assert data.train.digits[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.test.digits[:5].tolist() == [7, 2, 1, 0, 4]
    assert data.test.rows.dtype == np.float32
    assert (data.test.rows.min(), data.test.rows.max()) == (0, 1)
    assert data.train.rows.mean() == pytest.approx(0.1307, abs=1e-3)  # often published


@given(arrays(np.uint8, array_shapes(max_dims=4), elements=st.integers(0, 255)))
def test_idx_keeps_every_array(array):
    np.testing.assert_array_equal(mnist.from_idx(mnist.to_idx(array)), array)


def test_idx_is_the_published_layout():
    content = mnist.to_idx(np.array([[1, 2, 3]], np.uint8))
    assert content == bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3])


@pytest.mark.slow
def test_keras_gives_the_same_images(folder, tmp_path, monkeypatch):
    arrays = [mnist.from_idx(mnist.unpacked(folder / f"{name}.gz")) for name in mnist.CHECKSUMS]
    sides = (tuple(arrays[:2]), tuple(arrays[2:]))
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: sides)
    for ours, theirs in zip(mnist.load(folder), mnist.load(tmp_path / "absent"), strict=True):
        np.testing.assert_array_equal(ours.rows, theirs.rows)
        np.testing.assert_array_equal(ours.digits, theirs.digits)


def test_no_folder_and_no_network_is_one_line(tmp_path, monkeypatch):
    def fail():
        raise OSError("no route to host")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", fail)
    with pytest.raises(
        InputError, match=r"no folder .*absent and no download .no route to host.*--mnist$"
    ):
        mnist.load(tmp_path / "absent")


def test_other_content_is_refused(tmp_path):
    for name in mnist.CHECKSUMS:
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(b"\0\0\10\1\0\0\0\0"))
    with pytest.raises(InputError, match="train-images-idx3-ubyte has not the content"):
        mnist.load(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"no gzip at all", gzip.compress(b"abc" * 99, mtime=0)[:-9]]
)
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(InputError, match="train-images-idx3-ubyte"):
        mnist.load(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte\.gz: no such file"):
        mnist.load(tmp_path)
