"""Gathers what a report shows, and writes it."""

import base64
import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from randsearch.base.files import Place
from randsearch.base.layout import StudyFolder
from randsearch.plots import make_plots
from randsearch.plots.style import label, render
from randsearch.report import machine
from randsearch.report.audio import listen
from randsearch.report.finishes import trained_on
from randsearch.report.tables import agreement_grid, failure_grid, score_grid
from randsearch.statistics import Verdict, headline, notes, verdict
from randsearch.study.config import StudyConfig
from randsearch.study.config_file import study_text
from randsearch.study.findings import Findings, examine, plot_data
from randsearch.study.folders import load_config
from randsearch.study.rules import remark
from randsearch.study.votes import voted
from randsearch.table.tidy import means, measure_names, parameters, read_measurements

TARGET = "trained"
WINNERS = 3

_ABOUT = {
    "rank_rank": "Each point is an architecture; on the diagonal, proxy and training rank it alike.",
    "bump_chart": "Each line is an architecture; the best three by training are coloured.",
    "quality_cost": "Better proxies stand further up, cheaper ones further left.",
    "regret_recall": "What is lost, and how many of the best are found, if only the first choices are trained.",
    "best_so_far": "What the search had found for the compute spent, and what random search is expected to have.",
    "claim3": "J-Net claims that random weights cost little in the decoder and more in the encoder.",
    "learning_curves": "Validation score during training, with all weights free and with a half fixed.",
    "segments": "The score is a median over segments of one second; this is what it is a median of.",
    "seeds": "A ranking can only be as sure as the same network's scores agree between seeds.",
    "effects": "Where the two marks of a line lie apart, the proxy misjudges that parameter.",
    "matrix": "Measures that rank alike say the same thing twice.",
}


@dataclass(frozen=True)
class _Plot:
    name: str
    about: str
    uri: str
    width: int


@dataclass(frozen=True)
class _Winner:
    architecture: str
    facts: str
    yaml: str


def write_report(folder: Path, heard: str | None = None, finish: str | None = None) -> Path:
    """Writes `report.html` into the folder of a study.

    Args:
        folder: the study's folder.
        heard: hash of the architecture to listen to; None is the first by what architectures are chosen by.
        finish: whose networks alone are heard beside those of the search; None takes all.

    Returns:
        the file.

    Raises:
        UserError: if the study cannot be read, or the file cannot be written.
    """
    config, table = load_config(folder), read_measurements(StudyFolder(folder).table)
    path = StudyFolder(folder).report
    Place(folder).write(path, _template().render(**_context(config, table, folder, heard, finish)))
    return path


def _template() -> Any:
    # Autoescape turns every name, reason and path from outside into text; only the package's own files are markup.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_part("template.html"))


def _part(name: str) -> str:
    return files("randsearch.report").joinpath(name).read_text(encoding="utf-8")


def _context(
    config: StudyConfig, table: pd.DataFrame, folder: Path, heard: str | None, finish: str | None
) -> dict[str, Any]:
    """Everything that the template names."""
    trained = bool(means(table).get(TARGET, pd.Series(dtype=float)).notna().any())
    chooser = TARGET if trained else config.proxy
    scored = voted(config, table)
    best = _best(scored, chooser)
    return {
        "style": Markup(_part("style.css")),
        "script": Markup(_part("table.js")),
        "config": config,
        "counts": _counts(table),
        **(_found(examine(folder), folder) if trained else _nothing_trained(config)),
        "chooser": label(chooser),
        "winners": [_winner(scored, name, chooser, config.proxy) for name in best],
        "trained_on": trained_on(folder),
        "listening": listen(folder, heard or best[0], finish) if best else None,
        "scores": score_grid(scored, chooser),
        "failures": failure_grid(table),
        "yaml": study_text(config),
        "rules": remark(config.rules),
        "command": f"randsearch search --config {shlex.quote(str(StudyFolder(folder).config))} --results repeated",
        "measured_on": machine.measured_on(table),
        "versions": machine.versions(),
        "this_machine": machine.this_machine(),
    }


def _found(found: Findings, folder: Path) -> dict[str, Any]:
    """What training allows to say."""
    rows, said = found.analysis.rows, verdict(found.analysis, found.config.proxy)
    skipped: list[str] = []
    return {
        "headline": headline(rows, found.config.proxy),
        "sentences": said.lines[1:],
        "verdict": _answers(said),
        "notes": notes(rows),
        "agreement": agreement_grid(rows),
        "plots": list(_plots(found, folder, skipped)),
        "skipped": skipped,
    }


def _nothing_trained(config: StudyConfig) -> dict[str, Any]:
    opening = f"Nothing was trained, so that nobody knows how far {label(config.proxy)} can be trusted here."
    return {
        "headline": opening,
        "sentences": (),
        "verdict": (),
        "notes": (),
        "agreement": None,
        "plots": (),
        "skipped": (),
    }


def _answers(said: Verdict) -> list[tuple[str, str]]:
    """The parts of a verdict, less the sentence that the headline says."""
    parts = [(question, answer.removeprefix(said.opening).strip()) for question, answer in said.parts()]
    return [(question, answer) for question, answer in parts if answer]


def _counts(table: pd.DataFrame) -> list[tuple[str, str]]:
    """What the study comes to, in numbers."""
    failed, stopped = (int((table["state"] == state).sum()) for state in ("failed", "pruned"))
    hours = float(table["seconds"].sum()) / 3600
    return [
        ("architectures", str(table["architecture"].nunique())),
        ("measures", str(len(measure_names(table)))),
        ("measurements", str(len(table))),
        ("failed", str(failed)),
        *([("stopped on the way", str(stopped))] if stopped else []),
        ("scoring", f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.1f} min"),
    ]


def _best(table: pd.DataFrame, measure: str) -> list[str]:
    """The first architectures by a measure."""
    scored = means(table).get(measure, pd.Series(dtype=float)).dropna()
    return [str(name) for name in scored.sort_values(ascending=False, kind="stable").index[:WINNERS]]


def _winner(table: pd.DataFrame, name: str, chooser: str, proxy: str) -> _Winner:
    wide = means(table)
    unit = " dB" if chooser == TARGET else ""
    facts = f"{float(str(wide.loc[name, chooser])):.2f}{unit} by {label(chooser)}"
    if proxy != chooser and proxy in wide and not math.isnan(float(str(wide.loc[name, proxy]))):
        place = int((wide[proxy] > wide.loc[name, proxy]).sum()) + 1
        facts += f", number {place} of {int(wide[proxy].notna().sum())} by {label(proxy)}"
    # Plain Python values, which YAML can write.
    (options,) = table.loc[table["architecture"] == name, parameters(table)].head(1).to_dict(orient="records")
    known = {str(key): value for key, value in options.items() if not (isinstance(value, float) and math.isnan(value))}
    return _Winner(name, facts, yaml.safe_dump(known, sort_keys=False, allow_unicode=True))


def _plots(found: Findings, folder: Path, skipped: list[str]) -> Iterator[_Plot]:
    """Every plot as an image; what cannot be made goes into `skipped` with its reason."""
    data = plot_data(folder, found)
    for name, figure in make_plots(found.table, result=found.analysis.rows, data=data, on_skip=skipped.append):
        uri = "data:image/svg+xml;base64," + base64.b64encode(render(figure, "svg")).decode()
        yield _Plot(name, _ABOUT[name], uri, round(figure.get_size_inches()[0] * 96))
