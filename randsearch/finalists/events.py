"""Curves as TensorBoard reads them: a file of events, each with the scalars of one step.

TensorBoard's own package makes the records. Its writers open files by themselves, so that only its encoding is used:
what a study holds is written through `Place`. The bytes follow from the points alone. A training that goes on adds to
the file, whatever of it was there when it was killed, and a TensorBoard that has it open reads on.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from randsearch.base.files import Place


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


def available() -> bool:
    """Whether TensorBoard's package is installed."""
    return importlib.util.find_spec("tensorboard") is not None


def encode(points: Iterable[Point]) -> bytes:
    """The file that holds these points."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    content = io.BytesIO()
    writer = RecordWriter(content)
    writer.write(Event(wall_time=0.0, file_version="brain.Event:2").SerializeToString())
    for point in points:
        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in point.values.items()]
        event = Event(wall_time=point.time, step=point.step, summary=Summary(value=scalars))
        writer.write(event.SerializeToString())
    return content.getvalue()


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
