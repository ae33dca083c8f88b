"""Where and how a command runs; nothing here changes a number."""

import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, create_model
from pydantic.fields import FieldInfo

from randsearch.base.errors import explain

if TYPE_CHECKING:
    from rich.console import Console

    from randsearch.table.measurement import Measurement

Keep = Literal["all", "trained", "none"]


def cores() -> int:
    """Of this machine."""
    return os.cpu_count() or 1


def _silent() -> "Console":
    from rich.console import Console

    return Console(quiet=True)


@dataclass(frozen=True)
class Machine:
    """What a user may say of where and how a command runs.

    Each option is declared here alone, as those of a study are in `StudyConfig`. Annotations are evaluated in this
    module, for the command line is made from them. What has no plain default is no option of a user's: `console`, where
    progress is shown; `functions`, measures that were given as functions, by name, as they travel (`measures.given`);
    `on_measured`, told of each measurement once it is recorded, which stops the search by what it raises.
    """

    results: Annotated[Path, Field(description="Root folder of all studies.")] = Path("results")
    cache: Annotated[
        Path | None, Field(description="Cache of decoded audio; RANDSEARCH_CACHE, or the user's own by default.")
    ] = None
    workers: Annotated[
        int | None, Field(ge=1, description="Worker processes; one a core by default, one on a GPU.")
    ] = None
    console: "Console" = field(default_factory=_silent)
    executor: Annotated[
        Literal["local", "ray"], Field(description="Where jobs run: on this machine or a Ray cluster.")
    ] = "local"
    address: Annotated[str, Field(description="Of the Ray cluster; auto is the one of this machine.")] = "auto"
    gpu_share: Annotated[
        float, Field(ge=0.01, le=1, description="Part of a GPU that a job takes on a Ray cluster.")
    ] = 1.0
    devices: Annotated[
        tuple[str, ...],
        Field(description="Devices that workers are spread over, such as cuda:0,cuda:1; by default the study's alone."),
    ] = ()
    time_limit: Annotated[
        float | None, Field(ge=0.001, description="Seconds after which a measurement fails; none by default.")
    ] = None
    keep: Annotated[Keep, Field(description="Whose weights and audio stay; scores always do.")] = "all"
    allow_failures: Annotated[bool, Field(description="Go on although more than a third of the measurements fail.")] = (
        False
    )
    functions: Mapping[str, bytes] = field(default_factory=dict)
    on_measured: "Callable[[Measurement], None] | None" = field(default_factory=lambda: None)

    @classmethod
    def declared(cls) -> dict[str, FieldInfo]:
        """The options by name, as pydantic describes fields."""
        return {
            each.name: FieldInfo.from_annotated_attribute(each.type, each.default)  # type: ignore[arg-type]
            for each in fields(cls)
            if each.default is not MISSING
        }

    @classmethod
    def create(cls, options: Mapping[str, Any], console: "Console | None" = None) -> Self:
        """Validates options from outside.

        Args:
            options: those that were given.
            console: where progress is shown; None shows none.

        Raises:
            UserError: an option is unknown or has an impossible value.
        """
        declared: dict[str, Any] = {name: (found.annotation, found) for name, found in cls.declared().items()}
        door = create_model("Machine", __config__=ConfigDict(extra="forbid"), **declared)
        try:
            checked = door(**options)
        except ValidationError as error:
            raise explain(error, "options") from None
        return cls(**{name: getattr(checked, name) for name in declared}, console=console or _silent())

    def jobs(self, device: str | None = None) -> int:
        """How many jobs run at once.

        On a processor single-threaded workers do more together than the same cores do as threads of one (`make bench`).

        Args:
            device: that networks are computed on; None is the processor.
        """
        if self.workers is not None:
            return self.workers
        if self.devices:
            return len(self.devices)
        return 1 if (device or "cpu").startswith("cuda") else cores()

    def threads(self, device: str | None = None) -> int:
        """How many threads each job has unless told otherwise: the cores shared among them.

        Args:
            device: that networks are computed on; None is the processor.
        """
        return max(1, cores() // self.jobs(device))
