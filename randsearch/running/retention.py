"""What stays of a measurement once it is recorded: checkpoints go, weights and audio stay as the user wants them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from randsearch.base.files import Place
from randsearch.running.machine import Keep
from randsearch.table.measurement import Measurement, home
from randsearch.training.checkpoints import CHECKPOINT_FILE, PART_FILE

_CHECKPOINTS = (CHECKPOINT_FILE, PART_FILE)
_WEIGHTS_AND_AUDIO = ("*.safetensors", "*.flac")


class Keeper:
    """Clears the folders of measurements.

    Args:
        folder: of all measurements, in that of the study.
        keep: of which of them the weights and the audio stay; scores and segments always do.
    """

    def __init__(self, folder: Path, keep: Keep) -> None:
        self._folder = folder
        self._place = Place(folder.parent)
        self._keep = keep

    def recorded(self, measurement: Measurement) -> None:
        """Removes what a measurement that is in the storage needs no longer.

        Raises:
            PlaceError: the measurement's folder is a link.
        """
        folder = home(self._folder, measurement.architecture, measurement.measure, measurement.seed)
        kept = self._keep == "all" or (self._keep == "trained" and measurement.measure == "trained")
        self._place.clear(folder, _CHECKPOINTS if kept else (*_CHECKPOINTS, *_WEIGHTS_AND_AUDIO))

    def sweep(self, known: Collection[Measurement]) -> None:
        """Removes checkpoints of measurements that a driver recorded and was killed before it removed them."""
        left = {path.parent for path in self._place.files(self._folder, f"{Path(CHECKPOINT_FILE).stem}.*")}
        if left:
            homes = {home(self._folder, m.architecture, m.measure, m.seed) for m in known}
            for folder in left & homes:
                self._place.clear(folder, _CHECKPOINTS)
