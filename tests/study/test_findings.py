from __future__ import annotations

import numpy as np
import pytest
from tables import make_table

from randsearch.study.config import StudyConfig
from randsearch.study.findings import examine
from randsearch.table.tidy import write_measurements


@pytest.mark.parametrize(("train", "first"), [("all", 5.0), ("top:3", 7.0)])
def test_trainings_are_in_the_order_in_which_the_search_took_them(tmp_path, train, first):
    table = make_table(3, proxies={"fixed_decoder": 1.0})
    table["score"] = [*(5.0, 6.0, 7.0), *(1.0, 2.0, 3.0)]
    write_measurements(table, tmp_path / "measurements.csv")
    StudyConfig(study=tmp_path.name, space={}, train=train).save(tmp_path / "config.yaml")
    best = examine(tmp_path, resamples=10).analysis.best_so_far["best"]
    assert np.isnan(best[0])
    assert best[1] == first
