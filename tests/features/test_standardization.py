import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import StandardScaler

from features.standardization import CONSTANT, Standardizer

frames = arrays(
    np.float64, st.tuples(st.integers(2, 40), st.just(3)), elements=st.floats(-100, 100, width=32)
)


@given(st.integers(0, 2**32 - 1), st.integers(2, 200))
def test_agrees_with_scikit_learn(seed, length):
    rng = np.random.default_rng(seed)
    x = rng.normal(rng.uniform(-50, 50, 4), rng.uniform(0.1, 9, 4), (length, 4))
    # two frames alone can be so close to each other that they count as constant here
    assume(np.all(x.std(axis=0) > CONSTANT * np.abs(x.mean(axis=0))))
    ours, theirs = Standardizer().fit(x), StandardScaler().fit(x)
    np.testing.assert_allclose(ours.mean_, theirs.mean_, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ours.scale_, theirs.scale_, rtol=1e-12)
    np.testing.assert_allclose(ours.transform(x), theirs.transform(x), atol=1e-9)


@given(frames, st.integers(1, 39))
def test_parts_give_what_the_whole_gives(x, cut):
    cut = min(cut, len(x) - 1)
    parts = Standardizer().partial_fit(x[:cut]).partial_fit(x[cut:])
    whole = Standardizer().fit(x)
    assert parts.n_samples_seen_ == whole.n_samples_seen_ == len(x)
    np.testing.assert_allclose(parts.mean_, whole.mean_, atol=1e-10)
    np.testing.assert_allclose(parts._squares, whole._squares, rtol=1e-9, atol=1e-7)


@given(frames)
def test_inverse_gives_back(x):
    standardizer = Standardizer().fit(x)
    z = standardizer.transform(x)
    assert np.isfinite(z).all()
    np.testing.assert_allclose(standardizer.inverse_transform(z), x, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.0, 12.3, -1e5, 1e-12])
@pytest.mark.parametrize("length", [1, 7, 1000])
def test_constant_channel_becomes_exact_zeros_and_comes_back(dtype, value, length):
    x = np.full((length, 1), value, dtype)
    standardizer = Standardizer()
    for part in np.array_split(x, min(length, 3)):
        standardizer.partial_fit(part)
    np.testing.assert_array_equal(standardizer.transform(x), 0)
    np.testing.assert_array_equal(standardizer.inverse_transform(standardizer.transform(x)), x)


def test_rounding_of_a_constant_is_not_blown_up():
    x = np.float32(40) + np.float32(4e-6) * np.arange(2, dtype=np.float32).repeat(50)[:, None]
    assert np.ptp(x) > 0
    assert np.abs(Standardizer().fit_transform(x)).max() < 1e-5


@pytest.mark.parametrize(("deviation", "constant"), [(0.9e-5, True), (1.1e-5, False)])
@pytest.mark.parametrize("mean", [0.0, 1e-9, -5.0])
def test_rounding_about_a_small_mean_is_not_blown_up(mean, deviation, constant):
    x = mean + deviation * np.array([[-1.0], [1.0]]).repeat(50, axis=0)
    assert (np.abs(Standardizer().fit_transform(x)).max() < 1e-4) == constant


def test_precision_of_the_input_is_kept():
    x = np.arange(12.0).reshape(6, 2)
    standardizer = Standardizer().fit(x)
    for dtype in (np.float32, np.float64):
        z = standardizer.transform(x.astype(dtype))
        assert z.dtype == dtype
        assert standardizer.inverse_transform(z).dtype == dtype


def test_fit_forgets():
    x = np.arange(6.0)[:, None]
    again = Standardizer().fit(x + 100).fit(x)
    np.testing.assert_array_equal(again.mean_, [2.5])


def test_missing_values_are_named():
    with pytest.raises(ValueError, match="frame 1 of channel 2 is nan"):
        Standardizer().fit(np.array([[1.0, 2, 3], [1, 2, np.nan]]))
    with pytest.raises(ValueError, match="shape"):
        Standardizer().fit(np.zeros((0, 2)))
