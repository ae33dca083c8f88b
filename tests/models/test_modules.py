"""Modules of a network against what the papers say they compute, written out by hand."""

import torch
from random_networks import shortest
from torch.nn import functional

from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.modules import Snake
from randsearch.models.sizing import Signal
from randsearch.models.wave_unet import WaveUNet


def _network(**options: object) -> WaveUNet:
    return build(Architecture.create({"levels": 1, "first_filters": 3, "encoder_kernel": 5, **options}), Signal(), 0)


def _convolve(network: WaveUNet, name: str, x: torch.Tensor, padding: int = 0) -> torch.Tensor:
    weight, bias = network.get_parameter(f"{name}.weight"), network.get_parameter(f"{name}.bias")
    return functional.leaky_relu(functional.conv1d(x, weight, bias, padding=padding), 0.2)


def _heard(network: WaveUNet, more: int = 0) -> dict[str, torch.Tensor]:
    """What each module of a network sees of a mixture, by its name."""
    found: dict[str, torch.Tensor] = {}
    for name, module in network.named_modules():
        module.register_forward_pre_hook(lambda _, inputs, name=name: found.update({name: inputs[0]}))
    network(torch.randn(2, 1, shortest(network.architecture) + more))
    return found


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
        heard = _heard(network)
        first = _convolve(network, "encoder.0.first", heard["encoder.0.first"], padding=0 if context else 2)
        second = _convolve(network, "encoder.0.second", first, padding=2)
        expected = torch.cat([first, second], dim=1) + _convolve(network, "encoder.0.wide", first)
        assert torch.allclose(heard["decimation.0"], expected, atol=1e-6)


def test_a_res_path_takes_three_steps() -> None:
    for context in (False, True):
        network = _network(res_path="trainable", context=context)
        heard = _heard(network, more=40)
        expected = heard["decimation.0"]
        for step in range(3):
            expected = _convolve(network, f"skips.0.{step}.wide", expected, padding=2)
            expected = expected + _convolve(network, f"skips.0.{step}.narrow", expected)
        joined = heard["decoder.0"][:, -3:]
        border = (expected.shape[-1] - joined.shape[-1]) // 2
        assert torch.allclose(joined, expected[..., border : border + joined.shape[-1]], atol=1e-6)


def test_a_separable_convolution_is_one_of_rank_one_in_time() -> None:
    network = _network(separable=True)
    heard = _heard(network, more=16)
    weight = network.get_parameter("decoder.0.pointwise.weight") * network.get_parameter(
        "decoder.0.depthwise.weight"
    ).transpose(0, 1)
    bias = network.get_parameter("decoder.0.pointwise.bias")
    whole = functional.conv1d(heard["decoder.0.depthwise"], weight, bias, padding=2)
    assert torch.allclose(heard["decoder_activation.0"], whole, atol=1e-5)


def test_strided_decimation_is_a_convolution_of_which_every_second_sample_is_kept() -> None:
    network = _network(decimation="strided")
    heard = _heard(network, more=17)
    name = "decimation.0.convolution"
    expected = _convolve(network, name, heard[name], padding=1)[..., ::2]
    assert torch.allclose(heard["bottleneck"], expected, atol=1e-6)
