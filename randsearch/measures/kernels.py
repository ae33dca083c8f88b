"""Proxies that ask how differently a network at random weights treats different crops (Mellor et al., 2006.04647)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from randsearch.base.seeds import derive
from randsearch.data.metrics import Array
from randsearch.measures.contract import Outcome, Setting, UnmeasurableError
from randsearch.measures.probing import ACTIVATIONS, Batch, predicted, refuse, score_fresh, watching
from randsearch.models.architecture import Architecture
from randsearch.models.wave_unet import WaveUNet

JACOBIAN_STABILITY = 1e-5
MOMENTS = 256
"""Samples of each activation that codes are taken from, at most: all of them would be gigabytes."""


def jacob_cov(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """-sum(log(l + k) + 1 / (l + k)), l the eigenvalues of the correlation of input Jacobians (2006.04647v1).

    The Jacobian is that of one fixed random projection of what the output convolution computes, the same for all crops:
    the sum of a difference network's estimates would be the mixture, with the same Jacobian everywhere.
    """

    def core(network: WaveUNet, batch: Batch) -> float:
        inputs = batch[0].requires_grad_(True)
        outputs = predicted(network, inputs)
        generator = torch.Generator().manual_seed(derive("projection", setting.study, seed))
        projection = torch.randn(outputs.shape[1:], generator=generator).to(outputs)
        (jacobian,) = torch.autograd.grad((outputs * projection).sum(), inputs)
        return jacobian_score(jacobian.flatten(1).double().cpu().numpy())

    return score_fresh("jacob_cov", setting, architecture, seed, core)


def nwot(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Log-determinant of the kernel that counts the units on whose side of 0 two crops agree (NWOT, 2006.04647v3).

    Units are what goes into the nonlinearities, at up to 256 random samples of each channel; their number is counted as
    if all samples had been taken.
    """
    why = "codes of signs count the linear regions of rectifiers"
    refuse(architecture, "activation", ("tanh", "snake"), why)

    def core(network: WaveUNet, batch: Batch) -> float:
        mixture = batch[0]
        generator = torch.Generator().manual_seed(derive("moments", setting.study, seed))
        kernel = torch.zeros(len(mixture), len(mixture), dtype=torch.float64)

        def look(module: nn.Module, before: Tensor, after: Tensor) -> None:
            kernel.add_(agreement(before, generator))

        with torch.no_grad(), watching(network, ACTIVATIONS, look):
            network.features(mixture)
        return log_determinant(kernel.numpy())

    return score_fresh("nwot", setting, architecture, seed, core)


def jacobian_score(jacobian: Array) -> float:
    """The score of input Jacobians.

    Args:
        jacobian: (batch, elements).

    Raises:
        UnmeasurableError: a crop's Jacobian is constant, so that it correlates with nothing.
    """
    centred = jacobian - jacobian.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or not norms.all():
        raise UnmeasurableError("the input Jacobian of a crop is constant or not finite")
    unit = centred / norms
    eigenvalues = np.linalg.eigvalsh(unit @ unit.T)
    # Rounding makes zeros slightly negative, and the logarithm must not see that.
    raised = np.maximum(eigenvalues, 0.0) + JACOBIAN_STABILITY
    return float(-np.sum(np.log(raised) + 1.0 / raised))


def agreement(before: Tensor, generator: torch.Generator) -> Tensor:
    """In how many units two crops have the same sign, estimated from some samples.

    Args:
        before: what goes into a nonlinearity, (batch, channels, time).
        generator: chooses the samples.

    Returns:
        (batch, batch), float64 on the CPU.
    """
    time = before.shape[-1]
    if time > MOMENTS:
        moments = torch.randperm(time, generator=generator)[:MOMENTS]
        before = before[..., moments.to(before.device)]
    codes = (before > 0).flatten(1).float()
    # Exact in float32: counts stay below 2^24 for up to 65,000 channels.
    same = codes @ codes.T + (1 - codes) @ (1 - codes).T
    return same.double().cpu() * (time / before.shape[-1])


def log_determinant(kernel: Array) -> float:
    """Log-determinant of a positive definite kernel.

    Raises:
        UnmeasurableError: it is singular: two crops have the same code.
    """
    sign, value = np.linalg.slogdet(kernel)
    if sign <= 0:
        raise UnmeasurableError("the kernel is singular: crops cannot be told apart by the signs of their activations")
    return float(value)
