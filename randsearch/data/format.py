"""What the tracks of a corpus are converted to."""

from __future__ import annotations

from dataclasses import dataclass

from randsearch.data.task import TaskName


@dataclass(frozen=True)
class AudioFormat:
    """The sources, the rate and the channels that a corpus is opened with.

    Attributes:
        task: which sources are separated.
        sample_rate: samples a second; None takes the lowest of the tracks' own, at most 22,050.
        channels: 1 (stereo is averaged) or 2.
        upmix_mono: whether mono data may be doubled where two channels are asked for.
    """

    task: TaskName = "voice"
    sample_rate: int | None = None
    channels: int = 1
    upmix_mono: bool = False

    @property
    def rate(self) -> int:
        """Samples a second, once that is decided."""
        assert self.sample_rate is not None
        return self.sample_rate
