"""Recurrent layers for Keras: `SimpleRNN`, `LSTM`, `GRU`.

Arguments, weight names, weight shapes and gate order are those of ``keras.layers``, so that
``set_weights`` moves weights both ways. New are ``resets``, which let several sequences share a row
of a batch, and ``gradient``, which chooses between gradients written by hand and automatic ones.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import initializers, ops, regularizers

from models.cells import GRUCell, LSTMCell, SimpleRNNCell
from models.scan import recurrence

Tensor = Any
register = keras.saving.register_keras_serializable("articulation")


@register
class OrthogonalGates(keras.Initializer):
    """A matrix [rows, gates * units] whose blocks [rows, units], one a gate, are orthogonal each.

    Each is the orthogonal factor of a normal matrix: Saxe et al. (2014), arXiv:1312.6120.
    """

    def __init__(self, gates: int, seed: int | None = None) -> None:
        self.gates = gates
        self.seed = seed
        self.normal = initializers.RandomNormal(stddev=1.0, seed=seed)

    def __call__(self, shape: tuple[int, int], dtype: str | None = None) -> Tensor:
        """Draw a matrix."""
        rows, units = shape[0], shape[1] // self.gates
        tall = (self.gates, max(rows, units), min(rows, units))
        q, r = ops.qr(self.normal(tall, dtype=dtype))
        q = q * ops.sign(ops.diagonal(r, axis1=-2, axis2=-1))[:, None, :]  # uniform over rotations
        order = (1, 0, 2) if rows >= units else (2, 0, 1)
        return ops.reshape(ops.transpose(q, order), shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"gates": self.gates, "seed": self.seed}


class Recurrent(keras.layers.Layer):
    """What the three layers share.

    Parameters
    ----------
    units : int
        H, the size of the state.
    return_sequences : bool
        Return the output of every frame, [B, T, H], in place of the last, [B, H].
    return_state : bool
        Return also the final state: one tensor [B, H], for an LSTM two.
    go_backwards : bool
        Run from the last frame to the first; sequences come out in that order, as in Keras.
    stateful : bool
        Start where the call before ended. Needs a fixed batch size.
    unroll : bool
        Unroll the loop into a graph of exactly T steps.
    zero_output_for_mask : bool
        Output zeros at masked frames in place of the state carried through them.
    recurrent_dropout : float
        Rate at which units of h_{t-1} are dropped where it enters the product, one choice for all
        frames: Gal and Ghahramani (2016), arXiv:1512.05287.
    kernel_initializer, recurrent_initializer : str or keras initializer, optional
        Orthogonal, each gate on its own, unless given.
    bias_initializer : str or keras initializer
    kernel_regularizer, recurrent_regularizer, bias_regularizer : str or regularizer, optional
    use_bias : bool
    gradient : {"manual", "automatic"}
        The gradient written by hand, or the backend's own.
    seed : int, optional
        For recurrent dropout.
    """

    cell: Any  # of models.cells

    def __init__(
        self,
        units: int,
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        recurrent_dropout: float = 0.0,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        recurrent_initializer: Any = None,
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        gradient: str = "manual",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if gradient not in ("manual", "automatic"):
            raise ValueError(f"gradient must be 'manual' or 'automatic', not {gradient!r}")
        self.units = units
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.recurrent_dropout = recurrent_dropout
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.gradient = gradient
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def bias_shape(self) -> tuple[int, ...]:
        """Return the shape of ``bias``, which may hold the recurrent bias too."""
        return (self.cell.gates * self.units,)

    def initial_bias(self, shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
        """Return the values that ``bias`` starts with."""
        return self.bias_initializer(shape, dtype=dtype)

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the weights for inputs [B, T, D]."""
        gates, width = self.cell.gates, self.cell.gates * self.units

        # autocast=False: weights stay in their own dtype, only products are computed in another
        self.kernel = self.add_weight(
            name="kernel",
            shape=(shape[-1], width),
            initializer=self.kernel_initializer or OrthogonalGates(gates),
            regularizer=self.kernel_regularizer,
            autocast=False,
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(self.units, width),
            initializer=self.recurrent_initializer or OrthogonalGates(gates),
            regularizer=self.recurrent_regularizer,
            autocast=False,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=self.bias_shape(),
                initializer=self.initial_bias,
                regularizer=self.bias_regularizer,
                autocast=False,
            )
        if self.stateful:
            if shape[0] is None:
                raise ValueError(
                    f"{self.name} is stateful and needs a fixed batch size, but its input has"
                    f" shape {tuple(shape)}: give the model Input(batch_shape=...)"
                )
            self.states = [
                self.add_weight(
                    name=f"state_{i}",
                    shape=(shape[0], self.units),
                    initializer="zeros",
                    trainable=False,
                    autocast=False,
                )
                for i in range(self.cell.states)
            ]

    def biases(self) -> tuple[Tensor | None, tuple]:
        """Return the bias of the input side, and those of the recurrent side."""
        return (ops.convert_to_tensor(self.bias) if self.use_bias else None), ()

    def run(
        self,
        x: Tensor,
        initial: tuple | None = None,
        valid: Tensor | None = None,
        resets: Tensor | None = None,
        training: bool | None = False,
    ) -> tuple[Tensor, tuple]:
        """Run over x [T, B, D], with valid and resets [T, B, 1]: h [T, B, H], final state."""
        dtype = self.variable_dtype
        bias, recurrent_bias = self.biases()
        kernel = ops.cast(self.kernel, self.compute_dtype)
        z = ops.cast(ops.matmul(ops.cast(x, self.compute_dtype), kernel), dtype)
        if bias is not None:
            z = z + bias
        shape = (ops.shape(x)[1], self.units)
        if initial is not None:
            initial = tuple(ops.cast(state, dtype) for state in initial)
        elif self.stateful:
            initial = tuple(ops.convert_to_tensor(state) for state in self.states)
        else:
            initial = (ops.zeros(shape, dtype),) * self.cell.states
        dropout = None
        if training and self.recurrent_dropout:
            ones = ops.ones(shape, dtype)
            dropout = keras.random.dropout(ones, self.recurrent_dropout, seed=self.seed_generator)
        h, final = recurrence(
            self.cell,
            z,
            (ops.cast(self.recurrent_kernel, dtype), *recurrent_bias),
            initial,
            dropout=dropout,
            valid=valid,
            resets=resets,
            reverse=self.go_backwards,
            static=self.unroll,
            gradient=self.gradient,
            product_dtype=self.compute_dtype,
        )
        if self.stateful:
            for variable, value in zip(self.states, final, strict=True):
                variable.assign(value)
        return h, final

    def call(
        self,
        x: Tensor,
        initial_state: Any = None,
        mask: Tensor | None = None,
        resets: Tensor | None = None,
        training: bool | None = False,
    ) -> Any:
        """Run over a batch of sequences.

        Parameters
        ----------
        x : [B, T, D]
        initial_state : tensor or sequence of tensors [B, H], optional
            Zeros, or the state kept by a stateful layer, unless given.
        mask : bool [B, T], optional
            False where a frame is padding, on whichever side: the state passes through unchanged.
        resets : bool [B, T], optional
            True where a new sequence starts; no state passes between that frame and the one before.
        """
        initial = None if initial_state is None else tuple(keras.tree.flatten(initial_state))
        valid, resets = flags(mask), flags(resets)
        h, final = self.run(time_major(x), initial, valid, resets, training)
        if self.return_sequences:
            if valid is not None and self.zero_output_for_mask:
                h = ops.where(valid, h, ops.zeros_like(h))
            output = time_major(ops.flip(h, axis=0) if self.go_backwards else h)
        else:
            output = final[0]
        output = ops.cast(output, self.compute_dtype)
        return (output, *final) if self.return_state else output

    def reset_state(self) -> None:
        """Set the kept state to zero."""
        if self.stateful and self.built:
            for variable in self.states:
                variable.assign(ops.zeros(variable.shape, variable.dtype))

    reset_states = reset_state

    def compute_output_shape(self, shape: tuple, *_: Any, **__: Any) -> Any:
        """Return the shapes that ``call`` returns."""
        state = (shape[0], self.units)
        output = (shape[0], shape[1], self.units) if self.return_sequences else state
        return (output, *[state] * self.cell.states) if self.return_state else output

    def compute_mask(self, _: Any, mask: Any = None) -> Any:
        """Return the mask of what ``call`` returns."""
        mask = keras.tree.flatten(mask)[0] if mask is not None else None
        output = mask if self.return_sequences else None
        return (output, *[None] * self.cell.states) if self.return_state else output

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {
            "units": self.units,
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "unroll": self.unroll,
            "zero_output_for_mask": self.zero_output_for_mask,
            "recurrent_dropout": self.recurrent_dropout,
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": initializers.serialize(self.recurrent_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "recurrent_regularizer": regularizers.serialize(self.recurrent_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "gradient": self.gradient,
            "seed": self.seed,
            **super().get_config(),
        }


