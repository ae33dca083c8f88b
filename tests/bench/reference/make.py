"""Makes the answers: numbers into `answers.csv`, and from there the words, with a figure for each question."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from bench.proxies import RESAMPLES, TARGET
from bench.reference import figures
from bench.reference.answers import Answers
from bench.reference.budget import answer_3, answer_4
from bench.reference.few import SUBSETS, answer_8
from bench.reference.noise import answer_5, answer_6
from bench.reference.page import QUESTIONS, page, passage
from bench.reference.published import STUDIES, Study, median_of, read, whole_halves
from bench.reference.ranking import answer_1, answer_2
from bench.reference.replayed import REPETITIONS, replay

from randsearch.plots import NotEnoughDataError, render
from randsearch.statistics import LEVEL
from randsearch.table.tidy import measure_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WORKERS = 2
PASSAGE = re.compile(r"(<!-- reference -->).*?(<!-- /reference -->)", re.DOTALL)
"""Where the top README says what was found."""


@dataclass(frozen=True)
class Effort:
    """How much is drawn; tests draw less.

    Attributes:
        subsets: of each size, for question 8.
        repetitions: of each strategy, for question 7.
        resamples: of the networks, for intervals.
    """

    subsets: int = SUBSETS
    repetitions: int = REPETITIONS
    resamples: int = RESAMPLES


def facts(studies: dict[str, Study]) -> Answers:
    """What was measured."""
    answers = Answers()
    answers.add("0.level", LEVEL)
    for key, study in studies.items():
        own = study.table[study.table["measure"] == TARGET]
        answers.add(f"0.{key}.networks", len(study.whole))
        answers.add(f"0.{key}.measured", study.table["architecture"].nunique())
        answers.add(f"0.{key}.proxies", len(measure_names(study.table)) - 1)
        answers.add(f"0.{key}.trainings", int((own["state"] == "complete").sum()))
        answers.add(f"0.{key}.failed", int((study.table["state"] == "failed").sum()))
        if study.grid is not None:
            answers.add(f"0.{key}.grid", study.grid)
        for what in ("steps", "seconds"):
            answers.add(f"0.{key}.{what}", median_of(study.table, TARGET, what))
    return answers


def tasks(folder: Path, studies: dict[str, Study], effort: Effort) -> dict[str, Callable[[], Answers]]:
    """What answers each question that can be asked of the studies that are there, the longest first."""
    a = studies["A"]
    found: dict[str, Callable[[], Answers]] = {
        "8": partial(answer_8, a, effort.subsets),
        "3.A": partial(answer_3, a),
        **{"1": partial(answer_1, a, studies.get("B")), "2": partial(answer_2, a, whole_halves(folder, a))},
        **{"4": partial(answer_4, a), "5": partial(answer_5, a)},
        "0": partial(facts, studies),
    }
    if "B" in studies:
        found["3.B"] = partial(answer_3, studies["B"])
    if "C" in studies:
        found["6"] = partial(answer_6, a, studies["C"])
    return found


def drawn(
    studies: dict[str, Study], answers: Answers, curves: pd.DataFrame
) -> Iterable[tuple[str, Callable[[], Figure]]]:
    """The figure of each question, by its name."""
    a = studies["A"]
    yield "ranks", partial(figures.ranks, a)
    yield "halves", partial(figures.halves, a)
    yield "budgets", partial(figures.budgets, studies)
    yield "regret", partial(figures.regret, a)
    yield "seeds", partial(figures.noise, a)
    if "C" in studies:
        yield "transfer", partial(figures.transfer, a, studies["C"])
    if not curves.empty:
        yield "search", partial(figures.search, curves)
    if any(name.startswith("8.16.") for name in answers.found):
        yield "few", partial(figures.few, answers)


def run(task: Callable[[], Answers]) -> Answers:
    """Answers one question, in a process of its own."""
    return task()


def make(folder: Path, readme: Path, effort: Effort = Effort(), workers: int = WORKERS) -> str:
    """Writes `README.md`, `answers.csv` and `figures/` into a folder of published studies, and a passage into a README.

    Args:
        folder: with a folder for each study.
        readme: the passage between `<!-- reference -->` and `<!-- /reference -->` of which is written, if it has one.
        effort: how much is drawn.
        workers: how many processes work.

    Returns:
        one sentence: what was written, or why nothing was.
    """
    studies = read(folder, effort.resamples)
    if "A" not in studies:
        return f"No study is published in {folder / STUDIES['A']} yet, so that there is nothing to answer."
    wanted = tasks(folder, studies, effort)
    with ProcessPoolExecutor(workers) as pool:
        search = pool.submit(replay, folder / STUDIES["A"], effort.repetitions)
        parts = dict(zip(wanted, pool.map(run, wanted.values()), strict=True))
        parts["7"], curves = search.result()
    answers = Answers()
    for name in sorted(parts):
        answers.update(parts[name])
    answers.write(folder / "answers.csv")
    answers = Answers.read(folder / "answers.csv")
    _write(curves, folder / "search.csv")
    made = _figures(folder / "figures", drawn(studies, answers, curves))
    (folder / "README.md").write_text(page(answers, made), encoding="utf-8")
    _replace(readme, passage(answers, made))
    return f"{folder / 'README.md'}: {len(answers.found)} numbers, {len(made)} figures."


def _write(curves: pd.DataFrame, path: Path) -> None:
    """What each strategy had found by each moment, as CSV; none if none was replayed."""
    if curves.empty:
        path.unlink(missing_ok=True)
    else:
        curves.to_csv(path, index=False, float_format="%.5g", lineterminator="\n")


def _figures(folder: Path, wanted: Iterable[tuple[str, Callable[[], Figure]]]) -> set[str]:
    """Draws every figure that can be drawn, and says which could; others of former tables go."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers, made = {name: number for number, (_, name, _, _) in QUESTIONS.items()}, set()
    for name, draw in wanted:
        try:
            content = render(draw(), "png")
        except NotEnoughDataError:
            continue
        (folder / f"{numbers[name]}-{name}.png").write_bytes(content)
        made.add(name)
    for name in set(numbers) - made:
        (folder / f"{numbers[name]}-{name}.png").unlink(missing_ok=True)
    return made


def _replace(readme: Path, text: str) -> None:
    """Writes the passage of the top README."""
    before = readme.read_text(encoding="utf-8")
    after = PASSAGE.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", before)
    if after != before:
        readme.write_text(after, encoding="utf-8")
