"""Outputs and gradients of a Keras layer as NumPy arrays, whatever the backend."""

import keras
import numpy as np

if keras.backend.backend() == "jax":
    import jax

    jax.config.update("jax_enable_x64", True)


def outputs_and_gradients(layer, x, upstream, *, compiled=None, **inputs):
    """Call a layer and differentiate the sum of its outputs times ``upstream``.

    ``compiled`` is None to run eagerly, ``"graph"`` or ``"xla"``; on JAX, which compiles eager
    operations one by one, it is always XLA. Returns the outputs, then the gradients by x, by
    ``initial_state`` where given, and by each weight.
    """
    state = [np.asarray(s) for s in inputs.pop("initial_state", ())]

    def call(x, *state):
        return keras.tree.flatten(layer(x, **inputs, **({"initial_state": state} if state else {})))

    arrays = [np.asarray(x), *state]
    if keras.backend.backend() == "jax":
        outputs, gradients = _jax(layer, call, arrays, upstream)
    else:
        outputs, gradients = _tensorflow(layer, call, arrays, upstream, compiled)
    return [np.asarray(a) for a in outputs], [np.asarray(a) for a in gradients]


def _tensorflow(layer, call, arrays, upstream, compiled):
    import tensorflow as tf

    def run(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            outputs = call(*tensors)
            loss = sum(
                tf.reduce_sum(tf.cast(y, u.dtype) * u)
                for y, u in zip(outputs, upstream, strict=True)
            )
        variables = [v.value for v in layer.trainable_variables]
        return outputs, tape.gradient(loss, [*tensors, *variables])

    if compiled:
        run = tf.function(run, jit_compile=compiled == "xla")
    return run(*(tf.constant(a) for a in arrays))


def _jax(layer, call, arrays, upstream):
    import jax

    def loss(arrays, weights):
        pairs = list(zip(layer.trainable_variables, weights, strict=True))
        with keras.StatelessScope(state_mapping=pairs):
            outputs = call(*arrays)
        return sum((y * u).sum() for y, u in zip(outputs, upstream, strict=True)), outputs

    run = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))
    gradients, outputs = run(arrays, [v.value for v in layer.trainable_variables])
    return outputs, [*gradients[0], *gradients[1]]


def relative_error(found, expected):
    """Largest deviation over a list of arrays, relative to the largest value of each."""
    assert len(found) == len(expected)
    assert [a.shape for a in found] == [a.shape for a in expected]
    return max(
        np.abs(a - b).max() / (np.abs(b).max() or 1) for a, b in zip(found, expected, strict=True)
    )
