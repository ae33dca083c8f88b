"""Convolution of channels-last signals is convolution, in both directions and in every derivative."""

import pytest
import torch
from torch.nn import functional

from randsearch.models.convolution import convolve, convolve_transposed, halve

SIZES = [
    (channels, filters, taps, time)
    for channels, filters in ((1, 1), (1, 8), (3, 4), (4, 6), (6, 20), (16, 8))
    for taps in (1, 3, 4, 15)
    for time in (16, 33, 200)
]


def compare(found: torch.Tensor, expected: torch.Tensor, inputs: list[torch.Tensor]) -> None:
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected)
    gradient = torch.randn_like(expected)
    for mine, theirs in zip(
        torch.autograd.grad(found, inputs, gradient), torch.autograd.grad(expected, inputs, gradient), strict=True
    ):
        torch.testing.assert_close(mine, theirs)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def conv1d(
    x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None, stride: int, left: int, count: int
) -> torch.Tensor:
    """The definition, by PyTorch's own convolution of a signal padded at will."""
    right = (count - 1) * stride + kernel.shape[1] - left - x.shape[1]
    padded = functional.pad(x.transpose(1, 2), (left, right))
    return functional.conv1d(padded, kernel.transpose(1, 2), bias, stride=stride).transpose(1, 2)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("channels", "filters", "taps", "time"), SIZES)
def test_convolution_is_pytorchs(channels, filters, taps, time, stride):
    torch.manual_seed(0)
    x, kernel, bias = drawn(2, time, channels), drawn(filters, taps, channels), drawn(filters)
    for left in {0, taps // 2, taps - 1}:
        for count in {1, (time + taps - 1) // stride, (time + 2 * left - taps) // stride + 1}:
            where = {"stride": stride, "left": left, "count": count}
            compare(convolve(x, kernel, bias, **where), conv1d(x, kernel, bias, **where), [x, kernel, bias])


@pytest.mark.parametrize(("channels", "filters", "taps", "time"), SIZES)
def test_the_transposed_convolution_is_the_adjoint_of_taking_every_second_sample(channels, filters, taps, time):
    torch.manual_seed(0)
    kernel, high = drawn(filters, taps, channels), drawn(2, time, channels)
    for left in {0, taps // 2, taps - 1}:
        count = (time + 2 * left - taps) // 2 + 1
        if count < 1:
            continue
        x = drawn(2, count, filters)
        (adjoint,) = torch.autograd.grad(conv1d(high, kernel, None, 2, left, count), high, x, create_graph=True)
        compare(convolve_transposed(x, kernel, None, None, left=left, count=time), adjoint, [x, kernel])


def test_bias_and_edges_of_the_transposed_convolution():
    torch.manual_seed(0)
    x, kernel, bias = drawn(2, 20, 3), drawn(3, 5, 4), drawn(4)
    first, last = drawn(3, 2, 4), drawn(3, 3, 4)
    bare = convolve_transposed(x, kernel, None, None, left=2, count=40) + bias
    early = torch.einsum("bc,cto->bto", x[:, 0], first)
    late = torch.einsum("bc,cto->bto", x[:, -1], last)
    expected = bare + functional.pad(early, (0, 0, 0, 38)) + functional.pad(late, (0, 0, 37, 0))
    found = convolve_transposed(x, kernel, bias, (first, last), left=2, count=40)
    compare(found, expected, [x, kernel, bias, first, last])


@pytest.mark.parametrize("time", [7, 8])
def test_halving_keeps_every_second_sample(time):
    torch.manual_seed(0)
    x, weights = drawn(2, time, 3), drawn(2, time, 3)
    whole, half = halve(x)
    compare((whole * weights).sum() + half.square().sum(), (x * weights).sum() + x[:, ::2].square().sum(), [x, weights])


def test_only_the_gradients_that_are_asked_for_are_computed(monkeypatch):
    """A fixed half costs no gradients of its kernels, and what needs none of its input computes none."""
    from randsearch.models import convolution

    computed = []
    for name in ("_adjoint", "_kernel_gradient"):
        kept = getattr(convolution, name)
        monkeypatch.setattr(
            convolution, name, lambda *arguments, kept=kept, name=name: computed.append(name) or kept(*arguments)
        )
    x, kernel = torch.randn(1, 64, 3), torch.randn(8, 5, 3)
    convolve(x, kernel.clone().requires_grad_(), None, stride=1, left=2, count=64).sum().backward()
    assert computed == ["_kernel_gradient"]
    computed.clear()
    convolve(x.requires_grad_(), kernel, None, stride=1, left=2, count=64).sum().backward()
    assert computed == ["_adjoint"]
