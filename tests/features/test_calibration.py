import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from features.calibration import coverage

NOMINAL = (0.1, 0.5, 0.9, 0.99)


def test_errors_of_the_stated_deviations_are_covered_as_often_as_stated():
    rng = np.random.default_rng(1)
    deviation = rng.uniform(0.1, 3, (20_000, 3))
    observed = coverage(rng.normal(0, deviation), deviation, NOMINAL)
    assert observed.shape == (4, 3)
    np.testing.assert_allclose(observed, np.tile(NOMINAL, (3, 1)).T, atol=0.02)


@given(factor=st.floats(0.2, 5))
def test_deviations_that_are_wrong_by_a_factor_cover_what_scipy_says(factor):
    error = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)[:, None]
    observed = coverage(error, np.full_like(error, factor), NOMINAL)
    expected = 2 * stats.norm.cdf(factor * stats.norm.ppf((1 + np.array(NOMINAL)) / 2)) - 1
    np.testing.assert_allclose(observed[:, 0], expected, atol=1e-3)
