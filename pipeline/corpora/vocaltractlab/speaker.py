"""The speaker: a gestural score in, sound and the fleshpoints of the tract that made it out.

The only module that imports VocalTractLab (GPL-3, state in global variables): it runs in worker
processes of its own, see `synthesis`, and nothing else imports it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import vocaltractlab_cython as vtl
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from pipeline.corpora.layouts import midsagittal
from pipeline.corpora.vocaltractlab.delivery import Delivery
from pipeline.ground.utterance import Tracks

Values = NDArray[np.float64]

RATE = 44_100  # Hz, of the synthesis
MOTOR_STEP = 110  # samples between the rows of a motor file
STATE_STEP = 882  # samples between the tract states of the sound: 20 ms. Beside states every 10 ms
# the MFCCs of four utterances differ by 0.09 to 0.33 deviations, and 10 ms beside 9.98 ms, where
# only the noise is another, by 0.08 to 0.30; 10 ms takes a third longer
FRAME_S = 0.01  # between the rows of the tracks
KNOT = 3  # frames between contours, a cubic spline between them: 0.05 mm rms from every frame
POPULATION_KNOT = 4  # of people, who have slower jaws: 0.07 to 0.08 mm rms

# Ribs of the tongue's mid-line, 0 at the hyoid and 36 at the apex. T1 to T4 lie about 8, 24, 43 and
# 60 mm behind the apex, where the X-ray microbeam database has its pellets.
TONGUE = {"TT": 30, "TB": 26, "TF": 22, "TM": 18, "TD": 14, "TR": 9}
PELLETS = {"T1": 29, "T2": 24, "T3": 18, "T4": 13}
CHANNELS = midsagittal(*TONGUE, "UL", "LL", "LI", "VL", "EP", "HY", *PELLETS, "MNI", "MNM")
POLYLINE = re.compile(r'points="([^"]*)"')
CONTOURS = (9, 8, 27, 5, 8, 25, 37)  # points of pharynx, uvula, upper, -, epiglottis, lower, tongue
TEETH = 11  # the lower row, first molar to incisor
MM = 10 / 37.8  # a contour's unit


PICTURED = (
    "i", "{", "A", "u", "ll-labial-closure(a)", "tt-alveolar-closure(a)", "tb-velar-closure(a)",
    "tt-alveolar-fricative(a)", "tt-postalveolar-fricative(a)", "tt-rhotic(a)",
    "tt-alveolar-lateral(a)", "rest",
)  # fmt: skip
FIRST_SECTION = 8  # of the tube, above the larynx
SPECTRUM = 4096  # points


def load(path: Path) -> None:
    """Become the speaker of a speaker file."""
    from vocaltractlab_cython.VocalTractLabApi import _close, _initialize  # not for JD3

    _close()
    _initialize(str(path))


def area(shape: Values) -> float:
    """Return the narrowest cross-section of a tract shape above the larynx, cm^2."""
    return float(np.min(vtl.tract_state_to_tube_state(shape)["tube_area"][FIRST_SECTION:]))


def formants(shape: Values) -> Values:
    """Return the first three resonances of a tract shape in Hz, 0 where there are fewer."""
    response = vtl.tract_state_to_transfer_function(shape, n_spectrum_samples=SPECTRUM)
    level = np.asarray(response["magnitude_spectrum"])[: SPECTRUM // 10]
    peaks = np.flatnonzero((level[1:-1] > level[:-2]) & (level[1:-1] >= level[2:])) + 1
    hz = peaks[peaks * RATE / SPECTRUM > 100] * RATE / SPECTRUM
    return np.pad(hz[:3], (0, max(0, 3 - len(hz))))


def speak(
    score: str, delivery: Delivery | None = None, sound: bool = True
) -> tuple[Values, Tracks]:
    """Speak a gestural score.

    Parameters
    ----------
    score : str
        XML, as `score.compose` writes it.
    delivery : Delivery or None
        What becomes of the trajectories; None leaves them as they are.
    sound : bool
        False spares the time that it takes; there is silence.

    Returns
    -------
    audio : float64 [samples]
        At `RATE` Hz, about 0.2 at its loudest.
    tracks : Tracks
        `CHANNELS` every `FRAME_S` from 0 s to the end of the sound, in mm.
    """
    memory = Path("/dev/shm")  # the library knows files only; keep them off the disk
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        (folder / "score.xml").write_text(score, encoding="utf-8")
        vtl.gesture_file_to_motor_file(str(folder / "score.xml"), str(folder / "motor.txt"))
        tract, glottis = read_motor((folder / "motor.txt").read_text())
        if delivery:
            tract = delivery.move(np.arange(len(tract)) * MOTOR_STEP / RATE, tract)
        count = int((len(tract) - 1) * MOTOR_STEP / STATE_STEP) + 1
        seconds = np.arange(count) * STATE_STEP / RATE
        audio = np.zeros((count - 1) * STATE_STEP)  # the block after the last state is empty
        if sound:
            motion = at(seconds, tract), at(seconds, glottis)
            audio = vtl.synth_block(*motion, state_samples=STATE_STEP)[: len(audio)]
        time = np.arange(round(seconds[-1] / FRAME_S) + 1) * FRAME_S
        knot = POPULATION_KNOT if delivery else KNOT
        states = at(time, tract)
        points = fleshpoints(states, folder / "tract.svg", knot)
        if delivery:
            points = delivery.share_lips(points, CHANNELS, states)
        return audio, Tracks(time, points, CHANNELS)


def read_motor(text: str) -> tuple[Values, Values]:
    """Parse a motor file: the glottis, a count, then by turns a row for glottis and tract.

    Returns
    -------
    tract : float64 [N, 19]
    glottis : float64 [N, 11]
        One row every `MOTOR_STEP` samples.
    """
    _, _, *rows = (line.split() for line in text.splitlines() if not line.startswith("#"))
    glottis, tract = (np.array(rows[kind::2], float) for kind in (0, 1))
    return tract, glottis


def at(seconds: Values, motor: Values) -> Values:
    """Evaluate motor trajectories [N, P] at some instants [T]: [T, P]."""
    time = np.arange(len(motor)) * MOTOR_STEP / RATE
    return np.stack([np.interp(seconds, time, parameter) for parameter in motor.T], axis=1)


def fleshpoints(states: Values, scratch: Path, knot: int) -> Values:
    """Return the fleshpoints of tract states [T, 19], float64 [T, 36] in mm; a contour a knot."""
    knots = np.unique(np.append(np.arange(0, len(states), knot), len(states) - 1))
    points = np.stack([contour_points(states[k], scratch) for k in knots])
    return CubicSpline(knots, points)(np.arange(len(states)))


def outline(state: Values, scratch: Path) -> list[Values]:
    """Return the midsagittal contours of one tract state, each [n, 2] in mm, height upward."""
    scratch.unlink(missing_ok=True)  # a stale one must not pass for new
    vtl.tract_state_to_svg(state, str(scratch))
    return [
        np.array(points.split(), float).reshape(-1, 2) * MM * [1, -1]
        for points in POLYLINE.findall(scratch.read_text())
    ]


def outlines(shapes: Mapping[str, Values]) -> dict[str, list[list[list[float]]]]:
    """Return the contours of the shapes in `PICTURED`, the tongue last, as lists of x, y in mm."""
    with tempfile.TemporaryDirectory() as folder:
        return {
            name: [
                line.round(1).tolist()
                for line in outline(shapes[name], Path(folder) / "tract.svg")[: len(CONTOURS)]
            ]
            for name in PICTURED
        }


def contour_points(state: Values, scratch: Path) -> Values:
    """Draw the midsagittal contours of one tract state and pick the points of `CHANNELS`, [36]."""
    lines = outline(state, scratch)
    if tuple(len(line) for line in lines[: len(CONTOURS)]) != CONTOURS:
        raise RuntimeError("VocalTractLab draws its contours in another order")
    _, _, upper, _, epiglottis, lower, tongue = lines[: len(CONTOURS)]
    # upper: velum 0..4, palate 5..13, incisor 14..17, lip 18..26
    # lower: floor and gum 0..11, incisor 12..15, lip 16..24
    lips = [upper[-1], lower[-1]]
    picked = [
        *tongue[list(TONGUE.values())],
        *lips,
        lower[11],
        upper[1],
        epiglottis[3],
        lower[0],
        *tongue[list(PELLETS.values())],
        lines[TEETH][-1],
        lines[TEETH][0],
    ]
    return np.array(picked).ravel()
