"""The demo: the main job on generated songs, small enough for minutes on two cores."""

from __future__ import annotations

from typing import Any

from randsearch.space import SearchSpace
from randsearch.space.shipped import shipped


def demo_options() -> dict[str, Any]:
    """What `randsearch demo` asks of a search."""
    return {
        "study": "demo",
        "space": SearchSpace.load(shipped("small.yaml")).to_dict(),
        "data": "synthetic",
        "trials": 16,
        "steps": 160,
        "proxy_steps": 40,
        "validate_every": 20,
        "validation": 24,
        "batch": 8,
        "segment": 4096,
        "threads": 1,
    }
