"""Blocks against what JNET.md and the papers say they compute, written out by hand."""

import torch
from torch.nn import functional

from randsearch.models.architecture import Architecture
from randsearch.models.blocks import MultiRes, Snake
from randsearch.models.sizing import Signal
from randsearch.models.wave_unet import WaveUNet, build


def _network(**options: object) -> WaveUNet:
    return build(Architecture.create({"levels": 1, "first_filters": 3, "encoder_kernel": 5, **options}), Signal(), 0)


def _convolve(network: WaveUNet, name: str, x: torch.Tensor, padding: int = 0) -> torch.Tensor:
    weight, bias = network.get_parameter(f"{name}.weight"), network.get_parameter(f"{name}.bias")
    return functional.leaky_relu(functional.conv1d(x, weight, bias, padding=padding), 0.2)


def test_snake() -> None:
    snake, x = Snake(3).double(), torch.randn(2, 3, 50, dtype=torch.float64)
    with torch.no_grad():
        snake.frequency.copy_(torch.tensor([[0.5], [2.0], [-1.0]]))
    assert torch.allclose(snake(x), x + (snake.frequency * x).sin() ** 2 / snake.frequency)


def test_snake_of_no_frequency_is_the_identity() -> None:
    snake, x = Snake(1), torch.randn(1, 1, 9)
    with torch.no_grad():
        snake.frequency.zero_()
    snake(x).sum().backward()
    assert torch.equal(snake(x), x)
    assert snake.frequency.grad is not None
    assert torch.allclose(snake.frequency.grad.sum(), x.square().sum())


def test_multires_keeps_two_convolutions_and_adds_a_wide_one() -> None:
    for context in (False, True):
        network = _network(multires=True, context=context)
        block, x = network.encoder[0], torch.randn(2, 1, 40)
        assert isinstance(block, MultiRes)
        first = _convolve(network, "encoder.0.first", x, padding=0 if context else 2)
        second = _convolve(network, "encoder.0.second", first, padding=2)
        expected = torch.cat([first, second], dim=1) + _convolve(network, "encoder.0.wide", first)
        assert torch.allclose(block(x), expected, atol=1e-6)


def test_a_res_path_takes_three_steps() -> None:
    network = _network(res_path="trainable", context=True)
    x = expected = torch.randn(2, 3, 40)
    for step in range(3):
        expected = _convolve(network, f"skips.0.{step}.wide", expected, padding=2)
        expected = expected + _convolve(network, f"skips.0.{step}.narrow", expected)
    assert torch.allclose(network.skips[0](x), expected, atol=1e-6)


def test_a_separable_convolution_is_one_of_rank_one_in_time() -> None:
    network = _network(separable=True)
    weight = network.get_parameter("decoder.0.pointwise.weight") * network.get_parameter(
        "decoder.0.depthwise.weight"
    ).transpose(0, 1)
    x = torch.randn(1, weight.shape[1], 20)
    whole = functional.conv1d(x, weight, network.get_parameter("decoder.0.pointwise.bias"), padding=2)
    assert torch.allclose(network.decoder[0](x), whole, atol=1e-5)


def test_strided_decimation_is_a_convolution_of_which_every_second_sample_is_kept() -> None:
    network = _network(decimation="strided")
    x = torch.randn(1, 3, 21)
    expected = _convolve(network, "decimation.0.convolution", x, padding=1)[..., ::2]
    assert torch.allclose(network.decimation[0](x), expected, atol=1e-6)
