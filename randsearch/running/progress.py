"""What a search shows while it runs."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from randsearch.base.logs import LOGGER
from randsearch.measures import Job
from randsearch.table.measurement import Measurement


class SearchProgress:
    """A line with what is done, what runs, the best so far, and the time left.

    Time left follows the multiply-adds that remain, since one training costs as much as many proxies. Away from a
    terminal every tenth of the work is logged.

    Args:
        console: where to show the line.
        proxy: the primary proxy.
    """

    def __init__(self, console: Console, proxy: str) -> None:
        self._console = console
        self._proxy = proxy
        self._best: dict[str, Measurement] = {}
        self._total = self._done = 0.0
        self._jobs = self._finished = self._failed = 0
        self._printed = 0
        self._progress = Progress(
            TextColumn("{task.fields[count]}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            TextColumn("{task.fields[best]}"),
            TextColumn("[dim]{task.fields[running]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("search", total=None, count="", best="", running="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def expect(self, jobs: int) -> None:
        """Adds work to what is left.

        Args:
            jobs: how many measurements.
        """
        self._jobs += jobs
        self._printed = self._finished * 10 // max(self._jobs, 1)
        self._show(())

    def set_left(self, cost: float) -> None:
        """Says what is left, as far as can be told: most of the networks that it is for need not be known yet.

        Args:
            cost: multiply-adds of all that is planned and not finished.
        """
        self._total = self._done + cost

    def advance(self, measurement: Measurement, cost: float, running: Iterable[Job]) -> None:
        """Takes note of a finished measurement.

        Args:
            measurement: what came of it.
            cost: multiply-adds that had been planned for it.
            running: what runs now.
        """
        self._finished += 1
        self._done += cost
        if measurement.state == "failed":
            self._failed += 1
            LOGGER.warning("failed: %s: %s", _name(measurement), measurement.reason)
        else:
            LOGGER.debug("%s: %s after %.2f s", _name(measurement), measurement.score, measurement.seconds)
        if measurement.score is not None and measurement.measure in (self._proxy, "trained"):
            best = self._best.get(measurement.measure)
            if best is None or best.score is None or measurement.score > best.score:
                self._best[measurement.measure] = measurement
        self._show(running)
        tenth = self._finished * 10 // max(self._jobs, 1)
        if not self._console.is_terminal and tenth > self._printed:
            self._printed = tenth
            LOGGER.info("%s  %s", self._count(), self._summary())

    def _count(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{self._finished}/{self._jobs} measurements{failed}"

    def _summary(self) -> str:
        parts = [
            f"{measure} {best.score:.2f} dB ({best.architecture.hash})"
            for measure, best in sorted(self._best.items())
            if best.score is not None and best.baseline is not None
        ]
        return "best " + ", ".join(parts) if parts else ""

    def _show(self, running: Iterable[Job]) -> None:
        self._progress.update(
            self._task,
            total=max(self._total, 1.0),
            completed=self._done,
            count=self._count(),
            best=self._summary(),
            running=" ".join(f"{job.architecture.hash}:{job.measure}" for job in running),
        )


def _name(measurement: Measurement) -> str:
    return f"{measurement.architecture.hash} {measurement.measure} seed {measurement.seed}"
