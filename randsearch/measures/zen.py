"""Zen score (Lin et al., arXiv 2102.01063): how strongly a random network answers to a small change of its input.

Twice: as published, and as the same question put to the weights from which training starts.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from randsearch.base.seeds import derive
from randsearch.measures.contract import Outcome, Setting
from randsearch.measures.probing import NORMALISATIONS, convolutions, fresh_network, log, watching
from randsearch.models.architecture import Architecture
from randsearch.models.sizing import lengths
from randsearch.models.wave_unet import WaveUNet

CHANGE = 0.01


def zen(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Log E|f(x) - f(x + 0.01 z)| + sum over normalisations of the log of the deviation that they divide by.

    f are the features in front of the output convolution, the mixture among them left out; x and z are normal noise.
    Not the published score, but what it becomes at the weights that the architecture itself starts from, with the
    Euclidean norm. Without normalisation the first term is the whole score, and with Glorot's weights it tells how much
    a network attenuates: with these two changes the ranking is another one.
    """
    return _answer(setting, architecture, seed, fresh_network("zen", setting, architecture, seed), order=2)


def zen_published(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """The Zen score as published: all weights are normal of variance 1, and the change is measured in the 1-norm.

    A layer then multiplies by the root of its fan-in, so that without normalisation the score is mostly the sum of the
    logs of all fan-ins: in the paper's networks normalisation takes that out and adds it again. In float64, for deep
    networks leave float32. The published code averages over 32 draws of the weights; here each seed is a draw.
    """
    network = fresh_network("zen_published", setting, architecture, seed)
    generator = torch.Generator().manual_seed(derive("normal weights", architecture.hash, "zen_published", seed))
    with torch.no_grad():
        for _, layer in convolutions(network, trained_only=False):
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))
            if layer.bias is not None:
                layer.bias.zero_()
    return _answer(setting, architecture, seed, network.double(), order=1)


def _answer(setting: Setting, architecture: Architecture, seed: int, network: WaveUNet, *, order: int) -> Outcome:
    began = time.perf_counter()
    shape = (setting.proxy_batch, setting.signal.channels, lengths(architecture, setting.recipe.segment).input)
    generator = torch.Generator().manual_seed(derive("noise", setting.study, seed))
    weight = network.output.weight
    noise, change = (torch.randn(shape, generator=generator).to(weight) for _ in range(2))
    score = zen_score(network, noise, CHANGE * change, setting.signal.channels, order=order)
    return Outcome(score, seconds=time.perf_counter() - began)


def zen_score(network: WaveUNet, noise: Tensor, change: Tensor, channels: int, *, order: int = 2) -> float:
    """The Zen score.

    Args:
        network: in training mode, so that batch normalisation uses the batch.
        noise: x, (batch, channels, time).
        change: what is added to it.
        channels: how many of the last features are the mixture itself.
        order: of the norm of the change of the features.

    Raises:
        UnmeasurableError: the features do not change, or are not finite.
    """
    deviations: list[float] = []

    def look(module: nn.Module, before: Tensor, after: Tensor) -> None:
        deviations.append(deviation(module, before))

    with torch.no_grad():
        with watching(network, NORMALISATIONS, look):
            features = network.features(noise)[:, :-channels]
        moved = network.features(noise + change)[:, :-channels]
    distance = (features.double() - moved.double()).flatten(1).norm(p=order, dim=1).mean()
    return log(float(distance), "the change of the features") + sum(log(d, "a deviation") for d in deviations)


def deviation(module: nn.Module, before: Tensor) -> float:
    """Root mean square of what a normalisation divides its input by.

    Args:
        module: the normalisation.
        before: its input, (batch, channels, time).
    """
    wide = before.double()
    if isinstance(module, nn.GroupNorm):
        groups = wide.reshape(len(wide), module.num_groups, -1)
        return float(groups.var(dim=2, correction=0).mean().sqrt())
    return float(wide.var(dim=(0, 2), correction=0).mean().sqrt())
