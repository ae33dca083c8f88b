"""The forward pass of a network in the memory layout that is fastest on a processor: (batch, time, channels).

The same function of the same weights as `WaveUNet.forward_all`, up to rounding. Besides the layout, three things are
not done that would be thrown away or copied: encoder outputs that no skip hands over are computed at every second
sample only; interpolation is folded into the convolution behind it, so that the doubled signal never exists; and
tensors are convolved side by side instead of being concatenated.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from randsearch.models.blocks import MultiRes, ResStep, Separable, Unit
from randsearch.models.convolution import correlate, halve, spread
from randsearch.models.nested import NestedWaveUNet
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
    rows = mixture.transpose(1, 2).contiguous()
    encoded, lengths = _encode(network, rows)
    if isinstance(network, NestedWaveUNet):
        *others, whole = _decode_nested(network, encoded)
        ends = [(output, others[int(levels) - 1]) for levels, output in network.auxiliary.items()]
    else:
        whole, ends = _decode(network, encoded, lengths), []
    found = []
    for output, features in (*ends, (network.output, whole)):
        parts = [_crop(features, whole.shape[1]), _crop(rows, whole.shape[1])]
        found.append(network.head(_convolve(output, parts).transpose(1, 2), mixture))
    return torch.stack(found)


def _encode(network: WaveUNet, rows: Tensor) -> tuple[list[Tensor], list[int]]:
    """What each level hands over and last the bottleneck's output, and how long each level's output is.

    Where a plain network has no skip, that is a part of the level's output only, and nobody looks at it.
    """
    found, lengths, x = [], [], rows
    for level, (block, activation, decimation) in enumerate(
        zip(network.encoder, network.encoder_activation, network.decimation, strict=True)
    ):
        seen = network.architecture.nested or network.architecture.has_skip(level)
        if not seen and _is_plain(block) and isinstance(decimation, Skip):
            lengths.append(_length(block, x.shape[1]))
            x = _apply(activation, _convolve(block, [x], hop=2))
            found.append(x)
        else:
            x = _apply(activation, _apply(block, x))
            lengths.append(x.shape[1])
            whole, x = halve(x) if isinstance(decimation, Skip) else (x, _apply(decimation, x))
            found.append(whole)
    found.append(_apply(network.bottleneck_activation, _apply(network.bottleneck, x)))
    return found, lengths


def _decode(network: WaveUNet, encoded: list[Tensor], lengths: list[int]) -> Tensor:
    x = encoded[-1]
    for level in reversed(range(network.architecture.levels)):
        others = [_apply(network.skips[level], encoded[level])] if network.architecture.has_skip(level) else []
        x = _join(network.upsampling[level], network.decoder[level], x, lengths[level], others)
        x = _apply(network.decoder_activation[level], x)
    return x


def _decode_nested(network: NestedWaveUNet, encoded: list[Tensor]) -> list[Tensor]:
    depth = network.architecture.levels
    kept = [
        [_apply(network.skips[level], encoded[level])] if network.architecture.has_skip(level) else []
        for level in range(depth)
    ]
    column, found = encoded, []
    for number in range(depth):
        following = []
        for level in range(depth - number):
            name, length = f"{level}.{number}", encoded[level].shape[1]
            upsampling, block, activation = (
                each.get_submodule(name) for each in (network.upsampling, network.decoder, network.decoder_activation)
            )
            x = _apply(activation, _join(upsampling, block, column[level + 1], length, kept[level]))
            following.append(x)
            kept[level].append(x)
        column = following
        found.append(column[0])
    return found


def _join(upsampling: Any, block: nn.Module, below: Tensor, most: int, others: list[Tensor]) -> Tensor:
    """Doubles the rate of `below`, but to `most` samples, and applies the block to that and the others beside it."""
    length = min(2 * below.shape[1] - upsampling.context, most)
    others = [_crop(other, length) for other in others]
    whole = length == 2 * below.shape[1] - upsampling.context
    if not (whole and _is_plain(block) and length >= FOLDED_FROM):
        parts = [_apply(upsampling, below)[:, :length], *others]
        return _convolve(block, parts) if _is_plain(block) else _apply(block, torch.cat(parts, dim=2))
    folded = _convolve_doubled(upsampling, block, below, biased=not others)
    return folded + _convolve(block, others, first=below.shape[2]) if others else folded


def _is_plain(block: nn.Module) -> bool:
    return isinstance(block, nn.Conv1d) and block.groups == block.dilation[0] == 1


def _length(convolution: Any, time: int) -> int:
    return int(time + 2 * convolution.padding[0] - convolution.dilation[0] * (convolution.kernel_size[0] - 1))


def _convolve(convolution: Any, parts: list[Tensor], *, hop: int = 1, first: int = 0) -> Tensor:
    """A plain convolution of tensors beside each other, of which every `hop`-th sample is kept.

    Args:
        convolution: with a bias or without.
        parts: tensors of one length.
        hop: output samples from one that is kept to the next.
        first: its input channel where the parts begin.
    """
    kernel, bias, pad = convolution.weight.transpose(1, 2), convolution.bias, convolution.padding[0]
    hop *= convolution.stride[0]
    count = (_length(convolution, parts[0].shape[1]) - 1) // hop + 1
    out = None
    for part in parts:
        channels = part.shape[2]
        mine = kernel if channels == kernel.shape[2] else kernel[:, :, first : first + channels]
        one = correlate(part, mine, bias if out is None else None, hop=hop, left=pad, count=count)
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
    if isinstance(upsampling, LearnedInterpolation):
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
        # The kernel takes what lies beyond the ends for zeros at the lower rate. But before the first sample nothing is
        # interpolated, and behind the last it is repeated.
        missing = (1 - after) * turned
        edges = -missing[:, taps - pad :], missing[:, : pad + 1]
    return spread(below, kernel, bias, edges, left=taps - pad, count=count)


def _apply(module: nn.Module, x: Tensor) -> Tensor:
    """A module on rows."""
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
        case Separable():
            return _apply(module.pointwise, _apply(module.depthwise, x))
        case Unit():
            return _apply(module.activation, _apply(module.convolution, x))
        case MultiRes():
            narrow, wider, wide = module.activations
            first = _apply(narrow, _apply(module.first, x))
            both = torch.cat([first, _apply(wider, _apply(module.second, first))], dim=2)
            return both + _apply(wide, _apply(module.wide, first))
        case ResStep():
            wide, narrow = module.activations
            x = _apply(wide, _apply(module.wide, x))
            return x + _apply(narrow, _apply(module.narrow, x))
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
    """What a module makes of (batch, channels, time), as rows."""
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
    left, right = x[:, :-1].transpose(1, 2), x[:, 1:].transpose(1, 2)
    between = torch.cat([module.between(left, right).transpose(1, 2), x[:, -1:]], dim=1)
    doubled = torch.stack([x, between], dim=2).flatten(1, 2)
    return doubled[:, :-1] if module.context else doubled


def _crop(x: Tensor, length: int) -> Tensor:
    """Keeps the centre of rows, as `resampling.crop`."""
    start = (x.shape[1] - length) // 2
    return x[:, start : start + length] if x.shape[1] > length else x
