"""The equal-cost control: whether `early` costs what the primary proxy costs, and what to say where it does not."""

from __future__ import annotations

from randsearch.measures import MEASURES
from randsearch.measures.own import is_own
from randsearch.study.config import StudyConfig


def uncontrolled(config: StudyConfig) -> str | None:
    """Why a study has no equal-cost control, less the full stop; None if it has one.

    Args:
        config: the study's configuration, resolved.
    """
    parts, proxy = config.primary, config.proxy
    if "early" in parts:
        return "early is the primary proxy itself" if len(parts) == 1 else f"early is a part of {proxy}"
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
