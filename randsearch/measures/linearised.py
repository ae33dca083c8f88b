"""Linearised: what a random network could reach if its last layers moved so little that it stayed linear in them.

The network is replaced by its first-order expansion in the weights of its output convolution and of the convolution
before, at their random values: the regime of lazy training, of neural tangent kernels (Jacot et al., arXiv 1806.07572).
The best weights of that expansion are those of a ridge regression on its Jacobian, solved exactly from streamed normal
equations.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from randsearch.base.seeds import derive
from randsearch.data.metrics import Array
from randsearch.measures.contract import Outcome, Setting, UnmeasurableError
from randsearch.measures.costs import TANGENT_BATCHES, TANGENT_PARAMETERS, tangent_moments
from randsearch.measures.levels import rewire
from randsearch.measures.probing import refuse
from randsearch.measures.readout import Batches, settle, summed, targets
from randsearch.measures.rewiring import Tangent, tangent, with_tangent
from randsearch.measures.ridge import Moments, fit
from randsearch.measures.run import Run
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.wave_unet import WaveUNet


def linearised(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Validation SDR of the network linearised in its last two convolutions (cf. 1806.07572), one draw of weights.

    Of the last decoder convolution as many middle taps count as keep the system within 1,536 parameters, so that its
    memory is bounded.
    """
    # It is solved, and scored, before any tanh.
    linear = architecture.model_copy(update={"output_activation": "linear"})
    run = Run("linearised", 0, setting, architecture, seed)
    network = build(linear, setting.signal, run.stream("weights")).to(run.device)
    chosen = choose(network)
    batches = Batches(setting, architecture, seed, TANGENT_BATCHES)
    began = time.perf_counter()
    settle(network, batches)
    linearise(network, chosen, batches, derive("moments", setting.study, seed))
    solved = time.perf_counter()
    score = run.score(network).score
    return Outcome(
        score,
        baseline=setting.baseline,
        seconds=solved - began - batches.seconds,
        data_seconds=batches.seconds,
        validation_seconds=time.perf_counter() - solved,
    )


def choose(network: WaveUNet) -> Tangent:
    """The weights in which a network is linearised.

    Raises:
        UnmeasurableError: there are none, or too many, or samples depend on each other through normalisation.
    """
    why = "its statistics tie all samples together, so that the Jacobian is not local"
    refuse(network.architecture, "normalisation", ("group",), why)
    found = tangent(network.layers, TANGENT_PARAMETERS)
    if found is None:
        raise UnmeasurableError(
            "refused: the last decoder level is no single convolution that could be linearised within "
            f"{TANGENT_PARAMETERS} parameters"
        )
    return found


def linearise(network: WaveUNet, chosen: Tangent, batches: Any, seed: int) -> None:
    """Replaces a network by its expansion in the chosen weights, at those that predict the sources best.

    Args:
        network: with a linear output activation, in evaluation mode.
        chosen: of its weights.
        batches: pairs of mixture and sources, of a length; the last quarter chooses the ridge's strength.
        seed: of the choice of moments.

    Raises:
        UnmeasurableError: the Jacobian does not serve.
    """
    random = np.random.default_rng(seed)
    jacobian = _Jacobian(network, chosen)
    with torch.no_grad():
        moments = (jacobian.moments(mixture, sources, random) for mixture, sources in batches)
        weights, intercept = fit(*summed(moments, len(batches)))
        steps = torch.from_numpy(weights[:, 0]).to(network.output.weight)
        _expand(network, chosen, steps, float(intercept[0]))


class Expansion(nn.Module):
    """A nonlinearity and its derivative, which multiplies the second half of the channels.

    Args:
        nonlinearity: acts on each sample by itself.

    Shape:
        (batch, 2 * channels, time) to the same.
    """

    def __init__(self, nonlinearity: nn.Module) -> None:
        super().__init__()
        self.nonlinearity = nonlinearity

    def forward(self, x: Tensor) -> Tensor:
        """The nonlinearity of the first half, and what a small change of it by the second half would add."""
        value, change = x.chunk(2, dim=1)
        return torch.cat([self.nonlinearity(value), derivative(self.nonlinearity, value) * change], dim=1)


def derivative(nonlinearity: nn.Module, x: Tensor) -> Tensor:
    """Of a function of each sample by itself, at every sample."""
    with torch.inference_mode(False), torch.enable_grad():
        at = x.clone().detach().requires_grad_()
        return torch.autograd.grad(nonlinearity(at).sum(), at)[0]


