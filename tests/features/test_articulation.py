import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.articulation import Gap, gaps, low_pass, onto_grid, repair, resample
from features.frames import frame_times

RATES = [100, 145.65, 200, 250, 400, 500, 1250]


def stamps(rate, seconds=3.0, jitter=0.0, seed=0):
    """Return time stamps at a rate, each off by up to a share of the interval."""
    n = int(seconds * rate)
    return (np.arange(n) + np.random.default_rng(seed).uniform(-jitter, jitter, n)) / rate


class TestRepair:
    def test_each_channel_has_its_own_spline(self):
        """A gap in one channel leaves the others as they are, and theirs leave it alone."""
        time = stamps(200)
        values = np.sin(2 * np.pi * np.outer(time, [1.0, 2.0, 3.0]))
        broken = values.copy()
        broken[100:105, 0] = broken[103:109, 1] = np.nan
        together = repair(time, broken, 0.1)
        np.testing.assert_array_equal(together[:, 2], values[:, 2])
        np.testing.assert_allclose(together, values, atol=0.01)
        for d in range(3):
            alone = repair(time, broken[:, [d]], 0.1)
            np.testing.assert_array_equal(together[:, [d]], alone)

    @given(st.floats(-100, 100), st.integers(1, 30), st.integers(0, 20))
    def test_what_was_measured_is_kept_and_a_constant_stays_constant(self, value, start, missing):
        values = np.full((60, 1), value)
        values[start : start + missing] = np.nan
        np.testing.assert_array_equal(repair(stamps(500, 0.12), values, 1.0), value)

    def test_long_gaps_and_ends_stay_open(self):
        time = np.arange(100) / 100
        values = np.ones((100, 1))
        values[:3] = values[20:30] = values[50:54] = values[97:] = np.nan
        expected = np.isnan(values)
        expected[50:54] = False
        np.testing.assert_array_equal(np.isnan(repair(time, values, 0.06)), expected)

    def test_input_is_left_alone_and_infinity_is_missing(self):
        time, values = np.arange(5) / 100, np.array([[0.0], [1], [np.inf], [3], [4]])
        np.testing.assert_allclose(repair(time, values, 0.1)[:, 0], [0, 1, 2, 3, 4])
        assert np.isinf(values[2, 0])

    def test_two_samples_are_joined_by_a_straight_line(self):
        repaired = repair(np.array([0.0, 0.01, 0.02]), np.array([[1.0], [np.nan], [3.0]]), 0.05)
        np.testing.assert_allclose(repaired, [[1], [2], [3]])

    def test_empty_channels_stay_empty(self):
        values = np.full((10, 2), np.nan)
        values[3, 1] = 1.0
        np.testing.assert_array_equal(repair(np.arange(10.0), values, 99), values)


class TestGaps:
    def test_long_gap_is_named_by_column_and_time(self):
        time = np.arange(100) / 100
        values = np.zeros((100, 3))
        values[:5, 0] = np.nan  # before the first sample: no gap
        values[20:40, 1] = np.nan
        values[60:64, 1] = np.nan  # short
        assert gaps(time, values, 0.1) == [Gap(1, 0.19, 0.4)]

    def test_missing_rows_are_a_gap_in_every_channel(self):
        time = np.r_[np.arange(10) / 100, 1 + np.arange(10) / 100]
        assert gaps(time, np.zeros((20, 2)), 0.1) == [Gap(0, 0.09, 1.0), Gap(1, 0.09, 1.0)]

    @pytest.mark.parametrize("known", [0, 1])
    def test_channel_without_samples_is_a_gap_as_long_as_the_tracks(self, known):
        values = np.full((10, 1), np.nan)
        values[:known] = 1
        assert gaps(np.arange(10) / 10, values, 99) == [Gap(0, 0.0, 0.9)]


class TestLowPass:
    @pytest.mark.parametrize("rate", RATES)
    @pytest.mark.parametrize("frequency", [0.5, 3, 8, 12])
    def test_below_the_cut_off_nothing_changes(self, rate, frequency):
        tone = np.sin(2 * np.pi * frequency * stamps(rate))[:, None]
        inner = slice(int(rate / 4), -int(rate / 4))
        assert np.abs(low_pass(tone, rate) - tone)[inner].max() < 0.01

    @pytest.mark.parametrize("rate", RATES)
    def test_above_nothing_is_left(self, rate):
        time = stamps(rate)
        for frequency in np.arange(50, rate / 2, 37):
            tone = np.sin(2 * np.pi * frequency * time)[:, None]
            assert np.abs(low_pass(tone, rate))[int(rate / 4) : -int(rate / 4)].max() < 0.001

    @settings(deadline=None)
    @given(st.integers(1, 80), st.sampled_from(RATES), st.floats(1, 200))
    def test_any_length_is_filtered_and_a_constant_stays_what_it_is(self, length, rate, cutoff):
        constant = np.full((length, 1), 12.3)
        np.testing.assert_array_equal(low_pass(constant, rate, cutoff), constant)
        assert np.isfinite(low_pass(np.random.default_rng(length).random((length, 2)), rate)).all()

    def test_forward_and_backward_are_one(self):
        x = np.cumsum(np.random.default_rng(0).standard_normal((400, 1)), axis=0)
        # up to the ends, where either direction has its own beginning
        np.testing.assert_allclose(
            low_pass(x, 100)[50:-50], low_pass(x[::-1], 100)[::-1][50:-50], atol=1e-3
        )

    @pytest.mark.parametrize("rate", RATES)
    def test_a_straight_movement_stays_what_it_is_up_to_both_ends(self, rate):
        """As no other extension of the ends does: zeros, a mirror or none bend it."""
        line = 7.0 + 50 * stamps(rate, 1.0)[:, None]
        np.testing.assert_allclose(low_pass(line, rate), line, atol=0.01)

    def test_nothing_to_do_above_half_the_rate(self):
        x = np.random.default_rng(0).random((50, 2))
        np.testing.assert_array_equal(low_pass(x, 100, 50), x)

    def test_refusals(self):
        with pytest.raises(ValueError, match="cutoff_hz=0"):
            low_pass(np.zeros((9, 1)), 100, 0)
        with pytest.raises(ValueError, match="missing"):
            low_pass(np.full((9, 1), np.nan), 100)


