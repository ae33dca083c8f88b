"""What may be done to the stems of a training crop before they are mixed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, get_args

from randsearch.data.task import Task

Augmentation = Literal["gains", "remix", "swap", "signs"]
"""How the user names them: each source of each crop gets

`gains`: a gain of its own, from 0.7 to 1;
`remix`: a track and a place of its own, so that songs are mixed that nobody ever played together;
`swap`: its channels exchanged, or not;
`signs`: its sign turned, or not.
"""

AUGMENTATIONS: tuple[Augmentation, ...] = get_args(Augmentation)

GAINS = (0.7, 1.0)
"""Range of the uniform gain of `gains`, as in the authors' code."""

LEVELS = ("gains", "remix")
"""What changes how loud sources are against each other."""


def defaults(task: Task) -> tuple[Augmentation, ...]:
    """What is done unless the user says otherwise."""
    return () if task.keeps_levels else ("gains",)


def refused(names: Collection[Augmentation], task: Task, channels: int) -> str | None:
    """Why augmentations make no sense for a task, in words; None if they do.

    Args:
        names: of the augmentations.
        task: what is separated.
        channels: of the audio.
    """
    loud = [name for name in LEVELS if name in names]
    if task.keeps_levels and loud:
        return (
            f"augment: {' and '.join(loud)} would change how loud the noise is against the speech, which the corpus "
            f"decides for {task.name}: choose among {', '.join(name for name in AUGMENTATIONS if name not in LEVELS)}"
        )
    if "swap" in names and channels == 1:
        return "augment: swap exchanges the channels of stereo, and this is mono: leave it out, or give --channels 2"
    return None
