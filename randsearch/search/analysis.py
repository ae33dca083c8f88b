"""Agreement of a finished or running study: computed from its table, written beside it, logged in its Optuna study."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from randsearch.agreement import Analysis, analyse, verdict, write_agreement
from randsearch.agreement.output import without_nan
from randsearch.config import StudyConfig, load_options
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


def analyse_study(folder: Path, *, resamples: int = 2000) -> Analysis:
    """Analyses a study, writes `agreement.csv` and `agreement.json`, and logs the numbers with Optuna.

    Args:
        folder: of the study.
        resamples: bootstrap resamples.

    Raises:
        UserError: nothing was trained, so that there is nothing to agree with.
    """
    config = load_config(folder)
    table = read_measurements(folder / "measurements.csv")
    found = analyse(table, resamples=resamples, seed=config.seed, bias=config.bias)
    write_agreement(found, folder)
    log_agreement(config, folder, table, found)
    return found


def log_agreement(config: StudyConfig, folder: Path, table: pd.DataFrame, found: Analysis) -> None:
    """Writes every coefficient, interval, p and n into the study, and the pairs of scores as `NAME/agreement`."""
    scores = means(table).reindex(columns=[config.proxy, "trained"]).dropna()
    studies = open_studies(config, folder)
    known = {str(name): (float(proxy), float(trained)) for name, proxy, trained in scores.itertuples()}
    pairs = [
        (candidate, *known[candidate.architecture.hash])
        for candidate in studies.candidates()
        if candidate.architecture.hash in known
    ]
    studies.log_agreement(_attributes(config, found), pairs)


def _attributes(config: StudyConfig, found: Analysis) -> dict[str, Any]:
    """What is logged: one attribute a number of each proxy's row, and one for each of the other statistics."""
    attributes = {
        f"agreement:{row['proxy']}:{name}": value
        for row in found.rows.to_dict(orient="records")
        for name, value in row.items()
        if name != "proxy"
    }
    # The curves are drawn from the table and would be most of what is stored.
    others = {f"agreement:{name}": value for name, value in found.to_dict().items() if name != "curves"}
    attributes |= {**others, "agreement:verdict": asdict(verdict(found, config.proxy))}
    if config.bias:
        attributes["agreement:bias"] = config.bias
    plain: dict[str, Any] = without_nan(attributes)
    return plain
