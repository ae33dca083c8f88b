"""What the measures of a search cost before it starts, and what its equal-cost control follows from that."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from functools import partial
from statistics import median

from randsearch.base.errors import UserError
from randsearch.base.seeds import derive
from randsearch.measures import Setting, find
from randsearch.measures.catalogue import GROUPS, named
from randsearch.measures.contract import Cost
from randsearch.measures.costs import proxy_cost, step_cost, trained_cost
from randsearch.measures.own import is_own
from randsearch.models.architecture import Architecture
from randsearch.study.candidates import bind_space
from randsearch.study.config import StudyConfig
from randsearch.study.control import uncontrolled
from randsearch.study.votes import SAMPLE as STANDING_SAMPLE
from randsearch.table.votes import is_vote, measured_for

WIDTH = 100
"""Characters of a line."""

_UNCONTROLLED = "no equal-cost control"

SAMPLE = 9
"""Architectures that costs are told of: shares of a training vary little between those of a space."""


def check_votes(config: StudyConfig) -> None:
    """Refuses a vote whose sample would be trained before anything is searched.

    Args:
        config: of the study, whose measures are known.

    Raises:
        UserError: an adaptive sampler would be told a vote with a part that trains or solves.
    """
    told = (config.proxy, *([config.lowest_rung] if config.train == "asha" else []))
    for vote in filter(is_vote, told if config.adaptive else ()):
        dear = next((part for part in measured_for(vote) if find(part).group != "cheap"), None)
        if dear is not None:
            raise UserError(
                f"{vote}: {config.sampler} is told the places among {STANDING_SAMPLE} other architectures, of which "
                f"{dear} would train or solve each first: leave it out, or choose --sampler random."
            )


def matched_costs(config: StudyConfig) -> tuple[Cost, ...]:
    """What `early` is to cost: what each part of the primary proxy does; none where it is no control.

    Args:
        config: resolved.
    """
    if config.control == "proxy_steps":
        return (partial(proxy_cost, half=find(config.primary[0]).fixes),)
    return () if uncontrolled(config) else tuple(find(part).cost for part in config.primary)


def with_control(config: StudyConfig, setting: Setting, *, chosen: bool) -> StudyConfig:
    """Settles whether a new study has an equal-cost control: where the primary proxy costs a step of training or more.

    Without one `early` is left out, unless the user named it, and then trains for `proxy_steps`.

    Args:
        config: of the study, otherwise resolved.
        setting: of the study; what `early` is matched to does not matter.
        chosen: whether the user said what to measure.
    """
    entries = [find(part) for part in config.primary]
    if "early" in config.primary or any(map(is_own, config.primary)):
        steps = 0.0
    elif any(entry.trains for entry in entries):
        return config.model_copy(update={"control": "cost"})
    else:
        steps = median(
            sum(entry.cost(setting, each) for entry in entries) / step_cost(setting, each, "none")
            for each in _sample(config)
        )
    if steps >= 1:
        return config.model_copy(update={"control": "cost"})
    measures = config.measures if chosen else tuple(name for name in config.measures if name != "early")
    return config.model_copy(update={"control": "none", "measures": measures})


def cost_lines(config: StudyConfig, setting: Setting) -> Iterator[str]:
    """What each group of measures costs, in closed form, and whether there is an equal-cost control.

    Args:
        config: resolved.
        setting: of the study.
    """
    sample = _sample(config)
    whole = sum(trained_cost(setting, each) for each in sample)
    shares = {
        name: sum(find(name).cost(setting, each) for each in sample) / whole
        for name in config.all_measures
        if not is_own(name)
    }
    yield "what one measurement costs, in multiply-adds of a whole training:"
    for group in GROUPS:
        names = [name for name in shares if find(name).group == group]
        if names:
            each = ", ".join(f"{name} {_percent(shares[name])}" for name in names)
            line = f"  {group}, together {_percent(sum(shares[name] for name in names))}: {each}"
            yield from textwrap.wrap(line, WIDTH, subsequent_indent="    ")
    own = [name for name in config.all_measures if is_own(name)]
    if own:
        yield f"  not known: {', '.join(own)}"
    for vote in config.votes:
        parts = measured_for(vote)
        if not any(map(is_own, parts)):
            yield f"  {vote}, the sum of its parts: {_percent(sum(shares[part] for part in parts))}"
    reason = uncontrolled(config)
    if reason is not None:
        yield f"{_UNCONTROLLED}: {reason}"


def told_before(config: StudyConfig, setting: Setting) -> list[str]:
    """What a search says before it starts: all costs where it measures a whole group, else only if it has no control.

    Args:
        config: resolved.
        setting: of the study.
    """
    lines = list(cost_lines(config, setting))
    grouped = any(set(named([group])) <= set(config.measures) for group in GROUPS)
    return lines if grouped else [line for line in lines if line.startswith(_UNCONTROLLED)]


def _sample(config: StudyConfig) -> list[Architecture]:
    """Some architectures of the space, the same for every study of it."""
    space = bind_space(config)
    return [space.draw(derive("costs"), index).architecture for index in range(SAMPLE)]


def _percent(share: float) -> str:
    if not share:
        return "nothing"
    return f"{share:.0%}" if share >= 0.1 else f"{max(100 * share, 0.001):.2g}%"
