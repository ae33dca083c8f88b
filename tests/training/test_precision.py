"""What must be true before other arithmetic is begun: this machine can do it, or one sentence says what is missing."""

from __future__ import annotations

import shutil

import pytest
import torch

from randsearch.base.errors import UserError
from randsearch.training import precision
from randsearch.training.recipe import Recipe

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


def recipe(**changed: object) -> Recipe:
    return Recipe(learning_rate=1e-3, batch=2, segment=64, validate_every=1, **changed)


def test_what_can_be_computed_is_not_refused(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    for each in (recipe(), recipe(precision="bf16"), recipe(compiled=True)):
        precision.check(each, CPU)
    precision.check(recipe(precision="tf32"), GPU)


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(precision.importlib.util, "find_spec", lambda name: None)
    for changed, device, said in (
        ({"precision": "tf32"}, CPU, "tf32 is one of NVIDIA GPUs"),
        ({"compiled": True}, CPU, "takes a C\\+\\+ compiler"),
        ({"compiled": True}, GPU, "takes the package triton"),
    ):
        with pytest.raises(UserError, match=said):
            precision.check(recipe(**changed), device)


@pytest.mark.parametrize("name", ["float32", "tf32"])
def test_only_tf32_allows_it_and_what_was_before_comes_back(name):
    settings = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [each.allow_tf32 for each in settings]
    with precision.computing(name):
        assert [each.allow_tf32 for each in settings] == [name == "tf32"] * 2
    assert [each.allow_tf32 for each in settings] == before
