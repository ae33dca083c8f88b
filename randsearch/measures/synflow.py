"""SynFlow (Tanaka et al., arXiv 2006.05467): how much flows through a network's synapses, told without data."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from randsearch.measures.contract import Outcome, Setting
from randsearch.measures.probing import NORMALISATIONS, convolutions, fresh_network, log, predicted, refuse, total
from randsearch.models.architecture import Architecture
from randsearch.models.sizing import lengths


def synflow(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Log of the sum over weights of |w dR/dw|, at the weights' absolute values, for an input of ones.

    R is the sum of what the output convolution computes: the head is left out, since with difference output all
    estimates add up to the mixture, whatever the weights, and tanh saturates. All in float64, for R overflows float32.
    Normalisation is left out too, which would undo the flow.
    """
    refuse(architecture, "activation", ("tanh",), "the flow saturates in it")
    network = fresh_network("synflow", setting, architecture, seed)
    began = time.perf_counter()
    network.double()
    make_positive(network)
    length = lengths(architecture, setting.recipe.segment).input
    ones = torch.ones(1, setting.signal.channels, length, dtype=torch.float64, device=setting.device)
    layers = dict(convolutions(network))
    flows = synaptic_flows({name: layer.weight for name, layer in layers.items()}, predicted(network, ones).sum())
    return Outcome(log(sum(flows.values()), "the synaptic flow"), seconds=time.perf_counter() - began)


def make_positive(network: nn.Module) -> None:
    """Replaces kernels and biases of convolutions by their absolute values, and takes normalisation out."""
    with torch.no_grad():
        for _, layer in convolutions(network, trained_only=False):
            for parameter in layer.parameters():
                parameter.abs_()
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, NORMALISATIONS):
                setattr(parent, name, nn.Identity())


def synaptic_flows(weights: dict[str, Tensor], output: Tensor) -> dict[str, float]:
    """Sum of |w dR/dw| of every layer through which R flows; supervised side outputs of a network are not among them.

    Args:
        weights: by layer.
        output: R.
    """
    found = torch.autograd.grad(output, list(weights.values()), allow_unused=True)
    pairs = zip(weights.items(), found, strict=True)
    return {name: total((weight.detach() * flow).abs()) for (name, weight), flow in pairs if flow is not None}
