"""What the tests of formats share: tracks for round trips, and how a file is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_array_equal

from pipeline.ground.console import InputError
from pipeline.ground.utterance import Tracks

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True)


def values(width: int, missing: bool = True, bits: int = 64):
    """Positions in mm [frames, channels]; some samples are missing, at least one is there."""
    positions = st.floats(-500, 500, width=bits, allow_subnormal=False).filter(
        lambda value: value == 0 or abs(value) > 1e-6
    )
    cells = st.one_of(positions, st.just(np.nan)) if missing else positions
    shape = st.tuples(st.integers(1, 12), st.just(width))
    dtype = np.float64 if bits == 64 else np.float32
    table = arrays.arrays(dtype, shape, elements=cells, fill=positions)
    return table.filter(lambda table: not np.isnan(table).all())


@st.composite
def recordings(draw, missing: bool = True, bits: int = 64, from_zero: bool = False) -> Tracks:
    """Tracks with evenly spaced time stamps."""
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    table = draw(values(len(names), missing, bits))
    rate = draw(st.sampled_from([100.0, 145.65, 200.0, 250.0, 400.0, 500.0]))
    start = 0.0 if from_zero else draw(st.sampled_from([0.0, 0.002, 1.25]))
    return Tracks(start + np.arange(len(table)) / rate, table.astype(np.float64), tuple(names))


def assert_same(read: Tracks, written: Tracks, time_atol: float = 1e-6) -> None:
    """Compare tracks: names and values exactly, time stamps to what the format can hold."""
    assert read.channels == written.channels
    np.testing.assert_allclose(read.time, written.time, rtol=0, atol=time_atol)
    assert_array_equal(read.values, written.values)


def assert_refused(read: Callable[[Path], object], path: Path, content: bytes, reason: str) -> None:
    """Write a broken file; reading it has to raise one line with its name and the reason."""
    path.write_bytes(content)
    with pytest.raises(InputError) as refusal:
        read(path)
    message = str(refusal.value)
    assert message.startswith(f"{path}: ")
    assert reason in message
    assert "\n" not in message
