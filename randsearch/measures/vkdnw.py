"""VKDNW (Tybl and Neumann, arXiv 2502.04975): how evenly a network's output tells about its weights.

The Fisher information of a regression with normal errors of variance 1 is F = J^T J, J the derivatives of all output
samples by the weights; the published form is that of classes, between the softmax's covariance. Where the eigenvalues
of F are alike, all combinations of weights are learnt equally well.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from randsearch.base.seeds import derive
from randsearch.data.metrics import Array
from randsearch.measures.contract import Outcome, Setting, UnmeasurableError
from randsearch.measures.costs import VKDNW_CROPS, VKDNW_WEIGHTS
from randsearch.measures.probing import Batch, convolutions, score_fresh
from randsearch.measures.spectra import eigenvalues, spectral_entropy
from randsearch.models.architecture import Architecture
from randsearch.models.wave_unet import WaveUNet

DECILES = np.arange(1, 10) / 10


def vkdnw(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Entropy of the deciles of the Fisher information's eigenvalues as shares of their sum (VKDNW, 2502.04975).

    Of some random weights of every convolution that trains. The published score adds the number of layers, which is
    left out, for size has measures of its own.
    """

    def core(network: WaveUNet, batch: Batch) -> float:
        generator = torch.Generator().manual_seed(derive("weights of", architecture.hash, "vkdnw", seed))
        return spread(fisher_matrix(network, batch[0][:VKDNW_CROPS], generator))

    return score_fresh("vkdnw", setting, architecture, seed, core)


def fisher_matrix(network: WaveUNet, mixture: Tensor, generator: torch.Generator) -> Array:
    """J^T J over output samples, for some weights of every convolution that trains.

    Args:
        network: in training mode.
        mixture: (crops, channels, time).
        generator: chooses the weights.

    Returns:
        (weights, weights), float64.
    """
    layers = [layer for name, layer in convolutions(network) if not name.startswith("auxiliary.")]
    output = network(mixture)
    # J^T u is linear in u; what u does to one of its elements is a column of J.
    anything = torch.zeros_like(output, requires_grad=True)
    found = torch.autograd.grad(output, [layer.weight for layer in layers], anything, create_graph=True)
    columns = []
    for gradient in found:
        for index in torch.randperm(gradient.numel(), generator=generator)[:VKDNW_WEIGHTS].tolist():
            (column,) = torch.autograd.grad(gradient.flatten()[index], anything, retain_graph=True)
            columns.append(column.flatten().double().cpu().numpy())
    jacobian = np.stack(columns)
    fisher: Array = jacobian @ jacobian.T
    return fisher


def spread(fisher: Array) -> float:
    """Entropy of the deciles of a positive semidefinite matrix's eigenvalues.

    Raises:
        UnmeasurableError: all deciles are 0.
    """
    deciles = np.quantile(eigenvalues(fisher), DECILES)
    if not deciles.any():
        raise UnmeasurableError("too few weights have an influence on the output")
    return spectral_entropy(deciles)
