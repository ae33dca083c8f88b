"""An architecture: one validated, hashable description of a Wave-U-Net variant.

Options and their meaning follow Stoller et al. (arXiv 1806.03185) and Chen et al. (J-Net, arXiv 1911.12926). What the
study fixes for all its networks (sources, channels, sample rate, segment) is not part of an architecture.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from randsearch.errors import UserError, explain


def _parse_levels(value: Any) -> Any:
    """Accepts a set of levels as a list, or as the text of a table's cell: `all`, `none`, `0 2 3`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    if isinstance(value, str) and value != "all":
        return () if value in ("none", "") else tuple(int(level) for level in value.split())
    return value


Levels = Annotated[Literal["all"] | tuple[int, ...], BeforeValidator(_parse_levels)]
OddKernel = Annotated[int, Field(ge=1, le=63)]


class Architecture(BaseModel):
    """One point of a search space.

    Level 0 is the finest. Encoder level i has `first_filters + filter_increment * i` channels, the bottleneck
    `first_filters + filter_increment * levels`; the decoder mirrors the encoder.

    Attributes:
        levels: how often the signal is decimated by 2.
        first_filters: channels of encoder level 0.
        filter_increment: channels added per level.
        encoder_kernel: taps of the encoder's and the bottleneck's convolutions (odd).
        decoder_kernel: taps of the decoder's convolutions (odd).
        output_kernel: taps of the output convolution (odd).
        upsampling: how the decoder doubles the rate.
        output: `direct` predicts every source; `difference` all but the last, which is the mixture minus the others.
        output_activation: `tanh`, or `linear` (clipped to [-1, 1] at test time only).
        skips: encoder levels whose output is concatenated in the decoder, `all` or a list.
        activation: nonlinearity behind every convolution but the output's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # A default is part of every hash that leaves it out: new options may come, the defaults below never change.
    levels: int = Field(10, ge=1, le=20)
    first_filters: int = Field(24, ge=1, le=512)
    filter_increment: int = Field(24, ge=0, le=512)
    encoder_kernel: OddKernel = 15
    decoder_kernel: OddKernel = 5
    output_kernel: OddKernel = 1
    upsampling: Literal["linear"] = "linear"
    output: Literal["direct", "difference"] = "difference"
    output_activation: Literal["tanh", "linear"] = "tanh"
    skips: Levels = "all"
    activation: Literal["leaky_relu", "relu", "gelu", "tanh"] = "leaky_relu"

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("encoder_kernel", "decoder_kernel", "output_kernel"):
            if getattr(self, name) % 2 == 0:
                raise ValueError(f"{name} must be odd, so that padding is symmetric, not {getattr(self, name)}")
        if self.skips != "all":
            strangers = [level for level in self.skips if not 0 <= level < self.levels]
            if strangers:
                raise ValueError(f"skips name level {strangers[0]}, but levels run from 0 to {self.levels - 1}")
            chosen = tuple(sorted(set(self.skips)))
            # One network, one description: every level listed is `all`. Set past the freeze, before anybody sees it.
            object.__setattr__(self, "skips", "all" if len(chosen) == self.levels else chosen)
        return self

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that name the architecture; options at their default do not enter."""
        text = json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def filters(self, level: int) -> int:
        """Channels of a level; the bottleneck's is `filters(levels)`."""
        return self.first_filters + self.filter_increment * level

    def has_skip(self, level: int) -> bool:
        """Whether the decoder of that level sees the encoder's output of that level."""
        return self.skips == "all" or level in self.skips

    def to_row(self) -> dict[str, int | float | str | bool]:
        """The architecture as cells of a table, every option named."""
        return {name: _cell(value) for name, value in self.model_dump().items()}

    @classmethod
    def create(cls, options: dict[str, Any], where: str = "architecture") -> Self:
        """Validates options from outside.

        Args:
            options: name to value; a name left out takes its default.
            where: what is being read, for the error's sentence.

        Raises:
            UserError: an option is unknown or has an impossible value.
        """
        try:
            return cls(**options)
        except ValidationError as error:
            raise explain(error, where) from None
        except ValueError as error:
            raise UserError(f"{where}: {error}.") from None


def _cell(value: Any) -> Any:
    if isinstance(value, tuple):
        return " ".join(str(level) for level in value) or "none"
    return value
