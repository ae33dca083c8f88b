"""The configuration of a study: validated, saved resolved beside its results, and compared when it is continued."""

from __future__ import annotations

import operator
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    field_serializer,
    field_validator,
    model_validator,
)

from randsearch.base.errors import UserError, quoted
from randsearch.base.seeds import check_seed
from randsearch.data.augmentation import defaults, refused
from randsearch.data.format import AudioFormat, MissingStems
from randsearch.data.task import TASKS, TaskName, canonical_sources
from randsearch.study.options import Option, Options, extendable
from randsearch.study.rules import RULES, check_continues
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
from randsearch.table.votes import AND, VOTE, is_vote, measured_for
from randsearch.training.schedules import ScheduleName

if TYPE_CHECKING:
    from sqlalchemy import URL

_SECRET = re.compile("passw|pwd|secret|token", re.IGNORECASE)
"""In the names of what else a database URL may hold."""

Seed = Annotated[int, AfterValidator(check_seed)]

Sampler = Literal["random", "grid", "tpe", "nsga2"]


def _all_of(before: tuple[Any, ...], asked: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys((*before, *asked)))


def _all_train_seeds(before: tuple[int, ...] | None, asked: tuple[int, ...] | None) -> tuple[int, ...] | None:
    return None if before is None or asked is None else _all_of(before, asked)


def _top(train: str) -> int | None:
    return int(train.removeprefix("top:")) if train.startswith("top:") else None


def _more_training(before: str, asked: str) -> str:
    """The one that trains more architectures; of halving and asha, which go on with each other, the one asked for."""
    order = {"none": (0, 0), "halving": (2, 0), "asha": (2, 0), "all": (3, 0)}
    return max(asked, before, key=lambda train: order.get(train, (1, _top(train) or 0)))


def _latest(before: Any, asked: Any) -> Any:
    return asked


def _proxy(name: str) -> str:
    """A proxy by the name that tables have for it.

    Raises:
        ValueError: it is `trained` itself, or a malformed vote.
    """
    try:
        parts = measured_for(name)
    except UserError as error:
        raise ValueError(str(error).rstrip(".")) from None
    if "trained" in parts:
        raise ValueError("it must be something cheaper than trained itself")
    return VOTE + AND.join(parts) if is_vote(name) else name


def _measured(name: str) -> str:
    """A measure by the name that tables have for it; `trained` is one, though no proxy."""
    return name if name == "trained" else _proxy(name)


Proxy = Annotated[str, AfterValidator(_proxy)]

Control = Literal["cost", "none", "proxy_steps"]


