"""The equal-cost control: what `early` costs as much as, and what to say where it is no control."""

from __future__ import annotations

from randsearch.measures import MEASURES
from randsearch.measures.own import is_own
from randsearch.study.config import StudyConfig

HALF = "fixed_decoder"
"""What `early` costs as much as where the primary proxy trains nothing, whether it is measured or not."""


def controlled(config: StudyConfig) -> str | None:
    """The proxy whose cost `early` has; None if it is no control.

    Args:
        config: the study's configuration, resolved.
    """
    if uncontrolled(config):
        return None
    return HALF if config.control == "half" else config.proxy


def uncontrolled(config: StudyConfig) -> str | None:
    """Why a study has no equal-cost control, less the full stop; None if it has one.

    Args:
        config: the study's configuration, resolved.
    """
    parts, proxy = config.primary, config.proxy
    if "early" in parts:
        return "early is the primary proxy itself" if len(parts) == 1 else f"early is a part of {proxy}"
    if config.control == "half":
        return None if "early" in config.all_measures else "early is not measured"
    unknown = next((part for part in parts if is_own(part)), None)
    if unknown is not None and config.control != "proxy_steps":
        return f"what {unknown} costs is not known"
    if config.control == "none":
        return f"{proxy} costs less than one step of training"
    if config.control == "proxy_steps" and not any(_takes_steps(part) for part in parts):
        return f"early trained for {config.proxy_steps} steps, whatever {proxy} costs"
    return None


def _takes_steps(part: str) -> bool:
    """Whether a measure trains for `proxy_steps`; one that this version does not know may."""
    return not is_own(part) and (part not in MEASURES or MEASURES[part].steps == "proxy_steps")
