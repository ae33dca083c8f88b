"""Proxies from spectra at fresh random weights: how many directions activations take, how well gradients pass.

NEAR (Husistein et al., arXiv 2408.08776) and the expressivity and trainability of AZ-NAS (Lee and Ham, arXiv
2403.19232). Channels are the variables; all samples of all crops are their observations. AZ-NAS's progressivity, the
least increase of expressivity from a level to the next, is not here: decoders shrink on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean

import numpy as np
import torch
from torch import Tensor, nn

from randsearch.base.seeds import derive
from randsearch.data.metrics import Array
from randsearch.measures.contract import Outcome, Setting, UnmeasurableError
from randsearch.measures.probing import ACTIVATIONS, Batch, score_fresh, watching
from randsearch.models.architecture import Architecture
from randsearch.models.wave_unet import WaveUNet


def near(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Sum over nonlinearities of the effective ranks of what goes in and of what comes out (NEAR, 2408.08776).

    The published code takes as many successive positions as there are channels; neighbouring samples of audio are much
    the same, hence all positions here. Wide layers have high ranks: the score is to be seen given size.
    """

    def of_layer(before: Tensor, after: Tensor) -> float:
        return effective_rank(second_moments(before)) + effective_rank(second_moments(after))

    return _sum_over_nonlinearities("near", setting, architecture, seed, of_layer)


