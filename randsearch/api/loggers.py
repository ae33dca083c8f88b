"""Where scores and curves go beside the study: callbacks of `rs.search` for the field's trackers.

Each is called after a measurement is recorded. The tracker's package is imported with the callback, and is an extra.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from randsearch.base.errors import UserError

if TYPE_CHECKING:
    from randsearch.api.studies import Study
    from randsearch.table.measurement import Measurement


class TensorBoard:
    """Writes each curve and score as TensorBoard reads them, below `tensorboard` in the study's folder.

    Raises:
        UserError: the package is not installed.

    Example:
        >>> rs.search("small", callbacks=[rs.TensorBoard()])  # doctest: +SKIP
    """

    def __init__(self) -> None:
        from randsearch.finalists import events

        if not events.available():
            raise _missing("tensorboard")

    def __call__(self, study: Study, measurement: Measurement) -> None:
        """Writes the events of one measurement."""
        from time import time

        from randsearch.base.files import Place
        from randsearch.finalists import events

        now, name = time(), _name(measurement)
        points = [events.Point(step, now, {measurement.measure: value}) for step, value in _curve(measurement)]
        path = study.folder / "tensorboard" / name / "events.out.tfevents.0.randsearch"
        events.keep_up(Place(study.folder), path, points)


class MLflow:
    """Logs each measurement as a run of an MLflow experiment that is called as the study.

    Args:
        uri: of the tracking server; MLflow's own setting if left out.

    Raises:
        UserError: the package is not installed.

    Example:
        >>> rs.search("small", callbacks=[rs.MLflow("http://localhost:5000")])  # doctest: +SKIP
    """

    def __init__(self, uri: str | None = None) -> None:
        try:
            import mlflow
        except ImportError:
            raise _missing("mlflow") from None
        self._mlflow: Any = mlflow
        if uri is not None:
            self._mlflow.set_tracking_uri(uri)

    def __call__(self, study: Study, measurement: Measurement) -> None:
        """Logs one measurement."""
        self._mlflow.set_experiment(study.name)
        with self._mlflow.start_run(run_name=_name(measurement)):
            self._mlflow.log_params(_about(measurement))
            for step, value in _curve(measurement):
                self._mlflow.log_metric("score", value, step=step)


class WandB:
    """Logs each measurement as a run of a Weights & Biases project, the study's runs in one group.

    Args:
        project: of Weights & Biases.

    Raises:
        UserError: the package is not installed.

    Example:
        >>> rs.search("small", callbacks=[rs.WandB("separation")])  # doctest: +SKIP
    """

    def __init__(self, project: str = "randsearch") -> None:
        try:
            import wandb
        except ImportError:
            raise _missing("wandb") from None
        self._wandb: Any = wandb
        self._project = project

    def __call__(self, study: Study, measurement: Measurement) -> None:
        """Logs one measurement."""
        run = self._wandb.init(
            project=self._project, group=study.name, name=_name(measurement), config=_about(measurement)
        )
        for step, value in _curve(measurement):
            run.log({"score": value}, step=step)
        run.finish()


def _missing(name: str) -> UserError:
    return UserError(f"{name} is not installed: pip install 'randsearch[{name}]'.")


def _name(measurement: Measurement) -> str:
    return f"{measurement.architecture.hash}-{measurement.measure.replace(':', '-')}-{measurement.seed}"


def _curve(measurement: Measurement) -> Iterator[tuple[int, float]]:
    """The steps of a curve and their scores, or the score alone; nothing of what failed at once."""
    yield from measurement.curve
    if not measurement.curve and measurement.score is not None:
        yield measurement.steps, measurement.score


def _about(measurement: Measurement) -> dict[str, Any]:
    """What was measured, and how it went."""
    return {
        **measurement.architecture.model_dump(mode="json"),
        **{"measure": measurement.measure, "seed": measurement.seed, "state": measurement.state},
        **{"seconds": measurement.seconds, "reason": measurement.reason},
    }
