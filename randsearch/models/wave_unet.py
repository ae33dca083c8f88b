"""The Wave-U-Net (Stoller et al., arXiv 1806.03185) with the details of J-Net (Chen et al., arXiv 1911.12926)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from randsearch.architecture import Architecture
from randsearch.models.resampling import decimate, upsample_linear
from randsearch.models.sizing import Convolution, Signal, convolutions

ACTIVATIONS = {
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.2),
    "relu": functional.relu,
    "gelu": functional.gelu,
    "tanh": torch.tanh,
}


class WaveUNet(nn.Module):
    """Separates a mixture into sources.

    Encoder level: convolution, activation, keep for the skip, decimate. Decoder level: upsample, concatenate the
    skip, convolution, activation. The mixture is concatenated before the output convolution.

    Args:
        architecture: every option of the network.
        signal: sources and channels.
        generator: draws the initial weights: Glorot-uniform kernels, zero biases. The initialisation decides what a
            half fixed at random is worth, hence it is never PyTorch's default.

    Shape:
        Input (batch, channels, time), output (batch, sources, channels, time).
    """

    def __init__(self, architecture: Architecture, signal: Signal, generator: torch.Generator) -> None:
        super().__init__()
        self.architecture = architecture
        self.signal = signal
        # The shortest legal input serves: kernels and channels do not depend on the length.
        layers = {layer.name: layer for layer in convolutions(architecture, signal, 2 ** (architecture.levels + 1))}
        depth = range(architecture.levels)
        self.encoder = nn.ModuleList(_convolution(layers[f"encoder.{level}"], generator) for level in depth)
        self.bottleneck = _convolution(layers["bottleneck"], generator)
        self.decoder = nn.ModuleList(_convolution(layers[f"decoder.{level}"], generator) for level in depth)
        self.output = _convolution(layers["output"], generator)
        self.activate = ACTIVATIONS[architecture.activation]

    def features(self, mixture: Tensor) -> Tensor:
        """What the output convolution sees, the mixture as its last channels.

        Shape:
            Input (batch, channels, time), output (batch, first_filters + channels, time).
        """
        skips = []
        x = mixture
        for convolution in self.encoder:
            x = self.activate(convolution(x))
            skips.append(x)
            x = decimate(x)
        x = self.activate(self.bottleneck(x))
        for level in reversed(range(self.architecture.levels)):
            skip = skips[level]
            x = upsample_linear(x)[..., : skip.shape[-1]]
            if self.architecture.has_skip(level):
                x = torch.cat([x, skip], dim=1)
            x = self.activate(self.decoder[level](x))
        return torch.cat([x, mixture], dim=1)

    def head(self, predicted: Tensor, mixture: Tensor) -> Tensor:
        """Turns the output convolution's result into estimates of all sources.

        Shape:
            predicted (batch, predicted sources * channels, time), mixture (batch, channels, time), output
            (batch, sources, channels, time).
        """
        if self.architecture.output_activation == "tanh":
            predicted = torch.tanh(predicted)
        elif not self.training:
            predicted = predicted.clamp(-1.0, 1.0)
        estimates = predicted.unflatten(1, (-1, self.signal.channels))
        if self.architecture.output == "difference":
            last = mixture.unsqueeze(1) - estimates.sum(dim=1, keepdim=True)
            estimates = torch.cat([estimates, last if self.training else last.clamp(-1.0, 1.0)], dim=1)
        return estimates

    def forward(self, mixture: Tensor) -> Tensor:
        """Estimates the sources."""
        return self.head(self.output(self.features(mixture)), mixture)


def _convolution(layer: Convolution, generator: torch.Generator) -> nn.Conv1d:
    with torch.device("meta"):
        convolution = nn.Conv1d(layer.in_channels, layer.out_channels, layer.kernel, padding=layer.kernel // 2)
    convolution.to_empty(device="cpu")
    nn.init.xavier_uniform_(convolution.weight, generator=generator)
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return convolution


def build(architecture: Architecture, signal: Signal, seed: int) -> WaveUNet:
    """Builds a network with initial weights that the seed alone decides."""
    return WaveUNet(architecture, signal, torch.Generator().manual_seed(seed))
