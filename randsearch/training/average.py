"""The exponential moving average of a network's weights, which stands in for them while it is validated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """A moving average of all that a network's state holds.

    Args:
        network: whose weights are followed.
        decay: what stays of the average a step; less in the first steps, (1 + step) / (10 + step), so that the random
            weights of the beginning are soon forgotten.
        kept: where the average is kept, by name; empty before the first step.
    """

    def __init__(self, network: nn.Module, decay: float, kept: dict[str, Tensor]) -> None:
        self._network = network
        self._decay = decay
        # Optimisers and loading change these tensors in place.
        state = {name: tensor.detach() for name, tensor in network.state_dict().items()}
        device = next(network.parameters()).device
        kept.update({name: kept.get(name, tensor).detach().to(device, copy=True) for name, tensor in state.items()})
        self._kept = kept
        self._real = [name for name, tensor in state.items() if tensor.is_floating_point()]
        self._counts = [name for name in state if name not in set(self._real)]
        self._state = state

    def follow(self, step: int) -> None:
        """Takes the weights in.

        Args:
            step: number of the step that made them.
        """
        share = 1.0 - min(self._decay, (1 + step) / (10 + step))
        kept, state = self._kept, self._state
        torch._foreach_lerp_([kept[name] for name in self._real], [state[name] for name in self._real], share)
        for name in self._counts:
            kept[name].copy_(state[name])

    def restart(self, weights: Mapping[str, Tensor]) -> None:
        """Begins anew from these weights.

        Args:
            weights: all of the network's state.
        """
        for name, tensor in weights.items():
            self._kept[name].copy_(tensor)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network with the average for its weights."""
        own = {name: tensor.detach().clone() for name, tensor in self._network.state_dict().items()}
        self._network.load_state_dict(self._kept)
        try:
            yield
        finally:
            self._network.load_state_dict(own)
