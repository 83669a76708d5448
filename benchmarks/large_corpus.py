"""A corpus of 100 hours through storage, standardisation and one epoch's batching.

    python -m benchmarks.large_corpus --hours 100 --folder SCRATCH

Frames are drawn at random in place of being computed from sound; everything else is what the
stages do: the store is written and verified, every utterance standardised and split, and the
batches of an epoch are laid out as for training. Prints seconds and the peak of memory per step;
100 hours take 18 GB of disk while it runs.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from features.frames import FRAME_RATE
from models import batching
from pipeline import standardize
from pipeline.corpora import protocols
from pipeline.ground import artifacts
from pipeline.ground.console import progress, run, say
from pipeline.ground.storage import Store, StoreWriter
from pipeline.training import fitting

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def measured(step: str) -> Iterator[None]:
    """Print how long a step took and the peak of memory so far."""
    started = time.perf_counter()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB to GiB
    say(f"{step:<34}{time.perf_counter() - started:7.0f} s   peak {peak:.2f} GiB")


def write_frames(hours: float, rng: np.random.Generator) -> int:
    """Write data/frames with utterances of 1 to 8 s; return the number of frames."""
    noise = rng.standard_normal((10_000, 63), np.float32)
    lengths = rng.integers(100, 800, round(hours * 3600 * FRAME_RATE / 450))
    about = {"channels": [f"track_{k}" for k in range(24)], "hop_s": 1 / FRAME_RATE}
    with StoreWriter(artifacts.FRAMES, {"inputs": 39, "targets": 24}, about) as writer:
        for k, length in enumerate(progress(lengths, unit="utterances")):
            frames = np.roll(noise[:length], k, axis=1)
            known = {"speaker": f"s{k % 50}", "sentence": "", "phones": []}
            arrays = {"inputs": frames[:, :39], "targets": frames[:, 39:]}
            writer.add(f"u{k:07d}", arrays, **known)
    return int(lengths.sum())


def lay_out_an_epoch(name: str, batch_size: int) -> int:
    """Assemble every batch of an epoch; return their number."""
    split = fitting.Split.open(Store(artifacts.STANDARDIZED, "standardize"), protocols.TRAIN)
    plan = batching.epoch(name, split.lengths, batch_size, np.random.default_rng(0))
    for batch in progress(plan, unit="batches"):
        fitting.assemble(batch, split, None)
    say(f"{name}: {len(plan)} batches, {batching.padding_share(plan, split.lengths):.1%} padding")
    return len(plan)


def main() -> None:
    """Run all steps in a scratch folder, which is removed in the end."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=100)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(dir=options.folder))
    shutil.copy(ROOT / "params.yaml", scratch)
    os.chdir(scratch)
    try:
        with measured("extract's storage, written"):
            frames = write_frames(options.hours, np.random.default_rng(0))
        say(f"{frames:,} frames")
        with measured("standardize"):
            sys.argv = ["standardize"]
            standardize.main()
        for name in ("bucket", "pack"):
            with measured(f"one epoch of batches, {name}"):
                lay_out_an_epoch(name, 16)
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    run(main)
