"""Names in pictures: of any script, never read as mathematics, and no word on the screen."""

import logging
import warnings

import pytest

from pipeline.plots import style

NAMES = ["田中", "鈴木", "Анна", "Мила", "$5_to_$10", "x^$2_{$", "שלום", "ไทย", "tab\t", "🎤", "é"]


def drawn(folder):
    """A figure whose title, legend, labels and ticks are names."""
    figure = style.figure(180, 80)
    axes = figure.subplots()
    for name in NAMES:
        axes.plot([0, 1], label=name)
    axes.set(title=" ".join(NAMES), xlabel=NAMES[0])
    axes.set_yticks(range(len(NAMES)), NAMES)
    axes.annotate(NAMES[1], (0, 0))
    axes.legend()
    style.save(figure, folder / "names", dpi=50)
    return axes


def test_names_are_drawn_without_a_word_or_an_error(tmp_path, caplog):
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        axes = drawn(tmp_path)
    assert caplog.text == ""
    ticks = [label.get_text() for label in axes.get_yticklabels()]
    assert ticks[2:6] == NAMES[2:6]
    assert len(set(ticks)) == len(NAMES)  # as many as they were
    assert sorted(path.name for path in tmp_path.iterdir()) == ["names.pdf", "names.png"]


def test_letters_that_no_font_has_become_their_numbers(monkeypatch, tmp_path):
    only = {style.FONT: style.fonts()[style.FONT]}
    style.font_with.cache_clear()
    monkeypatch.setattr(style, "fonts", lambda: only)
    axes = drawn(tmp_path)
    style.font_with.cache_clear()
    assert axes.get_yticklabels()[0].get_text() == r"\u7530\u4e2d"
    assert axes.get_title("left").startswith(r"\u7530\u4e2d \u9234\u6728 Анна")


@pytest.mark.parametrize("text", ["Анна", "ʃ \u0251\u0303", "−3 mm", "a\nb"])
def test_what_the_projects_font_has_is_left_alone(text):
    assert style.font_families(text) == [style.FONT]
    assert style.legible(text, [style.FONT]) == text


def test_a_font_that_has_the_letters_is_found(monkeypatch):
    """Whatever fonts this machine has: two that share the letters between them."""
    letters = {"plain": frozenset("abc"), "some": frozenset("田"), "more": frozenset("田中")}
    style.font_with.cache_clear()
    monkeypatch.setattr(style, "fonts", lambda: {style.FONT: "plain"} | {k: k for k in letters})
    monkeypatch.setattr(style, "letters", letters.__getitem__)
    families = style.font_families("a田中")
    assert families == [style.FONT, "more"]
    assert style.legible("a田中木", families) == r"a田中\u6728"
    style.font_with.cache_clear()
