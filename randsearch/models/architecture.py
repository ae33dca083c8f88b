"""An architecture: one validated, hashable description of a Wave-U-Net variant.

Options and their meaning follow Stoller et al. (arXiv 1806.03185) and Chen et al. (J-Net, arXiv 1911.12926). What the
study fixes for all its networks (sources, channels, sample rate, segment) is not part of an architecture.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from randsearch.base.errors import UserError, explain


def _parse_levels(value: Any) -> Any:
    """Accepts a set of levels as a list, or as the text of a table's cell: `all`, `none`, `0 2 3`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    if isinstance(value, str) and value != "all":
        return () if value in ("none", "") else tuple(int(level) for level in value.split())
    return value


def _add_digest(value: Any) -> Any:
    """Completes the path of a checkpoint to `PATH@DIGEST`, so that an architecture names contents and not a place."""
    if not isinstance(value, str) or value == "none" or "@" in value:
        return value
    try:
        return f"{value}@{content_digest(Path(value))}"
    except OSError as error:
        raise ValueError(f"cannot read {value}: {error.strerror or error}") from None


def content_digest(path: Path) -> str:
    """Twelve hexadecimal digits that name a file's contents."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


Levels = Annotated[Literal["all"] | tuple[int, ...], BeforeValidator(_parse_levels)]
OddKernel = Annotated[int, Field(ge=1, le=63)]
Half = Literal["none", "encoder", "decoder"]
Initialisation = Literal["glorot", "he", "orthogonal", "delta_orthogonal", "sparse", "statistics"]


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
        context: valid convolutions on an input longer than the output, in place of padding with zeros.
        decimation: how the encoder halves the rate, after the skip is taken. `skip` keeps every second sample; `blur`
            does so behind a fixed low-pass (half-band, 7 taps); `strided` is one more convolution (3 taps, N to N
            channels, activation) computed at every second sample only.
        upsampling: how the decoder doubles the rate: a new sample is the mean of its neighbours (`linear`), or their
            weighted mean with one learned weight per channel and level (`learned`). Behind the last sample, where
            padding needs one more, `linear` repeats it and `learned` takes zero for its neighbour.
        output: `direct` predicts every source; `difference` all but the last, which is the mixture minus the others;
            `residual` predicts what to add to the mixture for every source.
        output_activation: of what is predicted: `tanh`, or `linear`, which is clipped to [-1, 1] at test time only. So
            is the last source of `difference`; the sum of mixture and prediction of `residual` never is.
        skips: encoder levels whose output is concatenated in the decoder, `all` or a list.
        res_path: residual convolutions on the skips (MultiResUNet), left out, trained, or fixed at random.
        multires: encoder levels and decoder nodes are MultiRes blocks, which put out twice the channels.
        nested: the decoder is a dense grid of nodes (UNet++).
        deep_supervision: in a nested network, the decoders of its shallower sub-networks are trained to separate too
            (those of 6 levels or more; all, where the network has no more than 6).
        activation: nonlinearity behind every convolution but the output's.
        normalisation: between those convolutions and their nonlinearity. `group` takes up to 8 groups of channels.
        separable: convolutions of encoder (level 0 apart) and decoder are depthwise, then pointwise.
        dilation: spacing of the taps of the encoder's convolutions.
        initialisation: how the weights of all convolutions are drawn, those that stay fixed included. Biases are 0,
            but for `statistics`, which draws normally with mean and variance of each layer of a trained network.
        init_statistics: weights (safetensors) of the trained network, `PATH` or `PATH@DIGEST` of its contents; `none`
            unless `initialisation` is `statistics`.
        fixed_encoder_levels: encoder levels whose convolutions stay at their initialisation, whatever the measure.
        fixed_decoder_levels: the same for decoder levels; the two convolutions that a MultiRes block adds there train.
        remove_random: deletes the convolutions of those levels instead; decimation, interpolation and skips stay, so
            that channels pass a removed level unchanged. The control that shows what random features are worth.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # A default is part of every hash that leaves it out: new options may come, the defaults below never change.
    levels: int = Field(default=10, ge=1, le=20)
    first_filters: int = Field(default=24, ge=1, le=512)
    filter_increment: int = Field(default=24, ge=0, le=512)
    encoder_kernel: OddKernel = 15
    decoder_kernel: OddKernel = 5
    output_kernel: OddKernel = 1
    context: bool = False
    decimation: Literal["skip", "blur", "strided"] = "skip"
    upsampling: Literal["linear", "learned"] = "linear"
    output: Literal["direct", "difference", "residual"] = "difference"
    output_activation: Literal["tanh", "linear"] = "tanh"
    skips: Levels = "all"
    res_path: Literal["none", "trainable", "fixed"] = "none"
    multires: bool = False
    nested: bool = False
    deep_supervision: bool = False
    activation: Literal["leaky_relu", "relu", "gelu", "tanh", "snake"] = "leaky_relu"
    normalisation: Literal["none", "group", "batch"] = "none"
    separable: bool = False
    dilation: int = Field(default=1, ge=1, le=16)
    initialisation: Initialisation = "glorot"
    init_statistics: Annotated[str, BeforeValidator(_add_digest)] = "none"
    fixed_encoder_levels: Levels = ()
    fixed_decoder_levels: Levels = ()
    remove_random: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("encoder_kernel", "decoder_kernel", "output_kernel"):
            if getattr(self, name) % 2 == 0:
                raise ValueError(f"{name} must be odd, so that padding is symmetric, not {getattr(self, name)}")
        for name in ("skips", "fixed_encoder_levels", "fixed_decoder_levels"):
            # One network, one description. Set past the freeze, before anybody sees it.
            object.__setattr__(self, name, self._canonical(name))
        for contradiction, sentence in self._contradictions():
            if contradiction:
                raise ValueError(sentence)
        return self

    def _canonical(self, name: str) -> Literal["all"] | tuple[int, ...]:
        """A set of levels sorted, without repetition, `all` if it holds every level."""
        given: Literal["all"] | tuple[int, ...] = getattr(self, name)
        if given == "all":
            return given
        strangers = [level for level in given if not 0 <= level < self.levels]
        if strangers:
            raise ValueError(f"{name} name level {strangers[0]}, but levels run from 0 to {self.levels - 1}")
        chosen = tuple(sorted(set(given)))
        return "all" if len(chosen) == self.levels else chosen

    def _contradictions(self) -> tuple[tuple[bool, str], ...]:
        """What must not be, each with the sentence that refuses it: options that would change nothing, or undo another.

        Each architecture thus has one description only, and one place in a search space.
        """
        fixes = bool(self.fixed_encoder_levels or self.fixed_decoder_levels)
        has_statistics = self.initialisation == "statistics"
        return (
            (self.deep_supervision and not self.nested, "deep_supervision needs nested: true"),
            (self.deep_supervision and self.levels == 1, "deep_supervision needs at least 2 levels"),
            (self.res_path != "none" and not self.skips, "res_path needs a skip to stand on"),
            (self.dilation > 1 and self.encoder_kernel == 1, "dilation needs an encoder_kernel above 1"),
            (self.remove_random and not fixes, "remove_random removes nothing without fixed levels"),
            (
                self.remove_random and self.nested,
                "remove_random cannot be nested: the channels of a grid without convolutions would double and double",
            ),
            (
                has_statistics and self.init_statistics == "none",
                "initialisation: statistics needs init_statistics, the weights of a trained network",
            ),
            (
                not has_statistics and self.init_statistics != "none",
                "init_statistics needs initialisation: statistics",
            ),
        )

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that name the architecture; options at their default do not enter."""
        return _digest(self)

    def filters(self, level: int) -> int:
        """Channels of a level; the bottleneck's is `filters(levels)`."""
        return self.first_filters + self.filter_increment * level

    def has_skip(self, level: int) -> bool:
        """Whether the decoder of that level sees the encoder's output of that level."""
        return self.skips == "all" or level in self.skips

    def fixes(self, half: Half, level: int) -> bool:
        """Whether the convolutions of that level of the encoder or decoder stay at their initialisation."""
        if half == "none":
            return False
        levels = self.fixed_encoder_levels if half == "encoder" else self.fixed_decoder_levels
        return levels == "all" or level in levels

    def removes(self, half: Half, level: int) -> bool:
        """Whether the convolutions of that level of the encoder or decoder are left out."""
        return self.remove_random and self.fixes(half, level)

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


@lru_cache(maxsize=1 << 16)  # It is asked for at every turn.
def _digest(architecture: Architecture) -> str:
    options = architecture.model_dump(mode="json", exclude_defaults=True)
    if "init_statistics" in options:
        options["init_statistics"] = options["init_statistics"].rpartition("@")[2]
    text = json.dumps(options, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _cell(value: Any) -> Any:
    if isinstance(value, tuple):
        return " ".join(str(level) for level in value) or "none"
    return value
