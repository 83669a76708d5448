import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import ridge
from features.context import stack_frames


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 5]), st.sampled_from([0.01, 1.0, 30.0]))
def test_weights_solve_the_normal_equations(seed, context, penalty):
    rng = np.random.default_rng(seed)
    utterances = [
        (rng.normal(0.5, 1, (n, 3)), rng.normal(-2, 3, (n, 2))) for n in rng.integers(20, 60, 4)
    ]
    fitted = ridge.fit(utterances, context, penalty)
    x = np.concatenate([stack_frames(inputs, context) for inputs, _ in utterances])
    y = np.concatenate([targets for _, targets in utterances])
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    expected = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    np.testing.assert_allclose(fitted.coef_.T, expected, rtol=1e-6, atol=1e-9)


def test_utterances_beyond_the_limit_are_not_read():
    read = []

    def utterances():
        for k in range(10):
            read.append(k)
            yield np.random.default_rng(k).normal(size=(20, 2)), np.zeros((20, 1))

    ridge.fit(utterances(), 1, 1.0, frames=50)
    assert read == [0, 1, 2]


def test_an_empty_fit_is_refused():
    with pytest.raises(ValueError, match="no frame"):
        ridge.fit([], 1, 1.0)
