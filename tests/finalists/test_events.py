"""Curves as TensorBoard reads them: records that another reader of the format finds whole."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from randsearch.base.files import Place
from randsearch.finalists.events import Point, crc32c, encode, keep_up

POINTS = [Point(50 * step, 1.7e9 + step, {"sdr": step / 4, "loss": -1.5}) for step in range(1, 5)]


def masked(data: bytes) -> int:
    check = crc32c(data)
    return (((check >> 15) | (check << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def records(content: bytes) -> Iterator[bytes]:
    """The data of each record, checked."""
    while content:
        (length,) = struct.unpack_from("<Q", content)
        (check,) = struct.unpack_from("<I", content, 8)
        data, (end,) = content[12 : 12 + length], struct.unpack_from("<I", content, 12 + length)
        assert (check, end) == (masked(content[:8]), masked(data))
        yield data
        content = content[16 + length :]


def fields(message: bytes) -> Iterator[tuple[int, object]]:
    """The fields of a message of protocol buffers."""

    def number() -> int:
        nonlocal message
        found = shift = 0
        while True:
            byte, message = message[0], message[1:]
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return found
            shift += 7

    while message:
        field, kind = divmod(number(), 8)
        if kind == 0:
            yield field, number()
            continue
        size = {1: 8, 5: 4}.get(kind) or number()
        value, message = message[:size], message[size:]
        yield field, struct.unpack({1: "<d", 5: "<f"}[kind], value)[0] if kind in (1, 5) else value


def test_the_check_is_that_of_castagnoli():
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720's own example, turned
    assert crc32c(bytes(32)) == 0x8A9136AA


def test_a_reader_of_the_format_finds_the_points():
    first, *others = [dict(fields(record)) for record in records(encode(POINTS))]
    assert first[3] == b"brain.Event:2"
    for point, event in zip(POINTS, others, strict=True):
        assert (event[1], event[2]) == (point.time, point.step)
        scalars = [dict(fields(value)) for _, value in fields(event[5])]
        assert {scalar[1].decode(): scalar[2] for scalar in scalars} == point.values


@pytest.mark.parametrize("there", [None, b"", encode(POINTS[:2]), encode(POINTS)[:-7], b"torn", encode(POINTS[1:])])
def test_a_file_is_brought_up_to_date_whatever_is_there(tmp_path, there):
    path = tmp_path / "study" / "events"
    place = Place(tmp_path / "study")
    if there is not None:
        place.write(path, there)
    number = path.stat().st_ino if there is not None else None
    keep_up(place, path, POINTS)
    assert path.read_bytes() == encode(POINTS)
    if there and encode(POINTS).startswith(there):
        assert path.stat().st_ino == number  # who has it open reads on
