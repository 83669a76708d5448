import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features import metrics

pytestmark = pytest.mark.filterwarnings("error")  # undefined is a value here, not a warning


def pair(seed, frames, channels=4):
    rng = np.random.default_rng(seed)
    measured = rng.normal(rng.uniform(-50, 50, channels), 5, (frames, channels))
    return measured, measured + rng.normal(0.3, 2, (frames, channels))


@given(st.integers(0, 10**6), st.integers(1, 60))
def test_errors_agree_with_scikit_learn(seed, frames):
    measured, predicted = pair(seed, frames)
    mse = sklearn.metrics.mean_squared_error(measured, predicted, multioutput="raw_values")
    rmse = sklearn.metrics.root_mean_squared_error(measured, predicted, multioutput="raw_values")
    np.testing.assert_allclose(metrics.z_mse(measured, predicted), mse)
    np.testing.assert_allclose(metrics.rmse(measured, predicted), rmse)


@given(st.integers(0, 10**6), st.integers(2, 60))
def test_correlation_agrees_with_scipy(seed, frames):
    measured, predicted = pair(seed, frames)
    expected = scipy.stats.pearsonr(measured, predicted, axis=0).statistic
    np.testing.assert_allclose(metrics.pearson(measured, predicted), expected, atol=1e-12)


@given(
    arrays(np.float32, (7, 3), elements=st.floats(-1e3, 1e3, width=32)),
    arrays(np.float32, (7, 3), elements=st.floats(-1e3, 1e3, width=32)),
)
def test_correlation_is_undefined_exactly_where_a_side_is_constant(measured, predicted):
    r = metrics.pearson(measured, predicted)
    constant = (np.ptp(measured, axis=0) == 0) | (np.ptp(predicted, axis=0) == 0)
    assert np.isnan(r[constant]).all()
    assert (np.abs(r[~constant]) <= 1).all()


def test_frames_that_were_not_measured_do_not_count():
    measured, predicted = pair(0, 50)
    gaps = measured.copy()
    gaps[0:7, 0] = gaps[20:, 1] = gaps[:, 2] = np.nan
    for measure in (metrics.z_mse, metrics.rmse, metrics.pearson):
        values = measure(gaps, predicted)
        np.testing.assert_allclose(values[[0]], measure(measured[7:, :1], predicted[7:, :1]))
        np.testing.assert_allclose(values[[1]], measure(measured[:20, 1:2], predicted[:20, 1:2]))
        assert np.isnan(values[2])
        np.testing.assert_allclose(values[3], measure(measured, predicted)[3])


@pytest.mark.parametrize("failure", [np.nan, np.inf])
def test_a_failed_prediction_does_not_look_good(failure):
    measured, predicted = pair(0, 50)
    predicted[3, 1] = failure
    for measure in (metrics.z_mse, metrics.rmse, metrics.pearson):
        values = measure(measured, predicted)
        assert not np.isfinite(values[1])
        assert np.isfinite(values[[0, 2, 3]]).all()


@pytest.mark.parametrize("frames", [0, 1])
def test_utterances_of_no_and_of_one_frame(frames):
    measured, predicted = np.zeros((frames, 2)), np.ones((frames, 2))
    for measure in (metrics.z_mse, metrics.rmse):
        np.testing.assert_array_equal(measure(measured, predicted), 1.0 if frames else np.nan)
    assert np.isnan(metrics.pearson(measured, predicted)).all()
    assert metrics.velocity(measured).shape == (frames, 2)
    assert np.isnan(metrics.velocity(measured)).all()


