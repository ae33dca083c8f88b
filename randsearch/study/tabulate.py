"""The table of a study in an order that does not depend on when what was finished."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from randsearch.measures import find
from randsearch.study.config import StudyConfig
from randsearch.table.measurement import Measurement


def tabulate(config: StudyConfig, architectures: Iterable[str], measurements: Iterable[Measurement]) -> pd.DataFrame:
    """The rows of `measurements.csv`: by architecture, then by measure, then by seed, each as it was asked for.

    Args:
        config: the study's configuration.
        architectures: hashes of all candidates, in their order.
        measurements: in any order.
    """
    place = {name: number for number, name in enumerate(architectures)}
    measures = {name: number for number, name in enumerate((*config.all_measures, "trained"))}
    known_seeds = dict.fromkeys((*config.seeds, *config.seeds_of("trained", seeded=find("trained").seeded)))
    seeds = {seed: number for number, seed in enumerate(known_seeds)}
    rows = sorted(
        measurements,
        key=lambda m: (place[m.architecture.hash], measures.get(m.measure, len(measures)), seeds.get(m.seed, 0)),
    )
    options = {row.architecture.hash: row.architecture for row in rows}
    cells = {name: architecture.to_row() for name, architecture in options.items()}
    return pd.DataFrame([row.to_row(cells[row.architecture.hash]) for row in rows])
