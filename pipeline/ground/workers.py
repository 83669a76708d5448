"""Calls of one function on several cores, or on the machines of a Dask cluster."""

from __future__ import annotations

import argparse
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from typing import Any, TypeVar

from pipeline.ground.console import InputError, UsageError

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


def on_cluster(
    function: Callable[..., Outcome], calls: Sequence[tuple[Any, ...]], jobs: int, cluster: str
) -> Iterator[Outcome]:
    """Yield the result of every call, made by the workers of a Dask cluster.

    Dask makes a call again whose worker died; its result is yielded once.
    """
    try:
        from distributed import CancelledError, Client, LocalCluster
    except ImportError:
        raise UsageError("--cluster: pip install 'articulatory-inversion[dask]'") from None
    with ExitStack() as stack:
        logging.disable(logging.CRITICAL)  # what goes wrong is told below, in one line
        stack.callback(logging.disable, logging.NOTSET)
        try:
            scheduler: Any = cluster
            if cluster == LOCAL:
                scheduler = stack.enter_context(
                    LocalCluster(jobs, threads_per_worker=1, dashboard_address=None)
                )
            client = stack.enter_context(Client(scheduler, timeout=PATIENCE_S))
            ahead = AHEAD * max(1, sum(client.nthreads().values()))
            waiting: deque[Any] = deque()
            for arguments in calls:
                waiting.append(client.submit(function, *arguments, pure=False))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except (OSError, CancelledError) as error:
            reason = " ".join(str(error).split()) or "the connection was lost"
            raise InputError(
                f"--cluster {cluster}: no scheduler there, or no longer ({reason}); the same"
                " command with --resume continues where this one ended"
            ) from None
