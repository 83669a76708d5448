"""MPEG audio (MP3) without a frame count: its frames counted, and the count put in front of them.

A frame says how long it is and not how many follow. Where no Xing frame tells the number, decoders
guess it from the first frame's bit rate: wrong wherever the rate varies (ISO/IEC 11172-3 and
13818-3; the Xing frame is LAME's convention, the VBRI frame Fraunhofer's).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

SYNC = 0xFFE0
KBIT = {  # per second by version (1 or 2) and layer; index 0 is free, 15 forbidden
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by version


class Frame(NamedTuple):
    """What the four bytes in front of a frame say."""

    version: int  # as coded: 3 is MPEG 1, 2 is MPEG 2, 0 is MPEG 2.5
    layer: int
    sample_rate: int
    mono: bool
    bytes: int
    samples: int

    @property
    def side(self) -> int:
        """Bytes between a frame's header and a Xing tag: what Layer III calls side information."""
        return (17, 9)[self.version != 3] if self.mono else (32, 17)[self.version != 3]


@dataclass(frozen=True)
class Stream:
    """The frames of a file.

    Attributes
    ----------
    start, end : int
        Bytes from and to which frames lie, a Xing frame not among them.
    frames : int
    first : Frame
    promised : int or None
        How many frames a Xing frame tells of.
    lost : int
        Bytes by which the last frame is cut short.
    strange : int
        Bytes among the frames that belong to none.
    """

    start: int
    end: int
    frames: int
    first: Frame
    promised: int | None
    lost: int
    strange: int


def frame(data: bytes) -> Frame | None:
    """Read a frame's header, four bytes; None where they are none, or of a free bit rate."""
    if len(data) < 4 or int.from_bytes(data[:2], "big") & SYNC != SYNC:
        return None
    version, layer = data[1] >> 3 & 3, 4 - (data[1] >> 1 & 3)
    kbit, rate = data[2] >> 4, data[2] >> 2 & 3
    if version == 1 or layer == 4 or kbit in (0, 15) or rate == 3:
        return None
    hertz, padding = RATES[version][rate], data[2] >> 1 & 1
    bits = 1000 * KBIT[1 if version == 3 else 2, layer][kbit]
    if layer == 1:
        return Frame(
            version, layer, hertz, data[3] >> 6 == 3, 4 * (12 * bits // hertz + padding), 384
        )
    samples = 576 if layer == 3 and version != 3 else 1152
    size = samples // 8 * bits // hertz + padding
    return Frame(version, layer, hertz, data[3] >> 6 == 3, size, samples)


def after_tags(data: bytes, start: int) -> int:
    """Return where the ID3v2 tags that lie at ``start``, if any, end."""
    while data[start : start + 3] == b"ID3" and len(head := data[start : start + 10]) == 10:
        size = sum(
            (byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True)
        )
        start += 10 + size + 10 * bool(head[5] & 0x10)
    return start


def alike(a: Frame, b: Frame | None) -> bool:
    """Tell whether a frame can follow another of the same stream."""
    return b is not None and a[:3] == b[:3]


def frames(data: bytes, start: int, stop: int) -> Iterator[tuple[int, Frame]]:
    """Yield place and header of every frame, looking for the next one where there is none."""
    place, expected, like = start, -1, None
    while place + 4 <= stop:
        found = frame(data[place : place + 4])
        if found is not None and (like is None or alike(like, found)):
            after = place + found.bytes
            # a header that is not where the frame before ends could be chance: two are not
            if place == expected or after >= stop or alike(found, frame(data[after : after + 4])):
                yield place, found
                place, expected, like = after, after, found
                continue
        next_sync = data.find(b"\xff", place + 1, stop)
        place = stop if next_sync < 0 else next_sync


def frames_told(data: bytes, place: int, found: Frame) -> int | None:
    """Return how many frames a frame of LAME's or Fraunhofer's tells of; None for any other."""
    tag = place + 4 + found.side
    if data[tag : tag + 4] in (b"Xing", b"Info"):
        return int.from_bytes(data[tag + 8 : tag + 12], "big") * (data[tag + 7] & 1)
    if data[place + 36 : place + 40] == b"VBRI":
        return int.from_bytes(data[place + 50 : place + 54], "big")
    return None


def stream(data: bytes, start: int, stop: int) -> Stream | None:
    """Count the frames between two places of a file's bytes; None where there are none."""
    start = after_tags(data, start)
    place = end = start
    first, count, promised, strange = None, 0, None, 0
    for place, found in frames(data, start, stop):
        if first is None:
            first, start = found, place
            number = frames_told(data, place, found)
            if number is not None:
                promised = number or None
                start = end = place + found.bytes
                continue
        elif count:
            strange += place - end
        count += 1
        end = place + found.bytes
    if first is None or not count:
        return None
    return Stream(start, min(end, stop), count, first, promised, max(0, end - stop), strange)


def xing(found: Stream, data: bytes) -> bytes:
    """Return a Xing frame that tells the number of frames, to stand in front of them."""
    head = bytearray(data[found.start : found.start + 4])
    head[1] |= 1  # no checksum
    head[2] = head[2] & 0x0D | 9 << 4  # a bit rate with room for the tag, no padding
    size = frame(bytes(head))
    assert size is not None
    tag = b"Info" + (1).to_bytes(4, "big") + found.frames.to_bytes(4, "big")
    return (bytes(head) + bytes(found.first.side) + tag).ljust(size.bytes, b"\0")
