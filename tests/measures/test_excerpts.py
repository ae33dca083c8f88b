"""What a search saves for the report to show and to play."""

import numpy as np
import pytest
import soundfile

from randsearch.table.segments import read_segments
from randsearch.table.tidy import read_measurements


def test_the_references_of_a_study_add_up_to_its_mixtures(finished_study):
    folder = finished_study / "measured" / "reference"
    names = {path.name for path in folder.iterdir()}
    numbers = {name.split("-")[1] for name in names}
    assert names == {f"excerpt-{n}-{name}.flac" for n in numbers for name in ("mixture", "accompaniment", "vocals")}
    for number in numbers:
        mixture, vocals, rest = (
            soundfile.read(folder / f"excerpt-{number}-{name}.flac")[0]
            for name in ("mixture", "vocals", "accompaniment")
        )
        np.testing.assert_allclose(mixture, vocals + rest, atol=1e-4)


def test_the_segments_saved_are_those_of_the_score(finished_study):
    table = read_measurements(finished_study / "measurements.csv")
    trained = table[table["measure"].isin(["trained", "early"])]
    found = read_segments(finished_study, trained["architecture"].unique(), ["trained", "early"])
    keys = ["architecture", "measure", "seed"]
    medians = found.groupby([*keys, "source"])["sdr"].median().groupby(keys).mean()
    for row in trained.to_dict(orient="records"):
        assert medians[tuple(row[key] for key in keys)] == pytest.approx(row["score"], abs=0.01)
