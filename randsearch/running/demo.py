"""The demo: the main job on generated songs, small enough for minutes on two cores."""

from __future__ import annotations

from typing import Any

from randsearch.space import SearchSpace
from randsearch.space.shipped import shipped


def demo_options() -> dict[str, Any]:
    """What `randsearch demo` asks of a search."""
    return {
        "study": "demo",
        "space": SearchSpace.load(shipped("reference.yaml")).to_dict(),
        "data": "synthetic",
        "measures": ("params", "macs", "zen", "fixed_decoder", "fixed_encoder"),
        # Of what costs next to nothing it ranks best where trainings are as short as here: in the reference study
        # 0.67 with the score after 400 steps, where its vote with the sizes has 0.51.
        "proxy": "zen",
        "trials": 24,
        "steps": 400,
        "proxy_steps": 60,
        "validate_every": 20,
        "validation": 24,
        "batch": 4,
        "segment": 4096,
        "threads": 1,
    }
