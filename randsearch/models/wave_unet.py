"""The Wave-U-Net (Stoller et al., arXiv 1806.03185) with the details of J-Net (Chen et al., arXiv 1911.12926)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from randsearch.models.architecture import Architecture
from randsearch.models.layers import Convolution, Signal, lengths
from randsearch.models.modules import make_modules, module_at
from randsearch.models.operations import operations
from randsearch.models.resampling import crop
from randsearch.models.structure import convolutions


class WaveUNet(nn.Module):
    """Separates a mixture into sources.

    Encoder level: convolution, activation, keep for the skip, decimate. Decoder level: upsample, concatenate the
    skip, convolution, activation; a nested network has a grid of such nodes. The mixture is concatenated before the
    output convolution. With context, what is concatenated is cropped to the shorter tensor's length. How the layers
    hang together is said in `structure`; here they are run.

    Args:
        architecture: every option of the network.
        signal: sources and channels.
        generator: draws the initial weights: the encoder's, the bottleneck's, the decoder's and the output's in this
            order, finest level first, and then those of options that a plain network has not.

    Attributes:
        layers: what the network computes, in the order in which it runs. Lengths are those of its shortest input.
        operations: all of that but the output convolutions.
        outputs: the output convolutions, the whole network's last; the others only train.

    Shape:
        Input (batch, channels, time), output (batch, sources, channels, time). With context the lengths are those of
        `layers.lengths`.
    """

    output: nn.Conv1d

    def __init__(self, architecture: Architecture, signal: Signal, generator: torch.Generator) -> None:
        super().__init__()
        self.architecture = architecture
        self.signal = signal
        shortest = lengths(architecture, 2 ** (architecture.levels + 1)).input
        self.layers = tuple(convolutions(architecture, signal, shortest))
        self.operations = operations(self.layers)
        self.outputs = tuple(layer for layer in self.layers if layer.part == "output")
        make_modules(self, architecture, self.layers, generator)

    def features(self, mixture: Tensor) -> Tensor:
        """What the output convolution sees, the mixture as its last channels.

        Shape:
            Input (batch, channels, time), output (batch, first_filters + channels, time).
        """
        return _seen(self.outputs[-1], self._run(mixture))

    def head(self, predicted: Tensor, mixture: Tensor) -> Tensor:
        """Turns the output convolution's result into estimates of all sources.

        Shape:
            predicted (batch, predicted sources * channels, time), mixture (batch, channels, input time), output
            (batch, sources, channels, time).
        """
        kind = self.architecture.output
        if self.architecture.output_activation == "tanh":
            predicted = torch.tanh(predicted)
        elif not self.training:
            predicted = predicted.clamp(-1.0, 1.0)
        estimates = predicted.reshape(predicted.shape[0], -1, self.signal.channels, predicted.shape[-1])
        if kind == "direct":
            return estimates
        heard = crop(mixture, predicted.shape[-1]).unsqueeze(1)
        if kind == "residual":
            return heard + estimates
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
        found = self._run(mixture)
        predicted = [self.get_submodule(layer.name)(_seen(layer, found)) for layer in self.outputs]
        return torch.stack([self.head(each, mixture) for each in predicted])

    def _run(self, mixture: Tensor) -> dict[str, Tensor]:
        """The tensors that output convolutions see, by the name of the layer that computes each; the mixture is ""."""
        found = {"": mixture}
        for operation in self.operations:
            layer, most = operation.layer, None
            match layer.kind:
                case "sum":
                    *others, added = (found[name] for name, _ in layer.inputs)
                    x = (torch.cat(others, dim=1) if len(others) > 1 else others[0]) + added
                case "interpolation":
                    assert layer.within is not None
                    x, most = found[layer.inputs[0][0]], found[layer.within].shape[-1]
                case _:
                    x = _seen(layer, found)
            for name in operation.last_read:
                del found[name]
            if operation.module:
                x = module_at(self, operation.module)(x)
            if most is not None:
                x = x[..., :most]
            if operation.activation:
                x = module_at(self, operation.activation)(x)
            found[layer.name] = x
        return found


def _seen(layer: Convolution, found: dict[str, Tensor]) -> Tensor:
    """The inputs of a layer beside each other."""
    first, *others = (found[name] for name, _ in layer.inputs)
    if layer.within is not None:
        first = crop(first, found[layer.within].shape[-1])
    if not others:
        return first
    length = first.shape[-1]
    return torch.cat([first, *(crop(other, length) for other in others)], dim=1)
