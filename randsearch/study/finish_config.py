"""The options of a finish: validated, saved resolved beside its results, and compared when it is continued."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field

from randsearch.base.errors import UserError, quoted
from randsearch.study.options import Option, Options, extendable
from randsearch.study.shared_options import (
    Augment,
    Batch,
    Clip,
    Compiled,
    Device,
    Ema,
    LearningRate,
    Precision,
    Segment,
    ValidateEvery,
    WeightDecay,
)
from randsearch.training.schedules import FinishName

DEFAULT_NAME = "finish"

_AS_STUDY = "the study's"

_JNET = "the study's; of jnet"

_OWN = ("steps", "schedule", "data_digest", "threads")
"""What a study has too and a finish does not take over."""

_OF_SCHEDULE: dict[str, dict[str, Any]] = {
    "plateau": {"patience": 20},
    "jnet": {"patience": 20, "learning_rate": 1e-4, "batch": 16},
}

Network = Annotated[str, Field(pattern=r"^[0-9a-f]{12}-[0-9]{1,19}$")]


def _all_of(before: tuple[Any, ...], asked: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys((*before, *asked)))


def _longer(before: tuple[int, ...], asked: tuple[int, ...]) -> tuple[int, ...]:
    return (*before, *(end for end in asked if end > before[-1]))


class FinishConfig(Options):
    """Everything that decides a finish's numbers, beside its study.

    Options are declared as those of a study are; what is not asked for is as the study has it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    networks: Annotated[tuple[Network, ...], Option(asked=False, joined=_all_of)] = Field(
        min_length=1, description="HASH-SEED of each, in the order in which they are trained."
    )
    parts: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Option(asked=False, joined=_longer)] = Field(
        min_length=1, description="Steps at which each part ends; all but the first were added to a finish."
    )
    steps: Annotated[int, Option(joined=max)] = Field(
        10_000, ge=1, le=2**31 - 1, description="Training steps at most; more add to a finish."
    )
    schedule: FinishName = Field("cosine", description="Of the learning rate: constant, cosine, plateau or jnet.")
    patience: Annotated[int | None, Option(default="none; 20 of plateau and jnet")] = Field(
        None, ge=1, description="Validations without a lower loss that end the training, or its stage."
    )
    data: Annotated[str, Option(default=_AS_STUDY)] = Field(
        description="To train on: musdb:PATH, musdbhq:PATH and others; same sources."
    )
    data_digest: Annotated[str, Option(asked=False)] = Field(description="Of what was found there.")
    learning_rate: Annotated[LearningRate, Option(default=f"{_JNET} 1e-4")]
    batch: Annotated[Batch, Option(default=f"{_JNET} 16")]
    segment: Annotated[Segment, Option(default=_AS_STUDY)]
    validate_every: Annotated[ValidateEvery, Option(default=_AS_STUDY)]
    weight_decay: Annotated[WeightDecay, Option(default=_AS_STUDY)]
    clip: Annotated[Clip, Option(default=_AS_STUDY, unset=True)]
    ema: Annotated[Ema, Option(default=_AS_STUDY)]
    augment: Annotated[Augment, Option(default=_AS_STUDY)]
    precision: Annotated[Precision, Option(default=_AS_STUDY)]
    compiled: Annotated[Compiled, Option(default=_AS_STUDY)]
    from_scratch: bool = Field(False, description="Begin anew instead of from the searched network's weights.")
    device: Annotated[Device, Option(default=_AS_STUDY)]
    threads: Annotated[int, Option(default="one a core")] = Field(ge=1, description="Threads to compute with.")

    @classmethod
    def as_study(cls, study: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        """What a new finish has where nothing else is asked for.

        Args:
            study: the study's options.
            options: those that were asked for.
        """
        shared = {name: study[name] for name in cls.model_fields if name in study and name not in _OWN}
        return {**shared, **_OF_SCHEDULE.get(str(options.get("schedule")), {})}

    def continued_by(self, asked: Self, name: str) -> Self:
        """The finish continued as asked: networks and steps add up.

        Args:
            asked: its options with what was asked for now.
            name: of the finish.

        Raises:
            UserError: names the first option that differs and may not.
        """
        joined = extendable(type(self))
        for option in (name for name in type(self).model_fields if name not in joined and name != "data_digest"):
            before, now = getattr(self, option), getattr(asked, option)
            if before != now:
                flag = f"--{option.replace('_', '-')}"
                raise UserError(
                    f"the finish {name} exists with another {option} ({quoted(before)} there, {quoted(now)} here): "
                    f"leave {flag} out to continue it, or choose another name with --as."
                )
        if self.data_digest != asked.data_digest:
            raise UserError(
                f"the finish {name} was begun with another content of its data {self.data}: "
                "put that back, or choose another name with --as."
            )
        return self.model_copy(
            update={option: join(getattr(self, option), getattr(asked, option)) for option, join in joined.items()}
        )
