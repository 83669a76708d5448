"""One batch on several devices of this machine, by the means of Keras, and as on one device.

TensorFlow copies the network to every device (`tf.distribute.MirroredStrategy`), JAX the batch's
lanes (`keras.distribution.DataParallel`). A batch has weights that sum to 1, so the sum of the
losses of its shares is its loss.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import keras

from models.batching import Batch


def scope(devices: int) -> AbstractContextManager[Any]:
    """Return the context in which a network that is trained on so many devices is made.

    Of JAX it is also the one to train in.
    """
    if devices == 1:
        return nullcontext()
    if keras.backend.backend() == "jax":
        import jax

        return keras.distribution.DataParallel(devices=jax.devices()[:devices]).scope()
    import tensorflow as tf

    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    names = [device.name for device in tf.config.list_logical_devices(kind)[:devices]]
    return tf.distribute.MirroredStrategy(names).scope()


def padded(plan: Iterable[Batch], devices: int) -> list[Batch]:
    """Give batches empty lanes until every device has as many."""
    return [replace(batch, lanes=-(-batch.lanes // devices) * devices) for batch in plan]


def own_share(batch: Any) -> Any:
    """Return the lanes of a batch, any structure of tensors [B, ...], that this device works on.

    JAX deals out lanes by itself; TensorFlow's `train_on_batch` gives every device all of them.
    """
    if keras.backend.backend() != "tensorflow":
        return batch
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if (count := context.num_replicas_in_sync) == 1:
        return batch
    place = context.replica_id_in_sync_group

    def share(x: Any) -> Any:
        lanes = tf.shape(x)[0] // count
        return x[place * lanes : (place + 1) * lanes]

    return tf.nest.map_structure(share, batch)


def clip_together(optimizer: keras.optimizers.Optimizer, devices: int) -> None:
    """Let an optimizer on several devices of TensorFlow clip the whole batch's gradient.

    Of its own accord it clips each device's and adds them up. Here every device gets the mean
    over devices, clipped at that share of the norm, and adding up makes the sum of it.
    """
    if devices == 1 or keras.backend.backend() != "tensorflow" or not optimizer.global_clipnorm:
        return
    import tensorflow as tf

    optimizer.global_clipnorm /= devices
    apply = optimizer.apply

    def apply_mean(gradients: Any, variables: Any = None) -> None:
        context = tf.distribute.get_replica_context()
        apply(context.all_reduce(tf.distribute.ReduceOp.MEAN, list(gradients)), variables)

    optimizer.apply = apply_mean
