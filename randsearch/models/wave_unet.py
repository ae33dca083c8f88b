"""The Wave-U-Net (Stoller et al., arXiv 1806.03185) with the details of J-Net (Chen et al., arXiv 1911.12926)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from randsearch.models.architecture import Architecture
from randsearch.models.blocks import Factory
from randsearch.models.frozen import fix_half
from randsearch.models.layers import Signal
from randsearch.models.resampling import crop


class WaveUNet(nn.Module):
    """Separates a mixture into sources.

    Encoder level: convolution, activation, keep for the skip, decimate. Decoder level: upsample, concatenate the
    skip, convolution, activation. The mixture is concatenated before the output convolution. With context, what is
    concatenated is cropped to the shorter tensor's length.

    Args:
        architecture: every option of the network.
        signal: sources and channels.
        generator: draws the initial weights: the encoder's, the bottleneck's, the decoder's and the output's in this
            order, finest level first, and then those of options that a plain network has not.

    Shape:
        Input (batch, channels, time), output (batch, sources, channels, time). With context the lengths are those of
        `layers.lengths`.
    """

    def __init__(self, architecture: Architecture, signal: Signal, generator: torch.Generator) -> None:
        super().__init__()
        self.architecture = architecture
        self.signal = signal
        make = Factory(architecture, signal, generator)
        depth = range(architecture.levels)
        self.encoder = nn.ModuleList(make.block(f"encoder.{level}") for level in depth)
        self.encoder_activation = nn.ModuleList(make.activation(f"encoder.{level}") for level in depth)
        self.bottleneck = make.convolution("bottleneck")
        self.bottleneck_activation = make.activation("bottleneck")
        self.make_decoder(make)
        self.output = make.convolution("output")
        self.decimation = nn.ModuleList(make.decimation(level) for level in depth)
        self.skips = nn.ModuleList(make.skip(level) for level in depth)

    def make_decoder(self, make: Factory) -> None:
        """Makes `decoder`, `decoder_activation` and `upsampling`."""
        depth = range(self.architecture.levels)
        self.decoder = nn.ModuleList(make.block(f"decoder.{level}") for level in depth)
        self.decoder_activation = nn.ModuleList(make.activation(f"decoder.{level}") for level in depth)
        self.upsampling = nn.ModuleList(make.upsampling(f"upsampling.{level}") for level in depth)

    def encode(self, mixture: Tensor) -> list[Tensor]:
        """The output of every encoder level, and last of the bottleneck.

        Shape:
            Input (batch, channels, time), outputs (batch, filters, time / 2^level).
        """
        found = []
        x = mixture
        for convolution, activation, decimation in zip(
            self.encoder, self.encoder_activation, self.decimation, strict=True
        ):
            x = activation(convolution(x))
            found.append(x)
            x = decimation(x)
        found.append(self.bottleneck_activation(self.bottleneck(x)))
        return found

    def decode(self, encoded: list[Tensor]) -> Tensor:
        """The output of decoder level 0.

        Shape:
            Inputs as `encode` returns them, output (batch, first_filters, time).
        """
        x = encoded[-1]
        for level in reversed(range(self.architecture.levels)):
            skip = encoded[level]
            x = self.upsampling[level](x)[..., : skip.shape[-1]]
            if self.architecture.has_skip(level):
                x = torch.cat([x, crop(self.skips[level](skip), x.shape[-1])], dim=1)
            x = self.decoder_activation[level](self.decoder[level](x))
        return x

    def features(self, mixture: Tensor) -> Tensor:
        """What the output convolution sees, the mixture as its last channels.

        Shape:
            Input (batch, channels, time), output (batch, first_filters + channels, time).
        """
        return beside(self.decode(self.encode(mixture)), mixture)

    def head(self, predicted: Tensor, mixture: Tensor) -> Tensor:
        """Turns the output convolution's result into estimates of all sources.

        Shape:
            predicted (batch, predicted sources * channels, time), mixture (batch, channels, input time), output
            (batch, sources, channels, time).
        """
        kind = self.architecture.output
        if self.architecture.output_activation == "tanh":
            predicted = torch.tanh(predicted)
        elif not self.training and kind != "residual":
            predicted = predicted.clamp(-1.0, 1.0)
        estimates = predicted.reshape(len(predicted), -1, self.signal.channels, predicted.shape[-1])
        if kind == "direct":
            return estimates
        heard = crop(mixture, predicted.shape[-1]).unsqueeze(1)
        if kind == "residual":
            estimates = heard + estimates
            return estimates if self.training else estimates.clamp(-1.0, 1.0)
        last = heard - estimates.sum(dim=1, keepdim=True)
        return torch.cat([estimates, last if self.training else last.clamp(-1.0, 1.0)], dim=1)

    def forward(self, mixture: Tensor) -> Tensor:
        """Estimates the sources."""
        return self.head(self.output(self.features(mixture)), mixture)

    def forward_all(self, mixture: Tensor) -> Tensor:
        """Estimates the sources by every output that the training loss averages over; of most networks, the one.

        Shape:
            Input (batch, channels, time), output (outputs, batch, sources, channels, time), the network's own last.
        """
        return self.forward(mixture).unsqueeze(0)


def beside(features: Tensor, mixture: Tensor) -> Tensor:
    """Concatenates the mixture, cropped, as the last channels."""
    return torch.cat([features, crop(mixture, features.shape[-1])], dim=1)


def build(architecture: Architecture, signal: Signal, seed: int) -> WaveUNet:
    """Builds a network with initial weights that the seed alone decides, and fixes what the architecture fixes.

    Raises:
        UserError: weights are to be drawn with the statistics of a file that does not serve.
    """
    # Imported here because the nested network is a Wave-U-Net itself.
    from randsearch.models.nested import NestedWaveUNet

    kind = NestedWaveUNet if architecture.nested else WaveUNet
    network = kind(architecture, signal, torch.Generator().manual_seed(seed))
    fix_half(network, "none")
    return network
