"""What the tracks of a corpus are converted to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from randsearch.data.task import TASKS, Task, TaskName, own_task

MissingStems = Literal["error", "silence"]


@dataclass(frozen=True)
class AudioFormat:
    """The sources, the rate and the channels that a corpus is opened with.

    Attributes:
        task: which sources are separated.
        sample_rate: samples a second; None takes the lowest of the tracks' own, at most 22,050.
        channels: 1 (stereo is averaged) or 2.
        upmix_mono: whether mono data may be doubled where two channels are asked for.
        sources: in place of those of the task, as `task.own_task` takes them; None for the task's.
        missing_stems: what a stem is that a track lacks.
    """

    task: TaskName = "voice"
    sample_rate: int | None = None
    channels: int = 1
    upmix_mono: bool = False
    sources: tuple[str, ...] | None = None
    missing_stems: MissingStems = "error"

    @property
    def rate(self) -> int:
        """Samples a second, once that is decided."""
        assert self.sample_rate is not None
        return self.sample_rate

    @property
    def separated(self) -> Task:
        """What is separated: the task, or the sources that stand in its place."""
        return TASKS[self.task] if self.sources is None else own_task(self.sources)

    @property
    def source_names(self) -> tuple[str, ...]:
        """Names of the sources, in the order of every array with a `sources` axis."""
        return self.separated.source_names

    @property
    def aim(self) -> str:
        """What is separated, in words."""
        return f"task {self.task}" if self.sources is None else f"sources {', '.join(self.sources)}"
