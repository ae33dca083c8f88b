"""Zen score (Lin et al., arXiv 2102.01063): how strongly a random network answers to a small change of its input."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from randsearch.base.seeds import derive
from randsearch.measures.contract import Outcome, Setting
from randsearch.measures.probing import NORMALISATIONS, fresh_network, log, watching
from randsearch.models.architecture import Architecture
from randsearch.models.sizing import lengths
from randsearch.models.wave_unet import WaveUNet

CHANGE = 0.01


def zen(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Log E|f(x) - f(x + 0.01 z)| + sum over normalisations of the log of the deviation that they divide by.

    f are the features in front of the output convolution, the mixture among them left out; x and z are normal noise.
    Without normalisation the first term is the whole score, and with Glorot's weights it also tells how much a network
    attenuates: the paper's networks all have batch normalisation.
    """
    network = fresh_network("zen", setting, architecture, seed)
    began = time.perf_counter()
    shape = (setting.proxy_batch, setting.signal.channels, lengths(architecture, setting.recipe.segment).input)
    generator = torch.Generator().manual_seed(derive("noise", setting.study, seed))
    noise, change = (torch.randn(shape, generator=generator).to(setting.device) for _ in range(2))
    score = zen_score(network, noise, CHANGE * change, setting.signal.channels)
    return Outcome(score, seconds=time.perf_counter() - began)


def zen_score(network: WaveUNet, noise: Tensor, change: Tensor, channels: int) -> float:
    """The Zen score.

    Args:
        network: in training mode, so that batch normalisation uses the batch.
        noise: x, (batch, channels, time).
        change: what is added to it.
        channels: how many of the last features are the mixture itself.

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
    distance = (features.double() - moved.double()).flatten(1).norm(dim=1).mean()
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
