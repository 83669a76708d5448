"""Recurrent networks: `RecurrentStack`, and the layers it is made of.

One layer feeds the next, in one or both directions of time, with dropout between them.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops, regularizers

from models.layers import (
    GRU,
    LSTM,
    OrthogonalGates,
    Recurrent,
    SimpleRNN,
    Tensor,
    flags,
    register,
    time_major,
)

__all__ = ["GRU", "LSTM", "OrthogonalGates", "Recurrent", "RecurrentStack", "SimpleRNN"]

CELLS: dict[str, type[Recurrent]] = {"simple_rnn": SimpleRNN, "lstm": LSTM, "gru": GRU}
MERGES = ("concat", "sum", "mean")


def delayed(h: Tensor, resets: Tensor | None, delay: int) -> Tensor:
    """``h[t + delay]`` in place of ``h[t]`` [T, B, H]; at most the last frame of its sequence."""
    length = ops.shape(h)[0]
    starts = ops.zeros_like(h[..., :1], "bool") if resets is None else resets
    number = ops.cumsum(ops.cast(starts, "int32"), axis=0)  # of the sequence in its row, [T, B, 1]
    padded = ops.pad(number, [[0, delay], [0, 0], [0, 0]], constant_values=-1)
    ahead = sum(ops.cast(padded[k : k + length] == number, "int32") for k in range(1, delay + 1))
    return ops.take_along_axis(h, ops.arange(length)[:, None, None] + ahead, axis=0)


@register
class RecurrentStack(keras.layers.Layer):
    """Layers of recurrent cells on top of each other, each in one or both directions of time.

    Parameters
    ----------
    cell : {"lstm", "gru", "simple_rnn"}
    units : sequence of int
        One for each layer.
    bidirectional : bool
        Run each layer in both directions.
    merge : {"concat", "sum", "mean"}
        How both directions become one output: [..., 2 * units] or [..., units].
    dropout : float
        Rate at which the input of every layer but the first is dropped.
    recurrent_dropout, l2
        Rate of dropout on the recurrent side, and factor of the sum of squares of all kernels.
    loop : {"dynamic", "static"}
        A loop over any number of frames, or a graph of exactly as many steps.
    delay : int
        Output for frame t what the layers know after frame t + delay (or at the end of the sequence
        if that is sooner): a unidirectional model sees that much of the future.
    stateful : bool
        Start where the call before ended.
    return_state : bool
        Return also the final states.
    gradient : {"manual", "automatic"}
    options
        Passed to each recurrent layer, such as ``activation`` or ``reset_after``.
    """

    def __init__(
        self,
        cell: str = "lstm",
        units: tuple[int, ...] = (256, 256),
        *,
        bidirectional: bool = True,
        merge: str = "concat",
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        l2: float = 0.0,
        loop: str = "dynamic",
        delay: int = 0,
        stateful: bool = False,
        return_state: bool = False,
        gradient: str = "manual",
        options: dict[str, Any] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if cell not in CELLS:
            raise ValueError(f"cell must be one of {', '.join(CELLS)}, not {cell!r}")
        if merge not in MERGES:
            raise ValueError(f"merge must be one of {', '.join(MERGES)}, not {merge!r}")
        if loop not in ("dynamic", "static"):
            raise ValueError(f"loop must be 'dynamic' or 'static', not {loop!r}")
        if bidirectional and delay:
            raise ValueError(
                f"delay={delay} is for one direction; a bidirectional layer sees the future anyway"
            )
        if bidirectional and stateful:
            raise ValueError("a stateful stack runs in one direction: set bidirectional=False")
        self.cell = cell
        self.units = tuple(units)
        self.bidirectional = bidirectional
        self.merge = merge
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.l2 = l2
        self.loop = loop
        self.delay = delay
        self.stateful = stateful
        self.return_state = return_state
        self.gradient = gradient
        self.options = dict(options or {})
        self.seed = seed
        self.supports_masking = True
        penalty = regularizers.L2(l2) if l2 else None
        self.layers = [
            [
                CELLS[cell](
                    size,
                    go_backwards=backwards,
                    return_sequences=True,
                    return_state=True,
                    stateful=stateful,
                    unroll=loop == "static",
                    recurrent_dropout=recurrent_dropout,
                    kernel_regularizer=penalty,
                    recurrent_regularizer=penalty,
                    gradient=gradient,
                    seed=seed,
                    dtype=self.dtype_policy,
                    name=f"{'backward' if backwards else 'forward'}_{depth}",
                    **self.options,
                )
                for backwards in ((False, True) if bidirectional else (False,))
            ]
            for depth, size in enumerate(self.units)
        ]
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the weights for inputs [B, T, D]."""
        features = shape[-1]
        for directions in self.layers:
            for layer in directions:
                layer.build((*shape[:-1], features))
            features = self.width(directions[0].units)

    def width(self, units: int) -> int:
        """Output features of a layer of so many units."""
        return 2 * units if self.bidirectional and self.merge == "concat" else units

    def call(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        resets: Tensor | None = None,
        initial_state: Any = None,
        training: bool | None = False,
    ) -> Any:
        """Run over a batch of sequences, as `LSTM` does.

        Parameters
        ----------
        x : [B, T, D]
        mask, resets : bool [B, T], optional
        initial_state : sequence of tensors [B, units], optional
            The states of the first layer forward, of the first layer backward, of the second ...

        Returns
        -------
        [B, T, units] or [B, T, 2 * units], both directions in the order of time; with
        ``return_state`` followed by the final states, in the order of ``initial_state``.
        """
        valid, starts = flags(mask), flags(resets)
        states = None if initial_state is None else list(keras.tree.flatten(initial_state))
        h = time_major(x)
        finals: list[Tensor] = []
        for depth, directions in enumerate(self.layers):
            if depth and training and self.dropout:
                h = keras.random.dropout(h, self.dropout, seed=self.seed_generator)
            outputs = []
            for layer in directions:
                count = layer.cell.states
                initial = None if states is None else tuple(states[:count])
                states = states and states[count:]
                output, final = layer.run(h, initial, valid, starts, training)
                outputs.append(output)
                finals.extend(final)
            h = self.merged(outputs)
        if self.delay:
            h = delayed(h, starts, self.delay)
        output = ops.cast(time_major(h), self.compute_dtype)
        return (output, *finals) if self.return_state else output

    def merged(self, outputs: list[Tensor]) -> Tensor:
        """Make the outputs of the directions of one layer one tensor."""
        if len(outputs) == 1:
            return outputs[0]
        if self.merge == "concat":
            return ops.concatenate(outputs, axis=-1)
        total = outputs[0] + outputs[1]
        return total / 2 if self.merge == "mean" else total

    def reset_state(self) -> None:
        """Set the states kept by a stateful stack to zero."""
        for layer in keras.tree.flatten(self.layers):
            layer.reset_state()

    def compute_output_shape(self, shape: tuple, *_: Any, **__: Any) -> Any:
        """Return the shapes that ``call`` returns."""
        output = (*shape[:-1], self.width(self.units[-1]))
        if not self.return_state:
            return output
        layers = keras.tree.flatten(self.layers)
        states = [(shape[0], layer.units) for layer in layers for _ in range(layer.cell.states)]
        return (output, *states)

    def compute_mask(self, _: Any, mask: Any = None) -> Any:
        """Return the mask of what ``call`` returns."""
        return mask

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {
            "cell": self.cell,
            "units": list(self.units),
            "bidirectional": self.bidirectional,
            "merge": self.merge,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "l2": self.l2,
            "loop": self.loop,
            "delay": self.delay,
            "stateful": self.stateful,
            "return_state": self.return_state,
            "gradient": self.gradient,
            "options": self.options,
            "seed": self.seed,
            **super().get_config(),
        }
