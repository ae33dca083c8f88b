import numpy as np
import pytest
import soundfile
import yaml
from tables import make_segments, make_table

from randsearch.report import write_report
from randsearch.study.config import StudyConfig
from randsearch.table.tidy import means, write_measurements

RATE = 8000
HOSTILE = "<script>alert('x')</script> & \"co\""
"""What must reach a page as text only."""


def make_study(folder, *, hostile=HOSTILE):
    """The folder of a study as a search leaves it, with half a second of audio a file."""
    folder.mkdir(parents=True)
    space = {"description": hostile, "parameters": {"levels": {"int": [1, 2]}}}
    StudyConfig(study=folder.name, space=space, sample_rate=RATE).save(folder / "config.yaml")
    table = make_table(8, seeds=(0, 1), seed_noise=0.2, failed=[(0, "early")])
    table.loc[table["state"] == "failed", "reason"] = hostile
    table["skips"] = hostile
    write_measurements(table, folder / "measurements.csv")
    best = means(table)["trained"].idxmax()
    names = ("accompaniment", "vocals")
    homes = {"reference": ("mixture", *names)} | {
        f"{best}/{measure}-0": names for measure in ("trained", "fixed_decoder", "fixed_encoder")
    }
    noise = np.random.default_rng(0).normal(0, 0.1, RATE // 2)
    for home, sounds in homes.items():
        (folder / "measured" / home).mkdir(parents=True)
        for sound in sounds:
            soundfile.write(folder / "measured" / home / f"excerpt-1-{sound}.flac", noise, RATE)
    for measure, rows in make_segments(best, 40).groupby("measure"):
        rows[["source", "sdr"]].to_csv(folder / "measured" / best / f"{measure}-0" / "segments.csv", index=False)
    return folder


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """A study whose names, reasons and parameters are hostile."""
    return make_study(tmp_path_factory.mktemp("results") / "study-of-8")


@pytest.fixture(scope="session")
def page(study):
    """The report of that study, with every plot."""
    path = write_report(study)
    assert yaml.safe_load((study / "config.yaml").read_text())["space"]["description"] == HOSTILE
    return path