class StudyConfig(Options):
    """Everything that decides a study's numbers.

    Each option is declared here alone. What its description says is the command line's help, and what `Option` adds is
    how it is given, saved and continued.
    """

    # What validates is built at the first use, and what writes files imported then: help needs neither.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    study: str = Field("study", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="Name of the study.")
    space: Annotated[dict[str, Any], Option(asked=False)] = Field(description="Search space.")
    data: str = Field(
        "synthetic",
        description="synthetic or KIND:PATH of musdb, musdbhq, stems, dsd100, moisesdb, speech; + joins several.",
    )
    data_digest: Annotated[str | None, Option(asked=False)] = Field(
        None, description="Of what was found there; None until the study begins."
    )
    task: TaskName = Field(
        "voice", description="What to separate; if left out and stems: has other stems, each of them."
    )
    sources: Annotated[tuple[str, ...] | None, Option(since=2, before=None)] = Field(
        None,
        description="In place of a task: STEM or NAME=STEM+STEM, with commas; the mixture is their sum.",
    )
    missing_stems: Annotated[MissingStems, Option(since=2, before="error")] = Field(
        "error", description="Where a track of stems: lacks a stem: an error, or silence."
    )
    sample_rate: int | None = Field(
        None, ge=1000, le=192_000, description="In Hz; the data's own up to 22,050 by default."
    )
    channels: Literal[1, 2] = Field(1, description="1 or 2.")
    upmix_mono: bool = Field(False, description="Double mono data for stereo.")
    sampler: Sampler = Field("random", description="How architectures are chosen.")
    trials: Annotated[int, Option(joined=max)] = Field(
        24, ge=1, le=10_000_000, description="How many architectures; a grid takes all by default."
    )
    whole: Annotated[bool, Option(asked=False, joined=operator.or_)] = Field(
        False, description="Whether those are all that the space holds; found out where the sampler is `grid`."
    )
    measures: Annotated[tuple[Annotated[str, AfterValidator(_measured)], ...], Option(joined=_all_of)] = Field(
        ("params", "macs", "fixed_decoder", "fixed_encoder", "early"),
        description="Names, package.module:function, vote:A+B, cheap, short or all; with commas.",
    )
    proxy: Proxy = Field("fixed_decoder", description="The primary proxy; vote:A+B adds the ranks of several.")
    control: Annotated[Control, Option(asked=False, since=3, before="proxy_steps")] = Field(
        "cost",
        description="What `early` trains for: the `cost` of the primary proxy; `proxy_steps` less what its half saves, "
        "as in former studies; `none` where the cost buys no step. Found out when the study begins.",
    )
    train: Annotated[str, Option(joined=_more_training)] = Field(
        "all",
        pattern=r"^(all|none|halving|asha|top:[1-9][0-9]*)$",
        description="Which architectures to train: all, top:K, halving, asha (repeats with one worker only) or none.",
    )
    rung: Annotated[Proxy | None, Option(joined=_latest, since=2, default="the primary proxy")] = Field(
        None, description="Measure by which halving and asha choose which trainings begin."
    )
    reduction: Annotated[int, Option(joined=_latest, since=2, before=3)] = Field(
        3,
        ge=2,
        le=1000,
        description="In halving and asha, how many of a rung compete for one place on the next.",
    )
    steps: int = Field(1000, ge=1, description="Training steps of `trained`.")
    proxy_steps: int = Field(100, ge=1, description="Training steps of proxies that train.")
    seed: Seed = Field(0, description="Seed of sampling.")
    seeds: Annotated[tuple[Seed, ...], Option(joined=_all_of)] = Field(
        (0,), min_length=1, max_length=1000, description="Seeds of the measurements, separated by commas."
    )
    train_seeds: Annotated[tuple[Seed, ...] | None, Option(joined=_all_train_seeds)] = Field(
        None, min_length=1, max_length=1000, description="Seeds of training, if not the same."
    )
    # Chosen on 5 networks of small.yaml and a real corpus of 8 kHz (160 steps of 8 x 8192; mean score in dB, normal
    # training / decoder fixed): 1e-3 4.36 / 3.90, 3e-3 5.01 / 4.70, 1e-2 5.03 / 5.24 but 1 dB worse on the widest
    # network. J-Net's 1e-4 is slower still on so short a budget. Half the segment costs half and loses 0.2 dB.
    learning_rate: LearningRate = Field(3e-3)
    batch: Batch = Field(8)
    segment: Segment = Field(8192)
    # Chosen on 8 networks and a corpus of 8 kHz, with the learning rate: the table is in randsearch/training/README.md.
    schedule: Annotated[ScheduleName, Option(since=2, before="constant")] = Field(
        "constant", description="Of the learning rate of `trained`: constant or cosine."
    )
    # Constant, so that one run has a score at every budget below its own.
    proxy_schedule: Annotated[ScheduleName, Option(since=2, before="constant")] = Field(
        "constant", description="Of proxies that train."
    )
    weight_decay: Annotated[WeightDecay, Option(since=2, before=0.0)] = Field(0.0)
    clip: Annotated[Clip, Option(since=2, before=None, default="none", unset=True)] = Field(None)
    ema: Annotated[Ema, Option(since=2, before=0.0)] = Field(0.99)
    augment: Annotated[Augment, Option(since=2, before=("gains",), default="gains; none for denoise")] = Field(
        ("gains",)
    )
    precision: Annotated[Precision, Option(since=2, before="float32")] = Field("float32")
    compiled: Annotated[Compiled, Option(since=2, before=False)] = Field(False)
    # At least 2: kernels compare crops with each other.
    proxy_batch: int = Field(16, ge=2, description="Crops a batch of proxies that score on batches.")
    validate_every: ValidateEvery = Field(50)
    # The default is what studies had before one could choose; `running.session.resolve` gives new ones what they can
    # afford.
    validation: Annotated[
        Annotated[int, Field(ge=1)] | Literal["whole"], Option(default="less than a tenth of a proxy's time")
    ] = Field("whole", description="Seconds of audio to score on, or whole.")
    device: Device = Field("cpu")
    threads: Annotated[int, Option(default="cores / workers")] = Field(1, ge=1, description="Threads of each worker.")
    # The password is known to this object alone: it is neither saved nor compared nor shown. Another may bring it.
    storage: str | None = Field(None, repr=False, description="Optuna storage URL instead of the study's own file.")
    batches_of: Annotated[str | None, Option(asked=False)] = Field(
        None, description="The study from whose name the batches derive that proxies score on; None is this one."
    )
    rules: Annotated[int, Option(asked=False, since=2, before=1)] = Field(
        RULES, ge=1, description="By which scores are made; `study.rules` lists the versions that go by each."
    )

    @model_validator(mode="before")
    @classmethod
    def _augmented(cls, options: Any) -> Any:
        """What is done to crops by default depends on the task, unless sources stand in its place."""
        task = TASKS.get(str(options.get("task", "voice"))) if options.get("sources") is None else None
        return options if task is None or "augment" in options else {**options, "augment": defaults(task)}

    @field_validator("seeds", "train_seeds", "measures")
    @classmethod
    def _once_each(cls, values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        return None if values is None else tuple(dict.fromkeys(values))

    @field_validator("sources", mode="before")
    @classmethod
    def _each_source(cls, sources: Any) -> Any:
        return tuple(sources.split(",")) if isinstance(sources, str) else sources

    @field_validator("sources")
    @classmethod
    def _separable(cls, sources: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if sources is None else canonical_sources(sources)

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
        reason = refused(self.augment, self.audio.separated, self.channels)
        # Studies of the first rules had gains whatever their task, and can be read.
        if reason is not None and self.rules > 1:
            raise ValueError(reason)
        return self

    @property
    def adaptive(self) -> bool:
        """Whether what is sampled depends on earlier scores, which biases any agreement computed from it."""
        return self.sampler in ("tpe", "nsga2")

    @property
    def top(self) -> int | None:
        """K of `top:K`, else None."""
        return _top(self.train)

    @property
    def halved(self) -> bool:
        """Whether trainings are stopped on the way, all but the best."""
        return self.train in ("halving", "asha")

    @property
    def lowest_rung(self) -> str:
        """The measure that decides which trainings of successive halving begin."""
        return self.rung or self.proxy

    @property
    def audio(self) -> AudioFormat:
        """What the study's data become."""
        return AudioFormat(
            self.task, self.sample_rate, self.channels, self.upmix_mono, self.sources, self.missing_stems
        )

    @property
    def source_names(self) -> tuple[str, ...]:
        """Names of the sources, in the order of a network's outputs."""
        return self.audio.source_names

    def seeds_of(self, measure: str, *, seeded: bool) -> tuple[int, ...]:
        """The seeds at which a measure is taken; one if its score does not depend on them."""
        seeds = self.train_seeds if measure == "trained" and self.train_seeds is not None else self.seeds
        return seeds if seeded else seeds[:1]

    @property
    def primary(self) -> tuple[str, ...]:
        """What is measured so that the primary proxy has a score: the parts of a vote, or the proxy itself."""
        return measured_for(self.proxy)

    @property
    def votes(self) -> tuple[str, ...]:
        """The votes among the proxies, which are made of what was measured."""
        return tuple(dict.fromkeys(filter(is_vote, (self.proxy, *self.measures, self.lowest_rung))))

    @property
    def all_measures(self) -> tuple[str, ...]:
        """What every architecture is measured by: the primary proxy first, then its control, then what was asked."""
        asked = (part for name in (*self.measures, self.lowest_rung) for part in measured_for(name))
        control = () if self.control == "none" else ("early",)
        return tuple(dict.fromkeys(name for name in (*self.primary, *control, *asked) if name != "trained"))

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
        if self.halved:
            return (
                f"only the best of each rung of successive halving, the lowest being {self.lowest_rung}, were trained "
                "further, which narrows the range of scores; use --train all to measure agreement"
            )
        return None

    def save(self, path: Path) -> None:
        """Writes the configuration, resolved, in one piece, into the folder of a study.

        Raises:
            UserError: it cannot be written.
        """
        from randsearch.study.config_file import write_study

        write_study(path, self)

    def difference(self, other: Self) -> str | None:
        """The first option, beyond what may be extended, that another configuration has otherwise; None if all agree.

        Args:
            other: configuration.
        """
        compared = type(self).model_fields.keys() - extendable(type(self)).keys()
        # Rules come first, for options change with them. The digest comes last, for it also follows from options that
        # have names of their own.
        for name in sorted(type(self).model_fields, key=lambda name: (name != "rules", name == "data_digest")):
            if name in compared and self._comparable(name) != other._comparable(name):
                return name
        return None

    def continued_by(self, asked: Self) -> Self:
        """The configuration of this study continued as asked: measures, seeds and trials add up.

        Raises:
            UserError: names the first option that differs and may not, or the version that goes by its rules.
        """
        name = self.difference(asked)
        if name == "rules":
            check_continues(self.study, self.rules)
        if name is not None:
            what = {"data_digest": "content of its data", "rules": "set of rules"}.get(name, name)
            before, now = self._comparable(name), asked._comparable(name)
            detail = "" if name in ("space", "data_digest") else f" ({quoted(before)} there, {quoted(now)} here)"
            raise UserError(
                f"the study {self.study} exists with another {what}{detail}: "
                f"continue it with the same {what}, or choose another --study name."
            )
        return self.extended_by(asked)

    def extended_by(self, asked: Self) -> Self:
        """This configuration with the trials, measures, seeds and training of another as well."""
        joined = extendable(type(self)).items()
        changed = {name: join(getattr(self, name), getattr(asked, name)) for name, join in joined}
        return self.model_copy(update={**changed, "storage": asked.storage})

    def _comparable(self, name: str) -> Any:
        value = getattr(self, name)
        return without_password(value) if name == "storage" and value is not None else value


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
