"""The small project of tests/pipeline, for what trains in folders of its own."""

from tests.pipeline.conftest import (
    first_project,
    first_standardized,
    project,
    stages_run_here,
    standardized,
)

__all__ = ["first_project", "first_standardized", "project", "stages_run_here", "standardized"]
