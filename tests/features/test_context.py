import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.context import stack_frames


@given(st.integers(1, 12), st.sampled_from([1, 3, 11]))
def test_row_of_stacked_frames_is_the_frame_between_its_neighbours(length, context):
    inputs = np.arange(length * 2.0).reshape(length, 2)
    stacked = stack_frames(inputs, context)
    padded = np.pad(inputs, ((context // 2, context // 2), (0, 0)), mode="edge")
    expected = [padded[k : k + context].ravel() for k in range(length)]
    np.testing.assert_array_equal(stacked, expected)
    assert stack_frames(inputs.astype(np.float32), context).dtype == np.float32


@pytest.mark.parametrize("context", [4, 0, -1])
def test_an_even_context_is_refused(context):
    with pytest.raises(ValueError, match=f"context={context}"):
        stack_frames(np.zeros((3, 1)), context)
