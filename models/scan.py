"""The loop over time: every cell, both ways in time, dynamic or static, with its gradient.

`scan` is the loop of the backend. `recurrence` runs a cell through it, honouring masks and resets,
and gives the whole sequence a gradient written by hand: the loop forward keeps what each step's
gradient wants; a second loop, against the first, emits only the gradients by the pre-activations;
the gradient by the weights is then one product over all frames. Automatic differentiation of the
same loop adds a whole weight matrix at every frame instead and takes about three times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from models.cells import Cell, Recurrent

Tensor = Any


def scan(
    step: Callable[[tuple, tuple], tuple[tuple, tuple]],
    state: tuple,
    frames: tuple,
    *,
    reverse: bool = False,
    static: bool = False,
) -> tuple[tuple, tuple]:
    """Run ``state, outputs = step(state, frame)`` over the first axis of ``frames``.

    Parameters
    ----------
    step : callable
        The state keeps its shapes and dtypes.
    state : tuple of tensors
        Before the first frame.
    frames : tuple of tensors [T, ...] or None
        A None is handed to each step as it is.
    reverse : bool
        From the last frame to the first. Outputs stay in the order of the frames.
    static : bool
        Unroll the loop into a graph of exactly T steps; T must be known.

    Returns
    -------
    state : tuple of tensors
        After the last step.
    outputs : tuple of tensors [T, ...]
    """
    if static:
        return _static_scan(step, state, frames, reverse)
    if keras.backend.backend() == "jax":
        import jax

        return jax.lax.scan(step, state, frames, reverse=reverse)
    return _tensorflow_scan(step, state, frames, reverse)


def _static_scan(step: Callable, state: tuple, frames: tuple, reverse: bool) -> tuple[tuple, tuple]:
    length = frames[0].shape[0]
    if length is None:
        raise ValueError("a static loop needs a known number of frames, and this input has None")
    outputs = [()] * length
    for t in reversed(range(length)) if reverse else range(length):
        state, outputs[t] = step(state, tuple(None if x is None else x[t] for x in frames))
    return state, tuple(ops.stack(column) for column in zip(*outputs, strict=True))


def _tensorflow_scan(
    step: Callable, state: tuple, frames: tuple, reverse: bool
) -> tuple[tuple, tuple]:
    import tensorflow as tf

    length = frames[0].shape[0] or tf.shape(frames[0])[0]
    inputs = [x if x is None else tf.TensorArray(x.dtype, length).unstack(x) for x in frames]
    # one step outside the loop tells the shapes of the outputs; a graph drops the step itself
    _, first = step(state, tuple(x if x is None else x[0] for x in frames))
    arrays = tuple(tf.TensorArray(y.dtype, length, element_shape=y.shape) for y in first)

    def body(k: Tensor, state: tuple, arrays: tuple) -> tuple:
        t = length - 1 - k if reverse else k
        state, outputs = step(state, tuple(x if x is None else x.read(t) for x in inputs))
        return k + 1, state, tuple(a.write(t, y) for a, y in zip(arrays, outputs, strict=True))

    _, state, arrays = tf.while_loop(
        lambda k, *_: k < length, body, (0, state, arrays), maximum_iterations=length
    )
    return state, tuple(a.stack() for a in arrays)


def recurrence(
    cell: Cell,
    z: Tensor,
    weights: tuple,
    initial: tuple,
    *,
    dropout: Tensor | None = None,
    valid: Tensor | None = None,
    resets: Tensor | None = None,
    reverse: bool = False,
    static: bool = False,
    gradient: str = "manual",
    product_dtype: str = "float32",
) -> tuple[Tensor, tuple]:
    """Run a cell over a batch of sequences.

    Parameters
    ----------
    cell : SimpleRNNCell, LSTMCell or GRUCell
    z : [T, B, gates * H]
        The input side of every gate.
    weights : tuple of tensors
        The recurrent kernel [H, gates * H], and the recurrent bias [gates * H] if there is one.
    initial : tuple of [B, H]
        One tensor for each state of the cell.
    dropout : [B, H], optional
        Factors on h_{t-1} where it enters the product.
    valid : bool [T, B, 1], optional
        False where a frame is padding: the state passes unchanged and no gradient flows.
    resets : bool [T, B, 1], optional
        True where a new sequence starts: no state passes between this frame and the one before.
    reverse : bool
        Run from the last frame to the first.
    static : bool
        Unroll the loop.
    gradient : {"manual", "automatic"}
        The gradient written by hand, or the backend's own, for reference.
    product_dtype : str
        What matrix products are computed in. All else has the dtype of ``z``.

    Returns
    -------
    h : [T, B, H]
        The state after each frame, in the order of time.
    final : tuple of [B, H]
        The state after the last step.
    """
    keep = None
    if resets is not None:  # keep[t] multiplies the state on its way into frame t
        keep = 1 - ops.cast(resets, z.dtype)
        if reverse:
            keep = ops.concatenate([keep[1:], ops.ones_like(keep[:1])])

    def kept(state: tuple, keep: Tensor | None) -> tuple:
        return state if keep is None else tuple(s * keep for s in state)

    def choose(valid: Tensor | None, new: tuple, old: tuple) -> tuple:
        if valid is None:
            return new
        return tuple(ops.where(valid, n, o) for n, o in zip(new, old, strict=True))

    def run_forward(recurrent: Recurrent, z: Tensor, initial: tuple) -> tuple[tuple, tuple]:
        def step(state: tuple, frame: tuple) -> tuple[tuple, tuple]:
            z, keep, valid = frame
            before = kept(state, keep)
            state, saved = cell.step(recurrent, z, before)
            state = choose(valid, state, before)
            return state, (state[0], *saved)

        return scan(step, initial, (z, keep, valid), reverse=reverse, static=static)

    def run_backward(
        recurrent: Recurrent, saved: tuple, dh: Tensor, dfinal: tuple
    ) -> tuple[tuple, Tensor]:
        def step(dstate: tuple, frame: tuple) -> tuple[tuple, tuple]:
            (dh, keep, valid), saved = frame[:3], frame[3:]
            dstate = (dstate[0] + dh, *dstate[1:])
            dz, dbefore = cell.gradient(recurrent, saved, dstate)
            outputs = choose(valid, (dz,), (ops.zeros_like(dz),))
            return kept(choose(valid, dbefore, dstate), keep), outputs

        frames = (dh, keep, valid, *saved)
        dinitial, (dz,) = scan(step, dfinal, frames, reverse=not reverse, static=static)
        return dinitial, dz

    def recur(kernel: Tensor, *bias: Tensor) -> Recurrent:
        return Recurrent(ops.cast(kernel, product_dtype), bias[0] if bias else None, dropout)

    def run(z: Tensor, *tensors: Tensor) -> tuple[tuple, Callable]:
        weights, initial = tensors[: -cell.states], tensors[-cell.states :]
        recurrent = recur(*weights)
        final, (h, *values) = run_forward(recurrent, z, initial)
        saved = tuple(values)

        def backward(*upstream: Tensor) -> tuple:
            dh, *dfinal = keras.tree.flatten(upstream)
            transposed = recurrent._replace(kernel=ops.transpose(recurrent.kernel))
            dinitial, dz = run_backward(transposed, saved, dh, tuple(dfinal))
            before = [h[1:], initial[0][None]] if reverse else [initial[0][None], h[:-1]]
            (entering,) = kept((ops.concatenate(before),), keep)
            dweights = cell.weight_gradient(recurrent, entering, saved, dz)
            return (dz, *dweights, *dinitial)

        return (h, *final), backward

    if gradient == "automatic":
        final, outputs = run_forward(recur(*weights), z, initial)
        return outputs[0], final
    h, *final = ops.custom_gradient(run)(z, *weights, *initial)
    return h, tuple(final)
