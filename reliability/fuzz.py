"""A million damaged files, each of which is read or refused in one line.

``python -m reliability.fuzz`` (`make fuzz`) goes through the targets of `reliability.targets`, each
in a process of its own. atheris damages the valid files and keeps what reaches code that nothing
before had reached; where it is not installed, `damaged` alone does, blindly. Hypothesis builds
trees for params.yaml and model.json that are right in all but a few places.

An execution is a finding where anything but an `InputError` comes out, a result is not whole, a
refusal is no line that names the file, the file is changed, or the reader takes more than
``LONGEST_S`` of processor time or ``MOST_MEMORY`` bytes beside what it started with. Findings lie,
with their tracebacks, in the folder ``--output``; the exit status is 1 if there are any.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import mmap
import os
import random
import resource
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline.ground.console import InputError, UsageError, run, say, warn

if TYPE_CHECKING:
    from reliability.targets import Target

TOTAL = 1_000_000
LONGEST_S = 5.0  # of processor time, for files of some kilobytes
MOST_MEMORY = 1 << 29
LONGEST = 1 << 16  # bytes of a damaged file
STUCK_S = 120  # after which libFuzzer gives a reader up that no signal reaches
FEWEST = 500  # executions of a target, however much one costs
OUTPUT = Path("fuzz")
TALLY = struct.Struct("<QQQ")  # executions, accepted, findings
TOKENS = [b"nan", b"inf", b"-1", b"1e999", b"1e-320", b"99999999999", b"\0", b"\xff\xff\xff\xff"]
TOKENS += [
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\n",
    b"\r",
    b"\t",
    b",",
    b'"',
    b"{}",
    b"[",
    b"null",
]
TOKENS += ["\u2028".encode(), "é".encode(), b"\xed\xb0\x80", b"\x1b[2J", b"../", b"0" * 400]


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with one to four changes: set, lost, repeated, moved, cut, others put in."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(out) + 1)
        end = min(len(out), start + int(2 ** rng.uniform(0, 12)))
        kind = rng.randrange(11)
        if kind == 0 and start < len(out):
            out[start] ^= 1 << rng.randrange(8)
        elif kind == 1:  # where headers and counts are
            start = rng.randrange(min(256, len(out)) + 1)
            out[start : start + rng.randint(1, 4)] = rng.randbytes(rng.randint(1, 4))
        elif kind == 2:
            digits = [k for k, byte in enumerate(out[:4096]) if 48 <= byte < 58]
            if digits:
                out[rng.choice(digits)] = rng.choice(b"0123456789-.eE ")
        elif kind == 3:
            del out[start:]
        elif kind == 4:
            del out[start:end]
        elif kind == 5:
            out[start:start] = out[start:end]
        elif kind == 6:
            out[start:end] = bytes(end - start)
        elif kind == 7:
            out[start:end] = out[start:end][::-1]
        elif kind == 8:
            out[start:start] = rng.randbytes(end - start)
        elif kind == 9 and out:
            for _ in range(rng.randint(2, 8)):
                out[rng.randrange(len(out))] = rng.randrange(256)
        else:
            out[start : start + rng.choice((0, 1, 8))] = rng.choice(TOKENS)
    return bytes(out)


class Hunt:
    """Executions of one target, counted, its findings kept.

    Parameters
    ----------
    target : Target
    output : Path
        Of the findings and of the tally, which outlives a process that dies.
    folder : Path
        Where the target's files lie while it runs; in memory, best.
    """

    def __init__(self, target: Target, output: Path, folder: Path) -> None:
        self.target, self.output = target, output
        self.folder = folder / "fuzzed"
        self.folder.mkdir()
        target.lay_out(self.folder)
        output.mkdir(parents=True, exist_ok=True)
        with (output / f"{safe(target.name)}.tally").open("w+b") as file:
            file.truncate(TALLY.size)
            self.tally = mmap.mmap(file.fileno(), TALLY.size)
        self.executions = self.accepted = 0
        self.found: set[str] = set()
        signal.signal(signal.SIGPROF, give_up)

    def limit_memory(self) -> None:
        """Let this process have so much and no more beside what it has."""
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MOST_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    def execute(self, data: bytes) -> None:
        """Use the target with these bytes; keep them if that ends in neither of the two ways."""
        signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
        try:
            self.accepted += self.target.execute(self.folder, data)
        except (Exception, SystemExit) as error:
            self.keep(data, error)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        self.executions += 1
        self.tally[:] = TALLY.pack(self.executions, self.accepted, len(self.found))

    def keep(self, data: bytes, error: BaseException) -> None:
        """Keep a finding, the first of those that come from the same line."""
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if "/pipeline/" in f.filename or "/features/" in f.filename]
        last = (own or frames)[-1]
        mark = f"{type(error).__name__} {Path(last.filename).name}:{last.lineno}"
        if mark in self.found:
            return
        self.found.add(mark)
        name = f"{safe(self.target.name)}-{hashlib.sha256(mark.encode()).hexdigest()[:8]}"
        (self.output / f"{name}.bin").write_bytes(data)
        trace = "".join(traceback.format_exception(error))
        (self.output / f"{name}.txt").write_text(f"{mark}\n{trace}", errors="backslashreplace")


def give_up(*_: Any) -> NoReturn:
    """Stop a reader that does not end."""
    raise TimeoutError(f"still reading after {LONGEST_S:g} s")


def safe(name: str) -> str:
    """Return a target's name as that of a file."""
    return name.replace("/", "-")


