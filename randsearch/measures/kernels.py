"""Proxies that ask how differently a network at random weights treats different crops.

From input Jacobians and signs of activations (Mellor et al., 2006.04647), and from signs alone (SWAP, Peng et al.,
2403.04161).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from randsearch.base.seeds import derive
from randsearch.data.metrics import Array
from randsearch.measures.contract import Outcome, Setting, UnmeasurableError
from randsearch.measures.costs import SWAP_BATCHES
from randsearch.measures.probing import ACTIVATIONS, Batch, predicted, refuse, score_fresh, watching
from randsearch.models.architecture import Architecture
from randsearch.models.wave_unet import WaveUNet

JACOBIAN_STABILITY = 1e-5
MOST_CROPS = 62
"""Of which a pattern of signs fits into a whole number of 64 bits."""
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


def swap(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """How many patterns of signs over the crops there are among all samples of all channels (SWAP, 2403.04161).

    A pattern says on which side of 0 each crop puts the input of one nonlinearity at one sample; 62 crops are looked at
    at most. Twice `proxy_batch` crops are drawn, for with n of them there are no more than 2^n patterns.
    """
    refuse(architecture, "activation", ("tanh", "snake"), "signs divide the input space for rectifiers alone")

    def core(network: WaveUNet, batch: Batch) -> float:
        found: list[Tensor] = []

        def look(module: nn.Module, before: Tensor, after: Tensor) -> None:
            found.append(patterns(before))

        with torch.no_grad(), watching(network, ACTIVATIONS, look):
            network.features(batch[0][:MOST_CROPS])
        return float(len(torch.unique(torch.cat(found))))

    return score_fresh("swap", setting, architecture, seed, core, batches=SWAP_BATCHES)


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


def patterns(before: Tensor) -> Tensor:
    """The distinct patterns of signs over crops, each as a number of as many bits.

    Args:
        before: what goes into a nonlinearity, (batch of `MOST_CROPS` at most, channels, time).

    Returns:
        (patterns,), int64.
    """
    bits = 2 ** torch.arange(len(before), device=before.device)
    codes = torch.zeros(before.shape[1:], dtype=torch.int64, device=before.device)
    for crop, bit in zip(before, bits, strict=True):
        codes += (crop > 0) * bit
    found: Tensor = torch.unique(codes)
    return found


def log_determinant(kernel: Array) -> float:
    """Log-determinant of a positive definite kernel.

    Raises:
        UnmeasurableError: it is singular: two crops have the same code.
    """
    sign, value = np.linalg.slogdet(kernel)
    if sign <= 0:
        raise UnmeasurableError("the kernel is singular: crops cannot be told apart by the signs of their activations")
    return float(value)
