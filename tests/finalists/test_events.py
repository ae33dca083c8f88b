"""Curves as TensorBoard reads them: its own reader finds every point, whatever a kill left of the file."""

from __future__ import annotations

import pytest
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

from randsearch.base.files import Place
from randsearch.finalists.events import Point, encode, keep_up

POINTS = [Point(50 * step, 1.7e9 + step, {"sdr": step / 4, "loss": -1.5}) for step in range(1, 5)]


def test_tensorboard_finds_the_points(tmp_path):
    (tmp_path / "events").write_bytes(encode(POINTS))
    first, *others = LegacyEventFileLoader(str(tmp_path / "events")).Load()
    assert first.file_version == "brain.Event:2"
    found = [
        Point(event.step, event.wall_time, {value.tag: value.simple_value for value in event.summary.value})
        for event in others
    ]
    assert found == POINTS


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
