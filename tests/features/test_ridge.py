import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from features.ridge import StackedRidge, stack_frames


@given(st.integers(1, 12), st.sampled_from([1, 3, 11]))
def test_row_of_stacked_frames_is_the_frame_between_its_neighbours(length, context):
    inputs = np.arange(length * 2.0).reshape(length, 2)
    stacked = stack_frames(inputs, context)
    padded = np.pad(inputs, ((context // 2, context // 2), (0, 0)), mode="edge")
    expected = [padded[k : k + context].ravel() for k in range(length)]
    np.testing.assert_array_equal(stacked, expected)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 5]), st.sampled_from([0.01, 1.0, 30.0]))
def test_weights_are_those_of_scikit_learn(seed, context, penalty):
    rng = np.random.default_rng(seed)
    utterances = [
        (rng.normal(0.5, 1, (n, 3)), rng.normal(-2, 3, (n, 2))) for n in rng.integers(20, 60, 4)
    ]
    own = StackedRidge(context, penalty)
    for inputs, targets in utterances:
        own.partial_fit(inputs, targets)
    own.solve()
    stacked = np.concatenate([stack_frames(inputs, context) for inputs, _ in utterances])
    other = Ridge(alpha=penalty).fit(stacked, np.concatenate([y for _, y in utterances]))
    np.testing.assert_allclose(own.coef_, other.coef_.T, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(own.intercept_, other.intercept_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(
        own.predict(utterances[0][0]),
        other.predict(stack_frames(utterances[0][0], context)),
        rtol=1e-5,
        atol=1e-5,
    )


def test_input_that_never_moves_is_no_harm_without_penalty():
    rng = np.random.default_rng(1)
    inputs = np.hstack([rng.normal(size=(50, 1)), np.zeros((50, 1))])
    own = StackedRidge(1, 0.0).partial_fit(inputs, 2 * inputs[:, :1] + 1).solve()
    np.testing.assert_allclose(own.predict(inputs), 2 * inputs[:, :1] + 1, rtol=1e-5)


def test_even_context_and_empty_fit_are_refused():
    with pytest.raises(ValueError, match="context=4"):
        stack_frames(np.zeros((3, 1)), 4)
    with pytest.raises(ValueError, match="no frame"):
        StackedRidge().solve()
