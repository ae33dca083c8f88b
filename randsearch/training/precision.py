"""The arithmetic of training steps: float32, TF32 or bfloat16, and whether they are compiled."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from randsearch.base.errors import UserError
from randsearch.models.channels_last import estimate_all
from randsearch.models.wave_unet import WaveUNet
from randsearch.training.recipe import Precision, Recipe

Estimate = Callable[[WaveUNet, Tensor], Tensor]
"""A forward pass: (batch, channels, time) to (outputs, batch, sources, channels, time)."""

COMPILERS = ("c++", "g++", "clang++")


@contextmanager
def computing(precision: Precision) -> Iterator[None]:
    """Allows TF32 in matrix products and convolutions of a GPU, or forbids it."""
    matrices, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matrices.allow_tf32, convolutions.allow_tf32
    matrices.allow_tf32 = convolutions.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        matrices.allow_tf32, convolutions.allow_tf32 = before


def forward(recipe: Recipe, device: torch.device) -> Estimate:
    """The forward pass of training steps.

    In bfloat16, and compiled, it is the network's own way: the fast one for processors is written for float32.
    """
    if recipe.precision != "bf16" and not recipe.compiled:
        return estimate_all

    def own(network: WaveUNet, mixture: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
            return network.forward_all(mixture).float()

    return torch.compile(own) if recipe.compiled else own


def warm_up(estimate: Estimate, network: WaveUNet, shape: tuple[int, int, int], device: torch.device) -> None:
    """Compiles both passes, so that no step's seconds hold it; the network stays as it was.

    Args:
        estimate: compiled.
        network: in training mode.
        shape: of a batch of mixtures.
        device: of the network.
    """
    before = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    estimate(network, torch.zeros(shape, device=device)).sum().backward()  # type: ignore[no-untyped-call]
    network.zero_grad(set_to_none=True)
    network.load_state_dict(before)


def check(recipe: Recipe, device: torch.device) -> None:
    """Refuses what this machine cannot compute.

    Raises:
        UserError: says what is missing.
    """
    if recipe.precision == "tf32" and device.type != "cuda":
        raise UserError("the precision tf32 is one of NVIDIA GPUs: choose --device cuda, or --precision float32.")
    if not recipe.compiled:
        return
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        raise UserError("to compile for a GPU takes the package triton: install it, or leave --compiled out.")
    if device.type == "cpu" and not any(map(shutil.which, COMPILERS)):
        raise UserError(
            "to compile for a processor takes a C++ compiler, and there is none: install one, or leave --compiled out."
        )
