"""What stays of a measurement once it is recorded: checkpoints go, weights and audio stay as the user wants them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from randsearch.base.layout import (
    CHECKPOINT_FILE,
    CHECKPOINT_PART,
    CHECKPOINTS,
    WEIGHTS_AND_AUDIO,
    StudyFolder,
    seed_of,
)
from randsearch.running.machine import Keep
from randsearch.table.measurement import Measurement

_CHECKPOINT = (CHECKPOINT_FILE, CHECKPOINT_PART)


class Retention:
    """Clears the folders of measurements.

    Args:
        folder: the study's folder.
        retained: of which measurements the weights and the audio stay; scores and segments always do.
    """

    def __init__(self, folder: Path, retained: Keep) -> None:
        self._study = StudyFolder(folder)
        self._place = self._study.place
        self._retained = retained

    def recorded(self, measurement: Measurement) -> None:
        """Removes what a measurement that is in the storage needs no longer.

        Raises:
            PlaceError: the measurement's folder is a link.
        """
        stays = self._retained == "all" or (self._retained == "trained" and measurement.measure == "trained")
        gone = _CHECKPOINT if stays else (*_CHECKPOINT, *WEIGHTS_AND_AUDIO)
        self._place.clear(self._study.home(*measurement.key), gone)

    def sweep(self, known: Collection[Measurement]) -> None:
        """Removes checkpoints of measurements that a driver recorded and was killed before it removed them.

        Those of trainings that were stopped on the way stay until the search is finished: it may go on with them.
        """
        left = self._left()
        if left:
            homes = {self._study.home(*measurement.key) for measurement in known if measurement.state != "pruned"}
            for folder in left & homes:
                self._place.clear(folder, _CHECKPOINT)

    def begun(self) -> list[tuple[str, int]]:
        """(hash, seed) of the trainings that have a checkpoint."""
        found = ((folder.parent.name, seed_of(folder, "trained")) for folder in self._left())
        return sorted((name, seed) for name, seed in found if seed is not None)

    def finish(self) -> None:
        """Removes every checkpoint: whatever was to be measured is."""
        for folder in self._left():
            self._place.clear(folder, _CHECKPOINT)

    def _left(self) -> set[Path]:
        return {path.parent for path in self._place.files(self._study.measured, CHECKPOINTS)}
