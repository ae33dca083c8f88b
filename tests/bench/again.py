"""Prepares further training seeds of chosen networks: `python tests/bench/again.py STUDY NEW FIRST SEEDS`.

Of a study of many networks, `results/popvoice-8k`, it makes `results/popvoice-8k-again`, which holds what was measured
of the first `FIRST` networks, drawn at random as all were, and of the best quarter by training at its first seed.
`randsearch search --study popvoice-8k-again` then trains these at `SEEDS`, such as `0,1,2`, and
`randsearch merge popvoice-8k popvoice-8k-again` makes one study of both.
"""

from __future__ import annotations

import sys
from pathlib import Path

from randsearch.base.layout import StudyFolder
from randsearch.statistics.among_good import QUARTER, best_of
from randsearch.study.folders import load_config
from randsearch.table.tidy import as_text, read_measurements, scores


def main(study: Path, new: Path, first: int, seeds: str) -> None:
    """Writes configuration and table of the new study."""
    config, table, folder = load_config(study), read_measurements(StudyFolder(study).table), StudyFolder(new)
    trained = scores(table, "trained")
    falling = trained[trained.columns[0]].sort_values(ascending=False, kind="stable").index
    drawn = table["architecture"].unique()[:first]
    chosen = {*drawn, *falling[: best_of(QUARTER, len(falling))]}
    kept = table[table["architecture"].isin(chosen)].reset_index(drop=True)
    folder.place.make(new)
    asked = {
        "study": new.name,
        "batches_of": config.batch_name,
        "trials": len(chosen),
        "train_seeds": tuple(map(int, seeds.split(","))),
    }
    config.model_copy(update=asked).save(folder.config)
    folder.place.write(folder.table, as_text(kept, str(folder.table)))
    print(f"{new}: {len(chosen)} of {len(falling)} networks")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
