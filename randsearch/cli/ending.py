"""What a search ends with: the winner, how far to trust the proxy, where the files are, and what comes next."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from randsearch.base.layout import StudyFolder

if TYPE_CHECKING:
    import pandas as pd

    from randsearch.study.config import StudyConfig
    from randsearch.study.findings import Findings


def ending(config: StudyConfig, folder: Path, found: Findings | None, *, measured: int) -> Iterator[str]:
    """A few lines; `randsearch analyse` and the report say the rest.

    Args:
        config: the study's configuration.
        folder: the study's folder.
        found: what the study says; None where nothing was trained.
        measured: how many measurements this command made.
    """
    from randsearch.statistics import verdict
    from randsearch.study.finish_words import where
    from randsearch.study.status import disk_use, megabytes
    from randsearch.study.votes import voted
    from randsearch.table.tidy import read_measurements

    table = read_measurements(StudyFolder(folder).table)
    name, on = config.study, where(folder)
    done = f"{name}: {_progress(table)}"
    yield done if measured else f"{done}; nothing was left to do"
    failed = int((table["state"] == "failed").sum())
    if failed:
        yield f"{failed} of {len(table)} measurements failed: randsearch status {name}{on} says why"
    yield from _winner(config, folder, voted(config, table))
    if found is not None:
        said = verdict(found.analysis, config.proxy)
        # What is said of another proxy than the primary one is not whole without how it was chosen.
        opening = said.opening if said.proxy == config.proxy else said.correlation
        yield f"trust: {' '.join(filter(None, (said.bias, opening)))}"
    plots = StudyFolder(folder).plots
    drawn = f"; plots: {plots}" if plots.is_dir() else ""
    yield f"files: {folder} ({megabytes(sum(disk_use(folder).values()))}){drawn}"
    if found is None:
        yield f"next: randsearch train {name} --top 5{on} (trains the best by {config.proxy})"
    else:
        yield f"next: randsearch analyse {name}{on} (the tables and a verdict)"


def _progress(table: pd.DataFrame) -> str:
    """How many of the architectures are trained."""
    trained = table[(table["measure"] == "trained") & (table["state"] == "complete")]["architecture"].nunique()
    number = table["architecture"].nunique()
    if not trained:
        return f"{number} scored, none of them trained"
    return f"all {number} are trained" if trained == number else f"{trained} of {number} are trained"


def _winner(config: StudyConfig, folder: Path, table: pd.DataFrame) -> Iterator[str]:
    """The best by training, or by the primary proxy while none is trained."""
    from randsearch.finalists.winner import Searched
    from randsearch.models.sizing import convolutions, lengths, multiply_adds_per_second, parameters
    from randsearch.study.candidates import signal
    from randsearch.table.tidy import scores

    measures = table.loc[table["state"] == "complete", "measure"].unique()
    measure = next((each for each in ("trained", config.proxy) if each in measures), None)
    if measure is None:
        return
    by_seed = scores(table, measure)
    means = by_seed.mean(axis=1).dropna()
    name, score = str(means.idxmax()), float(means.max())
    seeds = int(by_seed.notna().sum(axis=1)[name])
    how = measure if seeds == 1 else f"{measure}, mean of {seeds} seeds"
    baseline = table.loc[(table["measure"] == measure) & table["score"].notna(), "baseline"].iloc[0]
    if isfinite(baseline):
        side = "above" if score >= baseline else "below"
        told = f"{score:.2f} dB ({how}), {abs(score - baseline):.2f} dB {side} the best constant gain"
    else:  # What does not train has a score of its own kind, and no constant gain to be compared with.
        told = f"{score:.4g} ({how})"
    architecture, heard = Searched(folder).architecture(name), signal(config)
    layers = convolutions(architecture, heard, lengths(architecture, config.segment).input)
    macs = multiply_adds_per_second(architecture, heard, config.segment, config.audio.rate)
    yield f"{'winner' if measure == 'trained' else 'ahead'}: {name}, {told}"
    yield f"  {sum(parameters(layers).values()):,} parameters, {macs / 1e6:,.1f} M multiply-adds a second of audio"
