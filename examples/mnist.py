"""MNIST, 70,000 handwritten digits: LeCun et al. (1998), doi:10.1109/5.726791.

An image is a sequence of 28 rows of 28 pixels. Read from the four IDX files, or by Keras where the
folder is not there; either way the content must have the known checksums.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.console import InputError

FOLDER = Path("../shared/data/mnist")
VALIDATION = 5000  # images at the end of the training files that are held back

# SHA-256 of the IDX files before compression, which packers do not agree on
CHECKSUMS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


class Images(NamedTuple):
    """Images and what they show.

    Attributes
    ----------
    rows : float32 [N, 28, 28]
        Pixels from 0 to 1.
    digits : int32 [N]
    """

    rows: NDArray[np.float32]
    digits: NDArray[np.int32]


class Mnist(NamedTuple):
    """The three sides: 55,000, 5,000 and 10,000 images."""

    train: Images
    validation: Images
    test: Images


def load(folder: Path = FOLDER) -> Mnist:
    """Return MNIST from the four files in a folder, or else by `keras.datasets`.

    Raises
    ------
    InputError
        Where a file is missing or is not the known one, or cannot be downloaded.
    """
    if folder.is_dir():
        return split(*(array(name, unpacked(folder / f"{name}.gz"), folder) for name in CHECKSUMS))
    return split(*downloaded(folder))


def array(name: str, content: bytes, source: Path) -> NDArray[np.uint8]:
    """Return the array in an IDX file after a look at its checksum."""
    if hashlib.sha256(content).hexdigest() != CHECKSUMS[name]:
        raise InputError(f"{source}: {name} has not the content of MNIST's; get it anew")
    return from_idx(content)


def unpacked(path: Path) -> bytes:
    """Return the content of a .gz file."""
    try:
        return gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file, and the folder must hold all four") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be unpacked ({error}); get it anew") from None


def downloaded(folder: Path) -> list[NDArray[np.uint8]]:
    """Return the arrays of `keras.datasets`, held to the same checksums."""
    import keras

    try:
        sides = keras.datasets.mnist.load_data()
    except Exception as error:
        raise InputError(
            f"MNIST: no folder {folder} and no download ({error}); name the folder by --mnist"
        ) from None
    values = [value for side in sides for value in side]
    source = Path("keras.datasets.mnist")
    return [array(name, to_idx(v), source) for name, v in zip(CHECKSUMS, values, strict=True)]


def from_idx(content: bytes) -> NDArray[np.uint8]:
    """Return the array of bytes in an IDX file: 0 0 8 dimensions, their sizes, the bytes."""
    dimensions = content[3]
    sizes = struct.unpack_from(f">{dimensions}I", content, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(sizes)


def to_idx(values: NDArray[np.uint8]) -> bytes:
    """Return the IDX file of an array of bytes."""
    head = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return head + values.tobytes()


def split(
    rows: NDArray[np.uint8],
    digits: NDArray[np.uint8],
    test_rows: NDArray[np.uint8],
    test_digits: NDArray[np.uint8],
) -> Mnist:
    """Scale the pixels and hold back the last training images for validation."""
    train = Images((rows / 255).astype(np.float32), digits.astype(np.int32))
    return Mnist(
        Images(train.rows[:-VALIDATION], train.digits[:-VALIDATION]),
        Images(train.rows[-VALIDATION:], train.digits[-VALIDATION:]),
        Images((test_rows / 255).astype(np.float32), test_digits.astype(np.int32)),
    )
