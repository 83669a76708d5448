"""A process that predicts again and again holds no more than at first."""

import pytest

from reliability import endurance


@pytest.mark.slow
def test_memory_and_file_handles_stay_over_many_predictions():
    held = endurance.predictions(200)
    assert held.report("200 predictions") == []
    assert held.handles[-1] == held.handles[40]


def test_what_grows_is_found():
    held = endurance.Held([100 + k / 10 for k in range(200)], [5] * 199 + [6])
    assert held.growth == pytest.approx(15.9)
    assert [line.partition(": ")[2] for line in held.report("many")] == [
        "memory grew by 15.9 MiB",
        "1 files stayed open",
    ]
