"""What measures cost, in closed form: multiply-adds of convolutions."""

from __future__ import annotations

from dataclasses import replace

from randsearch.measures.contract import Setting
from randsearch.measures.rewiring import seeing_levels, tangent
from randsearch.models import sizing
from randsearch.models.architecture import Architecture, Half
from randsearch.models.frozen import is_fixed
from randsearch.models.structure import Side

READOUT_DRAWS = 3
READOUT_BATCHES = 32
"""Of training crops, for each draw of weights: 32 x 4096 rows are thousands for each feature of a usual network."""

DRAWS = 3
"""Of the half that is fixed, where a measure shares the cost of one training among several."""

SOLVED_BATCHES = 8
"""Of training crops, that the output is solved on at each validation."""

TANGENT_PARAMETERS = 1536
"""Of a linearised network, at most: the system takes 19 MB, and its solution seconds."""
TANGENT_BATCHES = 16
TANGENT_ROWS = 2048
"""Moments of a batch that a linearised network is fitted on: in all, twenty for each parameter."""

EIGENVECTORS = 4.5
"""Multiply-adds of a symmetric eigenproblem, by the cube of its size (Golub & Van Loan, Matrix Computations, 8.3)."""

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


def forward_cost(setting: Setting, architecture: Architecture) -> int:
    """Multiply-adds of one forward pass of a training batch."""
    return setting.recipe.batch * sizing.multiply_adds(layers_of(setting, architecture))


def calibrated_cost(setting: Setting, architecture: Architecture, half: Half) -> float:
    """Multiply-adds of a proxy whose fixed half is calibrated on a batch before it trains."""
    return proxy_cost(setting, architecture, half) + forward_cost(setting, architecture)


def steps_each(setting: Setting) -> int:
    """Steps of each of several short trainings that share the cost of one proxy."""
    return max(1, round(setting.proxy_steps / DRAWS))


def averaged_cost(setting: Setting, architecture: Architecture, half: Half) -> float:
    """Multiply-adds of several short trainings with a half fixed, or with none."""
    return float(DRAWS * steps_each(setting) * step_cost(setting, architecture, half))


def solved_cost(setting: Setting, architecture: Architecture, half: Half) -> float:
    """Multiply-adds of a proxy whose output is solved at each validation: of its steps and of the features."""
    validations = -(-setting.proxy_steps // setting.recipe.validate_every)
    features = validations * SOLVED_BATCHES * forward_cost(setting, architecture)
    return proxy_cost(setting, architecture, half) + features


def random_but_output(layer: sizing.Convolution) -> bool:
    """Which convolutions stay random where scales and shifts train: all but the output's."""
    return layer.kind == "convolution" and layer.part != "output"


def affine_cost(setting: Setting, architecture: Architecture) -> float:
    """Multiply-adds of a proxy that trains scales, shifts and the output: gradients pass through every convolution."""
    layers = [
        replace(layer, extra_parameters=max(layer.extra_parameters, 1)) if layer.activation else layer
        for layer in layers_of(setting, architecture)
    ]
    step = setting.recipe.batch * sizing.step_multiply_adds(layers, random_but_output)
    return float(setting.proxy_steps * step)


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


def levels_cost(setting: Setting, architecture: Architecture, side: Side) -> float:
    """Multiply-adds of the features of all levels of a half that a readout is fitted on; validation comes on top."""
    layers = seeing_levels(layers_of(setting, architecture), side, context=architecture.context)
    return float(READOUT_DRAWS * READOUT_BATCHES * setting.recipe.batch * sizing.multiply_adds(layers))


def tangent_moments(batch: int, segment: int) -> int:
    """Moments of each crop that a linearised network is fitted on."""
    return min(segment, max(1, TANGENT_ROWS // batch))


def linearised_cost(setting: Setting, architecture: Architecture) -> float:
    """Multiply-adds of a linearised network: of its features, of its normal equations, and of solving them twice."""
    layers, recipe = layers_of(setting, architecture), setting.recipe
    chosen = tangent(layers, TANGENT_PARAMETERS)
    features = float(TANGENT_BATCHES * forward_cost(setting, architecture))
    if chosen is None:
        return features
    rows = recipe.batch * tangent_moments(recipe.batch, recipe.segment) * chosen.output.out_channels
    equations = TANGENT_BATCHES * rows * chosen.parameters**2 / 2
    return features + equations + 2 * EIGENVECTORS * chosen.parameters**3
