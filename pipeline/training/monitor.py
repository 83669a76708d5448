"""Learning curves while they grow: by DVCLive, and for TensorBoard where it is asked for.

`reports/live/report.html` reloads itself in a browser; `reports/live/plots` is what DVC's own tools
draw. Both folders are notes on a run, ignored by git; the record is trained/history.csv.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.ground.console import UsageError, warn

if TYPE_CHECKING:
    from dvclive import Live

LIVE = Path("reports/live")
TENSORBOARD = Path("reports/tensorboard")
Log = Callable[[dict[str, Any]], None]


@contextmanager
def monitor(tensorboard: bool, part: str = "") -> Iterator[Log]:
    """Give a function that shows the row of an epoch.

    Parameters
    ----------
    tensorboard : bool
    part : str
        A folder below the folders of this module, for a run of several networks.

    Raises
    ------
    UsageError
        Where TensorBoard is asked for and not installed.
    """
    with ExitStack() as stack:
        live = start_dvclive(LIVE / part) if in_dvc() else None
        logs = [stack.enter_context(dvclive(live))] if live else []
        if tensorboard:
            run = TENSORBOARD / time.strftime("%Y-%m-%d_%H-%M-%S") / part
            logs.append(stack.enter_context(summaries(run)))

        def show(row: dict[str, Any]) -> None:
            for log in logs:
                log(row)

        yield show


def in_dvc() -> bool:
    """Tell whether this is a DVC project; DVCLive would make one of any git repository."""
    return any((folder / ".dvc").is_dir() for folder in (Path.cwd(), *Path.cwd().parents))


def start_dvclive(folder: Path) -> Live | None:
    """Start DVCLive, which neither commits nor writes a dvc.yaml; None where git is not ready."""
    from dvclive import Live
    from scmrepo.exceptions import SCMError

    try:
        return Live(str(folder), report="html", save_dvc_exp=False, dvcyaml=None)
    except (SCMError, sqlite3.Error) as error:  # no commit yet, or nowhere to keep DVC's notes
        warn(f"train: no curves in {folder}: {error}")
        return None


@contextmanager
def dvclive(started: Live) -> Iterator[Log]:
    """Show rows by DVCLive."""
    with started as live:

        def log(row: dict[str, Any]) -> None:
            live.step = row["epoch"]
            for name, value in row.items():
                if name != "epoch":
                    live.log_metric(name, value)
            live.next_step()

        yield log


@contextmanager
def summaries(folder: Path) -> Iterator[Log]:
    """Write rows for TensorBoard."""
    if find_spec("tensorboard") is None:
        raise UsageError(
            "train.tensorboard: true needs `pip install 'articulatory-inversion[tensorboard]'`"
        )
    import tensorflow as tf

    writer = tf.summary.create_file_writer(str(folder))

    def log(row: dict[str, Any]) -> None:
        with writer.as_default(row["epoch"]):
            for name, value in row.items():
                if name != "epoch":
                    tf.summary.scalar(name, value)
        writer.flush()

    yield log
    writer.close()