def blindly(hunt: Hunt, runs: int, seed: int) -> None:
    """Damage the valid files without looking at what that reaches."""
    rng = random.Random(seed)
    for _ in range(runs):
        hunt.execute(damaged(rng.choice(hunt.target.seeds), rng)[:LONGEST])


def guided(hunt: Hunt, runs: int, seed: int) -> None:
    """Let atheris damage what reaches new code; does not return."""
    import atheris

    corpus = hunt.folder.parent / "corpus"
    corpus.mkdir()
    for k, data in enumerate(hunt.target.seeds):
        (corpus / f"{k:04d}").write_bytes(data)
    words = hunt.folder.parent / "words"
    words.write_text("".join(f'"{quoted(token)}"\n' for token in TOKENS[:-1]))
    options = [f"-runs={runs}", f"-seed={seed}", f"-max_len={LONGEST}", f"-timeout={STUCK_S}"]
    options += ["-rss_limit_mb=0", "-print_final_stats=0", "-len_control=20", "-verbosity=0"]
    options += [f"-dict={words}", f"-artifact_prefix={hunt.output / safe(hunt.target.name)}-"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], hunt.execute)
    atheris.Fuzz()


def quoted(token: bytes) -> str:
    """Return bytes as libFuzzer's dictionaries have them."""
    return "".join(f"\\x{byte:02x}" for byte in token)


def trees(hunt: Hunt, runs: int, seed: int) -> None:
    """Build trees that are right in all but a few places, by Hypothesis."""
    import hypothesis
    from hypothesis import strategies as st

    valid = hunt.target.seeds[0]
    with_json = hunt.target.file.endswith(".json")
    from reliability.trees import edited, text_of

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=runs,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(st.data())
    def build(data: st.DataObject) -> None:
        hunt.execute(text_of(data.draw(edited(valid)), with_json))

    build()


WAYS: dict[str, Callable[[Hunt, int, int], None]] = {
    "atheris": guided,
    "blind": blindly,
    "hypothesis": trees,
}


def apart(hunt_of: Callable[[Path], Hunt], way: str, runs: int, seed: int, log: Path) -> int:
    """Fuzz one target in a process of its own; return its exit status."""
    sys.stdout.flush()
    process = os.fork()
    if not process:
        status = 1
        try:
            with log.open("w") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            with TemporaryDirectory(dir=memory_disk()) as folder:
                hunt = hunt_of(Path(folder))
                hunt.limit_memory()
                WAYS[way](hunt, runs, seed)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def memory_disk() -> Path | None:
    """Return a folder in memory, where there is one."""
    shm = Path("/dev/shm")
    return shm if os.access(shm, os.W_OK) else None


def shares(targets: Sequence[Target], total: int) -> list[int]:
    """Deal executions out, most to the targets that cost least, with a least for each."""
    weights = [target.cost**-1.5 for target in targets]
    return [max(FEWEST, round(total * weight / sum(weights))) for weight in weights]


def campaign(targets: Sequence[Target], way: str, runs: list[int], options: Any) -> int:
    """Fuzz targets, a process each, and print what came of it; return the number of findings."""
    executions = found = 0
    output: Path = options.output
    for target, count in zip(targets, runs, strict=True):
        started = time.monotonic()
        log = output / f"{safe(target.name)}.{way}.log"
        hunt_of = partial(Hunt, target, output)
        status = apart(hunt_of, way, count, options.seed, log)
        done, accepted, findings = TALLY.unpack(
            (output / f"{safe(target.name)}.tally").read_bytes()
        )
        if status:  # libFuzzer ends a process that a library killed, and keeps the bytes
            findings += 1
            warn(f"{target.name}: exit status {status} after {done} executions; see {log}")
        executions, found = executions + done, found + findings
        row = {"target": target.name, "way": way, "executions": done, "accepted": accepted}
        row |= {"findings": findings, "seconds": round(time.monotonic() - started)}
        with (output / "campaign.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        say(
            f"{target.name} ({way}): {done:,} executions, {accepted:,} accepted,"
            f" {findings} findings"
        )
    say(f"{executions:,} executions by {way}, {found} findings")
    return found


def main() -> None:
    """Run a campaign."""
    parser = argparse.ArgumentParser(
        prog="python -m reliability.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("targets", nargs="*", help="words of their names; default: all")
    parser.add_argument("--total", type=int, default=TOTAL, help="executions in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--way", choices=WAYS, help="default: atheris where installed, then trees")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"default: {OUTPUT}")
    options = parser.parse_args()
    first = options.way or ("atheris" if find_spec("atheris") else "blind")
    known = load_targets(first == "atheris")
    words = options.targets or [""]
    wanted = [target for target in known if any(word in target.name for word in words)]
    if not wanted:
        raise UsageError(f"no target among {', '.join(target.name for target in known)}")
    options.output.mkdir(parents=True, exist_ok=True)
    found = 0
    if first != "hypothesis":
        found += campaign(wanted, first, shares(wanted, options.total), options)
    if options.way in (None, "hypothesis"):
        whole = [target for target in wanted if target.file.endswith((".yaml", ".json"))]
        found += campaign(whole, "hypothesis", [options.total // 200] * len(whole), options)
    if found:
        raise InputError(f"{found} findings in {options.output}")


def load_targets(with_coverage: bool) -> list[Target]:
    """Import the targets, and the project with what tells atheris of the lines that it reaches."""
    if not with_coverage:
        from reliability.targets import targets

        return list(targets().values())
    import atheris

    with atheris.instrument_imports(include=["pipeline"], enable_loader_override=False):
        from reliability.targets import targets

        return list(targets().values())


if __name__ == "__main__":
    run(main)
