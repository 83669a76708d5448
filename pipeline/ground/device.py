"""Where TensorFlow or JAX computes, chosen before anything else of it is used."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.ground.console import UsageError


def choose(wanted: str, count: int = 1) -> str:
    """Import the backend of Keras, select its devices and return their names.

    Parameters
    ----------
    wanted : {"auto", "cpu", "gpu"}
        ``train.device``; auto takes a GPU where there is one. TensorFlow takes its memory as it
        is needed.
    count : int
        ``train.devices``: so many GPUs, or so many parts of the CPU, which is for tests.

    Raises
    ------
    UsageError
        Where a GPU is wanted and the backend sees none, or fewer than wanted.
    """
    with stderr_held_back():
        jax = import_keras() == "jax"
        gpus = jax_gpus(wanted, count) if jax else tensorflow_gpus()
    if wanted == "gpu" and not gpus:
        name, extra = ("JAX", "jax-gpu") if jax else ("TensorFlow", "gpu")
        raise UsageError(
            f"train.device: gpu, and {name} sees none; install the extra by"
            f" `pip install 'articulatory-inversion[{extra}]'` or choose cpu"
        )
    on_cpu = wanted == "cpu" or not gpus
    if not on_cpu and count > len(gpus):
        raise UsageError(f"train.devices: {count}, and there are {len(gpus)} GPUs")
    chosen = [] if on_cpu else gpus[:count]
    names = [gpu.device_kind for gpu in chosen] if jax else use_in_tensorflow(chosen, count)
    return ", ".join(names) or f"CPU ({len(os.sched_getaffinity(0))} cores)"


def import_keras() -> str:
    """Import Keras and return its backend: TensorFlow, or what KERAS_BACKEND says.

    Another project's backend and number format may stand in ~/.keras/keras.json, and are not ours.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import keras

    keras.config.set_floatx("float32")
    return keras.config.backend()


def jax_gpus(wanted: str, count: int) -> list[Any]:
    """Return the GPUs that JAX sees; before it looks, it wants to know how to take the CPU."""
    import jax

    if wanted == "cpu":
        jax.config.update("jax_platforms", "cpu")
    if count > 1:
        jax.config.update("jax_num_cpu_devices", count)
    try:
        return list(jax.devices("gpu"))
    except RuntimeError:  # no such platform
        return []


def tensorflow_gpus() -> list[Any]:
    """Return the GPUs that TensorFlow sees."""
    import tensorflow as tf

    return list(tf.config.list_physical_devices("GPU"))


def use_in_tensorflow(gpus: list[Any], count: int) -> list[str]:
    """Let TensorFlow compute on these GPUs alone, or the CPU in ``count`` parts; return names."""
    import tensorflow as tf

    tf.config.set_visible_devices(gpus, "GPU")
    if not gpus and count > 1:
        (cpu,) = tf.config.list_physical_devices("CPU")
        parts = [tf.config.LogicalDeviceConfiguration()] * count
        tf.config.set_logical_device_configuration(cpu, parts)
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return [detail.get("device_name", "GPU") for detail in details]


def make_deterministic(*, compiled: bool) -> None:
    """Let TensorFlow give the same bits in every run, which XLA does of itself."""
    import keras

    if keras.config.backend() == "tensorflow" and not compiled:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()  # Keras compiles nothing that has it


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
