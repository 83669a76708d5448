"""One step of each recurrent cell, and that step's gradient beside it.

Symbols are those of the papers: x_t input, h_t state and output, W input weights (``kernel``), U
recurrent weights (``recurrent_kernel``), b bias, σ the logistic function, * element by element.
All gates lie side by side in one matrix, in the order of Keras, so that a step has one product.
The input side, z_t = x_t W + b for every gate, is computed before the loop for all frames at once.

A cell offers

``step(recurrent, z, state)``
    the state after the frame, and what the gradient will want to know of it;
``gradient(recurrent, saved, dstate)``
    from the gradient of the loss by the state after the frame, the gradient by z and by the state
    before it; ``recurrent`` holds transposed matrices there;
``weight_gradient(h, saved, dz)``
    the gradient by the recurrent weights from all frames at once: one product, outside the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

Tensor = Any
tanh: Callable[[Tensor], Tensor] = ops.tanh
if keras.backend.backend() == "jax":
    import jax

    tanh = jax.numpy.tanh  # that of keras rounds float64 to float32


class Recurrent(NamedTuple):
    """The recurrent side of a cell.

    Attributes
    ----------
    kernel : [H, gates * H]
        U, in the dtype in which products are computed.
    bias : [gates * H] or None
        Only for a GRU with ``reset_after``.
    dropout : [B, H] or None
        Factors on h_{t-1} where it enters the product, the same at every frame.
    """

    kernel: Tensor
    bias: Tensor | None = None
    dropout: Tensor | None = None


def product(a: Tensor, matrix: Tensor) -> Tensor:
    """Multiply in the dtype of ``matrix`` and return the dtype of ``a``."""
    return ops.cast(ops.matmul(ops.cast(a, matrix.dtype), matrix), a.dtype)


def drop(h: Tensor, factors: Tensor | None) -> Tensor:
    """Multiply ``h`` by the factors of recurrent dropout, if there are any."""
    return h if factors is None else h * factors


def over_frames(a: Tensor, b: Tensor, dtype: Any) -> Tensor:
    """Sum over frames and batch of the outer products of a [T, B, M] and b [T, B, N]: [M, N]."""
    matrix = ops.reshape(ops.cast(b, dtype), (-1, b.shape[-1]))
    return product(ops.transpose(ops.reshape(a, (-1, a.shape[-1]))), matrix)


class SimpleRNNCell:
    """Simple recurrent network of Elman (1990), doi:10.1207/s15516709cog1402_1.

    h_t = φ(z_t + h_{t-1} U), φ = tanh or ReLU
    """

    gates = 1
    states = 1

    def __init__(self, activation: str = "tanh") -> None:
        if activation not in ("tanh", "relu"):
            raise ValueError(f"activation must be 'tanh' or 'relu', not {activation!r}")
        self.activation = activation

    def step(self, recurrent: Recurrent, z: Tensor, state: tuple) -> tuple[tuple, tuple]:
        """Compute the state after a frame; see the equations."""
        (h,) = state
        z = z + product(drop(h, recurrent.dropout), recurrent.kernel)
        h = tanh(z) if self.activation == "tanh" else ops.relu(z)
        return (h,), (h,)

    def gradient(self, recurrent: Recurrent, saved: tuple, dstate: tuple) -> tuple[Tensor, tuple]:
        """Differentiate that step."""
        (h,) = saved
        (dh,) = dstate
        dz = dh * (1 - h * h if self.activation == "tanh" else ops.cast(h > 0, h.dtype))
        return dz, (drop(product(dz, recurrent.kernel), recurrent.dropout),)

    def weight_gradient(self, recurrent: Recurrent, h: Tensor, saved: tuple, dz: Tensor) -> tuple:
        """Sum the gradient by the recurrent weights over all frames."""
        return (over_frames(drop(h, recurrent.dropout), dz, recurrent.kernel.dtype),)


class LSTMCell:
    """Long short-term memory of Hochreiter and Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735.

    With the forget gate of Gers et al. (2000), doi:10.1162/089976600300015015:

    i_t = σ(z_i + h_{t-1} U_i)        input gate
    f_t = σ(z_f + h_{t-1} U_f)        forget gate
    g_t = tanh(z_g + h_{t-1} U_g)     new value
    o_t = σ(z_o + h_{t-1} U_o)        output gate
    c_t = f_t * c_{t-1} + i_t * g_t
    h_t = o_t * tanh(c_t)
    """

    gates = 4
    states = 2

    def step(self, recurrent: Recurrent, z: Tensor, state: tuple) -> tuple[tuple, tuple]:
        """Compute the state after a frame; see the equations."""
        h, c_before = state
        z = z + product(drop(h, recurrent.dropout), recurrent.kernel)  # [B, 4H]
        i, f, g, o = ops.split(z, 4, axis=-1)
        i, f, g, o = ops.sigmoid(i), ops.sigmoid(f), tanh(g), ops.sigmoid(o)
        c = f * c_before + i * g
        return (o * tanh(c), c), (c_before, i, f, g, o)

    def gradient(self, recurrent: Recurrent, saved: tuple, dstate: tuple) -> tuple[Tensor, tuple]:
        """Differentiate that step."""
        c_before, i, f, g, o = saved
        dh, dc = dstate
        tanh_c = tanh(f * c_before + i * g)
        dc = dc + dh * o * (1 - tanh_c * tanh_c)
        di = dc * g * i * (1 - i)
        df = dc * c_before * f * (1 - f)
        dg = dc * i * (1 - g * g)
        do = dh * tanh_c * o * (1 - o)
        dz = ops.concatenate([di, df, dg, do], axis=-1)  # [B, 4H]
        return dz, (drop(product(dz, recurrent.kernel), recurrent.dropout), dc * f)

    def weight_gradient(self, recurrent: Recurrent, h: Tensor, saved: tuple, dz: Tensor) -> tuple:
        """Sum the gradient by the recurrent weights over all frames."""
        return (over_frames(drop(h, recurrent.dropout), dz, recurrent.kernel.dtype),)


class GRUCell:
    """Gated recurrent unit of Cho et al. (2014), arXiv:1406.1078.

    u_t = σ(z_u + h_{t-1} U_u)                    update gate
    r_t = σ(z_r + h_{t-1} U_r)                    reset gate
    n_t = tanh(z_n + (r_t * h_{t-1}) U_n)         new value, or with ``reset_after``
    n_t = tanh(z_n + r_t * (h_{t-1} U_n + b_n))   reset after the product: one product a step
    h_t = u_t * h_{t-1} + (1 - u_t) * n_t
    """

    gates = 3
    states = 1

    def __init__(self, reset_after: bool = True) -> None:
        self.reset_after = reset_after

    def step(self, recurrent: Recurrent, z: Tensor, state: tuple) -> tuple[tuple, tuple]:
        """Compute the state after a frame; see the equations."""
        (h,) = state
        U, b, dropout = recurrent
        units = h.shape[-1]
        dropped = drop(h, dropout)
        if self.reset_after:
            a = product(dropped, U)  # [B, 3H]
            a = a if b is None else a + b
            gates, m = a[:, : 2 * units], a[:, 2 * units :]
        else:
            gates = product(dropped, U[:, : 2 * units])
        u, r = ops.split(ops.sigmoid(z[:, : 2 * units] + gates), 2, axis=-1)
        if self.reset_after:
            n = tanh(z[:, 2 * units :] + r * m)
        else:
            m = dropped
            n = tanh(z[:, 2 * units :] + product(r * m, U[:, 2 * units :]))
        return (u * h + (1 - u) * n,), (h, u, r, n, m)

    def gradient(self, recurrent: Recurrent, saved: tuple, dstate: tuple) -> tuple[Tensor, tuple]:
        """Differentiate that step."""
        h, u, r, n, m = saved
        (dh,) = dstate
        UT, _, dropout = recurrent  # [3H, H]
        units = h.shape[-1]
        du = dh * (h - n) * u * (1 - u)
        dn = dh * (1 - u) * (1 - n * n)
        if self.reset_after:
            dr = dn * m * r * (1 - r)
            dbefore = product(ops.concatenate([du, dr, dn * r], axis=-1), UT)
        else:
            dm = product(dn, UT[2 * units :])
            dr = dm * m * r * (1 - r)
            dbefore = product(ops.concatenate([du, dr], axis=-1), UT[: 2 * units]) + dm * r
        return ops.concatenate([du, dr, dn], axis=-1), (dh * u + drop(dbefore, dropout),)

    def weight_gradient(self, recurrent: Recurrent, h: Tensor, saved: tuple, dz: Tensor) -> tuple:
        """Sum the gradient by the recurrent weights over all frames."""
        _, _, r, _, _ = saved
        dtype = recurrent.kernel.dtype
        units = h.shape[-1]
        h = drop(h, recurrent.dropout)
        gates, dn = dz[..., : 2 * units], dz[..., 2 * units :]
        if self.reset_after:
            da = ops.concatenate([gates, r * dn], axis=-1)
            dU = over_frames(h, da, dtype)
            return (dU,) if recurrent.bias is None else (dU, ops.sum(da, axis=(0, 1)))
        return (
            ops.concatenate([over_frames(h, gates, dtype), over_frames(r * h, dn, dtype)], axis=-1),
        )


Cell = SimpleRNNCell | LSTMCell | GRUCell
