"""A network the tutorial's way: ``tf.scan``, every gate with two matrices of its own.

One utterance at a time, automatic gradients, the carry a stack of h and c, Adam at a constant rate.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from benchmarks.shape import Shape

LEARNING_RATE = 7e-5

Layer = Callable[[tf.Tensor], tf.Tensor]


class Network:
    """A stack of recurrent layers below a matrix in every frame.

    Attributes
    ----------
    weights : list of tf.Variable
    """

    def __init__(self, shape: Shape, inputs: int, outputs: int) -> None:
        self.shape = shape
        self.weights: list[tf.Variable] = []
        ways = 1 + shape.bidirectional
        widths = [inputs] + [ways * shape.units] * shape.layers
        self.layers = [[self.layer(width) for _ in range(ways)] for width in widths[:-1]]
        self.dense = self.matrix(widths[-1], outputs)
        self.optimizer = keras.optimizers.Adam(LEARNING_RATE)
        self.optimizer.build(self.weights)
        signature = [tf.TensorSpec((1, None, n), tf.float32) for n in (inputs, outputs)]
        self.update = tf.function(self._update, input_signature=signature)
        self.predict = tf.function(self._predict, input_signature=signature[:1])

    def matrix(self, rows: int, columns: int) -> tf.Variable:
        """Return a new orthogonal matrix."""
        self.weights.append(tf.Variable(keras.initializers.Orthogonal()((rows, columns))))
        return self.weights[-1]

    def bias(self) -> tf.Variable:
        """Return a new vector of zeros."""
        self.weights.append(tf.Variable(tf.zeros([self.shape.units])))
        return self.weights[-1]

    def layer(self, width: int) -> Layer:
        """Return one direction of a layer, [T, 1, width] to [T, 1, H]."""
        units = self.shape.units
        parameters = [
            (self.matrix(width, units), self.matrix(units, units), self.bias())
            for _ in range(self.shape.gates)
        ]

        def gate(k: int, x: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
            W, U, b = parameters[k]
            return tf.matmul(x, W) + tf.matmul(h, U) + b

        def lstm(carry: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
            h, c = tf.unstack(carry)
            i, f, o = tf.sigmoid(gate(0, x, h)), tf.sigmoid(gate(1, x, h) + 1), gate(2, x, h)
            c = f * c + i * tf.tanh(gate(3, x, h))
            return tf.stack([tf.sigmoid(o) * tf.tanh(c), c])

        def gru(carry: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
            h = carry[0]
            u, r = tf.sigmoid(gate(0, x, h)), tf.sigmoid(gate(1, x, h))
            return tf.stack([u * h + (1 - u) * tf.tanh(gate(2, x, r * h))])

        def run(x: tf.Tensor) -> tf.Tensor:
            step, states = (lstm, 2) if self.shape.cell == "lstm" else (gru, 1)
            return tf.scan(step, x, tf.zeros([states, 1, units]))[:, 0]

        return run

    def _predict(self, x: tf.Tensor) -> tf.Tensor:
        """Return the tracks [1, T, outputs] of features [1, T, inputs]."""
        h = tf.transpose(x, [1, 0, 2])
        for directions in self.layers:
            parts = [directions[0](h)]
            if self.shape.bidirectional:
                parts.append(directions[1](h[::-1])[::-1])
            h = tf.concat(parts, axis=-1)
        by_time = tf.matmul(h, tf.tile(self.dense[None], [tf.shape(h)[0], 1, 1]))
        return tf.transpose(by_time, [1, 0, 2])

    def _update(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """Make one update; return the mean squared error before it."""
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self._predict(x) - y) ** 2)
        gradients = tape.gradient(loss, self.weights)
        self.optimizer.apply_gradients(zip(gradients, self.weights, strict=True))
        return loss
