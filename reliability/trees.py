"""Trees of parameters that are right in all but a few places, drawn by Hypothesis."""

from __future__ import annotations

import io
import json
from typing import Any

from hypothesis import strategies as st
from ruamel.yaml import YAML

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 1, 2**31, 2**63, 10**30]),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["", "no", "1e3", ".5e3", "auto", "mlpg", "2020-01-01", "../x", "\u2028"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=6), inner, max_size=3),
    ),
    max_leaves=6,
)


def places(tree: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the keys that lead to every node of a tree."""
    below: list[tuple[Any, Any]] = list(tree.items()) if isinstance(tree, dict) else []
    if isinstance(tree, list):
        below = list(enumerate(tree[:3]))
    return [here, *(place for key, node in below for place in places(node, (*here, key)))]


@st.composite
def edited(draw: st.DrawFn, valid: bytes) -> Any:
    """Draw a tree: a valid one, JSON or YAML, with one to three nodes changed, lost or added."""
    tree = YAML(typ="safe", pure=True).load(valid.decode())
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(tree)[1:] or [("a",)]))
        node = tree
        for key in way:
            node = node[key]
        kind = draw(st.sampled_from(["change", "change", "lose", "add"]))
        if kind == "change":
            node[last] = draw(VALUES)
        elif kind == "lose":
            del node[last]
        elif isinstance(node, dict):
            node[draw(st.text(max_size=6))] = draw(VALUES)
    return tree


def text_of(tree: Any, with_json: bool) -> bytes:
    """Return a tree as JSON or YAML."""
    if with_json:
        return json.dumps(tree).encode("utf-8", "surrogatepass")
    memory = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.allow_unicode = True
    writer.dump(tree, memory)
    return memory.getvalue().encode("utf-8", "surrogatepass")
