"""What measures cost, in closed form: multiply-adds of convolutions."""

from __future__ import annotations

from randsearch.measures.contract import Setting
from randsearch.models import sizing
from randsearch.models.architecture import Architecture, Half
from randsearch.models.frozen import is_fixed

READOUT_DRAWS = 3
READOUT_BATCHES = 32
"""Of training crops, for each draw of weights: 32 x 4096 rows are thousands for each feature of a usual network."""

ZICO_BATCHES = 4
SWAP_BATCHES = 2

VKDNW_CROPS = 2
VKDNW_WEIGHTS = 8
"""Of every convolution."""

REGRESSION_STEPS = 30
REGRESSION_TESTS = 8
"""Batches on which the regression of synthetic songs is tested."""

FORWARD = 1 / 3
"""Of a training step, as multiply-adds go."""


def layers_of(setting: Setting, architecture: Architecture) -> list[sizing.Convolution]:
    """The layers of a network on one training crop."""
    length = sizing.lengths(architecture, setting.recipe.segment).input
    return sizing.convolutions(architecture, setting.signal, length)


def step_cost(setting: Setting, architecture: Architecture, half: Half) -> int:
    """Multiply-adds of one training step of a whole batch with a half fixed."""
    layers = layers_of(setting, architecture)
    return setting.recipe.batch * sizing.step_multiply_adds(layers, is_fixed(architecture, half))


def early_steps(setting: Setting, architecture: Architecture) -> int:
    """Steps of normal training that cost what the primary proxy costs: the control that it has to beat."""
    if not setting.matched:
        return setting.proxy_steps
    cost = sum(each(setting, architecture) for each in setting.matched)
    return max(1, round(cost / step_cost(setting, architecture, "none")))


def trained_cost(setting: Setting, architecture: Architecture) -> float:
    """Multiply-adds of `trained`."""
    return float(setting.steps * step_cost(setting, architecture, "none"))


def proxy_cost(setting: Setting, architecture: Architecture, half: Half) -> float:
    """Multiply-adds of a proxy that trains with a half fixed, or with none."""
    return float(setting.proxy_steps * step_cost(setting, architecture, half))


def early_cost(setting: Setting, architecture: Architecture) -> float:
    """Multiply-adds of `early`."""
    return float(early_steps(setting, architecture) * step_cost(setting, architecture, "none"))


def batch_cost(setting: Setting, architecture: Architecture, steps: float) -> float:
    """Multiply-adds of so many training steps on batches of `proxy_batch` crops."""
    return steps * setting.proxy_batch / setting.recipe.batch * step_cost(setting, architecture, "none")


def crop_cost(setting: Setting, architecture: Architecture, steps: float) -> float:
    """Multiply-adds of so many training steps on a single crop."""
    return steps / setting.recipe.batch * step_cost(setting, architecture, "none")


def readout_cost(setting: Setting, architecture: Architecture) -> float:
    """Multiply-adds of the features that a readout is fitted on; validation comes on top."""
    forward = FORWARD * step_cost(setting, architecture, "none")
    return READOUT_DRAWS * READOUT_BATCHES * forward


def regression_cost(setting: Setting, architecture: Architecture) -> float:
    """Multiply-adds of the regression of synthetic songs, its test included."""
    return (REGRESSION_STEPS + REGRESSION_TESTS * FORWARD) * step_cost(setting, architecture, "none")


def derivatives_cost(setting: Setting, architecture: Architecture) -> float:
    """Multiply-adds of a column of the Jacobian for each weight of VKDNW, two forward passes at most."""
    weights = VKDNW_WEIGHTS * sum(layer.kind == "convolution" for layer in layers_of(setting, architecture))
    return weights * VKDNW_CROPS * crop_cost(setting, architecture, 2 * FORWARD)
