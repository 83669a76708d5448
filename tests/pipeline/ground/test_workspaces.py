"""Stages in a folder of their own, one of which fails."""

import sys

import pytest

from pipeline.ground import workspaces
from pipeline.ground.console import InputError


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("exit 1", "seed 3: train failed; its line above says why"),
        (
            "kill -KILL $$",
            "seed 3: train was killed by signal 9 (Killed); run the same command again to go on",
        ),
    ],
)
def test_a_stage_that_fails_has_said_why_and_one_that_was_killed_has_not(
    tmp_path, monkeypatch, end, said
):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{end}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(InputError) as failed:
        workspaces.run_stages(tmp_path, ["train"], "seed 3")
    assert str(failed.value) == said
