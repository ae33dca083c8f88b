"""What a report says of networks that were trained on beyond the search."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from randsearch.plots.finish_curves import COLUMNS, finish_curves
from randsearch.plots.style import render
from randsearch.study.finish_words import certainty, course, gain
from randsearch.study.finishes import Finished, read_finished


@dataclass(frozen=True)
class TrainedOn:
    """The section of a report.

    Attributes:
        networks: of each, its name, and what is said of it.
        uri: of the plot of their curves.
        width: of the plot, in pixels.
    """

    networks: tuple[tuple[str, tuple[str, ...]], ...]
    uri: str
    width: int


def trained_on(folder: Path) -> TrainedOn | None:
    """What is said of the finishes of a study; None where nothing was validated yet.

    Args:
        folder: the study's folder.

    Raises:
        UserError: a file of a finish cannot be read.
    """
    found = [each for each in read_finished(folder) if each.curve]
    if not found:
        return None
    figure = finish_curves(_curves(found))
    uri = "data:image/svg+xml;base64," + base64.b64encode(render(figure, "svg")).decode()
    said = tuple((name_of(each), _said(each)) for each in found)
    return TrainedOn(said, uri, round(figure.get_size_inches()[0] * 96))


def name_of(network: Finished) -> str:
    """What a network of a finish is called: finish, architecture and seed."""
    return f"{network.finish}: {network.architecture}-{network.seed}"


def _said(network: Finished) -> tuple[str, ...]:
    parts = [gain(network), certainty(network), course(network)] if gain(network) else [course(network)]
    return tuple(f"{part[0].upper()}{part[1:]}." for part in parts)


def _curves(networks: Sequence[Finished]) -> pd.DataFrame:
    rows = []
    for network in networks:
        result, best = network.result, network.best
        gain_score = float("nan")
        if result is not None and result.over_gain is not None and best is not None:
            gain_score = best.score - result.over_gain.point
        searched = float("nan") if result is None else result.searched
        rows += [(name_of(network), row.part, row.step, row.score, searched, gain_score) for row in network.curve]
    return pd.DataFrame(rows, columns=list(COLUMNS))
