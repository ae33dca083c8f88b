"""How weights are drawn: their power, their shape, and the statistics of a trained network."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from randsearch.base.errors import UserError
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.initialisation import LEAKY_GAIN, drawing
from randsearch.models.presets import PRESETS
from randsearch.models.sizing import Signal


def _draw(kind: str, convolution: nn.Conv1d) -> torch.Tensor:
    drawing(Architecture.create({"initialisation": kind}), torch.Generator().manual_seed(0))("x", convolution)
    return convolution.weight.detach()


def test_glorot_is_pytorchs() -> None:
    weight = _draw("glorot", nn.Conv1d(6, 10, 5))
    expected = nn.init.xavier_uniform_(torch.empty(10, 6, 5), generator=torch.Generator().manual_seed(0))
    assert torch.equal(weight, expected)


def test_sources_are_drawn_as_by_output_convolutions_of_their_own() -> None:
    m6 = PRESETS["M6"]
    network = build(m6.architecture.model_copy(update={"levels": 1}), m6.signal, 0)
    weight, bound = network.output.weight.detach(), math.sqrt(6 / (26 + 2))
    assert weight.shape == (6, 26, 1)
    # One convolution for all of its three sources would stay within 0.433.
    assert 0.44 < weight.abs().max() < bound == pytest.approx(0.463, abs=5e-4)


def test_each_supervised_output_is_drawn_alike() -> None:
    architecture = Architecture(levels=2, first_filters=3, nested=True, deep_supervision=True, output="direct")
    network = build(architecture, Signal(sources=400), 0)
    for name in ("auxiliary.1", "output"):
        largest = network.get_parameter(f"{name}.weight").detach().abs().max().item()
        assert largest == pytest.approx(math.sqrt(6 / (4 + 1)), rel=0.02), name


@pytest.mark.parametrize("kind", ["glorot", "he"])
def test_interpolation_weights_start_within_glorots_bound_of_a_vector(kind: str) -> None:
    options = {"levels": 2, "first_filters": 4, "filter_increment": 200, "upsampling": "learned"}
    network = build(Architecture.create({**options, "initialisation": kind}), Signal(), 0)
    for level, filters in ((0, 204), (1, 404)):
        weight = network.get_parameter(f"upsampling.{level}.weight").detach()
        assert weight.shape == (filters,)
        assert weight.abs().max().item() == pytest.approx(math.sqrt(3 / filters), rel=0.05)
        assert weight.abs().max().item() <= math.sqrt(3 / filters)


@pytest.mark.parametrize("kind", ["he", "orthogonal", "sparse"])
def test_power_survives_leaky_relu(kind: str) -> None:
    weight = _draw(kind, nn.Conv1d(40, 120, 5))
    assert weight.square().sum(dim=(1, 2)).mean().item() == pytest.approx(LEAKY_GAIN**2, rel=0.05)


def test_depthwise_convolutions_keep_their_power() -> None:
    weight = _draw("glorot", nn.Conv1d(200, 200, 5, groups=200, bias=False))
    assert weight.square().sum(dim=(1, 2)).mean().item() == pytest.approx(1, rel=0.1)


def test_orthogonal_filters_are_orthogonal() -> None:
    weight = _draw("orthogonal", nn.Conv1d(6, 10, 5)).flatten(1) / LEAKY_GAIN
    assert torch.allclose(weight @ weight.T, torch.eye(10), atol=1e-5)


def test_a_delta_orthogonal_convolution_keeps_the_norm_of_every_signal() -> None:
    convolution = nn.Conv1d(6, 10, 5, padding=2)
    weight = _draw("delta_orthogonal", convolution)
    assert not weight[..., [0, 1, 3, 4]].any()
    signal = torch.randn(3, 6, 50)
    assert convolution(signal).norm().item() == pytest.approx(LEAKY_GAIN * signal.norm().item(), rel=1e-5)
    # Where it has fewer filters than inputs, it keeps that of what it projects on.
    fewer = _draw("delta_orthogonal", nn.Conv1d(10, 6, 5))[..., 2] / LEAKY_GAIN
    assert torch.allclose(fewer @ fewer.T, torch.eye(6), atol=1e-5)
    signs = _draw("delta_orthogonal", nn.Conv1d(8, 8, 3, groups=8))[..., 1] / LEAKY_GAIN
    assert torch.allclose(signs.abs(), torch.ones(8, 1))


def test_sparse_filters_have_a_tenth_of_their_weights() -> None:
    weight = _draw("sparse", nn.Conv1d(8, 10, 5)).flatten(1)
    assert (weight != 0).sum(dim=1).tolist() == [4] * 10


@pytest.mark.parametrize("kind", ["glorot", "he", "orthogonal", "delta_orthogonal", "sparse"])
def test_biases_are_zero(kind: str) -> None:
    convolution = nn.Conv1d(3, 4, 5)
    _draw(kind, convolution)
    assert convolution.bias is not None
    assert not convolution.bias.any()


WIDE = {"levels": 2, "first_filters": 16, "filter_increment": 16}


def _statistics(path: Path) -> dict[str, object]:
    return {"initialisation": "statistics", "init_statistics": str(path)}


def _checkpoint(folder: Path, scale: float = 1.0, **options: object) -> Path:
    path = folder / "trained.safetensors"
    state = build(Architecture.create(WIDE | options), Signal(), 0).state_dict()
    save_file({name: 0.5 + scale * torch.randn_like(tensor) for name, tensor in state.items()}, path)
    return path


def test_statistics_give_mean_and_variance_of_each_layer(tmp_path: Path) -> None:
    architecture = Architecture.create(WIDE | _statistics(_checkpoint(tmp_path, 2.0)))
    network = build(architecture, Signal(), 3)
    weight = network.bottleneck.weight
    assert weight.mean().item() == pytest.approx(0.5, abs=0.05)
    assert weight.std().item() == pytest.approx(2.0, rel=0.05)
    assert network.bottleneck.bias is not None
    assert network.bottleneck.bias.any()
    again = build(architecture, Signal(), 3)
    assert torch.equal(again.output.weight, network.output.weight)


def test_statistics_name_contents_and_not_a_place(tmp_path: Path) -> None:
    path = _checkpoint(tmp_path)
    here = Architecture.create(_statistics(path))
    moved = path.rename(tmp_path / "moved.safetensors")
    assert Architecture.create(_statistics(moved)).hash == here.hash
    # What a table says of an architecture is read again where the file is not.
    assert Architecture.create(here.to_row()).hash == here.hash
    _checkpoint(tmp_path, 2.0)
    assert Architecture.create(_statistics(path)).hash != here.hash


def test_statistics_that_do_not_serve_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        Architecture.create(_statistics(tmp_path / "nothing"))
    path = _checkpoint(tmp_path)
    with pytest.raises(UserError, match="use weights of the same depth, widths and kernels"):
        build(Architecture.create({**WIDE, "first_filters": 4, **_statistics(path)}), Signal(), 0)
    with pytest.raises(UserError, match="no such layer"):
        build(Architecture.create({**WIDE, "levels": 3, **_statistics(path)}), Signal(), 0)
    architecture = Architecture.create(WIDE | _statistics(path))
    _checkpoint(tmp_path, 2.0)
    with pytest.raises(UserError, match="has changed"):
        build(architecture, Signal(), 0)
    path.write_text("no tensors")
    with pytest.raises(UserError, match="not a safetensors file"):
        build(Architecture.create(WIDE | _statistics(path)), Signal(), 0)
