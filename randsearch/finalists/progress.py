"""What a finish shows while it trains."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from randsearch.base.logs import LOGGER

_PARTS = 10


class FinishProgress:
    """A line with the steps that are taken, the best so far, and the time left, as a search has it.

    Away from a terminal every tenth of the steps is logged.

    Args:
        console: where to show the line.
        network: that is trained.
        steps: that it is to take in all.
    """

    def __init__(self, console: Console, network: str, steps: int) -> None:
        self._console = console
        self._network = network
        self._steps = steps
        self._printed = 0
        self._progress = Progress(
            TextColumn("{task.fields[count]}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            TextColumn("{task.fields[best]}"),
            TextColumn(f"[dim]{network}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("finish", total=steps, count="", best="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, step: int) -> None:
        """Says where the training stands, before any step of this command."""
        self._printed = step * _PARTS // self._steps
        self._progress.reset(self._task, total=self._steps, completed=step, count=self._count(step), best="")

    def advance(self, step: int, best: float) -> None:
        """Takes note of a validation.

        Args:
            step: steps taken in all.
            best: of all validations, in dB.
        """
        said = f"best {best:.2f} dB"
        self._progress.update(self._task, completed=step, count=self._count(step), best=said)
        tenth = step * _PARTS // self._steps
        if not self._console.is_terminal and tenth > self._printed:
            self._printed = tenth
            LOGGER.info("%s: %s  %s", self._network, self._count(step), said)

    def _count(self, step: int) -> str:
        return f"{step:,}/{self._steps:,} steps"