def az_expressivity(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Sum over nonlinearities of the entropy of the spectrum of the covariance of what comes out (2403.19232).

    Where a level is one convolution, as in a plain network, it is the sum over levels.
    """

    def of_layer(before: Tensor, after: Tensor) -> float:
        return spectral_entropy(eigenvalues(second_moments(after, centred=True)))

    return _sum_over_nonlinearities("az_expressivity", setting, architecture, seed, of_layer)


def az_trainability(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Mean over convolutions of 2 - s - 1/s, which is best at s = 1, where gradients neither grow nor vanish.

    s is the spectral norm of the linear map from the gradient behind a convolution and its nonlinearity to the gradient
    of all that it sees, in a decoder the skip as well (AZ-NAS, 2403.19232). The authors estimate the map between
    gradients at the same position from random signs at the output; it then is the middle tap of the kernel times the
    mean slopes of the nonlinearity, and long kernels seem to pass nothing. Here it has all taps. Decimation and
    interpolation are left out.
    """

    def core(network: WaveUNet, batch: Batch) -> float:
        generator = torch.Generator().manual_seed(derive("gradients", setting.study, seed))
        computed = _outputs(network, batch[0])
        values = []
        for name, activation in _convolutions(network).items():
            layer = network.get_submodule(name)
            assert isinstance(layer, nn.Conv1d)
            slopes = mean_slopes(network.get_submodule(activation) if activation else None, computed[name], generator)
            size = gradient_norm(layer, slopes)
            if not size > 0:
                raise UnmeasurableError(f"no gradient passes through {name}")
            values.append(2 - size - 1 / size)
        return fmean(values)

    return score_fresh("az_trainability", setting, architecture, seed, core)


def second_moments(activation: Tensor, *, centred: bool = False) -> Array:
    """Mean product of every two channels over crops and time, in float64.

    Args:
        activation: (batch, channels, time).
        centred: whether the channels' means are taken away first.

    Returns:
        (channels, channels).

    Raises:
        UnmeasurableError: a value is not finite.
    """
    mean = activation.mean(dim=(0, 2), dtype=torch.float64)[:, None] if centred else 0.0
    # Crop by crop: all of them in float64 would take twice the memory of the network's own.
    products = sum((wide @ wide.T for wide in (crop.double() - mean for crop in activation)), torch.zeros(()))
    if not products.isfinite().all():
        raise UnmeasurableError("an activation is not finite")
    found: Array = (products / (activation.shape[0] * activation.shape[2])).cpu().numpy()
    return found


def effective_rank(moments: Array) -> float:
    """Exponential of the entropy of the normalised singular values (Roy and Vetterli, 2007); of zeros it is 0.

    Args:
        moments: products of the columns of the matrix in question, whose eigenvalues are the squared singular values.
    """
    singular = np.sqrt(eigenvalues(moments))
    return float(np.exp(spectral_entropy(singular))) if singular.any() else 0.0


def eigenvalues(moments: Array) -> Array:
    """Those of a positive semidefinite matrix, without what rounding leaves below 0."""
    found: Array = np.maximum(np.linalg.eigvalsh(moments), 0.0)
    return found


def spectral_entropy(spectrum: Array) -> float:
    """Entropy of a spectrum as a distribution, in nats; of zeros it is 0.

    Args:
        spectrum: not negative.
    """
    positive = spectrum[spectrum > 0]
    shares = positive / positive.sum()
    return float(-(shares * np.log(shares)).sum())


def mean_slopes(activation: nn.Module | None, before: Tensor, generator: torch.Generator) -> Tensor:
    """By how much each channel's gradient is multiplied on its way back through a nonlinearity, on average.

    Args:
        activation: normalisation, if any, and nonlinearity; None is the identity.
        before: its input, (batch, channels, time).
        generator: draws the signs of the gradient behind it, with which normalisation is asked.

    Returns:
        (channels,), float64.
    """
    if activation is None:
        return torch.ones(before.shape[1], dtype=torch.float64, device=before.device)
    signs = torch.randint(2, before.shape, generator=generator).mul(2).sub(1).to(before)
    inputs = before.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(activation(inputs), inputs, signs)
    return (gradient * signs).mean(dim=(0, 2), dtype=torch.float64)


def gradient_norm(layer: nn.Conv1d, slopes: Tensor) -> float:
    """Spectral norm of the map from gradients behind a convolution, within its reach, to the gradient of its input.

    Args:
        layer: the convolution; with a stride, the samples of a stride are the input's channels.
        slopes: what the gradient of each filter is multiplied by first, (filters,).
    """
    weight = layer.weight.detach().double() * slopes[:, None, None]
    filters, channels, taps = weight.shape
    (stride,), groups = layer.stride, layer.groups
    padded = nn.functional.pad(weight, (0, -taps % stride))
    by_phase = padded.reshape(groups, filters // groups, channels, -1, stride).permute(0, 4, 2, 1, 3)
    maps = by_phase.reshape(groups, stride * channels, -1)
    return float(torch.linalg.matrix_norm(maps, ord=2).max())


def _sum_over_nonlinearities(
    measure: str, setting: Setting, architecture: Architecture, seed: int, of_layer: Callable[[Tensor, Tensor], float]
) -> Outcome:
    def core(network: WaveUNet, batch: Batch) -> float:
        found: list[float] = []

        def look(module: nn.Module, before: Tensor, after: Tensor) -> None:
            found.append(of_layer(before, after))

        with torch.no_grad(), watching(network, ACTIVATIONS, look):
            network.features(batch[0])
        return sum(found)

    return score_fresh(measure, setting, architecture, seed, core)


def _convolutions(network: WaveUNet) -> dict[str, str]:
    """Names of the convolutions in front of the output, each with that of the activation behind it or ""."""
    layers = (layer for layer in network.layers if layer.kind == "convolution" and layer.part != "output")
    return {layer.name: layer.activation for layer in layers}


def _outputs(network: WaveUNet, mixture: Tensor) -> dict[str, Tensor]:
    """What each of these convolutions computes."""
    found: dict[str, Tensor] = {}
    names = {network.get_submodule(name): name for name in _convolutions(network)}

    def look(module: nn.Module, before: Tensor, after: Tensor) -> None:
        if module in names:
            found[names[module]] = after

    with torch.no_grad(), watching(network, (nn.Conv1d,), look):
        network.features(mixture)
    return found
