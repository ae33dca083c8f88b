"""The note of a study, held against optuna-dashboard's own reading and writing."""

import needs
import optuna
import pytest

from randsearch.study.notes import HEADING, write_note


@pytest.fixture
def study() -> optuna.Study:
    return optuna.create_study()


def test_the_dashboard_reads_the_note_a_shorter_one_after_a_longer_too(study):
    dashboard = needs.package("optuna_dashboard", "dashboard")
    for body in ("long, " * 1000, "short", ""):
        write_note(study._storage, study._study_id, body)
        assert dashboard.get_note(study) == f"{HEADING}\n\n{body}\n"


def test_what_a_person_wrote_is_left_alone(study):
    dashboard = needs.package("optuna_dashboard", "dashboard")
    dashboard.save_note(study, "Mine.")
    write_note(study._storage, study._study_id, "found")
    assert dashboard.get_note(study) == "Mine."


def test_the_same_note_is_not_written_again(study):
    write_note(study._storage, study._study_id, "found")
    before = study._storage.get_study_system_attrs(study._study_id)
    write_note(study._storage, study._study_id, "found")
    assert study._storage.get_study_system_attrs(study._study_id) == before
