"""From features to tracks: dense layers, recurrent layers, then a dense layer in every frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from keras import ops

from models.recurrent import RecurrentStack


@keras.saving.register_keras_serializable("articulation")
class Regressor(keras.Model):
    """Predicts every track in every frame.

    The dense layer starts uniform within sqrt(5 / fan_in) with biases of 0.01.

    Parameters
    ----------
    outputs : int
        Number of tracks.
    dense : sequence of int
        Units of each rectified dense layer in front of the recurrent ones.
    **stack
        Arguments of `models.recurrent.RecurrentStack`.
    """

    def __init__(
        self, outputs: int, *, dense: Sequence[int] = (), name: str | None = None, **stack: Any
    ) -> None:
        dtype = stack.pop("dtype", None)
        super().__init__(name=name, dtype=dtype)
        self.outputs_per_frame = outputs
        self.stack_config = stack
        self.front = [
            keras.layers.Dense(units, activation="relu", dtype=dtype, name=f"front_{k}")
            for k, units in enumerate(dense)
        ]
        self.stack = RecurrentStack(**stack, dtype=dtype, name="stack")
        self.dense = keras.layers.Dense(
            outputs,
            kernel_initializer=keras.initializers.VarianceScaling(5 / 3, "fan_in", "uniform"),
            bias_initializer=keras.initializers.Constant(0.01),
            dtype=dtype,
            name="tracks",
        )

    def build(self, input_shape: dict[str, tuple[int | None, ...]]) -> None:
        """Create the weights for ``{"inputs": [B, T, features], ...}``."""
        shape = input_shape["inputs"]
        for layer in self.front:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.stack.build(shape)
        self.dense.build(self.stack.compute_output_shape(shape))
        self.built = True

    def call(self, x: dict[str, Any], training: bool | None = None) -> Any:
        """Predict.

        Parameters
        ----------
        x : dict
            ``inputs`` float [B, T, features]; ``resets`` bool [B, T], True where an utterance
            starts and where padding starts.

        Returns
        -------
        float32 [B, T, outputs]
        """
        hidden = x["inputs"]
        for layer in self.front:
            hidden = layer(hidden)
        hidden = self.stack(hidden, resets=x["resets"], training=training)
        return ops.cast(self.dense(hidden), "float32")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        dtype = keras.saving.serialize_keras_object(self.dtype_policy)
        return {
            "outputs": self.outputs_per_frame,
            "dense": [layer.units for layer in self.front],
            "name": self.name,
            "dtype": dtype,
            **self.stack_config,
        }


def load(path: Path) -> Regressor:
    """Load a model that `keras.Model.save` wrote, running no code from the file."""
    return keras.saving.load_model(path, compile=False, safe_mode=True)
