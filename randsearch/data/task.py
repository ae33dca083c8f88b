"""What is to be separated: which stems a task needs, and which of them add up to each source."""

from dataclasses import dataclass
from typing import Literal

TaskName = Literal["voice", "multi", "denoise"]
"""How the user names the tasks."""

STEMS = ("bass", "drums", "other", "vocals")
"""The stems of MUSDB, in the order in which the cache stores them."""

SPEECH_STEMS = ("noise", "speech")
"""What a corpus of noisy and clean speech comes to, in the order in which the cache stores it."""


@dataclass(frozen=True)
class Task:
    """One separation task.

    Attributes:
        name: how the user names it.
        stems: the stems that a corpus must offer, in the order in which it stores them.
        sources: pairs of a source's name and the stems that are summed to make it.
        pads: whether a track shorter than a training segment is surrounded by silence, as suits utterances, or
            refused, as suits songs, where it points to a broken file.
        keeps_levels: whether how loud the sources are against each other is the corpus's to decide.
    """

    name: TaskName
    stems: tuple[str, ...]
    sources: tuple[tuple[str, tuple[str, ...]], ...]
    pads: bool = False
    keeps_levels: bool = False

    @property
    def source_names(self) -> tuple[str, ...]:
        """Names of the sources, in the order of every array with a `sources` axis."""
        return tuple(name for name, _ in self.sources)

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """For each source, the positions of its stems in `stems`."""
        return tuple(tuple(self.stems.index(stem) for stem in summed) for _, summed in self.sources)


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("voice", STEMS, (("accompaniment", ("bass", "drums", "other")), ("vocals", ("vocals",)))),
        Task("multi", STEMS, tuple((stem, (stem,)) for stem in STEMS)),
        Task("denoise", SPEECH_STEMS, tuple((stem, (stem,)) for stem in SPEECH_STEMS), pads=True, keeps_levels=True),
    )
}
