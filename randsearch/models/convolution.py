"""Convolution of signals that lie in memory time step by time step, as (batch, time, channels).

In this layout the samples under a kernel are one run of memory. PyTorch's two-dimensional convolution of height 1 then
comes close to the processor's matrix-product rate, forwards and backwards to the input; the gradient of the kernel is a
few matrix products over overlapping windows that are never copied. Two forms do no work that would be thrown away:
every second output sample only (`stride` 2), and the adjoint of that, which doubles the rate (`convolve_transposed`).

Kernels are (filters, taps, channels) here. Reference: the definition of convolution; tests compare with
`torch.nn.functional.conv1d` in double precision.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Edges = tuple[Tensor, Tensor]
"""What the first sample of a signal adds to the first outputs, its last to the last: (filters, samples, channels)."""

LANES = 8
"""Filters that the processor computes at once; that many or a multiple of them leave none idle."""
SHORT = 512
"""Samples up to which the windows of a signal are copied out."""


def convolve(x: Tensor, kernel: Tensor, bias: Tensor | None, *, stride: int, left: int, count: int) -> Tensor:
    """y[q] = sum over j of kernel[j] x[stride q + j - left], where x is zero beyond its ends.

    Args:
        x: signals.
        kernel: of all filters.
        bias: added to each filter's output; None for none.
        stride: input samples from one output sample to the next.
        left: samples before the first that the first window reaches.
        count: output samples.

    Shape:
        x (batch, time, channels), kernel (filters, taps, channels), bias (filters), y (batch, count, filters).
    """
    out: Tensor = _Convolution.apply(x, kernel, bias, stride, left, count)  # type: ignore[no-untyped-call]
    return out


def convolve_transposed(
    x: Tensor, kernel: Tensor, bias: Tensor | None, edges: Edges | None, *, left: int, count: int
) -> Tensor:
    """The adjoint of `convolve` with stride 2: a sample of x adds its kernel to y two samples behind the one before.

    Args:
        x: signals.
        kernel: of all its channels.
        bias: added to each output channel; None for none.
        edges: what the first and the last sample of x put in besides; None for nothing.
        left: samples before the first that the first kernel reaches.
        count: output samples.

    Shape:
        x (batch, time, filters), kernel (filters, taps, channels), bias (channels), y (batch, count, channels).
    """
    first, last = edges or (None, None)
    out: Tensor = _TransposedConvolution.apply(x, kernel, bias, first, last, left, count)  # type: ignore[no-untyped-call]
    return out


def halve(x: Tensor) -> tuple[Tensor, Tensor]:
    """The signal as it is, and every second sample of it.

    Shape:
        (batch, time, channels) to the same and (batch, ceil(time / 2), channels).
    """
    whole, half = _Halving.apply(x)  # type: ignore[no-untyped-call]
    return whole, half


class _Halving(torch.autograd.Function):
    """One gradient for both uses of a signal, where autograd would fill a signal with zeros and add it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.view_as(x), x[:, ::2].contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        whole, half = gradients
        out = whole.clone(memory_format=torch.contiguous_format)
        out[:, ::2] += half
        return out


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor | None, stride: int, left: int, count: int) -> Tensor:
        x = x.contiguous()
        ctx.save_for_backward(x, kernel)
        ctx.where = stride, left
        return _forward(x, kernel, bias, stride, left, count)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, kernel = ctx.saved_tensors
        stride, left = ctx.where
        g = gradients[0].contiguous()
        to_x, to_kernel, to_bias, *_ = ctx.needs_input_grad
        return (
            _adjoint(g, kernel, stride, left, x.shape[1]) if to_x else None,
            _kernel_gradient(x, g, kernel.shape[1], stride, left) if to_kernel else None,
            g.sum((0, 1)) if to_bias else None,
            None,
            None,
            None,
        )