def time_major(x: Tensor) -> Tensor:
    """Swap the first two axes: [B, T, ...] to [T, B, ...] and back."""
    return ops.swapaxes(x, 0, 1)


def flags(x: Tensor | None) -> Tensor | None:
    """Mask or resets [B, T], if there are any, as bool [T, B, 1]."""
    return None if x is None else time_major(ops.cast(x, "bool"))[..., None]


@register
class SimpleRNN(Recurrent):
    """Simple recurrent layer with tanh or ReLU; other arguments as for `Recurrent`."""

    def __init__(self, units: int, *, activation: str = "tanh", **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.cell = SimpleRNNCell(activation)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"activation": self.cell.activation, **super().get_config()}


@register
class LSTM(Recurrent):
    """Long short-term memory; ``forget_bias``, where its forget gates start, keeps them open.

    Other arguments as for `Recurrent`.
    """

    cell = LSTMCell()

    def __init__(self, units: int, *, forget_bias: float = 1.0, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.forget_bias = forget_bias

    def initial_bias(self, shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
        """Return the values that ``bias`` starts with."""
        bias = super().initial_bias(shape, dtype)
        gates = ops.reshape(bias, (4, self.units))
        opened = ops.full((1, self.units), self.forget_bias, dtype=dtype)
        return ops.reshape(ops.concatenate([gates[:1], opened, gates[2:]]), shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"forget_bias": self.forget_bias, **super().get_config()}


@register
class GRU(Recurrent):
    """Gated recurrent unit; other arguments as for `Recurrent`.

    ``reset_after`` applies the reset gate after the recurrent product, with a bias of its own.
    """

    def __init__(self, units: int, *, reset_after: bool = True, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.cell = GRUCell(reset_after)

    def bias_shape(self) -> tuple[int, ...]:
        """Return the shape of ``bias``, which may hold the recurrent bias too."""
        return (2, 3 * self.units) if self.cell.reset_after else (3 * self.units,)

    def biases(self) -> tuple[Tensor | None, tuple]:
        if not (self.use_bias and self.cell.reset_after):
            return super().biases()
        bias = ops.convert_to_tensor(self.bias)
        return bias[0], (bias[1],)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"reset_after": self.cell.reset_after, **super().get_config()}
