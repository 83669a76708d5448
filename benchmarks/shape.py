"""How large a timed network is, and what a training step of it costs in products."""

from __future__ import annotations

from dataclasses import dataclass

INPUTS, OUTPUTS = 39, 24


@dataclass(frozen=True)
class Shape:
    """A network and the batch it is fed."""

    cell: str
    units: int
    batch: int
    bidirectional: bool = False
    layers: int = 1

    @property
    def operations(self) -> int:
        """Floating-point operations in products that a training step needs per frame.

        Forward, gradient by the weights, gradient by what enters; the input needs no gradient.
        """
        directions = 2 if self.bidirectional else 1
        width, products = INPUTS, -directions * self.gates * self.units * INPUTS
        for _ in range(self.layers):
            products += 3 * directions * self.gates * self.units * (width + self.units)
            width = directions * self.units
        return 2 * (products + 3 * width * OUTPUTS)

    @property
    def gates(self) -> int:
        """Blocks of weights in a cell."""
        return {"lstm": 4, "gru": 3}[self.cell]
