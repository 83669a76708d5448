"""From features to tracks: dense layers, recurrent layers, then a dense layer in every frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from keras import ops

from models import parallel
from models.recurrent import RecurrentStack

LOG_VARIANCE = 10.0  # at most, in size: a track that never moves would otherwise go on for ever


class Shared(keras.Model):
    """A model of which every device works on its share of a batch."""

    def train_step(self, *arguments: Any) -> Any:
        """Make one update, with this device's share of the batch."""
        return super().train_step(*parallel.own_share(arguments))

    def predict_step(self, *arguments: Any) -> Any:
        """Predict this device's share of a batch."""
        return super().predict_step(*parallel.own_share(arguments))


@keras.saving.register_keras_serializable("articulation")
class Regressor(Shared):
    """Predicts every track in every frame.

    The dense layer starts uniform within sqrt(5 / fan_in) with biases of 0.01.

    Parameters
    ----------
    outputs : int
        Number of tracks.
    dense : sequence of int
        Units of each rectified dense layer in front of the recurrent ones.
    variance : bool
        Predict a variance of every track, too.
    **stack
        Arguments of `models.recurrent.RecurrentStack`.
    """

    def __init__(
        self,
        outputs: int,
        *,
        dense: Sequence[int] = (),
        variance: bool = False,
        name: str | None = None,
        **stack: Any,
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
        self.log_variance = (
            keras.layers.Dense(
                outputs, kernel_initializer="zeros", dtype=dtype, name="log_variance"
            )
            if variance
            else None
        )

    def build(self, input_shape: dict[str, tuple[int | None, ...]]) -> None:
        """Create the weights for ``{"inputs": [B, T, features], ...}``."""
        shape = input_shape["inputs"]
        for layer in self.front:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.stack.build(shape)
        shape = self.stack.compute_output_shape(shape)
        self.dense.build(shape)
        if self.log_variance:
            self.log_variance.build(shape)
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
            Of a network with variances [B, T, 2 * outputs]: the tracks, then the logarithms of
            their variances.
        """
        hidden = x["inputs"]
        for layer in self.front:
            hidden = layer(hidden)
        hidden = self.stack(hidden, resets=x["resets"], training=training)
        tracks = ops.cast(self.dense(hidden), "float32")
        if not self.log_variance:
            return tracks
        unbounded = ops.cast(self.log_variance(hidden), "float32")
        log_variance = LOG_VARIANCE * ops.tanh(unbounded / LOG_VARIANCE)
        return ops.concatenate([tracks, log_variance], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        dtype = keras.saving.serialize_keras_object(self.dtype_policy)
        return {
            "outputs": self.outputs_per_frame,
            "dense": [layer.units for layer in self.front],
            "variance": self.log_variance is not None,
            "name": self.name,
            "dtype": dtype,
            **self.stack_config,
        }


@keras.saving.register_keras_serializable("articulation")
class Ensemble(Shared):
    """The average of several networks of one shape.

    With variances it is the mixture of their normal distributions: its variance is their mean
    variance plus the variance of their means.

    Parameters
    ----------
    members : sequence of Regressor
    """

    def __init__(self, members: Sequence[Regressor], *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.members = list(members)

    def build(self, input_shape: dict[str, tuple[int | None, ...]]) -> None:
        """Create the weights of every member that has none."""
        for member in self.members:
            if not member.built:
                member.build(input_shape)
        self.built = True

    def call(self, x: dict[str, Any], training: bool | None = None) -> Any:
        """Predict as `Regressor.call` does."""
        outputs = ops.stack([member(x, training=training) for member in self.members])
        if not self.members[0].log_variance:
            return ops.mean(outputs, axis=0)
        means, log_variances = ops.split(outputs, 2, axis=-1)
        variance = ops.mean(ops.exp(log_variances), axis=0) + ops.var(means, axis=0)
        return ops.concatenate([ops.mean(means, axis=0), ops.log(variance)], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        members = [keras.saving.serialize_keras_object(member) for member in self.members]
        return {"members": members, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Ensemble:
        """Make an ensemble of what `get_config` returned."""
        members = map(keras.saving.deserialize_keras_object, config["members"])
        return cls(list(members), name=config["name"])


def load(path: Path) -> Regressor | Ensemble:
    """Load a model that `keras.Model.save` wrote, running no code from the file."""
    return keras.saving.load_model(path, compile=False, safe_mode=True)
