import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from features.tract_variables import constriction, estimate_palate, tract_variables

ANGLES = np.linspace(np.pi, 0, 400)
DOME = 30 * np.c_[np.cos(ANGLES), np.sin(ANGLES)]  # from back to front, radius 30 mm


class TestConstriction:
    @given(st.floats(0.1, 3.0), st.floats(5, 29))
    def test_under_a_dome(self, angle, radius):
        """The nearest place lies straight outward, the way to it is an arc from the front."""
        point = radius * np.array([[np.cos(angle), np.sin(angle)]])
        degree, location = constriction(point, DOME)
        np.testing.assert_allclose(degree, 30 - radius, atol=1e-2)
        np.testing.assert_allclose(location, 30 * angle, atol=0.2)

    def test_between_the_corners_and_beyond_the_ends(self):
        flat = np.array([[0.0, 10], [20, 10], [20, 0]])  # back to front, then straight down
        points = np.array([[5.0, 4], [24, 5], [-3, 14], [20, -2]])
        degree, location = constriction(points, flat)
        np.testing.assert_allclose(degree, [6, 4, 5, 2])
        np.testing.assert_allclose(location, [25, 5, 30, 0])

    def test_the_order_of_the_corners_does_not_matter(self):
        points = np.random.default_rng(0).uniform(-25, 25, (50, 2))
        np.testing.assert_allclose(constriction(points, DOME), constriction(points, DOME[::-1]))


class TestPalate:
    def test_dome_is_found_from_a_tongue_beneath_it(self):
        rng = np.random.default_rng(0)
        angle, radius = rng.uniform(0.2, 2.9, 40_000), 30 * np.sqrt(rng.uniform(0, 1, 40_000))
        tongue = np.c_[radius * np.cos(angle), radius * np.sin(angle)]
        palate = estimate_palate(tongue)
        assert (np.diff(palate[:, 0]) > 0).all()
        height = np.interp(np.linspace(-20, 20), *palate.T)
        np.testing.assert_allclose(height, np.sqrt(900 - np.linspace(-20, 20) ** 2), atol=0.3)

    @given(st.integers(0, 999), st.integers(10, 200))
    def test_is_the_upper_part_of_the_convex_hull(self, seed, n):
        """With columns so narrow that each holds one point, Qhull is the judge."""
        tongue = np.random.default_rng(seed).uniform(-20, 20, (n, 2))
        palate = estimate_palate(tongue, step=1e-9)
        corners = tongue[ConvexHull(tongue).vertices]
        ends = tongue[[tongue[:, 0].argmin(), tongue[:, 0].argmax()]]
        upper = corners[corners[:, 1] >= np.interp(corners[:, 0], *ends.T) - 1e-9]
        np.testing.assert_allclose(palate, upper[np.argsort(upper[:, 0])])

    def test_missing_positions_are_ignored(self):
        tongue = np.array([[0.0, 0], [np.nan, 99], [5, 3], [7, np.nan], [10, 0], [5, 1]])
        np.testing.assert_array_equal(estimate_palate(tongue), [[0, 0], [5, 3], [10, 0]])

    @pytest.mark.parametrize("tongue", [np.zeros((0, 2)), np.full((4, 2), np.nan), np.ones((3, 2))])
    def test_too_little_is_refused(self, tongue):
        with pytest.raises(ValueError, match="do not span a palate"):
            estimate_palate(tongue)


class TestTractVariables:
    CHANNELS = ("TT_x", "TT_y", "UL_x", "UL_y", "LL_x", "LL_y", "TD_x", "TD_y", "TB_x", "TB_y")

    def test_constructed_geometry(self):
        tracks = np.array([[18.0, 18, 40, 3, 37, -1, 0, 25, 9, 9]])
        variables = tract_variables(tracks, self.CHANNELS, DOME)
        assert list(variables) == ["LA", "LP", "TTCD", "TTCL", "TBCD", "TBCL"]
        expected = [5, 38.5, 30 - 18 * 2**0.5, 30 * np.pi / 4, 5, 30 * np.pi / 2]
        for value, wanted in zip(variables.values(), expected, strict=True):
            np.testing.assert_allclose(value, [wanted], atol=0.1)

    def test_other_names_and_missing_points(self):
        tracks = np.array([[0.0, 25, 18, 18]])
        found = tract_variables(tracks, ("T3_x", "T3_y", "T1_x", "T1_y"), DOME)
        assert list(found) == ["TTCD", "TTCL", "TBCD", "TBCL"]
        np.testing.assert_allclose(found["TBCD"], [5], atol=0.01)
        named = tract_variables(tracks, ("A_x", "A_y", "T1_x", "T1_y"), DOME, tip=["A"], body=[])
        assert list(named) == ["TTCD", "TTCL"]
        np.testing.assert_allclose(named["TTCD"], [5], atol=0.01)
