"""The small project of tests/pipeline, for what trains in folders of its own."""

from tests.pipeline.conftest import project

__all__ = ["project"]
