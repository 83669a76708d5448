"""Calls of one function on several cores, or on the machines of a Dask cluster."""

from __future__ import annotations

import argparse
import logging
import os
import pickle
import re
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from typing import Any, TypeVar

from pipeline.ground.console import InputError, UsageError, warn

Outcome = TypeVar("Outcome")
LOCAL = "local"
AHEAD = 4  # calls per thread of a cluster that wait there: it never idles, nor holds millions
PATIENCE_S = 10  # for a scheduler's answer
WATCH_S = 0.5  # between two looks whether the process that gives the calls still runs


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that spreads its work: ``--jobs`` and ``--cluster``."""
    parser.add_argument(
        "--jobs",
        type=positive,
        default=len(os.sched_getaffinity(0)),
        help="processes; default: one per core",
    )
    parser.add_argument(
        "--cluster", metavar="ADDRESS", help="a Dask scheduler, or `local` for one of its own"
    )


def positive(text: str) -> int:
    """Return a number of processes; for argparse, which names the option."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes, 1 or more")
    return int(text)


def spread(
    function: Callable[..., Outcome],
    calls: Sequence[tuple[Any, ...]],
    jobs: int,
    cluster: str | None = None,
) -> Iterator[Outcome]:
    """Yield the result of every call, in order.

    Parameters
    ----------
    function : callable
        Importable by its name wherever it runs.
    calls : sequence of tuple
        The arguments of each call; paths absolute, since a worker may stand in another folder.
    jobs : int
        Processes on this machine; a single call, or one job, stays in this process.
    cluster : str or None
        Address of a Dask scheduler, or ``local`` for a cluster of ``jobs`` workers of its own.

    Raises
    ------
    InputError
        Where the scheduler cannot be reached or goes away.
    """
    if cluster is not None:
        yield from on_cluster(function, calls, jobs, cluster)
    elif min(jobs, len(calls)) < 2:
        yield from (function(*arguments) for arguments in calls)
    else:
        from joblib import Parallel, delayed

        parallel = Parallel(n_jobs=min(jobs, len(calls)), return_as="generator")
        yield from parallel(
            delayed(with_parent)(os.getpid(), function, *arguments) for arguments in calls
        )


def with_parent(parent: int, function: Callable[..., Outcome], *arguments: Any) -> Outcome:
    """Call a function in a process that ends as soon as the one that started it is no more."""
    watch(parent)
    return function(*arguments)


@cache
def watch(parent: int) -> None:
    """Start to look, once in a process, whether its parent still runs.

    A worker waits for minutes for a call that a killed parent will never send.
    """

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_S)
        os._exit(1)

    if os.getppid() == parent:  # else something stands between them, which has its own way to end
        threading.Thread(target=look, daemon=True).start()


class Call:
    """A call that is made where it is unpickled, for which ``pickle.loads`` gives its result.

    A Dask scheduler unpickles what it hands on. This way that is bytes and a function of Python's
    own, so that the workers alone need this project.
    """

    def __init__(self, function: Callable[..., Outcome], arguments: tuple[Any, ...]) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.arguments


def on_cluster(
    function: Callable[..., Outcome], calls: Sequence[tuple[Any, ...]], jobs: int, cluster: str
) -> Iterator[Outcome]:
    """Yield the result of every call, made by the workers of a Dask cluster.

    Dask makes a call again whose worker died; its result is yielded once.
    """
    try:
        import cloudpickle
        from distributed import CancelledError, Client, KilledWorker, LocalCluster
    except ImportError:
        raise UsageError("--cluster: pip install 'articulatory-inversion[dask]'") from None

    def refusal(reason: str, remedy: str) -> InputError:
        return InputError(
            f"--cluster {cluster}: {reason}: {remedy}; the same command with --resume continues"
            " where this one ended"
        )

    with ExitStack() as stack:
        logging.disable(logging.CRITICAL)  # what goes wrong is told below, in one line
        stack.callback(logging.disable, logging.NOTSET)
        try:
            scheduler: Any = cluster
            if cluster == LOCAL:
                scheduler = stack.enter_context(
                    LocalCluster(
                        jobs,
                        threads_per_worker=1,
                        dashboard_address="127.0.0.1:0",
                        silence_logs=logging.CRITICAL,
                    )
                )
            client = stack.enter_context(connected(Client, scheduler, cluster))
            ahead = AHEAD * max(1, sum(client.nthreads().values()))
            waiting: deque[Any] = deque()
            for arguments in calls:
                payload = cloudpickle.dumps(Call(function, arguments))
                waiting.append(client.submit(pickle.loads, payload, pure=False))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except KilledWorker as error:
            raise refusal(
                f"{error.allowed_failures + 1} workers died over the same call, the last at"
                f" {error.last_worker.address}",
                "most often of too little memory; their logs say why",
            ) from None
        except (ImportError, AttributeError) as error:
            if isinstance(error, AttributeError) and not str(error).startswith("Can't get attr"):
                raise  # a defect; this one is pickle's, of a name that a module does not have
            raise refusal(
                f"a worker cannot import what it is to run ({error})",
                "start the workers in this project's folder and environment by"
                " `python -m dask worker ADDRESS`",
            ) from None
        except (OSError, CancelledError) as error:
            reason = " ".join(str(error).split()) or "the connection was lost"
            raise refusal(
                f"no scheduler there, or no longer ({reason})", "`dask scheduler` starts one"
            ) from None


def connected(client: Callable[..., Any], scheduler: Any, name: str) -> Any:
    """Return a client of the scheduler; say what may be in the way of the work."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = client(scheduler, timeout=PATIENCE_S)
    for warning in caught:
        if warning.category.__name__ == "VersionMismatchWarning":
            packages = ", ".join(re.findall(r"^\| (\w+) ", str(warning.message), re.M)[1:])
            warn(f"--cluster {name}: not all have the same version of {packages}")
    if not found.nthreads():
        warn(
            f"--cluster {name}: no workers yet; waiting for the first:"
            " `python -m dask worker ADDRESS` starts one"
        )
    return found
