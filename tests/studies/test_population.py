"""What is said of a population's vowels."""

import numpy as np
import pytest

from pipeline.ground.utterance import Label, Tracks, Utterance
from studies import population


def test_slopes_are_those_of_lines_on_the_jaws_height(capsys):
    rng = np.random.default_rng(1)
    vowels = rng.normal(0, 1, (2000, len(population.POINTS)))
    jaw, lip = (population.POINTS.index(name) for name in ("LI_y", "LL_y"))
    vowels[:, jaw] *= 3
    vowels[:, lip] = 0.9 * vowels[:, jaw]
    deviation, slope = population.figures(np.cov(vowels.T))
    assert deviation[jaw] == pytest.approx(3, rel=0.1)
    assert slope[lip] == pytest.approx(0.9)
    assert slope[jaw] == pytest.approx(1)
    population.show("nobody", [(deviation, slope), (2 * deviation, slope)])
    title, first, second = capsys.readouterr().out.splitlines()
    assert title == "nobody, 2 speakers: lowest, mean and highest"
    assert f"LI_y {deviation[jaw]:.2f} {1.5 * deviation[jaw]:.2f} {2 * deviation[jaw]:.2f}" in first
    assert "LL_y 0.90 0.90 0.90" in second


def test_a_vowel_is_the_middle_third_of_its_label():
    time = np.arange(0, 1, 0.01)
    values = np.tile(time[:, None], (1, len(population.POINTS)))
    tracks = Tracks(time, values, tuple(population.POINTS))
    phones = (Label(0.0, 0.3, "s"), Label(0.3, 0.6, "a"), Label(0.6, 0.605, "i"))
    utterance = Utterance("one", tracks, phones=phones)
    found = population.middles(utterance)
    assert found.shape == (1, len(population.POINTS))
    np.testing.assert_allclose(found, 0.45, atol=0.006)
