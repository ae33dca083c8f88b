"""The nested Wave-U-Net: a dense grid of decoder nodes (UNet++, Zhou et al., arXiv 1807.10165; in J-Net 1911.12926)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from randsearch.models.blocks import Factory
from randsearch.models.resampling import crop
from randsearch.models.structure import supervised_depths
from randsearch.models.wave_unet import WaveUNet, beside


class NestedWaveUNet(WaveUNet):
    """A Wave-U-Net whose decoder is a grid: node (level, column) joins all that its level knows with what lies below.

    Node (level, column) upsamples node (level + 1, column - 1), where column -1 is the encoder's output of that level,
    and concatenates the encoder's skip and the nodes (level, 0) to (level, column - 1); then come convolution and
    activation. Node (0, d - 1) ends a sub-network of d levels, and the deepest is the network. One level makes a plain
    Wave-U-Net.
    """

    def make_decoder(self, make: Factory) -> None:
        """Makes the grid, rows by level: `decoder.LEVEL.COLUMN`."""
        depth = self.architecture.levels
        names = [[f"{level}.{column}" for column in range(depth - level)] for level in range(depth)]
        self.decoder = nn.ModuleList(nn.ModuleList(make.block(f"decoder.{name}") for name in row) for row in names)
        self.decoder_activation = nn.ModuleList(
            nn.ModuleList(make.activation(f"decoder.{name}") for name in row) for row in names
        )
        self.upsampling = nn.ModuleList(
            nn.ModuleList(make.upsampling(f"upsampling.{name}") for name in row) for row in names
        )
        self.auxiliary = nn.ModuleDict(
            {str(levels): make.convolution(f"auxiliary.{levels}") for levels in supervised_depths(self.architecture)}
        )

    def decode(self, encoded: list[Tensor]) -> Tensor:
        """The output of decoder level 0."""
        return self.decode_all(encoded)[-1]

    def decode_all(self, encoded: list[Tensor]) -> list[Tensor]:
        """The output of every sub-network's decoder level 0, the shallowest first.

        Shape:
            Inputs as `encode` returns them, outputs (batch, first_filters, time), with context each a bit shorter
            than the one before.
        """
        depth = self.architecture.levels
        kept = [
            [self.skips[level](encoded[level])] if self.architecture.has_skip(level) else [] for level in range(depth)
        ]
        column, found = encoded, []
        for number in range(depth):
            column = [self._node(level, number, column[level + 1], encoded, kept) for level in range(depth - number)]
            for level, node in enumerate(column):
                kept[level].append(node)
            found.append(column[0])
        return found

    def forward_all(self, mixture: Tensor) -> Tensor:
        """Estimates the sources by every supervised sub-network, the whole network's estimate last."""
        *others, features = self.decode_all(self.encode(mixture))
        predicted = [
            output(beside(crop(others[int(levels) - 1], features.shape[-1]), mixture))
            for levels, output in self.auxiliary.items()
        ]
        predicted.append(self.output(beside(features, mixture)))
        return torch.stack([self.head(each, mixture) for each in predicted])

    def _node(self, level: int, number: int, below: Tensor, encoded: list[Tensor], kept: list[list[Tensor]]) -> Tensor:
        name = f"{level}.{number}"
        x = self.upsampling.get_submodule(name)(below)[..., : encoded[level].shape[-1]]
        x = torch.cat([x, *(crop(other, x.shape[-1]) for other in kept[level])], dim=1)
        out: Tensor = self.decoder_activation.get_submodule(name)(self.decoder.get_submodule(name)(x))
        return out
