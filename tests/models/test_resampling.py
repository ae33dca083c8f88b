"""Halving and doubling the rate against plain numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from randsearch.models.resampling import Blur, Interpolation, LearnedInterpolation, Skip, crop


def _interpolate(x: np.ndarray, weight: float, *, context: bool, behind: float) -> np.ndarray:
    """One channel, sample by sample, and the sample that stands behind the last."""
    out = []
    for sample, following in zip(x, [*x[1:], behind], strict=True):
        out.append(sample)
        out.append(weight * sample + (1 - weight) * following)
    return np.array(out[:-1] if context else out)


@given(st.integers(1, 9), st.booleans())
def test_linear_interpolation(length: int, context: bool) -> None:
    x = torch.randn(2, 3, length, dtype=torch.float64)
    found = Interpolation(context=context)(x)
    for row, expected in zip(found.flatten(0, 1), x.flatten(0, 1), strict=True):
        repeated = expected[-1].item()
        np.testing.assert_allclose(
            row, _interpolate(expected.numpy(), 0.5, context=context, behind=repeated), atol=1e-15
        )


@given(st.integers(1, 9), st.booleans())
def test_learned_interpolation(length: int, context: bool) -> None:
    x = torch.randn(2, 3, length, dtype=torch.float64)
    layer = LearnedInterpolation(3, context=context).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([-2.0, 0.0, 3.0]))
    found = layer(x).detach()
    for channel, value in enumerate([-2.0, 0.0, 3.0]):
        expected = _interpolate(x[1, channel].numpy(), 1 / (1 + np.exp(-value)), context=context, behind=0.0)
        np.testing.assert_allclose(found[1, channel], expected, atol=1e-14)


def test_interpolation_with_equal_weights_is_linear() -> None:
    x = torch.randn(1, 4, 6)
    assert torch.allclose(LearnedInterpolation(4, context=True)(x), Interpolation(context=True)(x))


def test_interpolation_with_context_aligns_corners() -> None:
    x = torch.randn(1, 2, 5, dtype=torch.float64)
    expected = torch.nn.functional.interpolate(x, size=9, mode="linear", align_corners=True)
    assert torch.allclose(Interpolation(context=True)(x), expected)


def test_skip_keeps_the_first_sample() -> None:
    assert Skip()(torch.arange(5.0).view(1, 1, -1)).flatten().tolist() == [0, 2, 4]


@pytest.mark.parametrize(("frequency", "gain"), [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)])
def test_blur_is_a_half_band_low_pass(frequency: float, gain: float) -> None:
    x = torch.cos(np.pi * frequency * torch.arange(40, dtype=torch.float64)).expand(2, 3, -1)
    low = Blur(padded=True).double()(x)
    assert low.shape == (2, 3, 20)
    assert torch.allclose(low[..., 2:-2], gain * x[..., ::2][..., 2:-2], atol=1e-12)


@given(st.integers(9, 20))
def test_blur_without_padding_is_the_inside_of_blur_with_padding(length: int) -> None:
    x = torch.randn(1, 2, length, dtype=torch.float64)
    inside = Blur(padded=False).double()(x)
    # Without padding, the first sample kept is the one at 3, with one zero in front the third.
    outside = Blur(padded=True).double()(torch.nn.functional.pad(x, (1, 0)))
    assert torch.allclose(inside, outside[..., 2 : 2 + inside.shape[-1]])


def test_cropping_takes_the_odd_sample_off_the_end() -> None:
    x = torch.arange(6.0)
    assert crop(x, 3).tolist() == [1, 2, 3]
    assert crop(x, 4).tolist() == [1, 2, 3, 4]
    assert crop(x, 6) is x
