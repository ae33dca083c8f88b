"""The options of a finish: validated, saved resolved beside its results, and compared when it is continued."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from randsearch.base.errors import UserError, explain, quoted
from randsearch.study.options import Option, extendable

DEFAULT_NAME = "finish"

_AS_STUDY = "the study's"

Schedules = Literal["constant", "cosine", "plateau", "jnet"]

Network = Annotated[str, Field(pattern=r"^[0-9a-f]{12}-[0-9]{1,19}$")]


def _all_of(before: tuple[Any, ...], asked: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys((*before, *asked)))


def _longer(before: tuple[int, ...], asked: tuple[int, ...]) -> tuple[int, ...]:
    return (*before, *(end for end in asked if end > before[-1]))


class FinishConfig(BaseModel):
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
    schedule: Schedules = Field("cosine", description="Of the learning rate: constant, cosine, plateau or jnet.")
    patience: int | None = Field(
        None, ge=1, description="Validations without a lower loss after which training ends, or its stage does."
    )
    data: Annotated[str, Option(default=_AS_STUDY)] = Field(
        description="To train on: musdb:PATH, musdbhq:PATH and others; same sources."
    )
    data_digest: Annotated[str, Option(asked=False)] = Field(description="Of what was found there.")
    learning_rate: Annotated[float, Option(default=_AS_STUDY)] = Field(gt=0, lt=1, description="Of Adam.")
    batch: Annotated[int, Option(default=_AS_STUDY)] = Field(ge=1, description="Crops a step.")
    segment: Annotated[int, Option(default=_AS_STUDY)] = Field(ge=64, description="Samples a crop.")
    validate_every: Annotated[int, Option(default=_AS_STUDY)] = Field(ge=1, description="Steps between validations.")
    from_scratch: bool = Field(False, description="Begin anew instead of from the searched network's weights.")
    device: Annotated[str, Option(default=_AS_STUDY)] = Field(
        pattern=r"^(cpu|cuda(:\d+)?)$", description="auto, cpu or cuda:N."
    )
    threads: Annotated[int, Option(default="one a core")] = Field(ge=1, description="Threads to compute with.")

    @classmethod
    def create(cls, options: dict[str, Any], where: str) -> Self:
        """Validates options from outside.

        Raises:
            UserError: an option is unknown or has an impossible value.
        """
        try:
            return cls(**options)
        except ValidationError as error:
            raise explain(error, where) from None

    def continued_by(self, asked: Self, name: str) -> Self:
        """The finish continued as asked: networks and steps add up.

        Args:
            asked: its options with what was asked for now.
            name: of the finish.

        Raises:
            UserError: names the first option that differs and may not.
        """
        joined = extendable(type(self))
        for option in type(self).model_fields.keys() - joined.keys() - {"data_digest"}:
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