class _Jacobian:
    """The Jacobian of what a network predicts, in the chosen weights.

    Its columns are the weights of the convolution (filter, input channel, tap), its biases, and the weights and biases
    of the output convolution.
    """

    def __init__(self, network: WaveUNet, chosen: Tangent) -> None:
        self._network = network
        self._taps = chosen.taps
        self._convolution: Any = network.get_submodule(chosen.last.name)
        self._nonlinearity = network.get_submodule(chosen.last.activation)

    def moments(self, mixture: Tensor, sources: Tensor, random: np.random.Generator) -> Moments:
        """Of all rows at some random moments: of each crop and each predicted channel."""
        network = self._network
        seen: list[Tensor] = []
        hook = self._convolution.register_forward_hook(lambda _, inputs, output: seen.extend((inputs[0], output)))
        try:
            features = network.features(mixture)
        finally:
            hook.remove()
        predicted = network.output(features)
        segment = sources.shape[-1]
        drawn = random.permutation(segment)[: tangent_moments(len(mixture), segment)]
        times = torch.from_numpy(drawn).to(mixture.device)
        at = times + (predicted.shape[-1] - segment) // 2
        missing = targets(network, mixture, sources)[..., times] - predicted[..., at]
        total: Moments | None = None
        for place, rows in enumerate(self._rows(seen[0], seen[1], features, at)):
            found = Moments.of(_table(rows), _table(missing[:, place : place + 1].transpose(1, 2)))
            total = found if total is None else total + found
        assert total is not None
        return total

    def _rows(self, x: Tensor, z: Tensor, features: Tensor, at: Tensor) -> Iterator[Tensor]:
        """Rows of each predicted channel, (batch, moments, columns).

        Args:
            x: what the convolution sees.
            z: what it computes.
            features: what the output convolution sees.
            at: moments of the output.
        """
        output: Any = self._network.output
        slopes = derivative(self._nonlinearity, z)
        edge, margin = output.padding[0], (self._convolution.kernel_size[0] - self._taps) // 2
        around, heard = [], []
        for tap in range(output.kernel_size[0]):
            # Zeros beyond the ends, where the output convolution sees none of what lies before it.
            gate = functional.pad(slopes, (edge, edge))[..., at + tap]
            wide = functional.pad(x, (edge + self._convolution.padding[0],) * 2)
            inputs = torch.stack([wide[..., at + tap + margin + inner] for inner in range(self._taps)], dim=2)
            around.append((gate.transpose(1, 2), inputs.flatten(1, 2).transpose(1, 2)))
            heard.append(functional.pad(features, (edge, edge))[..., at + tap])
        direct = torch.stack(heard, dim=2).flatten(1, 2).transpose(1, 2)
        ones = torch.ones_like(direct[..., :1])
        for place, weight in enumerate(output.weight):
            gated = [(gate * weight[: gate.shape[-1], tap], inputs) for tap, (gate, inputs) in enumerate(around)]
            kernel = sum((gate.unsqueeze(-1) * inputs.unsqueeze(2)).flatten(2) for gate, inputs in gated)
            others = [torch.zeros_like(direct) for _ in output.weight]
            others[place] = direct
            constants = [torch.zeros_like(ones) for _ in output.weight]
            constants[place] = ones
            yield torch.cat([kernel, sum(gate for gate, _ in gated), *others, *constants], dim=-1)


def _table(rows: Tensor) -> Array:
    found: Array = rows.flatten(0, 1).double().cpu().numpy()
    return found


def _expand(network: WaveUNet, chosen: Tangent, steps: Tensor, intercept: float) -> None:
    """Puts the expansion in the place of the network's last layers.

    Args:
        network: to be changed.
        chosen: the weights that it is expanded in.
        steps: from the random weights to those of the expansion, in the order of the Jacobian's columns.
        intercept: to be added to everything predicted.
    """
    convolution: Any = network.get_submodule(chosen.last.name)
    output: Any = network.output
    filters, channels, taps = convolution.weight.shape
    sizes = [filters * channels * chosen.taps, filters, output.weight.numel(), len(output.weight)]
    kernel, bias, kernel_out, bias_out = torch.split(steps, sizes)
    margin = (taps - chosen.taps) // 2
    change = functional.pad(kernel.view(filters, channels, chosen.taps), (margin, margin))
    _set(convolution, torch.cat([convolution.weight, change]), torch.cat([convolution.bias, bias]))
    moved = output.weight + kernel_out.view_as(output.weight)
    # What the change of the convolution adds goes through the output at its random weights.
    weight = torch.cat([moved[:, :filters], output.weight[:, :filters], moved[:, filters:]], dim=1)
    _set(output, weight, output.bias + bias_out + intercept)
    network.set_submodule(chosen.last.activation, Expansion(network.get_submodule(chosen.last.activation)))
    rewire(network, with_tangent(network.layers, chosen))


def _set(convolution: Any, weight: Tensor, bias: Tensor) -> None:
    convolution.out_channels, convolution.in_channels = weight.shape[:2]
    convolution.weight, convolution.bias = nn.Parameter(weight), nn.Parameter(bias)
