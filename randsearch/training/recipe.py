"""How networks train: what is the same for all measures of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from randsearch.data.augmentation import Augmentation

Precision = Literal["float32", "tf32", "bf16"]
"""Of the training steps; validation and what is kept are float32."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; the same for all measures of a study.

    Attributes:
        learning_rate: of Adam, which a schedule scales.
        batch: crops a step.
        segment: samples of output a crop.
        validate_every: steps between two validations.
        weight_decay: of convolutions' kernels, decoupled from the gradient (AdamW, arXiv 1711.05101).
        clip: largest norm of the gradient of all weights together; None clips nothing.
        ema: decay, a step, of the moving average of the weights that is validated and kept in their place; 0 for none.
        augment: what is done to training crops.
        precision: of the training steps.
        compiled: whether the forward and the backward pass are compiled (`torch.compile`).
    """

    learning_rate: float
    batch: int
    segment: int
    validate_every: int
    weight_decay: float = 0.0
    clip: float | None = None
    ema: float = 0.0
    augment: tuple[Augmentation, ...] = ("gains",)
    precision: Precision = "float32"
    compiled: bool = False
