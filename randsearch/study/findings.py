"""Agreement of a finished or running study: computed from its table, written beside it, logged in its Optuna study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from randsearch.base.errors import NotAgreedError, UserError
from randsearch.base.files import Place
from randsearch.base.layout import StudyFolder
from randsearch.statistics import (
    Analysis,
    Verdict,
    agreement,
    analyse,
    effects_frame,
    settings,
    verdict,
    write_agreement,
    write_effects,
)
from randsearch.statistics.analysis import Named
from randsearch.statistics.budgets import at_budgets, base
from randsearch.statistics.ensembles import Ensemble, ensemble, with_ensemble, write_ensemble
from randsearch.statistics.extrapolation import extrapolated
from randsearch.statistics.output import agreement_cells, footers, without_nan
from randsearch.statistics.votes import with_votes
from randsearch.study.config import StudyConfig
from randsearch.study.control import uncontrolled
from randsearch.study.folders import load_config
from randsearch.study.rebuild import open_studies
from randsearch.study.rungs import plan_of
from randsearch.study.studies import AGREEMENT
from randsearch.study.votes import voted
from randsearch.table.segments import read_segments
from randsearch.table.tidy import STATES, means, measure_names, read_measurements

_HEADLINE = ("n", "spearman", "spearman_low", "spearman_high", "p_holm", "relative_cost")
"""What is logged of the proxy that the verdict speaks of, each by itself."""


@dataclass(frozen=True)
class Findings:
    """What a study says.

    Attributes:
        config: the study's configuration.
        table: its measurements with those of its ensembles and of curves carried on.
        analysis: all statistics of the table.
        ensemble: the ensembles, where there are architectures enough for them.
        unlogged: why the numbers were not logged with Optuna, in a sentence; None if they were or were not to be.
        untold: which measures' curves are too short to be carried on, in a sentence; None if none is.
    """

    config: StudyConfig
    table: pd.DataFrame
    analysis: Analysis
    ensemble: Ensemble | None
    unlogged: str | None = None
    untold: str | None = None


def examine(folder: Path, *, resamples: int = 2000, votes: Sequence[str] = ()) -> Findings:
    """Reads a study and computes all its statistics; nothing is written.

    Args:
        folder: the study's folder.
        resamples: bootstrap resamples.
        votes: sums of ranks that are compared too, as `params+early`; see `statistics.votes`.

    Raises:
        UserError: nothing was trained, so that there is nothing to agree with, or a vote names what was not measured.
    """
    config = load_config(folder)
    table = read_measurements(StudyFolder(folder).table)
    combined = ensemble(table, seed=config.seed, options=True)
    bias = bias_of(config, table)
    carried = extrapolated(table)
    table = with_ensemble(with_votes(voted(config, carried.table), votes), combined)
    chooser = None if config.train == "all" else config.lowest_rung if config.halved else config.proxy
    named = Named(config.proxy, uncontrolled(config))
    found = analyse(table, resamples=resamples, seed=config.seed, bias=bias, chooser=chooser, named=named)
    return Findings(config, table, found, combined, untold=carried.untold)


def bias_of(config: StudyConfig, table: pd.DataFrame) -> str | None:
    """Why agreement computed from a study would be biased, with what was not trained to the end; None if it is not.

    Args:
        config: the study's configuration.
        table: its measurements.
    """
    if config.bias is None or not config.halved or config.adaptive:
        return config.bias
    plan = plan_of(config)
    rows, names = table[table["measure"] == "trained"], table["architecture"].unique()
    states = {state: set(rows.loc[rows["state"] == state, "architecture"]) for state in STATES}
    stopped = states["pruned"] - states["complete"]
    failed = states["failed"] - states["complete"] - stopped
    lowest = voted(config, table)
    scored = lowest[(lowest["measure"] == plan.lowest) & (lowest["state"] == "complete")]["architecture"].nunique()
    counts = [
        f"{len(states['complete'])} of {len(names)} architectures were trained to the end",
        f"{len(stopped)} stopped on the way",
        *([f"{len(failed)} failed"] if failed else []),
        f"{len(names) - rows['architecture'].nunique()} never begun",
        *([f"{len(names) - scored} of them without a score by {plan.lowest}"] if scored < len(names) else []),
    ]
    return f"{config.bias}; {', '.join(counts)}"


def analyse_study(
    folder: Path, *, resamples: int = 2000, storage: str | None = None, votes: Sequence[str] = ()
) -> Findings:
    """Examines a study, writes what was found beside it, and logs the numbers with Optuna.

    The files are `agreement.csv`, `agreement.json`, `effects.csv` and, where proxies were combined, `ensemble.csv`.

    Args:
        folder: the study's folder.
        resamples: bootstrap resamples.
        storage: URL of the study's database, with a password that its configuration does not hold.
        votes: as of `examine`.

    Raises:
        UserError: nothing was trained, so that there is nothing to agree with, a vote names what was not measured, or
            the storage cannot be opened.
    """
    found = examine(folder, resamples=resamples, votes=votes)
    write_agreement(found.analysis, folder, found.config.proxy)
    write_effects(found.analysis.effects, folder)
    if found.ensemble is not None:
        write_ensemble(found.ensemble, folder)
    try:
        log_agreement(found, folder, storage)
    except NotAgreedError as reason:
        return replace(found, unlogged=f"the numbers are not logged in the study: {reason}")
    return found


def analyse_budgets(folder: Path, *, resamples: int = 2000) -> pd.DataFrame:
    """Agreement of every measure that has a curve, at each budget of it, cheapest first; writes `budgets.csv`.

    Args:
        folder: the study's folder.
        resamples: bootstrap resamples.

    Raises:
        UserError: nothing was trained, or no run was validated before its end.
    """
    config = load_config(folder)
    found = read_measurements(StudyFolder(folder).table)
    table = at_budgets(found)
    curved = dict.fromkeys(base(measure) for measure in measure_names(table) if base(measure) != measure)
    if not curved:
        raise UserError(
            f"no measure of {config.study} has a score before its last step: validate more often than every "
            f"{config.validate_every} of {config.proxy_steps} steps (--validate-every)."
        )
    chosen = table[[base(measure) in {*curved, "trained"} for measure in table["measure"].astype(str)]]
    result = agreement(chosen, resamples=resamples, seed=config.seed, bias=bias_of(config, found))
    place = {measure: number for number, measure in enumerate(curved)}
    result = result.assign(place=[place[base(proxy)] for proxy in result["proxy"].astype(str)])
    result = result.sort_values(["place", "relative_cost"], kind="stable", ignore_index=True).drop(columns="place")
    Place(folder).write(StudyFolder(folder).budgets, result.to_csv(index=False, lineterminator="\n"))
    return result


def plot_data(folder: Path, found: Findings) -> dict[str, pd.DataFrame]:
    """What plots need beside the table and its agreement, by the plot's name.

    Args:
        folder: the study's folder.
        found: what the study says.

    Returns:
        the curves of regret and recall, the best trained score for the seconds spent, the effects of parameters, and
        the segments of the best trained architecture.
    """
    trained = means(found.table).get("trained", pd.Series(dtype=float)).dropna()
    best = [str(trained.idxmax())] if len(trained) else []
    return {
        "regret_recall": found.analysis.curves,
        "best_so_far": found.analysis.best_so_far,
        "effects": effects_frame(found.analysis.effects),
        "segments": read_segments(folder, best, ("trained", "fixed_decoder", "fixed_encoder")),
    }


def log_agreement(found: Findings, folder: Path, storage: str | None = None) -> None:
    """Writes what was found into the study: its attributes, its note, and the pairs of scores as `NAME/agreement`."""
    config = found.config.model_copy(update={"storage": storage or found.config.storage})
    scores = means(found.table).reindex(columns=[config.proxy, "trained"]).dropna()
    studies = open_studies(config, folder, refill=False)
    known = {str(name): (float(proxy), float(trained)) for name, proxy, trained in scores.itertuples()}
    pairs = [
        (candidate, *known[candidate.architecture.hash])
        for candidate in studies.candidates()
        if candidate.architecture.hash in known
    ]
    said = verdict(found.analysis, config.proxy)
    studies.log_agreement(_attributes(said, found.analysis), _note(said, found.analysis), pairs)


def _attributes(said: Verdict, found: Analysis) -> dict[str, Any]:
    """What is logged: all of it as one value, and beside it the headline, each number a column of a dashboard."""
    rows = {str(row.pop("proxy")): row for row in found.rows.to_dict(orient="records")}
    # Curves and effects would be most of what is stored; they follow from the table, as `effects.csv` does.
    left_out = ("curves", "best_so_far", "effects")
    others = {name: value for name, value in found.to_dict().items() if name not in left_out}
    document = {"proxies": rows, **others, "verdict": asdict(said), "bias": settings(found.rows).bias}
    spoken = rows.get(said.proxy, {})
    headline = {f"{AGREEMENT}:{name}": spoken[name] for name in _HEADLINE if name in spoken}
    plain: dict[str, Any] = without_nan({AGREEMENT: document, f"{AGREEMENT}:proxy": said.proxy, **headline})
    return plain


def _note(said: Verdict, found: Analysis) -> str:
    """The verdict, the table and how to read it, in Markdown."""
    headings, rows = agreement_cells(found.rows)
    lines = [headings, ["---"] * len(headings), *rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    remarks = "\n".join(f"- {note}" for note in footers(found.rows))
    return "\n\n".join([*said.sentences(), table, remarks])
