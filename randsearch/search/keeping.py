"""What stays of a measurement once it is recorded: checkpoints go, weights and audio stay as the user wants them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal

from randsearch.checkpoints import CHECKPOINT_FILE
from randsearch.measurement import Measurement, home

Keep = Literal["all", "trained", "none"]


class Keeper:
    """Clears the folders of measurements.

    Args:
        folder: of all measurements.
        keep: of which of them the weights and the audio stay; scores and segments always do.
    """

    def __init__(self, folder: Path, keep: Keep) -> None:
        self._folder = folder
        self._keep = keep

    def recorded(self, measurement: Measurement) -> None:
        """Removes what a measurement that is in the storage needs no longer."""
        place = home(self._folder, measurement.architecture, measurement.measure, measurement.seed)
        _remove_checkpoint(place)
        if self._keep == "all" or (self._keep == "trained" and measurement.measure == "trained"):
            return
        for path in (*place.glob("*.safetensors"), *place.glob("*.flac")):
            path.unlink(missing_ok=True)

    def sweep(self, known: Collection[Measurement]) -> None:
        """Removes checkpoints of measurements that a driver recorded and was killed before it removed them."""
        left = {path.parent for path in self._folder.glob(f"*/*/{Path(CHECKPOINT_FILE).stem}.*")}
        if left:
            places = {home(self._folder, m.architecture, m.measure, m.seed) for m in known}
            for place in left & places:
                _remove_checkpoint(place)


def _remove_checkpoint(place: Path) -> None:
    for name in (CHECKPOINT_FILE, str(Path(CHECKPOINT_FILE).with_suffix(".part"))):
        (place / name).unlink(missing_ok=True)
