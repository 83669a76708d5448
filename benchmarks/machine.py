"""The machine that a figure was measured on, and where the project lies."""

from __future__ import annotations

import datetime
import os
import platform
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("tensorflow", "keras", "jax", "torch")


def machine() -> dict[str, Any]:
    """Describe what this runs on."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "date": datetime.date.today().isoformat(),
        "load": os.getloadavg()[0],
        "versions": {p: version(p) for p in PACKAGES if find_spec(p)},
    }
