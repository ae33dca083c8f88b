"""Curves as TensorBoard reads them: a file of records, each a scalar at a step.

The format is TensorFlow's (`record_writer.h`, `event.proto`): records of a length, its check, the data and their check,
the data being a message `Event` of protocol buffers. The package that writes it has its own way with files and brings a
server along; what is needed of it are the few lines below.

The bytes follow from the points alone. A training that goes on adds to the file, whatever of it was there when it was
killed, and a TensorBoard that has it open reads on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from randsearch.base.files import Place

_POLYNOMIAL = 0x82F63B78  # of CRC-32C, its bits in reverse order


@dataclass(frozen=True)
class Point:
    """What is known at one step.

    Attributes:
        step: of the training.
        time: seconds since 1970.
        values: by the name of their curve.
    """

    step: int
    time: float
    values: Mapping[str, float]


def encode(points: Iterable[Point]) -> bytes:
    """The file that holds these points."""
    return _record(_double(1, 0.0) + _bytes(3, b"brain.Event:2")) + b"".join(map(_point, points))


def keep_up(place: Place, path: Path, points: Iterable[Point]) -> None:
    """Brings a file up to date: adds what it lacks, or writes it anew where it is none of these points'.

    Args:
        place: the study.
        path: of the file.
        points: all of them, in order.

    Raises:
        PlaceError: the file cannot be written, or a link is in its way.
    """
    content = encode(points)
    try:
        there = place.read(path)
    except FileNotFoundError:
        there = b""
    if not there or not content.startswith(there):
        place.write(path, content)
    elif len(there) < len(content):
        place.append(path, content[len(there) :])


def _point(point: Point) -> bytes:
    summary = b"".join(
        _bytes(1, _bytes(1, name.encode()) + _key(2, 5) + struct.pack("<f", value))
        for name, value in point.values.items()
    )
    return _record(_double(1, point.time) + _key(2, 0) + _varint(point.step) + _bytes(5, summary))


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", _masked(length)) + data + struct.pack("<I", _masked(data))


def _double(field: int, value: float) -> bytes:
    return _key(field, 1) + struct.pack("<d", value)


def _bytes(field: int, content: bytes) -> bytes:
    return _key(field, 2) + _varint(len(content)) + content


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _masked(data: bytes) -> int:
    """The check of a record: turned and shifted, for it may lie within what is checked itself."""
    check = crc32c(data)
    return ((check >> 15 | check << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """The cyclic redundancy check of Castagnoli, which `zlib` has not."""
    check = 0xFFFFFFFF
    for byte in data:
        check = _TABLE[(check ^ byte) & 0xFF] ^ check >> 8
    return check ^ 0xFFFFFFFF


def _entry(number: int) -> int:
    for _ in range(8):
        number = number >> 1 ^ (_POLYNOMIAL if number & 1 else 0)
    return number


_TABLE = tuple(map(_entry, range(256)))
