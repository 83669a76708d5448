"""Arrays in whole batches for `keras.Model.fit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    import tensorflow as tf


def whole_batches(x: NDArray[Any], y: NDArray[Any], size: int, *, shuffle: bool) -> tf.data.Dataset:
    """Return batches of one shape; what is left over at the end of an epoch is left out.

    From arrays themselves Keras makes a dataset that TensorFlow tunes while it runs, by a thread
    that sleeps twice as long every time. Each epoch ends when that thread wakes up, which can take
    as long as the epoch took (TensorFlow 2.21); what is batched here is not tuned.

    Parameters
    ----------
    x, y : arrays of equal length
    size : int
        Of a batch.
    shuffle : bool
        Whether each epoch has an order of its own.
    """
    import tensorflow as tf

    chosen = tf.data.Dataset.range(len(x))
    if shuffle:
        chosen = chosen.shuffle(len(x))
    chosen = chosen.batch(size, drop_remainder=True)
    options = tf.data.Options()
    options.autotune.enabled = False
    sources = tf.constant(x), tf.constant(y)
    batches = chosen.map(lambda k: tuple(tf.gather(source, k) for source in sources))
    return batches.prefetch(2).with_options(options)
