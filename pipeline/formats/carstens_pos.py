r"""Positions computed by a Carstens articulograph (``.pos``): AG501 with a header, AG500 without.

AG501 (versions V001 to V003) starts with ``AG50xDATA_V003``, the header's length in bytes, and
``key=value`` lines; V003 pads the header with zeros, the earlier ones end it with ``\0\x1a``.
AG500 has no header and always twelve sensors at 200 Hz. The body is float32, little-endian, seven
numbers per sensor: x (forward), y (to the left), z (up) in mm, the angles phi and theta in degrees,
the error of the fit, and one number without a meaning.

The channels are ``1_x``, ``1_z``, ``1_y``, ``1_phi`` .. with the axes of this project: y is height
and z is lateral. A sensor that was not connected reports zeros.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.formats import checked
from pipeline.ground.console import InputError
from pipeline.ground.storage import atomic_path
from pipeline.ground.utterance import Tracks

FIELDS = ("x", "z", "y", "phi", "theta", "rms", "extra")  # in the order of the file
MAGIC = b"AG50xDATA_V00"
AG500_SENSORS, AG500_RATE = 12, 200.0
HEADER_BYTES = 4096  # of V003
ENDING = b"\0\x1a"  # of V001 and V002


def read(path: Path) -> Tracks:
    """Read a sweep: time stamps from 0, seven channels per sensor.

    Raises
    ------
    InputError
        Naming the header field or the offset that is wrong.
    """
    data = checked.contents(path)
    if data.startswith(MAGIC):
        start, sensors, rate = header(path, data)
    else:
        start, sensors, rate = 0, AG500_SENSORS, AG500_RATE
    size = sensors * len(FIELDS) * 4
    frames, rest = divmod(len(data) - start, size)
    if rest or not frames:
        raise InputError(
            f"{path}: offset {len(data) - rest}: {rest} bytes are left over after {frames} frames"
            f" of {sensors} sensors, {size} bytes each"
        )
    values = np.frombuffer(data, "<f4", offset=start).reshape(frames, -1)
    if not values[0].any():
        raise InputError(f"{path}: offset {start}: the first frame is all zeros, as padding is")
    channels = [f"{k + 1}_{field}" for k in range(sensors) for field in FIELDS]
    return checked.tracks(path, np.arange(frames) / rate, values, channels)


def positions(sweep: Tracks) -> NDArray[np.float64]:
    """Return the positions of a sweep, [T, sensors, 3] as x, lateral and height.

    Zeros in all three, which an unconnected sensor reports, become NaN.
    """
    fields = sweep.values.reshape(len(sweep.time), -1, len(FIELDS))
    return checked.connected(fields[:, :, :3])


def header(path: Path, data: bytes) -> tuple[int, int, float]:
    """Return the header's length, the number of sensors and the rate in Hz."""
    version = data[len(MAGIC) : len(MAGIC) + 2]
    if version not in (b"1\n", b"2\n", b"3\n"):
        raise InputError(f"{path}: offset {len(MAGIC)}: version {version!r} is not 1, 2 or 3")
    match = re.compile(rb"(\d{8})\n").match(data, len(MAGIC) + 2)
    if not match:
        raise InputError(f"{path}: line 2: the header's length is not eight digits")
    length = int(match[1])
    text, _, padding = data[:length].partition(b"\0")
    ends_well = not padding.strip(b"\0") if version == b"3\n" else padding == ENDING[1:]
    if length > len(data) or not ends_well:
        raise InputError(f"{path}: line 2: the header does not end after {length} bytes")
    lines = (line.partition("=") for line in text.decode("latin-1").splitlines()[2:])
    fields = {key: value for key, _, value in lines}
    sensors = fields.get("NumberOfChannels", "")
    if not re.fullmatch(r"[1-9]\d{0,2}", sensors):
        raise InputError(f"{path}: header field NumberOfChannels is {sensors!r}, not a count")
    rate = fields.get("SamplingFrequencyHz", "")
    if not re.fullmatch(r"\d{1,5}(\.\d{1,6})?", rate) or float(rate) == 0:
        raise InputError(f"{path}: header field SamplingFrequencyHz is {rate!r}, not a rate")
    return length, int(sensors), float(rate)


def write(path: Path, tracks: Tracks, version: Literal["V003", "V002", "AG500"] = "V003") -> None:
    """Write a sweep, atomically.

    Sensors are numbered in the order in which they appear in the channel names; a number that no
    channel gives is 0.

    Raises
    ------
    ValueError
        Where a channel is no field of a sensor, a value is missing, which the format cannot say,
        the time stamps do not start at 0 with an even step, or AG500 lacks its twelve sensors.
    """
    sensors = list(dict.fromkeys(name.rpartition("_")[0] for name in tracks.channels))
    if version == "AG500" and (len(sensors) != AG500_SENSORS):
        raise ValueError(f"AG500 has {AG500_SENSORS} sensors, not {len(sensors)}")
    if np.isnan(tracks.values).any():
        raise ValueError("a .pos file has no way to say that a sample is missing")
    frames = len(tracks.time)
    rate = AG500_RATE if version == "AG500" or frames == 1 else tracks.rate
    if not np.allclose(tracks.time, np.arange(frames) / rate, rtol=0, atol=1e-6):
        raise ValueError(f"time stamps are not those of {rate:g} Hz from 0")
    body = np.zeros((frames, len(sensors), len(FIELDS)), "<f4")
    for name, column in zip(tracks.channels, tracks.values.T, strict=True):
        sensor, _, field = name.rpartition("_")
        body[:, sensors.index(sensor), FIELDS.index(field)] = column
    content = b"" if version == "AG500" else make_header(version, len(sensors), rate)
    with atomic_path(path) as part:
        part.write_bytes(content + body.tobytes())


def make_header(version: Literal["V003", "V002"], sensors: int, rate: float) -> bytes:
    """Return the header of an AG501 file."""
    head = f"AG50xDATA_{version}\n00000000\n"
    fields = f"NumberOfChannels={sensors}\nSamplingFrequencyHz={round(rate, 6):g}\n"
    length = HEADER_BYTES if version == "V003" else len(head + fields) + len(ENDING)
    content = (head.replace("0" * 8, f"{length:08d}") + fields).encode("ascii")
    return content.ljust(length, b"\0") if version == "V003" else content + ENDING
