"""Agreement of a finished or running study: computed from its table, written beside it, logged in its Optuna study."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from randsearch.agreement import agreement, write_agreement
from randsearch.budgets import at_budgets, base
from randsearch.config import StudyConfig, load_options
from randsearch.effects import effects, write_effects
from randsearch.ensemble import Ensemble, ensemble, sentences, with_ensemble, write_ensemble
from randsearch.errors import UserError
from randsearch.search.opening import open_studies
from randsearch.table import means, measures, read_measurements, replace_file


def study_folder(results: Path, name: str) -> Path:
    """Folder of an existing study.

    Raises:
        UserError: there is none of that name, or the name would leave the results folder.
    """
    folder = results / name
    if Path(name).name != name or not (folder / "config.yaml").is_file():
        raise UserError(f"there is no study {name} in {results}: `randsearch search` makes one.")
    return folder


def load_config(folder: Path) -> StudyConfig:
    """The configuration that was saved with a study."""
    path = folder / "config.yaml"
    return StudyConfig.create(load_options(path), str(path))


def combined_table(folder: Path) -> tuple[pd.DataFrame, Ensemble | None]:
    """The measurements of a study with those of its ensembles, where it has architectures enough for them."""
    table = read_measurements(folder / "measurements.csv")
    found = ensemble(table, seed=load_config(folder).seed)
    return with_ensemble(table, found), found


def analyse_study(folder: Path, *, resamples: int = 2000) -> pd.DataFrame:
    """Computes the agreement of a study, writes it beside it, and logs it with Optuna.

    The files are `agreement.csv`, `agreement.json` and, where proxies were combined, `ensemble.csv`.

    Args:
        folder: of the study.
        resamples: bootstrap resamples.

    Returns:
        The agreement; `used_by_ensembles` tells what the ensembles in it use.

    Raises:
        UserError: nothing was trained, so that there is nothing to agree with.
    """
    config = load_config(folder)
    table, found = combined_table(folder)
    result = agreement(table, resamples=resamples, seed=config.seed, bias=config.bias)
    write_agreement(result, folder)
    log_agreement(config, folder, table, result)
    if found is not None:
        write_ensemble(found, folder)
        result.attrs["ensembles"] = sentences(found)
    return result


def used_by_ensembles(result: pd.DataFrame) -> list[str]:
    """Which proxies the ensembles of an analysis use: a sentence an ensemble."""
    found: list[str] = result.attrs.get("ensembles", [])
    return found


def analyse_budgets(folder: Path, *, resamples: int = 2000) -> pd.DataFrame:
    """Agreement of every measure that has a curve, at each budget of it, cheapest first; writes `budgets.csv`.

    Args:
        folder: of the study.
        resamples: bootstrap resamples.

    Raises:
        UserError: nothing was trained, or no run was validated before its end.
    """
    config = load_config(folder)
    table = at_budgets(read_measurements(folder / "measurements.csv"))
    curved = dict.fromkeys(base(measure) for measure in measures(table) if base(measure) != measure)
    if not curved:
        raise UserError(
            f"no measure of {config.study} has a score before its last step: validate more often than every "
            f"{config.validate_every} of {config.proxy_steps} steps (--validate-every)."
        )
    chosen = table[[base(measure) in {*curved, "trained"} for measure in table["measure"].astype(str)]]
    result = agreement(chosen, resamples=resamples, seed=config.seed, bias=config.bias)
    place = {measure: number for number, measure in enumerate(curved)}
    result = result.assign(place=[place[base(proxy)] for proxy in result["proxy"].astype(str)])
    result = result.sort_values(["place", "relative_cost"], kind="stable", ignore_index=True).drop(columns="place")
    replace_file(folder / "budgets.csv", result.to_csv(index=False, lineterminator="\n"))
    return result


def analyse_effects(folder: Path) -> pd.DataFrame:
    """Computes what each option does to training and to the primary proxy, and writes `effects.csv`.

    Args:
        folder: of the study.
    """
    config = load_config(folder)
    result = effects(read_measurements(folder / "measurements.csv"), config.proxy, seed=config.seed)
    write_effects(result, folder)
    return result


def log_agreement(config: StudyConfig, folder: Path, table: pd.DataFrame, result: pd.DataFrame) -> None:
    """Writes every coefficient, interval, p and n into the study, and the pairs of scores as `NAME/agreement`."""
    coefficients = {
        f"agreement:{row['proxy']}:{name}": None if isinstance(value, float) and math.isnan(value) else value
        for row in result.to_dict(orient="records")
        for name, value in row.items()
        if name != "proxy"
    }
    if config.bias:
        coefficients["agreement:bias"] = config.bias
    scores = means(table).reindex(columns=[config.proxy, "trained"]).dropna()
    studies = open_studies(config, folder)
    known = {str(name): (float(proxy), float(trained)) for name, proxy, trained in scores.itertuples()}
    pairs = [
        (candidate, *known[candidate.architecture.hash])
        for candidate in studies.candidates()
        if candidate.architecture.hash in known
    ]
    studies.log_agreement(coefficients, pairs)
