"""What is to be separated: which stems a task needs, and which of them add up to each source."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

TaskName = Literal["voice", "multi", "denoise"]
"""How the user names the tasks."""

STEMS = ("bass", "drums", "other", "vocals")
"""The stems of MUSDB, in the order in which the cache stores them."""

SPEECH_STEMS = ("noise", "speech")
"""What a corpus of noisy and clean speech comes to, in the order in which the cache stores it."""

MIXTURE = "mixture"
"""What the sum of the sources is called in file names, and therefore no source."""

MOST_SOURCES = 16

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
"""Of a source, for it becomes the name of files, columns and axes."""


@dataclass(frozen=True)
class Task:
    """One separation task.

    Attributes:
        name: how the user names it; `sources` where the sources are the user's own.
        stems: the stems that a corpus must offer.
        sources: pairs of a source's name and the stems that are summed to make it.
        pads: whether a track shorter than a training segment is surrounded by silence, as suits utterances, or
            refused, as suits songs, where it points to a broken file.
        keeps_levels: whether how loud the sources are against each other is the corpus's to decide.
    """

    name: str
    stems: tuple[str, ...]
    sources: tuple[tuple[str, tuple[str, ...]], ...]
    pads: bool = False
    keeps_levels: bool = False

    @property
    def source_names(self) -> tuple[str, ...]:
        """Names of the sources, in the order of every array with a `sources` axis."""
        return tuple(name for name, _ in self.sources)

    def groups_in(self, stems: Sequence[str]) -> tuple[tuple[int, ...], ...]:
        """For each source, the positions of its stems among those that a track has; a stem that it lacks is silent.

        Args:
            stems: of the track, in the order in which the cache stores them.
        """
        return tuple(tuple(stems.index(stem) for stem in summed if stem in stems) for _, summed in self.sources)


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("voice", STEMS, (("accompaniment", ("bass", "drums", "other")), ("vocals", ("vocals",)))),
        Task("multi", STEMS, tuple((stem, (stem,)) for stem in STEMS)),
        Task("denoise", SPEECH_STEMS, tuple((stem, (stem,)) for stem in SPEECH_STEMS), pads=True, keeps_levels=True),
    )
}


def own_task(sources: Sequence[str]) -> Task:
    """The task of separating sources of the user's own.

    Args:
        sources: each `NAME`, which is a stem of that name, or `NAME=STEM+STEM`.

    Raises:
        ValueError: a name cannot be that of a file, comes twice, or a stem belongs to two sources.
    """
    parsed = tuple(_parsed(text) for text in sources)
    if not 2 <= len(parsed) <= MOST_SOURCES:
        raise ValueError(f"2 to {MOST_SOURCES} sources can be separated, and {len(parsed)} are named")
    # What differs in capitals alone is one file on many systems.
    twice = _first_twice([name.casefold() for name, _ in parsed])
    if twice is not None:
        raise ValueError(f"two sources are called {twice}, capitals aside: give each its own name")
    stems = tuple(stem for _, summed in parsed for stem in summed)
    shared = _first_twice(stems)
    if shared is not None:
        raise ValueError(f"the stem {shared} is named twice, and the sources would not add up to the mixture")
    return Task("sources", stems, parsed)


def canonical_sources(sources: Sequence[str]) -> tuple[str, ...]:
    """Sources as a study saves them: `NAME=NAME` is `NAME`, and there are no spaces around names.

    Args:
        sources: as `own_task` takes them.

    Raises:
        ValueError: as `own_task` does.
    """
    task = own_task(sources)
    return tuple(name if summed == (name,) else f"{name}={'+'.join(summed)}" for name, summed in task.sources)


def _parsed(text: str) -> tuple[str, tuple[str, ...]]:
    name, equals, summed = (part.strip() for part in text.partition("="))
    stems = tuple(stem.strip() for stem in summed.split("+")) if equals else (name,)
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"a source cannot be called {name!r}: use up to 40 letters, digits, - and _, a letter or digit first, as "
            "in vocals or keys=piano+organ"
        )
    if name.casefold() == MIXTURE:
        raise ValueError(f"no source can be called {name}, as the sum of all sources is: give it another name")
    if not all(stems):
        raise ValueError(f"the source {name} lacks the name of a stem: write {name}=STEM+STEM")
    return name, stems


def _first_twice(values: Sequence[str]) -> str | None:
    return next((value for number, value in enumerate(values) if value in values[:number]), None)
