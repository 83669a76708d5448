"""What every command shares: progress bars, one-line errors and exit statuses."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn, TextIO, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


class InputError(Exception):
    """Input that cannot be used; its text is one line naming the file or key and what to do.

    What of it is no sign that can be read, such as a line break in a key, stands there escaped.
    """

    exit_status = 1

    def __init__(self, message: str) -> None:
        super().__init__(escaped(message))


class UsageError(InputError):
    """A command or a parameter that asks for something that does not exist."""

    exit_status = 2


def progress(
    items: Iterable[Item],
    *,
    total: int | None = None,
    unit: str = "it",
    position: int | None = None,
) -> tqdm[Item]:
    """Iterate behind a progress bar that shows itself on a terminal after two seconds.

    Processes that work side by side give their bars a ``position`` each, a line of the terminal.
    """
    return tqdm(
        items,
        total=total,
        unit=f" {unit}",
        delay=2,
        dynamic_ncols=True,
        leave=False,
        disable=None,
        position=position,
    )


def say(line: str) -> None:
    """Print a line to standard output without breaking a progress bar."""
    try:
        tqdm.write(printable(line, sys.stdout))
        sys.stdout.flush()
    except OSError as error:
        refuse_output(error)


def say_text(text: str) -> None:
    """Print a text of several lines to standard output, a table for one."""
    for line in text.splitlines():
        say(line)


def warn(line: str) -> None:
    """Print a line to standard error without breaking a progress bar."""
    tqdm.write(printable(line, sys.stderr), file=sys.stderr)


def grouped(remarks: Iterable[tuple[Path, str]]) -> Iterator[str]:
    """Yield in a line each what is to be known of files, with the first and the number of them."""
    files: dict[str, list[Path]] = {}
    for path, remark in remarks:
        files.setdefault(remark, []).append(path)
    for remark, paths in files.items():
        more = f" and {len(paths) - 1} more" * (len(paths) > 1)
        yield f"{paths[0]}{more}: {remark}"


def printable(line: str, file: TextIO) -> str:
    r"""Return a line that stays one: a file's name may have line breaks, tabs or bytes of no text.

    They become ``\n``, ``\t``, ``\udcXX``; so do letters that the terminal's encoding lacks.
    """
    encoding = file.encoding or "utf-8"
    return escaped(line).encode(encoding, "backslashreplace").decode(encoding)


def escaped(name: str) -> str:
    """Return a name with escapes in place of what is no sign that can be read."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def refuse_output(error: OSError) -> NoReturn:
    """End a command whose standard output takes no more, such as a file on a full disk.

    Raises
    ------
    InputError
        Unless the reader went away, which had enough.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to flush
    if isinstance(error, BrokenPipeError):
        sys.exit(0)
    raise InputError(f"standard output: {error.strerror}") from None


def stage_parser(description: str | None, prog: str) -> argparse.ArgumentParser:
    """Return the parser of a stage: its documentation, and ``--help``."""
    return argparse.ArgumentParser(
        prog=f"python -m pipeline.{prog}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def run(main: Callable[[], None]) -> NoReturn:
    """Run a command and leave with its exit status.

    0 is success, 2 a wrong command or parameter, 1 unusable input, or a disk that is full or may
    not be written, 130 an interrupt. An expected error becomes one line on standard error; anything
    else is a defect and keeps its traceback.
    """
    try:
        main()
    except InputError as error:
        warn(f"error: {error}")
        sys.exit(error.exit_status)
    except OSError as error:
        if error.errno not in DISK:
            raise
        place = f"{error.filename}: " if error.filename else ""
        warn(f"error: {place}{error.strerror}; mend that and run the same command again")
        sys.exit(1)
    except KeyboardInterrupt:
        warn("error: interrupted; run the same command again to go on")
        sys.exit(130)
    except MemoryError as error:
        warn(f"error: out of memory: {error}")
        sys.exit(1)
    sys.exit(0)
