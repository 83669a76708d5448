"""The page that walks through a reader shows the code as it is."""

import re

import pytest

from pipeline import corpora
from pipeline.ground.params import Layout
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "add-a-corpus.md").read_text(encoding="utf-8")


def test_every_listing_is_in_a_reader():
    listings = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    readers = [path.read_text() for path in (ROOT / "pipeline" / "corpora").glob("*.py")]
    assert len(listings) == 4
    for listing in listings:
        assert any(listing.strip() in reader for reader in readers), listing


def test_the_shortest_reader_is_the_one_that_is_walked_through():
    files = {path.name: path.read_text() for path in (ROOT / "pipeline" / "corpora").glob("*.py")}
    whole = {name: text for name, text in files.items() if "LAYOUT = Layout" in text}
    assert min(whole, key=lambda name: whole[name].count("\n")) == "hprc.py"


@pytest.mark.parametrize("name", corpora.READERS)
def test_every_reader_is_on_the_page_of_corpora(name):
    page = (ROOT / "docs" / "corpora.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
    layout = corpora.reader(name).LAYOUT
    if isinstance(layout, Layout) and (count := re.search(r": (\d+) \|$", row)):
        assert int(count[1]) == len(layout.channels) * (1 + layout.deltas)