class TestResample:
    def test_goes_by_time_stamps(self):
        time = stamps(250, jitter=0.4)
        at = frame_times(200, 10)
        curve = resample(time, np.sin(2 * np.pi * 5 * time)[:, None], at)[:, 0]
        np.testing.assert_allclose(curve, np.sin(2 * np.pi * 5 * at), atol=2e-3)

    def test_nothing_is_extrapolated(self):
        with pytest.raises(ValueError, match=r"0.1 to 0.2 s say nothing of 0.1..0.3"):
            resample(np.array([0.1, 0.2]), np.zeros((2, 1)), np.array([0.1, 0.3]))
        with pytest.raises(ValueError, match="1 samples"):
            resample(np.array([0.1]), np.zeros((1, 1)), np.array([0.1]))


class TestOntoGrid:
    @settings(max_examples=25, deadline=None)
    @given(st.sampled_from(RATES), st.floats(0.5, 12), st.floats(0, 6.3), st.floats(0, 0.4))
    def test_slow_movement_arrives_without_lag(self, rate, frequency, phase, start):
        time = start + stamps(rate, jitter=0.1)
        first, values = onto_grid(
            time, np.sin(2 * np.pi * frequency * time + phase)[:, None], 20, 0.1, 10**6
        )
        at = frame_times(len(values), first)
        assert time[0] - 1e-6 <= at[0] < time[0] + 0.011
        assert time[-1] - 0.011 < at[-1] <= time[-1] + 1e-6
        error = values[:, 0] - np.sin(2 * np.pi * frequency * at + phase)
        assert np.abs(error[25:-25]).max() < 0.01

    @settings(max_examples=25, deadline=None)
    @given(st.sampled_from([r for r in RATES if r > 140]), st.data())
    def test_fast_movement_does_not_fold_down(self, rate, data):
        frequency = data.draw(st.floats(50, rate / 2 - 10))
        time = stamps(rate)
        _, values = onto_grid(time, np.sin(2 * np.pi * frequency * time)[:, None], 20, 0.1, 300)
        assert np.abs(values[25:-25]).max() < 0.005

    def test_does_not_drift_over_a_long_recording(self):
        """145.65 Hz is no multiple of anything: at 120 s counting rows would be far off."""
        time = np.arange(int(120 * 145.65)) * 0.006866
        _, values = onto_grid(time, np.sin(2 * np.pi * 3 * time)[:, None], 20, 0.1, 12_000)
        at = frame_times(len(values))
        np.testing.assert_allclose(values[-500:-50, 0], np.sin(6 * np.pi * at[-500:-50]), atol=1e-3)

    def test_covers_what_every_channel_covers_within_the_sound(self):
        time = np.arange(1000) / 500
        values = np.ones((1000, 2))
        values[:21, 0] = np.nan  # until 0.042
        values[900:, 1] = np.nan  # from 1.8
        first, on_grid = onto_grid(time, values, 20, 0.1, 500)
        assert (first, len(on_grid)) == (5, 175)  # 0.05 to 1.79
        first, on_grid = onto_grid(time, values, 20, 0.1, 100)
        assert (first, len(on_grid)) == (5, 95)
        np.testing.assert_array_equal(on_grid, 1)

    def test_the_first_frame_lies_where_the_first_sample_does(self):
        time = np.arange(0, 0.5, 1 / 250)
        first, tracks = onto_grid(time, 100 * time[:, None], 20, 0.05, 40)
        assert first == 0
        np.testing.assert_allclose(tracks[:, 0], 100 * frame_times(len(tracks)), atol=1e-3)

    def test_tracks_that_begin_before_the_sound(self):
        time = np.arange(-100, 200) / 200
        first, values = onto_grid(time, time[:, None], 20, 0.1, 50)
        assert first == 0
        np.testing.assert_allclose(values[:, 0], frame_times(50), atol=1e-3)

    @pytest.mark.parametrize(
        ("broken", "n_frames", "message"),
        [
            ((1, slice(100, 200)), 99, "column 1 has no samples between 0.495 and 1.000 s"),
            ((0, slice(None)), 99, "column 0 has no samples between 0.000 and 1.995 s"),
            ((0, slice(0, 399)), 99, "column 0"),
            ((0, slice(0, 300)), 99, "cover none of the 99 frames"),
        ],
    )
    def test_what_cannot_be_used_is_named(self, broken, n_frames, message):
        values = np.zeros((400, 2))
        values[broken[1], broken[0]] = np.nan
        with pytest.raises(ValueError, match=message):
            onto_grid(np.arange(400) / 200, values, 20, 0.1, n_frames)

    def test_no_moment_in_common(self):
        values = np.zeros((400, 2))
        values[:200, 0] = values[200:, 1] = np.nan
        with pytest.raises(ValueError, match="no stretch of time"):
            onto_grid(np.arange(400) / 200, values, 20, 0.1, 300)
