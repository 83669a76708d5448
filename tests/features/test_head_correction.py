import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from features.head_correction import bite_plane, correct, into_plane, rigid_motion

EARS_AND_NOSE = np.array([[-110.0, 70, 10], [-112, -69, 8], [0, 3, 80]])
SEEDS = st.integers(0, 2**32 - 1)


def random_motion(generator, frames):
    return Rotation.random(frames, rng=generator), generator.uniform(-50, 50, (frames, 3))


def moved(points, turn, shift):
    """Points [.., 3] of each frame turned and shifted with the head."""
    return np.stack([t.apply(p.copy()) + s for t, p, s in zip(turn, points, shift, strict=True)])


@settings(deadline=None)
@given(SEEDS, st.integers(3, 6))
def test_a_motion_of_the_head_is_undone(seed, count):
    generator = np.random.default_rng(seed)
    template = generator.uniform(-100, 100, (count, 3))
    tongue = generator.uniform(-60, 20, (7, 4, 3))
    turn, shift = random_motion(generator, 7)
    reference = moved(np.broadcast_to(template, (7, count, 3)), turn, shift)
    assert_allclose(correct(moved(tongue, turn, shift), reference, template), tongue, atol=1e-6)


@settings(deadline=None)
@given(SEEDS)
def test_the_motion_is_scipys(seed):
    generator = np.random.default_rng(seed)
    points = generator.uniform(-100, 100, (1, 5, 3))
    template = points[0] + generator.normal(0, 2, (5, 3))
    rotation, translation = rigid_motion(points, template)
    centred = points[0] - points[0].mean(axis=0)
    theirs, _ = Rotation.align_vectors(template - template.mean(axis=0), centred)
    assert_allclose(rotation[0], theirs.as_matrix(), atol=1e-8)
    assert_allclose(rotation[0] @ points[0].mean(axis=0) + translation[0], template.mean(axis=0))


def test_a_mirror_image_is_no_motion():
    mirrored = EARS_AND_NOSE * [1, -1, 1] + [0, 0, 5]
    box = np.vstack([EARS_AND_NOSE, [20, 10, -30]])
    rotation, _ = rigid_motion((box * [1, -1, 1])[None], box)
    assert np.linalg.det(rotation[0]) == pytest.approx(1)
    assert np.linalg.det(rigid_motion(mirrored[None], EARS_AND_NOSE)[0][0]) == pytest.approx(1)


def test_a_fourth_reference_point_may_be_missing_and_a_third_may_not():
    template = np.vstack([EARS_AND_NOSE, [-5, 2, 20]])
    turn, shift = random_motion(np.random.default_rng(1), 3)
    reference = moved(np.broadcast_to(template, (3, 4, 3)), turn, shift)
    tongue = np.full((3, 1, 3), 7.0)
    raw = moved(tongue, turn, shift)
    reference[1, 2], reference[2, 2:] = np.nan, np.nan
    corrected = correct(raw, reference, template)
    assert_allclose(corrected[:2], tongue[:2], atol=1e-9)
    assert np.isnan(corrected[2]).all()


def test_a_missing_sensor_stays_missing_and_harms_no_other():
    points = np.full((2, 2, 3), 7.0)
    points[0, 0] = np.nan
    corrected = correct(points, np.stack([EARS_AND_NOSE] * 2), EARS_AND_NOSE)
    assert np.isnan(corrected[0, 0]).all()
    assert_allclose(corrected[1:], 7)
    assert_allclose(corrected[0, 1], 7)


@pytest.mark.parametrize(
    "template",
    [EARS_AND_NOSE[:2], [[0, 0, 0], [1, 0, 0], [2, 0, 0]], np.full((3, 3), np.nan)],
    ids=["two points", "a line", "missing"],
)
def test_a_template_that_fixes_nothing_is_refused(template):
    with pytest.raises(ValueError, match=r"rigid body|one line|missing"):
        rigid_motion(np.zeros((1, len(template), 3)), np.asarray(template))


@settings(deadline=None)
@given(SEEDS)
def test_the_bite_plane_is_flat_with_the_incisors_at_the_origin(seed):
    generator = np.random.default_rng(seed)
    plate = np.array([[0.0, 0, 0], [-40, 20, 0], [-40, -20, 0]])
    above = np.array([-20.0, 0, 15])
    turn, shift = random_motion(generator, 1)
    front, left, right, point = moved(np.vstack([plate, above])[None], turn, shift)[0]
    rotation, origin = bite_plane(front, left, right)
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert_allclose(into_plane([front, left, right], rotation, origin), plate, atol=1e-9)
    assert_allclose(into_plane(point, rotation, origin), above, atol=1e-9)


def test_three_points_of_a_line_are_no_plane():
    with pytest.raises(ValueError, match="one line"):
        bite_plane([0, 0, 0], [-1, 0, 0], [-2, 0, 0])
