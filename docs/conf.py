"""How Sphinx makes a site of the README and of docs/: `make docs`.

The folder of the project is the source, so that pages link to each other, to code and to data by
the same relative paths on the site as in the repository. A file or folder that is no page is shown
on the site by a page of its own, with its text as it stands in the repository.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).resolve().parents[1]
CODE = "code"  # folder of the site that shows files of the repository

project = "Articulatory inversion"
author = "the articulatory-inversion authors"
html_title = project
html_theme = "furo"
html_show_copyright = False

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
root_doc = "README"
include_patterns = ["*.md", "docs/**"]
exclude_patterns = [".*", "build*"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4
nitpicky = True  # names of this project in types and references must exist
nitpick_ignore_regex = [
    (r"py:.*", r"(?!(features|models|pipeline)\.).*"),  # of other projects
    (r"py:class", r".*\.(Scalar|Item|Checked)"),  # variables of types
]
autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "show-inheritance": True,
    "ignore-module-all": True,  # each name once, where it is made
}
autodoc_typehints = "signature"
napoleon_google_docstring = False
napoleon_use_ivar = True

NAVIGATION = {
    "Start": ["predict", "train-on-my-corpus", "read-the-report", "limits"],
    "Corpora": ["corpora", "add-a-corpus", "protocols", "adapt"],
    "Training": ["training", "gpu", "cluster", "add-a-cell", "tutorials"],
    "Figures": ["results", "real-speech", "performance", "reproducibility", "publish"],
    "Library": ["api/prediction", "api/features", "api/models", "api/pipeline"],
    "Project": ["architecture", "testing", "reliability", "licences"],
}
LAST = ["CONTRIBUTING", "CHANGELOG"]


def add_navigation(app: Sphinx, docname: str, source: list[str]) -> None:
    """Add the tree of pages to the first page, where the README has a table."""
    if docname != root_doc:
        return
    for caption, pages in NAVIGATION.items():
        paths = [f"docs/{page}" for page in pages] + LAST * (caption == "Project")
        lines = "\n".join(paths)
        source[0] += f"\n\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{lines}\n```\n"


class RepositoryLinks(SphinxTransform):
    """Lead links to what is no page of the site to a page that shows it."""

    default_priority = 5

    def apply(self, **kwargs: Any) -> None:
        """Replace MyST's nodes by plain references."""
        for node in list(self.document.findall(is_link)):
            path = (ROOT / self.env.docname).parent / node["reftarget"]
            if not node["reftarget"] or not path.exists() or path == ROOT / self.env.docname:
                continue  # left to MyST, which warns
            place = path.resolve().relative_to(ROOT)
            shown = self.env.app.shown_on_the_site  # type: ignore[attr-defined]
            shown.add(place)
            uri = self.env.app.builder.get_relative_uri(self.env.docname, page_of(place))
            node.replace_self(nodes.reference("", "", *node.children, refuri=uri, internal=True))


def is_link(node: nodes.Node) -> bool:
    """Say whether MyST made this of a link to a file or folder that is no page."""
    kinds = (addnodes.download_reference, addnodes.pending_xref)
    return isinstance(node, kinds) and node.get("reftype") == "myst" and not node.get("refdomain")


def page_of(place: Path) -> str:
    """Return the name of the page that shows a file or folder of the repository."""
    return f"{CODE}/{place.as_posix()}"


def code_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield a page for every file and folder that is linked to, and for the files in the latter."""
    shown: set[Path] = app.shown_on_the_site  # type: ignore[attr-defined]
    inside = {
        path.relative_to(ROOT)
        for folder in shown
        if (ROOT / folder).is_dir()
        for path in (ROOT / folder).iterdir()
        if path.is_file()
    }
    for place in sorted(shown | inside):
        page = page_of(place)
        body = listing(place) if (ROOT / place).is_dir() else highlighted(app, place)
        body = f"<h1><code>{escape(str(place))}</code></h1>\n{body}"
        yield page, {"title": place.name, "body": body, "parents": []}, "page.html"


def listing(place: Path) -> str:
    """Return a list of the files of a folder, with links to their pages, as HTML."""
    names = sorted(path.name for path in (ROOT / place).iterdir() if path.is_file())
    links = (f'<li><a href="{place.name}/{name}.html">{escape(name)}</a></li>' for name in names)
    return f"<ul>{''.join(links)}</ul>"


def highlighted(app: Sphinx, place: Path) -> str:
    """Return the text of a file, coloured by its kind, as HTML."""
    try:
        language = get_lexer_for_filename(place.name).aliases[0]
    except ClassNotFound:
        language = "text"
    text = (ROOT / place).read_text(encoding="utf-8")
    return app.builder.highlighter.highlight_block(text, language)  # type: ignore[attr-defined]


def first_page(app: Sphinx, exception: Exception | None) -> None:
    """Show the README where a browser looks for the first page."""
    if exception is None and app.builder.format == "html":
        shutil.copy(Path(app.outdir) / f"{root_doc}.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> None:
    """Connect all this to Sphinx."""
    app.shown_on_the_site = set()  # type: ignore[attr-defined]
    app.connect("source-read", add_navigation)
    app.add_transform(RepositoryLinks)
    app.connect("html-collect-pages", code_pages)
    app.connect("build-finished", first_page)
