"""Where TensorFlow computes, chosen before anything else of it is used."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.console import UsageError


def choose(wanted: str) -> str:
    """Import TensorFlow, select the device and return its name.

    Parameters
    ----------
    wanted : {"auto", "cpu", "gpu"}
        ``train.device``; auto takes a GPU where there is one. Its memory grows on demand.

    Raises
    ------
    UsageError
        Where a GPU is wanted and TensorFlow sees none.
    """
    with stderr_held_back():
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
    if wanted == "gpu" and not gpus:
        raise UsageError(
            "train.device: gpu, and TensorFlow sees none; install the extra by"
            " `pip install 'articulatory-inversion[gpu]'` or choose cpu"
        )
    if wanted == "cpu" or not gpus:
        tf.config.set_visible_devices([], "GPU")
        return f"CPU ({os.cpu_count()} cores)"
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return ", ".join(detail.get("device_name", "GPU") for detail in details)


@contextmanager
def stderr_held_back() -> Iterator[None]:
    """Hold back what native code writes to standard error, unless the block fails.

    Importing TensorFlow prints several lines about CUDA and oneDNN that no setting silences
    (tensorflow/tensorflow#100442).
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kept = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        except BaseException:
            sink.seek(0)
            os.write(kept, sink.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
