"""Agreement of a finished or running study: computed from its table, written beside it, logged in its Optuna study."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from randsearch.agreement import agreement, write_agreement
from randsearch.config import StudyConfig, load_options
from randsearch.effects import effects, write_effects
from randsearch.errors import UserError
from randsearch.search.opening import open_studies
from randsearch.table import means, read_measurements


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


def analyse_study(folder: Path, *, resamples: int = 2000) -> pd.DataFrame:
    """Computes the agreement of a study, writes `agreement.csv` and `agreement.json`, and logs it with Optuna.

    Args:
        folder: of the study.
        resamples: bootstrap resamples.

    Raises:
        UserError: nothing was trained, so that there is nothing to agree with.
    """
    config = load_config(folder)
    table = read_measurements(folder / "measurements.csv")
    result = agreement(table, resamples=resamples, seed=config.seed, bias=config.bias)
    write_agreement(result, folder)
    log_agreement(config, folder, table, result)
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
