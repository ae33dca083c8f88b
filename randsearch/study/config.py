"""The configuration of a study: validated, saved resolved beside its results, and compared when it is continued."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)

from randsearch.base.errors import UserError, explain, quoted
from randsearch.base.seeds import check_seed
from randsearch.study.config_file import write_study

if TYPE_CHECKING:
    from sqlalchemy import URL

_SECRET = re.compile("passw|pwd|secret|token", re.IGNORECASE)
"""In the names of what else a database URL may hold."""

Seed = Annotated[int, AfterValidator(check_seed)]

SAMPLERS = ("random", "grid", "tpe", "nsga2")

# What may differ when a study is continued: all of it adds measurements and changes none.
EXTENDABLE = frozenset({"trials", "whole", "measures", "seeds", "train_seeds", "train"})


class StudyConfig(BaseModel):
    """Everything that decides a study's numbers.

    Attributes:
        study: its name, and that of its folder.
        space: the search space, as in its YAML file.
        data: `musdb:PATH`, `musdbhq:PATH`, `speech:PATH` or `synthetic`.
        data_digest: of what was found there; None until the study begins.
        task: `voice`, `multi` or `denoise`.
        sample_rate: in Hz; None takes the data's own up to 22,050.
        channels: 1 or 2.
        upmix_mono: doubles mono data for a stereo study.
        sampler: how architectures are chosen.
        trials: how many.
        whole: whether those are all that the space holds; found out where the sampler is `grid`.
        measures: what is measured beside `trained`, the primary proxy and its control, which always are.
        proxy: the primary proxy.
        train: `all`, `none` or `top:K`: which architectures are trained.
        steps: training steps of `trained`.
        proxy_steps: training steps of the proxies that train.
        seed: drives sampling.
        seeds: of the measurements.
        train_seeds: those of `trained`, where fewer or others are wanted; None takes `seeds`.
        batch: crops a step.
        segment: samples a crop.
        proxy_batch: crops in a batch of the proxies that score on single batches.
        learning_rate: of Adam.
        validate_every: steps between validations.
        validation: seconds of audio that networks are scored on, or `whole` for whole validation tracks.
        device: `cpu`, `cuda` or `cuda:N`.
        threads: of each worker.
        storage: Optuna storage URL; None is the file `study.db` in the study's folder. Its password is known to this
            object alone: it is neither saved nor compared nor shown.
        batches_of: the study from whose name the batches derive that proxies score on; None is this one. Merging sets
            it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    study: str = Field("study", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    space: dict[str, Any]
    data: str = "synthetic"
    data_digest: str | None = None
    task: Literal["voice", "multi", "denoise"] = "voice"
    sample_rate: int | None = Field(None, ge=1000, le=192_000)
    channels: Literal[1, 2] = 1
    upmix_mono: bool = False
    sampler: Literal["random", "grid", "tpe", "nsga2"] = "random"
    trials: int = Field(24, ge=1, le=10_000_000)
    whole: bool = False
    measures: tuple[str, ...] = ("params", "macs", "fixed_decoder", "fixed_encoder", "early")
    proxy: str = "fixed_decoder"
    train: str = Field("all", pattern=r"^(all|none|top:[1-9][0-9]*)$")
    steps: int = Field(1000, ge=1)
    proxy_steps: int = Field(100, ge=1)
    seed: Seed = 0
    seeds: tuple[Seed, ...] = Field((0,), min_length=1, max_length=1000)
    train_seeds: tuple[Seed, ...] | None = Field(None, min_length=1, max_length=1000)
    # Chosen on 5 networks of small.yaml and a real corpus of 8 kHz (160 steps of 8 x 8192; mean score in dB, normal
    # training / decoder fixed): 1e-3 4.36 / 3.90, 3e-3 5.01 / 4.70, 1e-2 5.03 / 5.24 but 1 dB worse on the widest
    # network. J-Net's 1e-4 is slower still on so short a budget. Half the segment costs half and loses 0.2 dB.
    learning_rate: float = Field(3e-3, gt=0, lt=1)
    batch: int = Field(8, ge=1)
    segment: int = Field(8192, ge=64)
    # At least 2: kernels compare crops with each other.
    proxy_batch: int = Field(16, ge=2)
    validate_every: int = Field(50, ge=1)
    # What studies had before one could choose; `search.session.resolve` gives new ones what they can afford.
    validation: Annotated[int, Field(ge=1)] | Literal["whole"] = "whole"
    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?)$")
    threads: int = Field(1, ge=1)
    storage: str | None = Field(None, repr=False)
    batches_of: str | None = None

    @field_validator("seeds", "train_seeds", "measures")
    @classmethod
    def _once_each(cls, values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        return None if values is None else tuple(dict.fromkeys(values))

    @field_validator("storage")
    @classmethod
    def _database_url(cls, storage: str | None) -> str | None:
        if storage is not None:
            without_password(storage)
        return storage

    @field_serializer("storage")
    def _no_password(self, storage: str | None) -> str | None:
        return None if storage is None else without_password(storage)

    @model_validator(mode="after")
    def _budgets(self) -> Self:
        if self.proxy == "trained":
            raise ValueError("proxy must be something cheaper than trained itself")
        return self

    @property
    def adaptive(self) -> bool:
        """Whether what is sampled depends on earlier scores, which biases any agreement computed from it."""
        return self.sampler in ("tpe", "nsga2")

    @property
    def top(self) -> int | None:
        """K of `top:K`, else None."""
        return int(self.train.removeprefix("top:")) if self.train.startswith("top:") else None

    @property
    def _ambition(self) -> float:
        return {"none": 0.0, "all": math.inf}.get(self.train, float(self.top or 0))

    def seeds_of(self, measure: str, *, seeded: bool) -> tuple[int, ...]:
        """The seeds at which a measure is taken; one if its score does not depend on them."""
        seeds = self.train_seeds if measure == "trained" and self.train_seeds is not None else self.seeds
        return seeds if seeded else seeds[:1]

    @property
    def all_measures(self) -> tuple[str, ...]:
        """What every architecture is measured by: the primary proxy first, then its control, then what was asked."""
        asked = (name for name in self.measures if name != "trained")
        return tuple(dict.fromkeys((self.proxy, "early", *asked)))

    @property
    def batch_name(self) -> str:
        """The name from which the batches derive that proxies score on."""
        return self.batches_of or self.study

    @property
    def bias(self) -> str | None:
        """Why agreement computed from this study would be biased, in words; None if it is not."""
        if self.adaptive:
            return (
                f"architectures were chosen by {self.sampler}, which narrows the range of scores; "
                "use --sampler random to measure agreement"
            )
        if self.sampler == "grid" and not self.whole:
            return (
                f"only the first {self.trials} architectures of the grid were taken, which differ in few options; "
                "leave --trials out, or use --sampler random, to measure agreement"
            )
        if self.top is not None:
            return (
                f"only the best {self.top} by {self.proxy} were trained, which narrows the range of scores; "
                "use --train all to measure agreement"
            )
        return None

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

    def save(self, path: Path) -> None:
        """Writes the configuration, resolved, in one piece, into the folder of a study.

        Raises:
            UserError: it cannot be written.
        """
        write_study(path, self.model_dump(mode="json"))

    def difference(self, other: Self) -> str | None:
        """The first option, beyond what may be extended, that another configuration has otherwise; None if all agree.

        Args:
            other: configuration.
        """
        # The digest comes last, for it also follows from options that have names of their own.
        for name in sorted(type(self).model_fields, key=lambda name: name == "data_digest"):
            if name not in EXTENDABLE and self._comparable(name) != other._comparable(name):
                return name
        return None

    def continued_by(self, asked: Self) -> Self:
        """The configuration of this study continued as asked: measures, seeds and trials add up.

        Raises:
            UserError: names the first option that differs and may not.
        """
        name = self.difference(asked)
        if name is not None:
            what = {"data_digest": "content of its data"}.get(name, name)
            before, now = self._comparable(name), asked._comparable(name)
            detail = "" if name in ("space", "data_digest") else f" ({quoted(before)} there, {quoted(now)} here)"
            raise UserError(
                f"the study {self.study} exists with another {what}{detail}: "
                f"continue it with the same {what}, or choose another --study name."
            )
        return self.extended_by(asked)

    def extended_by(self, asked: Self) -> Self:
        """This configuration with the trials, measures, seeds and training of another as well."""
        return self.model_copy(
            update={
                "trials": max(self.trials, asked.trials),
                "whole": self.whole or asked.whole,
                "measures": tuple(dict.fromkeys((*self.measures, *asked.measures))),
                "seeds": tuple(dict.fromkeys((*self.seeds, *asked.seeds))),
                "train_seeds": self._joined_train_seeds(asked),
                "train": max(self, asked, key=lambda config: config._ambition).train,
                "storage": asked.storage,  # it may bring the password, which was not saved
            }
        )

    def _comparable(self, name: str) -> Any:
        value = getattr(self, name)
        return without_password(value) if name == "storage" and value is not None else value

    def _joined_train_seeds(self, asked: Self) -> tuple[int, ...] | None:
        if self.train_seeds is None or asked.train_seeds is None:
            return None
        return tuple(dict.fromkeys((*self.train_seeds, *asked.train_seeds)))


def without_password(url: str | URL) -> str:
    """A database URL as it may be shown and saved.

    Args:
        url: such as `postgresql://USER:PASSWORD@HOST/NAME`.

    Raises:
        ValueError: it is no URL of a database.
    """
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: the port is no number
        raise ValueError("an Optuna storage is named by a URL such as postgresql://USER@HOST/NAME") from None
    shown = {key: value for key, value in parsed.query.items() if not _SECRET.search(key)}
    kept = URL.create(parsed.drivername, parsed.username, None, parsed.host, parsed.port, parsed.database, shown)
    return kept.render_as_string(hide_password=False)
