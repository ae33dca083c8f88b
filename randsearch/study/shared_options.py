"""Options of training that a study and a finish both have: type, bounds and description, which each needs once.

Where they are declared, an `Annotated` type around one of these adds what differs: an `Option`, and a default.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from randsearch.data.augmentation import Augmentation
from randsearch.training.recipe import Precision as PrecisionName


def _words(value: Any) -> Any:
    """The parts of text, and nothing for `none`; what is neither text nor several is left to its type."""
    parts = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    return () if isinstance(parts, list | tuple) and list(parts) == ["none"] else parts


def _once_each(names: tuple[Augmentation, ...]) -> tuple[Augmentation, ...]:
    return tuple(dict.fromkeys(names))


def _unset(value: Any) -> Any:
    return None if isinstance(value, str) and value == "none" else value


LearningRate = Annotated[float, Field(gt=0, lt=1, description="Of Adam.")]
Batch = Annotated[int, Field(ge=1, description="Crops a step.")]
Segment = Annotated[int, Field(ge=64, description="Samples a crop.")]
ValidateEvery = Annotated[int, Field(ge=1, description="Steps between validations.")]
WeightDecay = Annotated[float, Field(ge=0, lt=1, description="Of kernels, apart from the gradient.")]
Clip = Annotated[
    float | None, Field(gt=0, description="Largest norm of the gradient, or none."), BeforeValidator(_unset)
]
Ema = Annotated[
    float, Field(ge=0, lt=1, description="Decay of a moving average of the weights, which is scored; 0 for none.")
]
Augment = Annotated[
    tuple[Augmentation, ...],
    BeforeValidator(_words),
    AfterValidator(_once_each),
    Field(description="Of gains, remix, swap, signs; with commas, or none."),
]
Precision = Annotated[PrecisionName, Field(description="Of training steps: float32, tf32 or bf16.")]
Compiled = Annotated[bool, Field(description="Compile training steps with torch.compile.")]
Device = Annotated[str, Field(pattern=r"^(cpu|cuda(:\d+)?)$", description="auto, cpu or cuda:N.")]