def test_shapes_that_do_not_fit_are_refused():
    for measure in (metrics.z_mse, metrics.pearson):
        with pytest.raises(ValueError, match=r"\(3, 2\) and \(4, 2\)"):
            measure(np.zeros((3, 2)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="no utterance"):
        metrics.per_utterance(metrics.rmse, [], [])
    with pytest.raises(ValueError, match="no utterance"):
        metrics.bootstrap_interval(np.zeros((0, 2)), np.random.default_rng())
    with pytest.raises(ValueError, match="no utterance"):
        metrics.best_lag([], [])


def test_mean_leaves_out_the_undefined_and_weighs():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(metrics.mean(values), [2, np.nan])
    np.testing.assert_array_equal(metrics.mean(values, np.array([[1], [3], [9]])), [2.5, np.nan])
    np.testing.assert_array_equal(metrics.mean(np.zeros((0, 2))), [np.nan, np.nan])
    np.testing.assert_array_equal(metrics.mean(np.array([1.0, np.inf])), np.inf)


@given(st.integers(0, 999), st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_over_all_frames_is_the_weighted_mean_of_the_utterances(seed, lengths):
    pairs = [pair(seed + i, n) for i, n in enumerate(lengths)]
    measured, predicted = zip(*pairs, strict=True)
    each = metrics.per_utterance(metrics.z_mse, measured, predicted)
    assert each.shape == (len(lengths), 4)
    np.testing.assert_allclose(
        metrics.mean(each, np.array(lengths)[:, None]),
        metrics.z_mse(np.concatenate(measured), np.concatenate(predicted)),
    )


def test_the_interval_of_a_weighted_mean_draws_weights_with_their_values():
    rng = np.random.default_rng(0)
    values, frames = rng.normal(size=(40, 2)), rng.integers(1, 900, (40, 1))
    drawn = np.random.default_rng(7).multinomial(40, np.full(40, 1 / 40), size=2000)
    means = [np.average(values, axis=0, weights=n * frames[:, 0]) for n in drawn]
    found = metrics.bootstrap_interval(values, np.random.default_rng(7), weights=frames)
    np.testing.assert_allclose(found, np.quantile(means, [0.025, 0.975], axis=0))


def test_velocity_of_a_moving_point():
    t = np.arange(200) / 100
    tracks = np.c_[30 * t, 5 * np.sin(2 * np.pi * 2 * t)]
    speed = metrics.velocity(tracks)
    np.testing.assert_allclose(speed[:, 0], 30)
    expected = 5 * 4 * np.pi * np.cos(4 * np.pi * t)
    np.testing.assert_allclose(speed[1:-1, 1], expected[1:-1], atol=0.2)


@given(st.integers(0, 999), st.integers(1, 50))
def test_error_quantiles_are_numpys_and_count_what_lies_below(seed, frames):
    measured, predicted = pair(seed, frames, 2)
    shares = np.linspace(0, 1, 11)
    curve = metrics.error_quantiles(measured, predicted, shares)
    errors = np.abs(measured - predicted)
    np.testing.assert_allclose(curve, np.quantile(errors, shares, axis=0))
    measured[:, 1] = np.nan
    assert np.isnan(metrics.error_quantiles(measured, predicted, shares)[:, 1]).all()


class TestBootstrap:
    def test_interval_of_a_known_distribution(self):
        """Of the mean of n normal values it is mean -+ 1.96 deviations over root n."""
        values = np.random.default_rng(0).normal(5, 2, 400)
        low, high = metrics.bootstrap_interval(values, np.random.default_rng(1), resamples=8000)
        reach = 1.96 * values.std() / 20
        np.testing.assert_allclose(low, values.mean() - reach, atol=0.02)
        np.testing.assert_allclose(high, values.mean() + reach, atol=0.02)

    def test_covers_the_truth_as_often_as_it_says(self):
        rng = np.random.default_rng(0)
        low, high = metrics.bootstrap_interval(rng.normal(0, 1, (60, 800)), rng, resamples=600)
        assert 0.91 < np.mean((low < 0) & (high > 0)) < 0.97

    def test_agrees_with_scipy(self):
        values = np.random.default_rng(3).exponential(1, 80)
        ours = metrics.bootstrap_interval(values, np.random.default_rng(1), resamples=9999)
        theirs = scipy.stats.bootstrap(
            (values,), np.mean, method="percentile", random_state=np.random.default_rng(2)
        ).confidence_interval
        np.testing.assert_allclose(ours, theirs, atol=0.02)

    def test_weights_and_undefined_values(self):
        values = np.array([[1.0, 4, np.nan], [2, np.nan, np.nan], [9, 4, np.nan]])
        rng = np.random.default_rng(0)
        weights = np.array([[1.0], [1], [0]])
        low, high = metrics.bootstrap_interval(values, rng, weights=weights)
        np.testing.assert_allclose([low, high], [[1, 4, np.nan], [2, 4, np.nan]])
        one = metrics.bootstrap_interval(np.array([3.0]), rng)
        np.testing.assert_allclose(one, [3, 3])


class TestLag:
    @settings(deadline=None)
    @given(st.integers(-9, 9), st.integers(0, 99))
    def test_a_shift_is_found(self, lag, seed):
        rng = np.random.default_rng(seed)
        source = [np.cumsum(rng.standard_normal((120, 2)), axis=0) for _ in range(3)]
        measured = [s[20:100] for s in source]
        predicted = [s[20 - lag : 100 - lag] for s in source]
        found, r = metrics.best_lag(measured, predicted, 10)
        np.testing.assert_array_equal(found, lag)
        np.testing.assert_allclose(r, 1)

    def test_constant_and_short_tracks(self):
        moving = np.arange(8.0)[:, None]
        lag, r = metrics.best_lag([np.hstack([moving, 0 * moving])], [np.hstack([moving] * 2)])
        np.testing.assert_array_equal(lag, [0, np.nan])
        np.testing.assert_allclose(r, [1, np.nan])
        assert np.isnan(metrics.best_lag([np.ones((1, 1))], [np.ones((1, 1))])).all()
