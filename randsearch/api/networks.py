"""Networks apart from any study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from randsearch.base.errors import UserError
from randsearch.models.architecture import Architecture

if TYPE_CHECKING:
    from randsearch.models.wave_unet import WaveUNet


def build(architecture: Architecture, *, sources: int = 2, channels: int = 1, seed: int = 0) -> WaveUNet:
    """Builds the network of an architecture with random weights, ready to be trained.

    Args:
        architecture: what to build.
        sources: how many sources it estimates.
        channels: audio channels of the mixture and of each source, 1 or 2.
        seed: that alone decides the weights.

    Returns:
        a `torch.nn.Module` in training mode; what the architecture fixes does not require gradients.

    Shape:
        - input: `(batch, channels, time)`
        - output: `(batch, sources, channels, time)`, shorter where the architecture uses `context`

    Raises:
        UserError: a number is impossible, or weights are to be drawn with the statistics of a file that does not serve.

    Example:
        >>> import randsearch as rs
        >>> network = rs.build(rs.Architecture(levels=2, first_filters=4), channels=2)
        >>> sum(weight.numel() for weight in network.parameters())
        35610
    """
    from randsearch.base.seeds import check_seed
    from randsearch.models import build as building
    from randsearch.models.layers import Signal

    if sources < 2 or channels not in (1, 2):
        raise UserError(f"a network has 2 sources or more and 1 or 2 channels, not {sources} and {channels}.")
    try:
        check_seed(seed)
    except ValueError as error:
        raise UserError(f"seed: {error}.") from None
    return building.build(architecture, Signal(sources, channels), seed)
