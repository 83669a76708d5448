"""The character model beside a plain twin: the tutorial's own way, written out in TensorFlow.

The twin has four gates with two matrices each, drawn from a truncated normal, in a graph of 10
steps, and is fed one update at a time. Both learn from the same batches in turns, 100 updates each,
and read the same held-out text. Only the time of updates counts, building included.
"""

from __future__ import annotations

import time
from pathlib import Path

from examples import arguments, characters, pictures
from examples.results import Check
from pipeline.ground import device
from pipeline.ground.console import run, say


def race(codes: characters.Codes, seed: int, updates: int) -> dict[str, list[Check]]:
    """Train both; return their checks."""
    from benchmarks.characters_twin import Twin, one_hot

    text, held_out = characters.divided(codes)
    x, y = (
        symbols.reshape(updates, characters.SEGMENTS, characters.LENGTH)
        for symbols in characters.batches(text, updates)
    )
    twin = Twin(seed)
    ours: list[Check] = []
    theirs = [Check(0, twin.perplexity(held_out), 0.0)]

    def in_turn(check: Check, _: object) -> None:
        ours.append(check)
        before = theirs[-1]
        if check.update == before.update:
            return
        started = time.perf_counter()
        for k in range(before.update, check.update):
            twin.update(one_hot(x[k]), y[k])
        seconds = before.seconds + time.perf_counter() - started
        theirs.append(Check(check.update, twin.perplexity(held_out), seconds))

    characters.train(codes, seed, updates, in_turn)
    return {"this engine": ours, "plain twin": theirs}


def main() -> None:
    """Train both, draw both, print a line."""
    parser = arguments.parser("characters", __doc__, package="benchmarks")
    parser.add_argument(
        "--text", type=Path, default=characters.TEXT, help="to learn from (default %(default)s)"
    )
    parser.add_argument(
        "--updates", type=arguments.positive, default=characters.UPDATES, help="default %(default)s"
    )
    parser.add_argument(
        "--picture",
        type=Path,
        default=arguments.OUTPUT / "characters_twin.png",
        help="to write (default %(default)s)",
    )
    given = parser.parse_args()
    codes = characters.read_text(given.text)
    device.choose("cpu")
    runs = race(codes, given.seed, given.updates)
    pictures.save(pictures.perplexity(runs), given.picture)
    ours, theirs = (checks[-1] for checks in runs.values())
    say(
        f"characters: perplexity {ours.perplexity:.2f} in {ours.seconds:.1f} s,"
        f" its plain twin {theirs.perplexity:.2f} in {theirs.seconds:.1f} s"
        f" ({ours.seconds / theirs.seconds:.2f} of the time; {given.updates} updates)"
    )


if __name__ == "__main__":
    run(main)
