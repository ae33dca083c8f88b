"""Architectures drawn over all options, small enough to build and run by the hundred."""

from typing import Any

import torch
from hypothesis import assume
from hypothesis import strategies as st
from pydantic import ValidationError

from randsearch.models.architecture import Architecture
from randsearch.models.layers import lengths
from randsearch.models.sizing import Signal
from randsearch.models.wave_unet import WaveUNet

SIGNALS = st.builds(Signal, sources=st.integers(2, 4), channels=st.integers(1, 2))


@st.composite
def architectures(draw: st.DrawFn, **fixed: Any) -> Architecture:
    """Any architecture of 1 to 3 levels; options given by name stay as given."""
    levels = fixed.get("levels", draw(st.integers(1, 3)))
    subsets = st.sets(st.integers(0, levels - 1)).map(tuple)
    options = {
        "levels": st.just(levels),
        "first_filters": st.integers(2, 5),
        "filter_increment": st.integers(0, 3),
        "encoder_kernel": st.sampled_from([1, 3, 5]),
        "decoder_kernel": st.sampled_from([1, 3, 5]),
        "output_kernel": st.sampled_from([1, 3]),
        "context": st.booleans(),
        "decimation": st.sampled_from(["skip", "blur", "strided"]),
        "upsampling": st.sampled_from(["linear", "learned"]),
        "output": st.sampled_from(["direct", "difference", "residual"]),
        "output_activation": st.sampled_from(["tanh", "linear"]),
        "skips": subsets,
        "res_path": st.sampled_from(["none", "none", "trainable", "fixed"]),
        "multires": st.booleans(),
        "nested": st.booleans(),
        "deep_supervision": st.booleans(),
        "activation": st.sampled_from(["leaky_relu", "relu", "gelu", "tanh", "snake"]),
        "normalisation": st.sampled_from(["none", "group", "batch"]),
        "separable": st.booleans(),
        "dilation": st.sampled_from([1, 1, 2]),
        "initialisation": st.sampled_from(["glorot", "he", "orthogonal", "delta_orthogonal", "sparse"]),
        "fixed_encoder_levels": subsets,
        "fixed_decoder_levels": subsets,
        "remove_random": st.booleans(),
    }
    unknown = set(Architecture.model_fields) - set(options) - {"init_statistics"}
    assert not unknown, f"options that nothing tests: {unknown}"
    drawn = {name: draw(strategy) for name, strategy in options.items()} | fixed
    try:
        return Architecture(**drawn)
    except ValidationError:
        assume(False)
        raise


def shortest(architecture: Architecture) -> int:
    """Samples of an input that any network of the depth takes."""
    return lengths(architecture, 2 ** (architecture.levels + 1)).input


def scatter(network: WaveUNet, seed: int = 0) -> WaveUNet:
    """Moves every parameter and running statistic off its initial value, so that none of them hides an error."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(0.1 * torch.randn(buffer.shape, generator=generator))
    return network
