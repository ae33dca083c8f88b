"""Where what lies in the folder of a study: the one place that knows the names of its files.

results/NAME/
config.yaml, measurements.csv, study.db     options, table, and the Optuna studies that it follows from
measured/HASH/MEASURE-SEED/                 what a measurement left behind: weights, excerpts, segments
measured/reference/                         the excerpts that measurements estimate the sources of
agreement.csv, agreement.json, effects.csv, ensemble.csv, budgets.csv, report.html, plots/
evaluation.csv, evaluation/HASH-SEED/       scores on the test subset, and of each track
exported/HASH-SEED/, artifacts/             networks for other programs; what the dashboard shows
finishes/FINISH/config.yaml                 options of a training that goes on beyond the search
finishes/FINISH/HASH-SEED/                  of a network: weights, excerpts, curve, result, TensorBoard's events
.lock, .driver                              who is at work
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from randsearch.base.errors import UserError
from randsearch.base.files import Place

CONFIG_FILE = "config.yaml"
TABLE_FILE = "measurements.csv"
PUBLISHED_FILE = "measurements.csv.gz"

WEIGHTS_FILE = "weights.safetensors"
SEGMENTS_FILE = "segments.csv"
ERROR_FILE = "error.txt"
CHECKPOINT_FILE = "checkpoint.safetensors"
CHECKPOINT_PART = "checkpoint.part"
"""Its name while it is being written."""
CHECKPOINTS = "checkpoint.*"
EXCERPTS = "excerpt-*.flac"
WEIGHTS_AND_AUDIO = ("*.safetensors", "*.flac")

CURVE_FILE = "curve.csv"
RESULT_FILE = "result.json"
EVENTS_FILE = "tensorboard/events.out.tfevents.0.randsearch"
"""TensorBoard knows its files by the middle of the name, and reads those of a folder in the order of the number."""

NETWORK_FILE = "network.yaml"
PROGRAM_FILE = "network.pt2"

# A measure's own name, or `package.module:function`; never a path.
_MEASURE = re.compile(r"\w[\w.]*(:\w+)?", re.ASCII)
_FINISH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", re.ASCII)
_EXCERPT = re.compile(r"excerpt-(\d+)-(.+)\.flac")


@dataclass(frozen=True)
class StudyFolder:
    """The folder of a study, or one that a user named for what else is written into a study's.

    Attributes:
        path: of the folder; a study is called as it is.
    """

    path: Path

    @classmethod
    def below(cls, results: Path) -> Iterator[StudyFolder]:
        """All studies, by name.

        Args:
            results: their root.
        """
        return (cls(path.parent) for path in sorted(results.glob(f"*/{CONFIG_FILE}")))

    @property
    def place(self) -> Place:
        """The folder as the only door to write there."""
        return Place(self.path)

    @property
    def is_study(self) -> bool:
        """Whether a study lies there."""
        return self.config.is_file()

    @property
    def config(self) -> Path:
        """The options."""
        return self.path / CONFIG_FILE

    @property
    def table(self) -> Path:
        """The measurements, a row each."""
        return self.path / TABLE_FILE

    @property
    def published(self) -> Path:
        """The same as it is published."""
        return self.path / PUBLISHED_FILE

    @property
    def database(self) -> Path:
        """The Optuna studies, unless they are stored elsewhere."""
        return self.path / "study.db"

    @property
    def journal(self) -> Path:
        """Without which the database of a driver that was killed may hold half a transaction."""
        return self._beside("journal")

    @property
    def database_files(self) -> tuple[Path, ...]:
        """The database, and what SQLite keeps beside it."""
        return self.database, self.journal, self._beside("wal"), self._beside("shm")

    @property
    def lock(self) -> Path:
        """Held by who writes to the study."""
        return self.path / ".lock"

    @property
    def driver(self) -> Path:
        """What the driver at work, or the last one if it was killed, says of itself."""
        return self.path / ".driver"

    @property
    def measured(self) -> Path:
        """What measurements left behind."""
        return self.path / "measured"

    @property
    def references(self) -> Path:
        """The excerpts that all measurements share."""
        return self.measured / "reference"

    @property
    def unfinished_references(self) -> Path:
        """The same until all of them are there."""
        return self.measured / "reference.part"

    def homes(self, architecture: str) -> Path:
        """Folder of the measurements of an architecture.

        Args:
            architecture: its hash.
        """
        return self.measured / architecture

    def home(self, architecture: str, measure: str, seed: int) -> Path:
        """Folder of one measurement.

        Args:
            architecture: hash of what was measured.
            measure: by which measure.
            seed: at which seed.

        Raises:
            UserError: the measure's name, which may come from somebody else's study, could lead elsewhere.
        """
        if not _MEASURE.fullmatch(measure):
            raise UserError(f"{measure!r} cannot be the name of a measure: it is `name` or `package.module:function`.")
        return self.homes(architecture) / f"{_as_file(measure)}-{seed}"

    @property
    def finishes(self) -> Path:
        """Trainings that go on beyond the search, a folder each."""
        return self.path / "finishes"

    def finish(self, name: str) -> FinishFolder:
        """The folder of one of them.

        Args:
            name: of the finish.

        Raises:
            UserError: the name could lead elsewhere.
        """
        if not _FINISH.fullmatch(name):
            raise UserError(
                f"{name!r} cannot be the name of a finish: it is of letters, digits, dots, dashes and underscores, "
                "begins with a letter or a digit, and is no longer than 40 characters."
            )
        return FinishFolder(self.finishes / name)

    def finish_names(self) -> list[str]:
        """The names of all that were begun."""
        configs = (path for path in self.place.files(self.finishes, CONFIG_FILE))
        names = (path.parent.name for path in configs if path.parent.parent == self.finishes)
        return [name for name in names if _FINISH.fullmatch(name)]

    @property
    def agreement(self) -> Path:
        """How far each proxy agrees with training, a row each."""
        return self.path / "agreement.csv"

    @property
    def agreement_json(self) -> Path:
        """The same and what else was found."""
        return self.path / "agreement.json"

    @property
    def effects(self) -> Path:
        """Of each option on the scores."""
        return self.path / "effects.csv"

    @property
    def ensemble(self) -> Path:
        """Which proxies the ensembles use."""
        return self.path / "ensemble.csv"

    @property
    def budgets(self) -> Path:
        """Agreement at smaller budgets."""
        return self.path / "budgets.csv"

    @property
    def report(self) -> Path:
        """The report."""
        return self.path / "report.html"

    @property
    def plots(self) -> Path:
        """Folder of the plots."""
        return self.path / "plots"

    @property
    def evaluation(self) -> Path:
        """Scores of the best networks on the test subset."""
        return self.path / "evaluation.csv"

    def evaluated(self, finalist: str) -> Path:
        """Folder of the scores of one network, a file a track.

        Args:
            finalist: HASH-SEED.
        """
        return self.path / "evaluation" / finalist

    def exported(self, finalist: str) -> Path:
        """Folder of an exported network.

        Args:
            finalist: HASH-SEED.
        """
        return self.path / "exported" / finalist

    @property
    def artifacts(self) -> Path:
        """Folder of what the dashboard shows."""
        return self.path / "artifacts"

    def _beside(self, end: str) -> Path:
        return self.database.with_name(f"{self.database.name}-{end}")


@dataclass(frozen=True)
class FinishFolder:
    """The folder of a finish, in that of its study.

    Attributes:
        path: of the folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The options."""
        return self.path / CONFIG_FILE

    @property
    def lock(self) -> Path:
        """Held by who trains."""
        return self.path / ".lock"

    def home(self, network: str) -> Path:
        """Folder of one network.

        Args:
            network: HASH-SEED.
        """
        return self.path / network


def seed_of(home: Path, measure: str) -> int | None:
    """The seed of a measurement, which the name of its folder ends in; None if it is one of another measure."""
    before, _, seed = home.name.rpartition("-")
    return int(seed) if before == _as_file(measure) and seed.isdigit() else None


def excerpt_file(number: int, name: str) -> str:
    """The name of a file that holds one signal of one excerpt.

    Args:
        number: of the excerpt.
        name: of the source, or `mixture`.
    """
    return f"excerpt-{number}-{name}.flac"


def excerpt_of(path: Path) -> tuple[int, str] | None:
    """The number and the name that `excerpt_file` made a name of; None if it made none."""
    found = _EXCERPT.fullmatch(path.name)
    return (int(found[1]), found[2]) if found else None


def _as_file(measure: str) -> str:
    return measure.replace(":", ".")
