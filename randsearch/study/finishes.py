"""Finishes: trainings of a study's best networks beyond the search, each with options, files and a lock of its own.

A finish lies in `finishes/NAME` of its study: `config.yaml` with its options, resolved, and a folder a network. There,
`curve.csv` has a row a validation, and `result.json` says what came of it once all steps that were asked for are taken,
or it stopped before. Steps may be added to a finish: each addition is a part of its own, with a schedule of its own.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self, get_args

from filelock import Timeout

from randsearch.base.errors import UserError, quoted
from randsearch.base.files import Place
from randsearch.base.layout import CURVE_FILE, RESULT_FILE, FinishFolder, StudyFolder
from randsearch.base.locks import LOCKLESS, file_lock
from randsearch.statistics.interval import Interval
from randsearch.study.config_file import read_study, write_study
from randsearch.study.finish_config import FinishConfig


@dataclass(frozen=True)
class Validated:
    """A row of a curve: what was found at one validation.

    Attributes:
        part: of the finish, from 0.
        step: of all steps, from the first part on.
        score: on the study's validation excerpts, in dB.
        validation_loss: squared error there.
        loss: mean training loss since the validation before.
        learning_rate: of the step before.
        batch: crops of the step before.
        time: seconds since 1970.
    """

    part: int
    step: int
    score: float
    validation_loss: float
    loss: float
    learning_rate: float
    batch: int
    time: float


Ended = Literal["steps", "patience", "diverged"]

_MOST = 2**31
"""More than any number of steps, parts or tracks."""


@dataclass(frozen=True)
class Result:
    """What came of a network once its training ended.

    Attributes:
        parts: how many parts that was.
        steps: taken in all.
        ended: why: all steps were taken, patience ran out, or the training diverged.
        reason: of a divergence, in words; else empty.
        seconds: of training steps.
        searched: score of the searched network in dB.
        over_searched: how far the best of the curve is above it, in dB; None where nothing was validated.
        over_gain: how far it is above the best constant gain, in dB; None where nothing was validated.
        tracks: validation tracks with a second that counts, over which intervals are.
    """

    parts: int
    steps: int
    ended: Ended
    reason: str = ""
    seconds: float = 0.0
    searched: float = math.nan
    over_searched: Interval | None = None
    over_gain: Interval | None = None
    tracks: int = 0

    @classmethod
    def of(cls, text: bytes) -> Self:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: it is none of that.
        """
        try:
            raw = json.loads(text)
            over = {name: _interval(raw[name]) for name in ("over_searched", "over_gain")}
            found = cls(**{**raw, **over})
            whole = all(type(each) is int and 0 <= each < _MOST for each in (found.parts, found.steps, found.tracks))
            real = all(_is_real(each) for each in (found.seconds, found.searched))
        except (TypeError, KeyError, OverflowError, RecursionError) as error:
            raise ValueError(str(error)) from None
        if not (whole and real and found.ended in get_args(Ended) and isinstance(found.reason, str)):
            raise ValueError("a field is not what it should be")
        return found

    def to_json(self) -> str:
        """The content of its file; what is not defined is null."""
        plain = asdict(self)
        for name in ("over_searched", "over_gain"):
            if plain[name] is not None:
                plain[name] = {end: None if math.isnan(value) else value for end, value in plain[name].items()}
        return json.dumps(plain, indent=1) + "\n"


def _interval(raw: object) -> Interval | None:
    if raw is None:
        return None
    if not (isinstance(raw, dict) and all(value is None or _is_real(value) for value in raw.values())):
        raise ValueError(f"{quoted(raw)} is no interval")
    return Interval(**{end: math.nan if value is None else float(value) for end, value in raw.items()})


def _is_real(value: object) -> bool:
    return type(value) in (int, float) and not math.isinf(value)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Finished:
    """How one network of a finish stands.

    Attributes:
        finish: name of the finish.
        architecture: hash.
        seed: of the training that it goes on from.
        home: folder of its files.
        planned: steps that were asked for.
        curve: all validations so far.
        result: of the parts that ended; None before the first.
        state: whether it is being trained, waits to be, is left unfinished, or is finished.
    """

    finish: str
    architecture: str
    seed: int
    home: Path
    planned: int
    curve: tuple[Validated, ...]
    result: Result | None
    state: Literal["running", "unfinished", "finished"]

    @property
    def steps(self) -> int:
        """Taken, as far as is known: those of the last checkpoint or more."""
        return max(self.result.steps if self.result else 0, self.curve[-1].step if self.curve else 0)

    @property
    def best(self) -> Validated | None:
        """The best validation, whose weights are kept; None before the first."""
        return best_of(self.curve)

    @property
    def ended(self) -> str:
        """Its state in words."""
        if self.state != "finished" or self.result is None or self.result.ended == "steps":
            return self.state
        return "finished early: patience ran out" if self.result.ended == "patience" else "finished early: it diverged"

    def to_row(self) -> dict[str, Any]:
        """What a table says of it."""
        best, result = self.best, self.result
        unknown = Interval(math.nan)
        return {
            "finish": self.finish,
            "architecture": self.architecture,
            "seed": self.seed,
            "steps": self.steps,
            "planned": self.planned,
            "score": math.nan if best is None else best.score,
            "step": None if best is None else best.step,
            "state": self.state,
            **((result and result.over_searched) or unknown).columns("over_searched_db"),
            **((result and result.over_gain) or unknown).columns("over_gain_db"),
        }


def best_of(curve: Sequence[Validated]) -> Validated | None:
    """The first of the best validations of a curve."""
    return max(curve, key=lambda row: row.score, default=None)


