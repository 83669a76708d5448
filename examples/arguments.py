"""What the command lines of the tutorials share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from pipeline.ground.console import UsageError

OUTPUT = Path("data/tutorials")  # pictures and models, unless told otherwise


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """Complain."""
        raise UsageError(f"{message}; see {self.prog} --help")


def parser(name: str, description: str | None, package: str = "examples") -> Parser:
    """Return a parser that knows ``--help`` and ``--seed``."""
    made = Parser(
        prog=f"python -m {package}.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--seed", type=natural, default=0, help="of all that is random (default 0)")
    return made


def natural(text: str) -> int:
    """Read a number of 0 or more."""
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to {2**32 - 1}")
    return number


def positive(text: str) -> int:
    """Read a number of 1 or more."""
    if natural(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 on")
    return int(text)
