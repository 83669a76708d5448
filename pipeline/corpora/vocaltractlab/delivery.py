"""How a person says it: what VocalTractLab's gestures do not tell of a tract in motion.

The gestures pull every organ with one time constant and leave it at a neutral place before and
after. People keep their tract somewhere between speech and swallowing, have a jaw that is slower
than their tongue tip, speak now with more effort and now with less, and share the closing of their
lips between both in a way of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from pipeline.corpora.vocaltractlab.anatomy import AT, NAMES
from pipeline.corpora.vocaltractlab.habits import Habits
from pipeline.corpora.vocaltractlab.phonotactics import Prompt

Values = NDArray[np.float64]

STILL = ("VS", "VO", "TS1", "TS2", "TS3", "HX")  # the rest posture's that do not vary
AROUND_S = (0.08, 0.22)  # before speech and after it, in which the tract comes from rest and goes
CLOSING_CM = 0.15  # lips nearer than rounded ones
RAISED = 0.2  # of the upper lip's protrusion (Westbury 1994: 1.0 mm with 1.9 in UW)


@dataclass(frozen=True)
class Delivery:
    """One utterance's, drawn.

    Attributes
    ----------
    rest : float64 [19]
    weights : float64 [K, 2]
        s, and how much of `rest` there is at that time.
    jaw_range : float
        A factor.
    jaw_s : float
        Deviation of the bell that smooths the jaw.
    habits : Habits
        How the lips share their work.
    """

    rest: Values
    weights: Values
    jaw_range: float
    jaw_s: float
    habits: Habits

    @classmethod
    def draw(
        cls, prompt: Prompt, rest: Values, habits: Habits, rng: np.random.Generator
    ) -> Delivery:
        """Draw how one utterance is delivered."""
        own = rest + rng.normal(0, 0.05, len(NAMES)) * [name not in STILL for name in NAMES]
        come, go = rng.uniform(*AROUND_S, 2)
        first, last = prompt.phones[0].start, prompt.phones[-1].end
        weights = [(first - come, 1.0), (first, 0.0)]
        for (_, end), (start, _) in zip(prompt.stretches, prompt.stretches[1:], strict=False):
            depth = rng.uniform(0.2, 0.7) * min(1, (start - end) / 0.4)
            weights += [(end + 0.02, 0.0), ((start + end) / 2, depth), (start, 0.0)]
        weights += [(last + 0.01, 0.0), (last + 0.01 + go, 1.0)]
        effort = float(np.exp(rng.normal(0, habits.effort)))
        return cls(
            own,
            np.array(weights),
            effort,
            habits.jaw_inertia_ms / 1000,
            habits,
        )

    def move(self, seconds: Values, tract: Values) -> Values:
        """Return what becomes of motor trajectories [N, 19] at some instants [N]."""
        tract = tract.copy()
        jaw = tract[:, AT["JA"]]
        jaw = jaw.mean() + self.jaw_range * (jaw - jaw.mean())
        tract[:, AT["JA"]] = np.minimum(jaw, -0.1)
        share = np.interp(seconds, *self.weights.T)
        share = ((1 - np.cos(np.pi * share)) / 2)[:, None]
        tract = (1 - share) * tract + share * self.rest
        step = float(seconds[1] - seconds[0])
        tract[:, AT["JA"]] = gaussian_filter1d(tract[:, AT["JA"]], self.jaw_s / step)
        return tract

    def share_lips(self, tracks: Values, channels: tuple[str, ...], tract: Values) -> Values:
        """Return fleshpoints [T, D] of a tract [T, 19] with the lips as this person moves them.

        VocalTractLab moves both alike, up and down and forward. How far they are apart stays what
        it was, and with it the sound.
        """
        at = {name: channels.index(name) for name in ("UL_x", "UL_y", "LL_x", "LL_y", "LI_y")}
        tracks = tracks.copy()
        opening = tracks[:, at["UL_y"]] - tracks[:, at["LL_y"]]
        protrusion, jaw = tracks[:, at["UL_x"]], tracks[:, at["LI_y"]]
        closing = 10 * np.maximum(0, CLOSING_CM - tract[:, AT["LD"]])
        upper = (
            tracks[:, at["UL_y"]].mean()
            - self.habits.upper_lip * closing
            + self.habits.upper_lip_on_jaw * (jaw - jaw.mean())
            + RAISED * (protrusion - protrusion.mean())
        )
        lower = upper - opening
        tracks[:, at["UL_y"]], tracks[:, at["LL_y"]] = upper, lower
        tracks[:, at["LL_x"]] += self.habits.lower_lip_forward * (lower - lower.mean())
        return tracks
