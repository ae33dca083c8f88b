"""The forward pass of a network in the memory layout that is fastest on a processor: (batch, time, channels).

The same function of the same weights as `WaveUNet.forward_all`, up to rounding, and run from the same list of
operations. Besides the layout, three things are not done that would be thrown away or copied: what only decimation sees
is computed at every second sample only, unless it is normalised; interpolation is folded into the convolution behind
it, so that the doubled signal never exists; and tensors are convolved side by side instead of being concatenated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from randsearch.models.convolution import convolve, convolve_transposed, halve
from randsearch.models.layers import Convolution
from randsearch.models.modules import module_at
from randsearch.models.operations import Operation
from randsearch.models.resampling import Blur, Interpolation, LearnedInterpolation, Skip
from randsearch.models.wave_unet import WaveUNet

FOLDED_FROM = 256
"""Output samples from which on folding saves more than it costs to fold the kernel."""


def estimate_all(network: WaveUNet, mixture: Tensor) -> Tensor:
    """Estimates the sources by every output that the training loss averages over, as `WaveUNet.forward_all`.

    What lies on another device goes the network's own way. Second derivatives, and hooks on its convolutions, need
    that way too.

    Shape:
        Input (batch, channels, time), output (outputs, batch, sources, channels, time).
    """
    if mixture.device.type != "cpu":
        return network.forward_all(mixture)
    found = _run(network, mixture.transpose(1, 2).contiguous())
    estimates = []
    for layer in network.outputs:
        predicted = _convolve(network.get_submodule(layer.name), _seen(layer, found))
        estimates.append(network.head(predicted.transpose(1, 2), mixture))
    return torch.stack(estimates)


@dataclass(frozen=True)
class _Thinned:
    """Every second sample of a signal that has `length`; nothing but decimation sees it."""

    kept: Tensor
    length: int


@dataclass(frozen=True)
class _Doubled:
    """The first `length` samples of a signal at twice its rate, not computed before they are needed."""

    upsampling: Any
    below: Tensor
    length: int

    @property
    def folds(self) -> bool:
        """Whether a convolution of it can be computed from the signal below, and is quicker so."""
        return self.length == 2 * self.below.shape[1] - self.upsampling.context and self.length >= FOLDED_FROM


def _computed(x: Tensor | _Doubled) -> Tensor:
    return x if isinstance(x, Tensor) else _apply(x.upsampling, x.below)[:, : x.length]


def _run(network: WaveUNet, mixture: Tensor) -> dict[str, Any]:
    """What output convolutions see, (batch, time, channels), by the name of the layer that computes each."""
    found: dict[str, Any] = {"": mixture}
    for operation in network.operations:
        layer = operation.layer
        source = layer.inputs[0][0]
        x: Any
        upsampling: Any
        match layer.kind:
            case "convolution":
                x = _convolve_and_activate(network, operation, _seen(layer, found))
            case "decimation":
                if isinstance(found[source], _Thinned):
                    x = found[source].kept
                elif layer.kernel == 1:
                    found[source], x = halve(found[source])
                else:
                    x = _apply(module_at(network, operation.module), found[source])
            case "interpolation":
                upsampling, below = module_at(network, operation.module), _computed(found[source])
                assert layer.within is not None
                most = _length(found[layer.within])
                x = _Doubled(upsampling, below, min(2 * below.shape[1] - upsampling.context, most))
            case "sum":
                *others, added = (found[name] for name, _ in layer.inputs)
                x = _concatenate(others) + added
            case "concatenation":
                x = _concatenate(_seen(layer, found))
        found[layer.name] = x
        for name in operation.last_read:
            del found[name]
    return found


def _seen(layer: Convolution, found: dict[str, Any]) -> list[Any]:
    """The inputs of a layer, of one length; the first may be still to be doubled."""
    first, *others = (found[name] for name, _ in layer.inputs)
    if layer.within is not None:
        first = _crop(first, _length(found[layer.within]))
    length = _length(first)
    return [first, *(_crop(other, length) for other in others)]


def _length(x: Any) -> int:
    return int(x.shape[1] if isinstance(x, Tensor) else x.length)


def _convolve_and_activate(network: WaveUNet, operation: Operation, inputs: list[Any]) -> Any:
    """A convolution in the quickest way that it can be computed, and the activation behind it."""
    module = module_at(network, operation.module)
    length = None
    if not _is_plain(module):
        x = _apply(module, _concatenate(inputs))
    elif _is_thinned(network, operation):
        length = _output_length(module, _length(inputs[0]))
        x = _convolve(module, inputs, stride=2)
    elif isinstance(inputs[0], _Doubled) and inputs[0].folds:
        doubled, *others = inputs
        x = _convolve_doubled(doubled.upsampling, module, doubled.below, biased=not others)
        if others:
            x = x + _convolve(module, others, first=doubled.below.shape[2])
    else:
        x = _convolve(module, inputs)
    if operation.activation:
        x = _apply(module_at(network, operation.activation), x)
    return x if length is None else _Thinned(x, length)


def _is_thinned(network: WaveUNet, operation: Operation) -> bool:
    """Whether nothing sees a layer but decimation that takes every second sample."""
    # Normalisation sees every sample: its statistics are those of the whole signal.
    return network.architecture.normalisation == "none" and all(
        reader.kind == "decimation" and reader.kernel == 1 for reader in operation.readers
    )


def _concatenate(inputs: list[Any]) -> Tensor:
    parts = [_computed(x) for x in inputs]
    return torch.cat(parts, dim=2) if len(parts) > 1 else parts[0]


def _is_plain(block: nn.Module) -> bool:
    return isinstance(block, nn.Conv1d) and block.groups == block.dilation[0] == 1


def _output_length(convolution: Any, time: int) -> int:
    return int(time + 2 * convolution.padding[0] - convolution.dilation[0] * (convolution.kernel_size[0] - 1))


def _convolve(convolution: Any, inputs: list[Any], *, stride: int = 1, first: int = 0) -> Tensor:
    """A plain convolution of signals beside each other, of which every `stride`-th sample is kept.

    Args:
        convolution: with a bias or without.
        inputs: signals of one length.
        stride: output samples from one that is kept to the next.
        first: its input channel where the inputs begin.
    """
    kernel, bias, pad = convolution.weight.transpose(1, 2), convolution.bias, convolution.padding[0]
    stride *= convolution.stride[0]
    count = (_output_length(convolution, _length(inputs[0])) - 1) // stride + 1
    out = None
    for x in inputs:
        signal = _computed(x)
        channels = signal.shape[2]
        mine = kernel if channels == kernel.shape[2] else kernel[:, :, first : first + channels]
        one = convolve(signal, mine, bias if out is None else None, stride=stride, left=pad, count=count)
        out = one if out is None else out + one
        first += channels
    assert out is not None
    return out


def _convolve_doubled(upsampling: Any, convolution: Any, below: Tensor, *, biased: bool) -> Tensor:
    """The share of a convolution in its first input channels, which are `below` at twice the rate."""
    bias = convolution.bias if biased else None
    pad, taps = convolution.padding[0], convolution.kernel_size[0]
    weight = convolution.weight[:, : below.shape[2]]
    after: Tensor | float = 0.5
    is_learned = isinstance(upsampling, LearnedInterpolation)
    if is_learned:
        after = torch.sigmoid(upsampling.weight).view(-1, 1, 1)
    # Sample k of the input weighs 1 - after, 1 and after in the doubled samples 2 k - 1, 2 k and 2 k + 1.
    turned = weight.permute(1, 2, 0).flip(1)
    kernel = (
        (1 - after) * functional.pad(turned, (0, 0, 0, 2))
        + functional.pad(turned, (0, 0, 1, 1))
        + after * functional.pad(turned, (0, 0, 2, 0))
    )
    count = 2 * below.shape[1] - upsampling.context + 2 * pad - taps + 1
    edges = None
    if not upsampling.context:
        # The kernel takes what lies beyond the ends for zeros at the lower rate. So does learned interpolation behind
        # the last sample, which linear interpolation repeats. Before the first sample nothing is interpolated.
        missing = (1 - after) * turned
        edges = -missing[:, taps - pad :], missing[:, : 0 if is_learned else pad + 1]
    return convolve_transposed(below, kernel, bias, edges, left=taps - pad, count=count)


def _apply(module: nn.Module, x: Tensor) -> Tensor:
    """A module on (batch, time, channels)."""
    match module:
        case nn.Conv1d() if _is_plain(module):
            return _convolve(module, [x])
        case nn.Conv1d():
            image = x.contiguous().unsqueeze(1).permute(0, 3, 1, 2)
            out = functional.conv2d(
                image,
                module.weight.unsqueeze(2),
                module.bias,
                stride=(1, module.stride[0]),
                padding=(0, module.padding[0]),  # type: ignore[arg-type]
                dilation=(1, module.dilation[0]),
                groups=module.groups,
            )
            return out.permute(0, 2, 3, 1).flatten(1, 2)
        case nn.Sequential():
            for each in module:
                x = _apply(each, x)
            return x
        case nn.BatchNorm1d():
            normed: Tensor = module(x.flatten(0, 1))
            return normed.view_as(x)
        case nn.GroupNorm() if x.requires_grad:
            image = x.contiguous().unsqueeze(1).permute(0, 3, 1, 2)
            normed = functional.group_norm(image, module.num_groups, module.weight, module.bias, module.eps)
            return normed.permute(0, 2, 3, 1).flatten(1, 2)
        case nn.GroupNorm():
            # PyTorch 2.13 crashes in this layout where the weights need a gradient and the signal does not.
            return _elsewhere(module, x.transpose(1, 2).contiguous())
        case Skip():
            return x[:, ::2]
        case Blur():
            return _blur(module, x)
        case Interpolation():
            return _double(module, x)
    # What is left works on each sample by itself.
    return _elsewhere(module, x.transpose(1, 2))


def _elsewhere(module: nn.Module, signal: Tensor) -> Tensor:
    """What a module makes of (batch, channels, time), as (batch, time, channels)."""
    out: Tensor = module(signal)
    return out.transpose(1, 2)


def _blur(module: Blur, x: Tensor) -> Tensor:
    """Every second sample behind the low-pass, as sums of shifted signals."""
    padded = functional.pad(x, (0, 0, module.padding, module.padding))
    count = (padded.shape[1] - len(module.taps)) // 2 + 1
    shifted = [padded[:, start : start + 2 * count - 1 : 2] for start in range(len(module.taps))]
    out = torch.zeros_like(shifted[0])
    for tap, signal in zip(module.taps.tolist(), shifted, strict=True):
        if tap:
            out = out.add(signal, alpha=tap)
    return out


def _double(module: Interpolation, x: Tensor) -> Tensor:
    left, right, last = (part.transpose(1, 2) for part in (x[:, :-1], x[:, 1:], x[:, -1:]))
    between = torch.cat([module.between(left, right), module.behind(last)], dim=2).transpose(1, 2)
    doubled = torch.stack([x, between], dim=2).flatten(1, 2)
    return doubled[:, :-1] if module.context else doubled


def _crop(x: Any, length: int) -> Any:
    """Keeps the centre, as `resampling.crop`; what is still to be doubled is never too long."""
    start = (_length(x) - length) // 2
    return x[:, start : start + length] if _length(x) > length else x