class _TransposedConvolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        kernel: Tensor,
        bias: Tensor | None,
        first: Tensor | None,
        last: Tensor | None,
        left: int,
        count: int,
    ) -> Tensor:
        x = x.contiguous()
        ctx.save_for_backward(x, kernel, first, last)
        ctx.left = left
        out = _adjoint(x, kernel, 2, left, count, bias)
        if first is not None and last is not None:
            out[:, : first.shape[1]] += torch.tensordot(x[:, 0], first, 1)
            out[:, count - last.shape[1] :] += torch.tensordot(x[:, -1], last, 1)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, kernel, first, last = ctx.saved_tensors
        g = gradients[0].contiguous()
        to_x, to_kernel, to_bias, to_edges, *_ = ctx.needs_input_grad
        gx = _forward(g, kernel, None, 2, ctx.left, x.shape[1]) if to_x else None
        to_first = to_last = None
        if first is not None:
            early, late = g[:, : first.shape[1]], g[:, g.shape[1] - last.shape[1] :]
            if gx is not None:
                gx[:, 0] += torch.tensordot(early, first, ([1, 2], [1, 2]))
                gx[:, -1] += torch.tensordot(late, last, ([1, 2], [1, 2]))
            if to_edges:
                to_first = torch.tensordot(x[:, 0], early, ([0], [0]))
                to_last = torch.tensordot(x[:, -1], late, ([0], [0]))
        return (
            gx,
            _kernel_gradient(g, x, kernel.shape[1], 2, ctx.left) if to_kernel else None,
            g.sum((0, 1)) if to_bias else None,
            to_first,
            to_last,
            None,
            None,
        )


