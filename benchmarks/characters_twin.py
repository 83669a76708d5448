"""The character model as its tutorial wrote it, in plain TensorFlow: `Twin`."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from examples.characters import HELD_OUT, LENGTH, SEGMENTS, SYMBOLS, UNITS, Codes

Tensor = Any
GATES = ("input", "forget", "new", "output")


class Twin:
    """An LSTM with two matrices for each gate, truncated normal, in a graph of 10 steps."""

    def __init__(self, seed: int) -> None:
        draw = tf.keras.initializers.TruncatedNormal(
            stddev=0.1, seed=tf.keras.random.SeedGenerator(seed)
        )
        symbols = len(SYMBOLS)
        self.x = {gate: tf.Variable(draw((symbols, UNITS))) for gate in GATES}
        self.h = {gate: tf.Variable(draw((UNITS, UNITS))) for gate in GATES}
        self.b = {gate: tf.Variable(tf.zeros(UNITS)) for gate in GATES}
        self.out = tf.Variable(draw((UNITS, symbols)))
        self.out_b = tf.Variable(tf.zeros(symbols))
        self.weights = tf.nest.flatten([self.x, self.h, self.b, self.out, self.out_b])
        self.state = [tf.Variable(tf.zeros((SEGMENTS, UNITS))) for _ in "hc"]
        self.updates = tf.Variable(0.0)

    def step(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Return the state [B, H] after one symbol x [B, 27]."""
        z = {gate: x @ self.x[gate] + h @ self.h[gate] + self.b[gate] for gate in GATES}
        c = tf.sigmoid(z["forget"]) * c + tf.sigmoid(z["input"]) * tf.tanh(z["new"])
        return tf.sigmoid(z["output"]) * tf.tanh(c), c

    def surprise(self, x: Tensor, y: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the mean surprise at y [B, LENGTH] on reading x [B, LENGTH, 27], and the state."""
        outputs = []
        for t in range(LENGTH):
            h, c = self.step(x[:, t], h, c)
            outputs.append(h)
        scores = tf.stack(outputs, axis=1) @ self.out + self.out_b
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, scores)
        return tf.reduce_mean(losses), h, c

    @tf.function
    def update(self, x: Tensor, y: Tensor) -> None:
        """Learn from one batch and keep the state for the next."""
        with tf.GradientTape() as tape:
            loss, h, c = self.surprise(x, y, *self.state)
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, self.weights), 1.25)
        rate = 10.0 * tf.pow(0.1, tf.floor(self.updates / 5000))
        for weight, gradient in zip(self.weights, gradients, strict=True):
            weight.assign_sub(rate * gradient)
        for variable, value in zip(self.state, (h, c), strict=True):
            variable.assign(value)
        self.updates.assign_add(1)

    @tf.function
    def read(self, x: Tensor, y: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`surprise`, as a graph."""
        return self.surprise(x, y, h, c)

    def perplexity(self, text: Codes) -> float:
        """Return the perplexity of a held-out text, read in pieces side by side."""
        pieces = text.reshape(HELD_OUT).astype(np.int32)
        h = c = tf.zeros((HELD_OUT[0], UNITS))
        total = 0.0
        starts = range(0, HELD_OUT[1] - 1, LENGTH)
        for start in starts:
            window = pieces[:, start : start + LENGTH + 1]
            loss, h, c = self.read(one_hot(window[:, :-1]), window[:, 1:], h, c)
            total += float(loss)
        return float(np.exp(total / len(starts)))


def one_hot(symbols: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the vectors [..., 27] of symbols."""
    return np.eye(len(SYMBOLS), dtype=np.float32)[symbols]
