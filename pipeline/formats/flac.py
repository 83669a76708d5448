"""FLAC without a number of samples: it follows from the last frame (RFC 9639)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

STREAMINFO = 42  # bytes: the magic, a block's head, and STREAMINFO, which comes first
BITS = 36  # of the number of samples
LARGEST = 1 << 18  # bytes in which the last frame begins
ID3V1 = 128  # bytes of a tag that some programs put at the end
SYNCS = (b"\xff\xf8", b"\xff\xf9")  # fixed block size, variable block size


def samples_told(info: bytes) -> int:
    """Return the number of samples that the first 42 bytes tell; 0 for an unknown one."""
    return int.from_bytes(info[21:26], "big") & (1 << BITS) - 1


def telling(info: bytes, samples: int) -> bytes:
    """Return the first 42 bytes with another number of samples."""
    bits = int.from_bytes(info[21:26], "big") - samples_told(info) + samples
    return info[:21] + bits.to_bytes(5, "big") + info[26:]


def samples(info: bytes, data: Any) -> int | None:
    """Return how many samples end with the last frame of a file; None where it is not whole.

    Parameters
    ----------
    info : bytes
        The first 42.
    data : bytes or mmap
        All, or the end of all.
    """
    end = len(data)
    if data[max(0, end - ID3V1) : end][:3] == b"TAG":
        end -= ID3V1
    tail = data[max(0, end - LARGEST) : end]
    for place in range(len(tail) - 8, -1, -1):
        if tail[place : place + 2] in SYNCS:
            last = last_sample(tail[place:], int.from_bytes(info[8:10], "big"))
            if last is not None:
                return last
    return None


def last_sample(frame: bytes, block: int) -> int | None:
    """Return the number of the sample after a frame, in blocks of a size; None for no frame."""
    size_code, rate_code = frame[2] >> 4, frame[2] & 15
    ones = f"{frame[4]:08b}".index("0") if frame[4] != 0xFF else 8
    extra = max(0, ones - 1)  # bytes of the number after its first, as in UTF-8
    size_bytes = {6: 1, 7: 2}.get(size_code, 0)
    head = 5 + extra + size_bytes + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if ones in (1, 8) or len(frame) < head + 3 or crc(8, 0x07, frame[:head]) != frame[head]:
        return None
    if crc(16, 0x8005, frame[:-2]) != int.from_bytes(frame[-2:], "big"):
        return None
    number = frame[4] & (0x7F if ones == 0 else 0xFF >> ones + 1)
    for byte in frame[5 : 5 + extra]:
        number = number << 6 | byte & 0x3F
    if size_bytes:
        size = 1 + int.from_bytes(frame[5 + extra : 5 + extra + size_bytes], "big")
    else:
        size = (
            192
            if size_code == 1
            else (576 if size_code < 6 else 256) << size_code - (2 if size_code < 6 else 8)
        )
    return (number if frame[1] & 1 else number * block) + size


@lru_cache
def table(width: int, polynomial: int) -> list[int]:
    """Return what each first byte leaves in a checksum of so many bits."""
    left = []
    for byte in range(256):
        rest = byte << width - 8
        for _ in range(8):
            rest = rest << 1 ^ (polynomial if rest >> width - 1 else 0)
            rest &= (1 << width) - 1
        left.append(rest)
    return left


def crc(width: int, polynomial: int, data: bytes) -> int:
    """Return the cyclic redundancy check of some bytes."""
    known, mask, rest = table(width, polynomial), (1 << width) - 1, 0
    for byte in data:
        rest = rest << 8 & mask ^ known[rest >> width - 8 ^ byte]
    return rest
