"""Head movement out of raw articulograph sweeps, and their axes into the speaker's head.

Points are in a right-handed frame, x forward, y to the left, z up, as Carstens gives them; any
unit. A sample that is missing is NaN in all three coordinates.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
FEWEST = 3  # points that fix a rigid body


def rigid_motion(points: NDArray[Any], template: NDArray[Any]) -> tuple[Points, Points]:
    """Return the motion that brings a rigid set of points closest to a template.

    Parameters
    ----------
    points : float [T, N, 3]
        The same N >= 3 points in every frame.
    template : float [N, 3]
        Where they belong; not all on one line.

    Returns
    -------
    rotation : float64 [T, 3, 3]
        Proper: no mirror image.
    translation : float64 [T, 3]
        ``rotation @ point + translation`` is nearest to the template in the least-squares sense
        (Arun, Huang and Blostein 1987). NaN in frames with fewer than three points.
    """
    points, template = np.asarray(points, np.float64), np.asarray(template, np.float64)
    if template.ndim != 2 or template.shape[1] != 3 or len(template) < FEWEST:
        raise ValueError(f"a template of shape {template.shape} does not fix a rigid body")
    if not np.isfinite(template).all():
        raise ValueError("a point of the template is missing")
    spread = np.linalg.svd(template - template.mean(axis=0), compute_uv=False)
    if spread[1] <= 1e-3 * spread[0]:
        raise ValueError("the points of the template lie on one line")
    there = np.isfinite(points).all(axis=2)  # [T, N]
    enough = there.sum(axis=1) >= FEWEST
    there |= ~enough[:, None]  # such frames become NaN below
    weight = (there / there.sum(axis=1, keepdims=True))[..., None]  # [T, N, 1]
    known = np.where(np.isfinite(points), points, 0.0)
    centre = (weight * known).sum(axis=1)  # [T, 3]
    goal = (weight * template).sum(axis=1)
    covariance = np.swapaxes(weight * (known - centre[:, None]), 1, 2) @ (
        template - goal[:, None]
    )  # [T, 3, 3]
    u, _, vt = np.linalg.svd(covariance)
    mirror = np.ones((len(points), 1, 3))
    mirror[:, 0, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = np.swapaxes((u * mirror) @ vt, 1, 2)
    translation = goal - (rotation @ centre[..., None])[..., 0]
    rotation[~enough], translation[~enough] = np.nan, np.nan
    return rotation, translation


def correct(points: NDArray[Any], reference: NDArray[Any], template: NDArray[Any]) -> Points:
    """Move every frame so that its reference points stand where the template has them.

    Parameters
    ----------
    points : float [T, S, 3]
        Sensors on articulators.
    reference : float [T, N, 3]
        Sensors that move with the head alone, such as behind the ears and on the nose.
    template : float [N, 3]

    Returns
    -------
    float64 [T, S, 3]
        NaN in frames with fewer than three reference points.
    """
    rotation, translation = rigid_motion(reference, template)
    return np.asarray(points) @ np.swapaxes(rotation, 1, 2) + translation[:, None]


def bite_plane(
    front: NDArray[Any], left: NDArray[Any], right: NDArray[Any]
) -> tuple[Points, Points]:
    """Return the frame of a plate held between the teeth.

    Parameters
    ----------
    front, left, right : float [3]
        Points on the plate: at the incisors, and at the back on either side.

    Returns
    -------
    rotation : float64 [3, 3]
        Rows are the axes: forward, left, up (normal to the plate).
    origin : float64 [3]
        ``front``; ``rotation @ (point - origin)`` is a point in the frame of the plate.
    """
    front, left, right = (np.asarray(point, np.float64) for point in (front, left, right))
    forward = front - (left + right) / 2
    up = np.cross(forward, left - right)
    if not np.linalg.norm(up) > 1e-3 * np.linalg.norm(forward) * np.linalg.norm(left - right):
        raise ValueError("the points of the bite plane lie on one line or are missing")
    forward, up = forward / np.linalg.norm(forward), up / np.linalg.norm(up)
    return np.stack([forward, np.cross(up, forward), up]), front


def into_plane(points: NDArray[Any], rotation: NDArray[Any], origin: NDArray[Any]) -> Points:
    """Return points [.., 3] in the frame that `bite_plane` gave."""
    return (np.asarray(points, np.float64) - origin) @ np.asarray(rotation).T