def _forward(x: Tensor, kernel: Tensor, bias: Tensor | None, stride: int, left: int, count: int) -> Tensor:
    batch, time, channels = x.shape
    filters, taps, _ = kernel.shape
    if taps == stride == 1 and left == 0 and count == time:
        flat = x.view(-1, channels)
        weights = kernel.view(filters, channels).t()
        product = flat @ weights if bias is None else torch.addmm(bias, flat, weights)
        return product.view(batch, count, filters)
    # Several output samples are computed as if they were filters of one, where the filters are too few.
    block = math.gcd(LANES // math.gcd(filters, LANES), count)
    if block > 1:
        kernel = _beside(kernel, block, stride)
        bias = None if bias is None else bias.repeat(block)
        stride, taps, count = stride * block, kernel.shape[1], count // block
    # The convolution pads both ends alike: where that is too much, what it computes beyond is left out.
    right = (count - 1) * stride + taps - left - time
    before, uneven = divmod(max(0, right - left), stride)
    if uneven:
        x, left, right = functional.pad(x, (0, 0, left, right)), 0, 0
        before = 0
    out = functional.conv2d(_image(x), _image(kernel), bias, stride=(1, stride), padding=(0, max(left, right, 0)))
    kept = out.permute(0, 2, 3, 1)[:, 0, before : before + count]
    return kept.reshape(batch, count * block, filters)


def _adjoint(g: Tensor, kernel: Tensor, stride: int, left: int, count: int, bias: Tensor | None = None) -> Tensor:
    """gx[t] = sum over q and j with stride q + j - left = t of kernel[j] g[q]."""
    _, taps, channels = kernel.shape
    turned = kernel.permute(2, 1, 0)
    if stride == 1:
        return _forward(g, turned.flip(1).contiguous(), bias, 1, taps - 1 - left, count)
    index, first = _phases(taps, left)
    stacked = functional.pad(turned, (0, 0, 0, 1))[:, index.to(g.device)].transpose(0, 1)
    pairs = -(-count // 2)
    both = None if bias is None else bias.repeat(2)
    doubled = _forward(g, stacked.reshape(2 * channels, -1, kernel.shape[0]), both, 1, -first, pairs)
    return doubled.reshape(len(g), 2 * pairs, channels)[:, :count]


def _kernel_gradient(x: Tensor, g: Tensor, taps: int, stride: int, left: int) -> Tensor:
    """gk[o, j, c] = sum over the batch and q of g[q, o] x[stride q + j - left, c]."""
    batch, time, channels = x.shape
    count, filters = g.shape[1:]
    if taps == stride == 1 and left == 0 and count == time:
        return (g.view(-1, filters).t() @ x.view(-1, channels)).view(filters, 1, channels)
    # Measured on a processor of 8 lanes: a product is quick where its columns are a multiple of 16; many taps pay for
    # more samples beside each other; and windows of what fits into the cache are quicker copied out than stridden over.
    block = min(4, 16 // math.gcd(filters, 16))
    if taps >= 9 and block == 2:
        block = 4
    width = taps + (block - 1) * stride
    # Windows that lie this far apart do not overlap, so that their rows make a matrix without a copy.
    spacing = -(-width // (block * stride)) * block * stride
    pitch = -(-max(time + left, (count - 1) * stride + taps) // spacing) * spacing
    if count * stride <= SHORT or pitch > 1.5 * count * stride:
        return _small_kernel_gradient(x, g, taps, stride, left)
    padded = x.new_empty(batch * pitch + width, channels)
    lain = padded[: batch * pitch].view(batch, pitch, channels)
    lain[:, :left] = 0
    kept = min(time, pitch - left)
    lain[:, left : left + kept] = x[:, :kept]
    lain[:, left + kept :] = 0
    padded[batch * pitch :] = 0
    spaced = functional.pad(g, (0, 0, 0, pitch // stride - count))
    rows = batch * pitch // spacing
    found = x.new_zeros(width * channels, block * filters)
    for phase in range(0, spacing, block * stride):
        windows = padded.as_strided((rows, width * channels), (spacing * channels, 1), phase * channels)
        outputs = spaced.as_strided(
            (rows, block * filters), (spacing // stride * filters, 1), phase // stride * filters
        )
        found.addmm_(windows.t(), outputs)
    shifted = found.view(width, channels, block, filters)
    total = shifted[:taps, :, 0]
    for number in range(1, block):
        total = total + shifted[number * stride : number * stride + taps, :, number]
    return total.permute(2, 0, 1)


def _small_kernel_gradient(x: Tensor, g: Tensor, taps: int, stride: int, left: int) -> Tensor:
    """The same with the windows copied out, for signals hardly longer than a window."""
    batch, time, channels = x.shape
    count, filters = g.shape[1:]
    padded = functional.pad(x, (0, 0, left, max(0, (count - 1) * stride + taps - left - time)))
    windows = padded.as_strided(
        (batch, count, taps * channels), (padded.shape[1] * channels, stride * channels, 1)
    ).reshape(-1, taps * channels)
    return (g.view(-1, filters).t() @ windows).view(filters, taps, channels)


def _image(signal: Tensor) -> Tensor:
    """(batch, time, channels) seen as (batch, channels, 1, time) in channels-last memory."""
    signal = signal.contiguous()
    batch, time, channels = signal.shape
    # The strides are said outright: with a single channel PyTorch could take it for the usual layout, and answer in it.
    return signal.as_strided((batch, channels, 1, time), (time * channels, 1, time * channels, channels))


def _beside(kernel: Tensor, block: int, stride: int) -> Tensor:
    """Kernels that compute `block` neighbouring output samples, as (block * filters, taps, channels)."""
    index = _shifts(kernel.shape[1], block, stride).to(kernel.device)
    shifted = functional.pad(kernel, (0, 0, 0, 1))[:, index]
    return shifted.transpose(0, 1).reshape(-1, index.shape[1], kernel.shape[2])


@lru_cache
def _shifts(taps: int, block: int, stride: int) -> Tensor:
    """Which tap lies at each place of each of the windows beside each other; `taps` where there is none."""
    place = torch.arange(taps + (block - 1) * stride) - torch.arange(0, block * stride, stride).unsqueeze(1)
    return torch.where((place >= 0) & (place < taps), place, taps)


@lru_cache
def _phases(taps: int, left: int) -> tuple[Tensor, int]:
    """Which tap carries g[k + d] to output sample 2 k + phase, as (phase, d), and the first d; `taps` if none."""
    first = -((taps - 1 - left) // 2)
    last = (1 + left) // 2
    place = torch.arange(2).unsqueeze(1) + left - 2 * torch.arange(first, last + 1)
    return torch.where((place >= 0) & (place < taps), place, taps), first
