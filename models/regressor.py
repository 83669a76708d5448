"""From features to tracks: a stack of recurrent layers, then a dense layer in every frame."""

from __future__ import annotations

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
    **stack
        Arguments of `models.recurrent.RecurrentStack`.
    """

    def __init__(self, outputs: int, *, name: str | None = None, **stack: Any) -> None:
        dtype = stack.pop("dtype", None)
        super().__init__(name=name, dtype=dtype)
        self.outputs_per_frame = outputs
        self.stack_config = stack
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
        hidden = self.stack(x["inputs"], resets=x["resets"], training=training)
        return ops.cast(self.dense(hidden), "float32")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        dtype = keras.saving.serialize_keras_object(self.dtype_policy)
        return {
            "outputs": self.outputs_per_frame,
            "name": self.name,
            "dtype": dtype,
            **self.stack_config,
        }


def load(path: Path) -> Regressor:
    """Load a model that `keras.Model.save` wrote, running no code from the file."""
    return keras.saving.load_model(path, compile=False, safe_mode=True)
