"""What EMU-webApp needs to know of SSFF tracks: their columns, and how to draw them from the side.

A DBconfig.json of the EMU speech database system (Winkelmann, Harrington and Jänsch 2017,
doi:10.1016/j.csl.2017.01.002): ``ssffTrackDefinitions`` name the tracks; in a perspective,
``twoDimDrawingDefinitions`` name the two tracks that move a dot, and the lines between dots.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.ground.console import InputError
from pipeline.ground.sensors import tongue_sensors
from pipeline.ground.storage import write_json

TONGUE, LIPS, OTHERS = "rgb(213,94,0)", "rgb(0,114,178)", "rgb(0,0,0)"
LIP_SENSORS = ("UL", "LL")
VIEW = "midsagittal"


def write_config(folder: Path, channels: Sequence[str], suffix: str) -> None:
    """Write ``NAME_DBconfig.json`` into a folder of SSFF files, NAME being the folder's.

    Parameters
    ----------
    channels : sequence of str
        Columns of every file.
    suffix : str
        Of every file, such as ``.ssff``.

    Raises
    ------
    InputError
        Where the folder has the configuration of another database.
    """
    name = folder.resolve().name
    path = folder / f"{name}_DBconfig.json"
    config = database(name, channels, suffix)
    if path.exists():
        try:
            same = json.loads(path.read_text(encoding="utf-8"))["UUID"] == config["UUID"]
        except (ValueError, KeyError, TypeError):
            same = False
        if not same:
            raise InputError(f"{path}: is another database's; choose another --output")
    write_json(path, config)


def database(name: str, channels: Sequence[str], suffix: str) -> dict[str, Any]:
    """Return the configuration of a database; the same tracks give the same UUID."""
    track = {"fileExtension": suffix.removeprefix(".")}
    identity = ",".join([name, suffix, *channels])
    return {
        "name": name,
        "UUID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"articulatory-inversion:{identity}")),
        "mediafileExtension": "wav",
        "ssffTrackDefinitions": [{"name": c, "columnName": c} | track for c in channels],
        "levelDefinitions": [],
        "linkDefinitions": [],
        "EMUwebAppConfig": {
            "perspectives": [
                {
                    "name": "default",
                    "signalCanvases": {
                        "order": ["OSCI", "SPEC", *heights(channels)],
                        "assign": [],
                        "contourLims": [],
                    },
                    "levelCanvases": {"order": []},
                    "twoDimCanvases": {
                        "order": [VIEW],
                        "twoDimDrawingDefinitions": [drawing(channels)],
                    },
                }
            ],
            "restrictions": {"showPerspectivesSidebar": True},
            "activeButtons": {"saveBundle": True},
        },
    }


def sensors(channels: Sequence[str]) -> list[str]:
    """Return the sensors that have both a forward and a height channel."""
    return [c[:-2] for c in channels if c.endswith("_x") and f"{c[:-2]}_y" in channels]


def heights(channels: Sequence[str]) -> list[str]:
    """Return the tracks that are shown below the spectrogram: heights on the tongue and lips."""
    shown = [*tongue_sensors(channels), *(s for s in LIP_SENSORS if s in sensors(channels))]
    return [f"{sensor}_y" for sensor in shown[:3]]


def drawing(channels: Sequence[str]) -> dict[str, Any]:
    """Return dots for the sensors, and lines along the tongue and between the lips."""
    tongue = tongue_sensors(channels)
    lips = tuple(s for s in LIP_SENSORS if s in sensors(channels))
    colours = dict.fromkeys(tongue, TONGUE) | dict.fromkeys(lips, LIPS)
    return {
        "name": VIEW,
        "dots": [
            {
                "name": sensor,
                "xSsffTrack": f"{sensor}_x",
                "xContourNr": 0,
                "ySsffTrack": f"{sensor}_y",
                "yContourNr": 0,
                "color": colours.get(sensor, OTHERS),
            }
            for sensor in sensors(channels)
        ],
        "connectLines": [
            {"fromDot": a, "toDot": b, "color": colour}
            for points, colour in ((tongue, TONGUE), (lips, LIPS))
            for a, b in pairwise(points)
        ],
    }
