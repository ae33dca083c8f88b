"""A study of all 36 networks of the tiny space, with made-up measurements, as a folder that is a benchmark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from tiny import SEGMENT, SPACE

from randsearch.base.layout import StudyFolder
from randsearch.study.candidates import bind_space
from randsearch.study.config import StudyConfig
from randsearch.study.tabulate import tabulate
from randsearch.table.measurement import Measurement
from randsearch.table.tidy import write_measurements

STEPS, EVERY, EARLY = 12, 1, 3
SECONDS = 10.0
"""Of the first network's training; each further one takes 1 more."""
AGAIN = 18
"""Networks that were trained at three seeds: every other one."""
FAILED = 7
"""The place of the network whose training failed."""


def study(folder: Path, **changed: Any) -> Path:
    """Writes the study, and returns its folder."""
    options = {
        **{"study": "made", "space": yaml.safe_load(SPACE), "sampler": "grid", "trials": 36, "whole": True},
        **{"sample_rate": 1000, "segment": SEGMENT, "steps": STEPS, "validate_every": EVERY, "reduction": 2},
        **{"measures": ("macs", "zen", "early"), "seeds": (0, 1), "train_seeds": (0, 1, 2), "proxy": "early"},
    }
    config = StudyConfig.create({**options, **changed}, "options")
    architectures = [drawn.architecture for drawn in bind_space(config).grid()]
    rng, made = np.random.default_rng(3), list[Measurement]()
    for place, (architecture, quality) in enumerate(zip(architectures, rng.normal(6, 1, 36).tolist(), strict=True)):
        made.append(Measurement(architecture, "macs", 0, "complete", float(100 * place), seconds=0.0))
        for seed in (0, 1):
            zen = quality + rng.normal(0, 1)
            made.append(Measurement(architecture, "zen", seed, "complete", zen, seconds=0.5))
            early = _trained(architecture, "early", seed, quality - 2 + rng.normal(0, 0.5), EARLY, 2.0)
            made.append(replace(early, schedule=config.proxy_schedule))
        for seed in (0, 1, 2) if place % 2 == 0 else (0,):
            score = quality + rng.normal(0, 0.3)
            made.append(_trained(architecture, "trained", seed, score, STEPS, SECONDS + place))
    lost = made.index(next(m for m in made if m.architecture == architectures[FAILED] and m.measure == "trained"))
    made[lost] = replace(made[lost], state="failed", score=None, reason="diverged", curve=(), steps=4, seconds=3.0)
    write_measurements(tabulate(config, [a.hash for a in architectures], made), StudyFolder(folder).table)
    config.save(StudyFolder(folder).config)
    return folder


def _trained(architecture: Any, measure: str, seed: int, score: float, steps: int, seconds: float) -> Measurement:
    curve = tuple((step, score - 3 * (1 - step / steps)) for step in range(EVERY, steps + 1, EVERY))
    effort: dict[str, Any] = {"seconds": seconds, "steps": steps, "baseline": 3.0, "schedule": "constant"}
    return Measurement(architecture, measure, seed, "complete", score, curve=curve, **effort)
