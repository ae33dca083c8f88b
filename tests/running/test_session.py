"""What must be true of what a search completes by itself: the space from its file, the device from those given."""

from __future__ import annotations

from pathlib import Path

import pytest

from randsearch.running import session
from randsearch.running.machine import Machine
from randsearch.space import SearchSpace
from randsearch.study.config import StudyConfig


@pytest.fixture
def asked(monkeypatch, tiny_options, tmp_path):
    """The configuration that a search of a study on some device asks for; no device of this machine matters."""
    monkeypatch.setattr(session, "check_device", lambda _: None)

    def run(stored: str | None, **options: object) -> StudyConfig:
        machine = Machine(tmp_path, devices=("cuda:0", "cuda:1"))
        if stored is not None:
            config, _ = session.resolve({**tiny_options, "device": stored}, machine)
            (tmp_path / "tiny").mkdir()
            config.save(tmp_path / "tiny" / "config.yaml")
        return session.resolve({**tiny_options, **options}, machine)[0]

    return run


def test_a_space_is_read_from_its_file(asked, tiny_options):
    assert asked(None).space == SearchSpace.load(Path(tiny_options["space"])).to_dict()


@pytest.mark.parametrize(
    ("stored", "options", "device"),
    [(None, {}, "cuda"), (None, {"device": "cuda:1"}, "cuda:1"), ("cuda:1", {}, "cuda:1"), ("cuda", {}, "cuda")],
)
def test_devices_name_the_kind_of_a_study_that_does_not_say_it(asked, stored, options, device):
    assert asked(stored, **options).device == device


def test_a_study_of_another_kind_of_device_is_not_continued(asked):
    with pytest.raises(session.UserError, match=r"another device \('cpu' there, 'cuda' here\)"):
        asked("cpu")


@pytest.mark.parametrize(
    ("stored", "options", "said"),
    [
        ("halving", {"train": "top:5"}, "halving, which trains more than top:5; --train all trains the rest"),
        ("top:3", {"train": "top:2"}, "top:3, which trains more than top:2"),
        ("halving", {"train": "asha"}, None),
        ("top:2", {"train": "top:3"}, None),
        ("halving", {}, None),
    ],
)
def test_less_training_than_a_study_has_changes_nothing_and_is_said(
    tiny_options, tmp_path, caplog, stored, options, said
):
    machine = Machine(tmp_path)
    config, _ = session.resolve({**tiny_options, "train": stored}, machine)
    (tmp_path / "tiny").mkdir()
    config.save(tmp_path / "tiny" / "config.yaml")
    session.resolve({"study": "tiny", **options}, machine)
    assert caplog.messages == ([] if said is None else [f"note: the study goes by --train {said}"])
