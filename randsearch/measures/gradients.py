"""Proxies from weights and from gradients of the training loss at fresh random weights.

All of them take the loss that training minimises, on the real head: the squared error averages over every source, so
that it is well defined for difference and residual output and through tanh. Layers are the convolutions that train;
their kernels count, their biases do not. Sums are in float64, and reported as logarithms where they span decades.

In the published code of Abdelfattah et al. (arXiv 2101.08134) the same formulas see Conv2d and Linear layers only; its
`fisher` also counts a channel as often as it has weights, where the paper, and this module, count it once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from randsearch.measures.contract import Outcome, Setting, UnmeasurableError
from randsearch.measures.costs import ZICO_BATCHES
from randsearch.measures.probing import Batch, convolutions, fresh_network, log, score_fresh, total
from randsearch.models.architecture import Architecture
from randsearch.models.wave_unet import WaveUNet
from randsearch.training.loop import squared_error


def l2_norm(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Sum over all convolutions of the norm of their kernels (2101.08134); mostly size."""
    network = fresh_network("l2_norm", setting, architecture, seed)
    return Outcome(norms([layer.weight for _, layer in convolutions(network, trained_only=False)]))


def grad_norm(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Log of the sum over layers of the norm of the loss's gradient (2101.08134).

    A loss times c adds log c for every architecture.
    """

    def core(network: WaveUNet, batch: Batch) -> float:
        weights = kernels(network)
        return log(norms(gradients(batch_loss(network, batch), weights)), "the norm of the gradient")

    return score_fresh("grad_norm", setting, architecture, seed, core)


def snip(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Log of the sum over weights of |w g|, g the loss's gradient (SNIP, Lee et al., 1810.02340).

    A loss times c adds log c for every architecture.
    """

    def core(network: WaveUNet, batch: Batch) -> float:
        return log(saliency(kernels(network), batch_loss(network, batch)), "the saliency of the weights")

    return score_fresh("snip", setting, architecture, seed, core)


def grasp(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Minus the sum over weights of w (H g), g the loss's gradient, H its Hessian (GraSP, Wang et al., 2002.07376)."""

    def core(network: WaveUNet, batch: Batch) -> float:
        return gradient_flow(kernels(network), batch_loss(network, batch))

    return score_fresh("grasp", setting, architecture, seed, core)


def fisher(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Log of 0.5 sum over channels of mean over batch of (sum over time a dL/da)^2 (Turner et al., 1906.04113).

    a is what a convolution computes, before normalisation and nonlinearity, as in 2101.08134, whose code sums another
    thing: a channel's value once for each of its weights. A loss times c adds 2 log c for every architecture.
    """

    def core(network: WaveUNet, batch: Batch) -> float:
        layers = [layer for _, layer in convolutions(network)]
        return log(fisher_information(layers, lambda: batch_loss(network, batch)), "the Fisher information")

    return score_fresh("fisher", setting, architecture, seed, core)


def zico(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Sum over layers of log sum over weights of E|g| / std(g), over batches (ZiCo, Li et al., 2301.11300).

    Four batches: with one the deviation is 0, with two it is half a difference, whose inverse has no mean. A loss
    times c changes nothing.
    """

    def core(network: WaveUNet, batch: Batch) -> float:
        weights = kernels(network)
        pairs = zip(*(part.chunk(ZICO_BATCHES) for part in batch), strict=True)
        found = [gradients(batch_loss(network, pair), weights) for pair in pairs]
        return inverse_deviation([torch.stack(layer) for layer in zip(*found, strict=True)])

    return score_fresh("zico", setting, architecture, seed, core, batches=ZICO_BATCHES)


def kernels(network: nn.Module) -> list[Tensor]:
    """The kernels of the convolutions that train."""
    return [layer.weight for _, layer in convolutions(network)]


def batch_loss(network: WaveUNet, batch: Batch) -> Tensor:
    """The training loss of a batch on the middle of what the network puts out."""
    mixture, sources = batch
    return squared_error(network.forward_all(mixture), sources, network.architecture.levels)


def gradients(loss: Tensor, weights: Sequence[Tensor]) -> list[Tensor]:
    """Gradient of the loss with respect to each of the weights."""
    return list(torch.autograd.grad(loss, weights))


def norms(tensors: Sequence[Tensor]) -> float:
    """Sum of the Euclidean norms of tensors."""
    return sum(math.sqrt(total(tensor.detach().double().square())) for tensor in tensors)


def saliency(weights: Sequence[Tensor], loss: Tensor) -> float:
    """Sum of |w g| over all elements of the weights."""
    pairs = zip(weights, gradients(loss, weights), strict=True)
    return sum(total((weight.detach().double() * gradient.double()).abs()) for weight, gradient in pairs)


def gradient_flow(weights: Sequence[Tensor], loss: Tensor) -> float:
    """-sum of w (H g) over all elements of the weights, by differentiating g.detach() . g once more."""
    first = torch.autograd.grad(loss, weights, create_graph=True)
    product = torch.stack([(gradient.detach() * gradient).sum() for gradient in first]).sum()
    # A loss that is linear in some weights has no second derivative there: the Hessian's rows are 0.
    second = torch.autograd.grad(product, weights, allow_unused=True)
    pairs = ((weight, flow) for weight, flow in zip(weights, second, strict=True) if flow is not None)
    return -sum(total(weight.detach().double() * flow.double()) for weight, flow in pairs)


def fisher_information(layers: Sequence[nn.Conv1d], compute_loss: Callable[[], Tensor]) -> float:
    """0.5 sum over channels of mean over batch of (sum over time a dL/da)^2, over all that the layers compute.

    Args:
        layers: whose outputs are a.
        compute_loss: runs the network that they are in.
    """
    activations: list[Tensor] = []
    hooks = [layer.register_forward_hook(lambda _, inputs, output: activations.append(output)) for layer in layers]
    try:
        loss = compute_loss()
    finally:
        for hook in hooks:
            hook.remove()
    found = 0.0
    for activation, gradient in zip(activations, torch.autograd.grad(loss, activations), strict=True):
        products = (activation.detach().double() * gradient.double()).sum(dim=-1)
        found += 0.5 * total(products.square().mean(dim=0))
    return found


def inverse_deviation(layers: Sequence[Tensor]) -> float:
    """Sum over layers of log sum over weights of E|g| / std(g); weights whose gradient does not vary are left out.

    So are layers without any other, as in the published code; a rectifier that is dead behind a layer makes such.

    Args:
        layers: gradients of each, (batches, ...).

    Raises:
        UnmeasurableError: there is no other layer, or a gradient is not finite.
    """
    found = []
    for stacked in layers:
        every = stacked.double()
        if not every.isfinite().all():
            raise UnmeasurableError("a gradient is not finite")
        deviation = every.std(dim=0, correction=0)
        varies = deviation > 0
        if varies.any():
            found.append(log(total(every.abs().mean(dim=0)[varies] / deviation[varies]), "a layer's sum"))
    if not found:
        raise UnmeasurableError("no gradient of any layer varies between batches")
    return sum(found)
