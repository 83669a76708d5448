"""One step of an LSTM, gate by gate: each equation, the shape of its value and the value.

The step is that of `models.cells.LSTMCell`, which every LSTM here runs on; beside it the same
weights go through the cell of Keras. For a batch of 10, 300 inputs and 200 units:

    z  = x W + b             [10, 800]   the input side of the four gates i f g o in one product
    i  = σ(z_i + h U_i)      [10, 200]   input gate: how much of the new value enters the memory
    f  = σ(z_f + h U_f)      [10, 200]   forget gate: how much of the memory stays
    g  = tanh(z_g + h U_g)   [10, 200]   new value
    o  = σ(z_o + h U_o)      [10, 200]   output gate: how much of the memory is shown
    c' = f * c + i * g       [10, 200]   memory after the step
    h' = o * tanh(c')        [10, 200]   state and output after the step

h U is one product too, [10, 800]. The biases of the forget gates start at 1: from 0, half of the
memory would be lost at every step before training has begun.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples import arguments
from pipeline.ground import device
from pipeline.ground.console import run, say

Values = dict[str, NDArray[np.float32]]

MEANINGS = {
    "x": "input",
    "h": "state before",
    "c": "memory before",
    "W": "input weights of the gates i f g o",
    "U": "recurrent weights of the gates",
    "b": "biases of the gates, 1 for f",
    "z": "input side of the gates",
    "i": "input gate",
    "f": "forget gate",
    "g": "new value",
    "o": "output gate",
    "c'": "memory after",
    "h'": "state after",
}


def draw(batch: int, inputs: int, units: int, rng: np.random.Generator) -> Values:
    """Draw input, state and memory before the step, and the weights of the four gates."""
    bias = np.zeros((4, units))
    bias[1] = 1  # the order of the gates is i f g o, as in Keras
    values = {
        "x": rng.normal(size=(batch, inputs)),
        "h": rng.uniform(-1, 1, (batch, units)),
        "c": rng.uniform(-1, 1, (batch, units)),
        "W": rng.normal(0, inputs**-0.5, (inputs, 4 * units)),
        "U": rng.normal(0, units**-0.5, (units, 4 * units)),
        "b": bias.ravel(),
    }
    return {name: value.astype(np.float32) for name, value in values.items()}


def step(drawn: Values) -> Values:
    """Run one step of `LSTMCell`; return every value in the order in which it is computed."""
    from keras import ops

    from models.cells import LSTMCell, Recurrent

    z = ops.matmul(drawn["x"], drawn["W"]) + drawn["b"]
    recurrent = Recurrent(ops.convert_to_tensor(drawn["U"]))
    (h, c), (_, i, f, g, o) = LSTMCell().step(recurrent, z, (drawn["h"], drawn["c"]))
    values = {"z": z, "i": i, "f": f, "g": g, "o": o, "c'": c, "h'": h}
    return {name: ops.convert_to_numpy(value) for name, value in values.items()}


def keras_step(drawn: Values) -> Values:
    """Run the same step by the cell of Keras."""
    import keras

    cell: Any = keras.layers.LSTMCell(drawn["h"].shape[1])
    cell.build(drawn["x"].shape)
    cell.set_weights([drawn["W"], drawn["U"], drawn["b"]])
    _, (h, c) = cell(drawn["x"], [drawn["h"], drawn["c"]])
    return {"c'": keras.ops.convert_to_numpy(c), "h'": keras.ops.convert_to_numpy(h)}


def row(name: str, value: NDArray[np.float32]) -> str:
    """Return a line: symbol, meaning, shape, the range of all values and the first three."""
    span = f"{value.min():+.2f} to {value.max():+.2f}"
    first = " ".join(f"{v:+.3f}" for v in value.flat[:3])
    return f"{name:2} {MEANINGS[name]:35} {list(value.shape)!s:10}  {span:14}  {first} ..."


def main() -> None:
    """Print one step and hold it to Keras."""
    parser = arguments.parser("lstm_step_by_step", __doc__)
    for size, default in (("batch", 10), ("inputs", 300), ("units", 200)):
        parser.add_argument(
            f"--{size}", type=arguments.positive, default=default, help=f"default {default}"
        )
    given = parser.parse_args()
    device.choose("cpu")
    rng = np.random.default_rng(given.seed)
    drawn = draw(given.batch, given.inputs, given.units, rng)
    values = step(drawn)
    for name, value in (drawn | values).items():
        say(row(name, value))
    theirs = keras_step(drawn)
    difference = max(float(np.abs(values[name] - theirs[name]).max()) for name in theirs)
    say(f"lstm_step_by_step: differs from keras.layers.LSTMCell by at most {difference:.1e}")


if __name__ == "__main__":
    run(main)