def read_finish(folder: Path, name: str) -> FinishConfig:
    """The options of a finish.

    Args:
        folder: the study's folder.
        name: of the finish.

    Raises:
        UserError: there is none of that name, or its file cannot be read or is torn.
    """
    study = StudyFolder(folder)
    path, known = study.finish(name).config, study.finish_names()
    with suppress(FileNotFoundError):
        study.place.checked(path)
    if name not in known:
        which = (
            f"choose from {', '.join(known)}" if known else f"`randsearch finish {folder.name} --as {name}` makes it"
        )
        raise UserError(f"{folder.name} has no finish {name}: {which}.")
    remedy = f"put it back from a copy, or remove {path.parent} and train anew"
    return FinishConfig.create(read_study(path, FinishConfig, remedy), str(path))


def write_finish(folder: Path, name: str, config: FinishConfig) -> None:
    """Writes the options of a finish.

    Args:
        folder: the study's folder.
        name: of the finish.
        config: its options.

    Raises:
        UserError: the file cannot be written.
    """
    study = StudyFolder(folder)
    path = study.finish(name).config
    study.place.make(path.parent)  # which refuses a link on the way
    write_study(path, config)


def write_curve(place: Place, home: Path, curve: Sequence[Validated]) -> None:
    """Writes the curve of a network.

    Args:
        place: the study.
        home: folder of the network.
        curve: all of it.

    Raises:
        PlaceError: the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Validated.__dataclass_fields__)
    writer.writerows(asdict(row).values() for row in curve)
    place.write(home / CURVE_FILE, text.getvalue())


def read_curve(place: Place, home: Path) -> tuple[Validated, ...]:
    """Reads what `write_curve` wrote; nothing where it wrote nothing yet.

    Raises:
        UserError: the file cannot be read as a curve.
    """
    path = home / CURVE_FILE
    try:
        rows = tuple(_row(row) for row in csv.DictReader(io.StringIO(place.read(path).decode())))
        _check_course(rows)
        return rows
    except FileNotFoundError:
        return ()
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as the curve of a training ({error}): remove it.") from None


def _row(cells: dict[str, str]) -> Validated:
    numbers = {name: float(cells[name]) for name in ("score", "validation_loss", "loss", "learning_rate", "time")}
    return Validated(part=int(cells["part"]), step=int(cells["step"]), batch=int(cells["batch"]), **numbers)


def _check_course(curve: Sequence[Validated]) -> None:
    """Refuses a curve that no training has.

    Raises:
        ValueError: says what is wrong.
    """
    for row in curve:
        if not math.isfinite(row.score):
            raise ValueError(f"the score at step {row.step} is {row.score}")
    steps = [0, *(row.step for row in curve), _MOST]
    if not all(before < after for before, after in pairwise(steps)):
        raise ValueError("its steps do not rise from validation to validation")
    if not all(before <= after for before, after in pairwise([0, *(row.part for row in curve)])):
        raise ValueError("its parts do not follow each other")


def read_result(place: Place, home: Path) -> Result | None:
    """What came of a network; None where its training did not end yet.

    Raises:
        UserError: the file cannot be read as a result.
    """
    path = home / RESULT_FILE
    try:
        return Result.of(place.read(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as the result of a training ({error}): remove it.") from None


def read_finished(folder: Path, name: str | None = None) -> list[Finished]:
    """How the networks of a study's finishes stand, in the order in which they are trained.

    Args:
        folder: the study's folder.
        name: of one finish; None takes all.

    Raises:
        UserError: there is no such finish, or one of its files cannot be read.
    """
    study = StudyFolder(folder)
    names = study.finish_names() if name is None else [name]
    return [network for each in names for network in _networks(study, each)]


def _networks(study: StudyFolder, name: str) -> Iterator[Finished]:
    config, place = read_finish(study.path, name), study.place
    at_work = _is_held(study.finish(name), place)
    for network in config.networks:
        architecture, _, seed = network.partition("-")
        home = study.finish(name).home(network)
        result = read_result(place, home)
        done = result is not None and (result.parts >= len(config.parts) or result.ended == "diverged")
        state: Literal["running", "unfinished", "finished"] = "finished" if done else "unfinished"
        if at_work and not done:
            state, at_work = "running", False
        curve = read_curve(place, home)
        yield Finished(name, architecture, int(seed), home, config.parts[-1], curve, result, state)


@contextmanager
def held(folder: Path, name: str) -> Iterator[None]:
    """Holds the lock of a finish, which dies with its process; a search of the study may run beside it.

    Args:
        folder: the study's folder.
        name: of the finish.

    Raises:
        UserError: another process holds it, or the folder cannot be written.
    """
    study = StudyFolder(folder)
    finish, place = study.finish(name), study.place
    try:
        place.make(finish.path)
        lock = file_lock(place.checked(finish.lock), timeout=0.3)
        lock.acquire()  # `randsearch status` may hold it for a moment.
    except Timeout:
        raise UserError(
            f"another randsearch process is at work on the finish {name} of {folder.name}: "
            "wait for it, or choose another name with --as."
        ) from None
    except OSError as error:
        why = "has no file locks" if error.errno in LOCKLESS else "cannot be written"
        raise UserError(
            f"the folder {finish.path} {why} ({error.strerror}), so that nothing can be trained there: "
            "put the study on another file system with --results."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _is_held(finish: FinishFolder, place: Place) -> bool:
    try:
        if not place.has(finish.lock):
            return False
        with file_lock(place.checked(finish.lock), timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # Who cannot write here cannot lock either.
        return False
