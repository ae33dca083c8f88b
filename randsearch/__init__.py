"""randsearch: proxy architecture search for audio source separation, and how far its cheap scores can be trusted.

Everything that a notebook or a script needs has its name here, and is imported when it is first used:

    import randsearch as rs

    study = rs.search("small", data="musdbhq:/data/musdb18hq", study="first", trials=24)
    study.agreement()
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from randsearch.api import (
        Agreement,
        Benchmark,
        MLflow,
        Study,
        TensorBoard,
        WandB,
        agreement,
        benchmark,
        build,
        load_study,
        search,
    )
    from randsearch.base.errors import UserError
    from randsearch.measures.contract import Outcome, Setting, UnmeasurableError
    from randsearch.models.architecture import Architecture
    from randsearch.space.grammar import SearchSpace
    from randsearch.table.measurement import Measurement

__version__ = "0.2.0"

# What it says is for whoever listens, and without a listener not for Python's handler of last resort.
logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [
    "Agreement",
    "Architecture",
    "Benchmark",
    "MLflow",
    "Measurement",
    "Outcome",
    "SearchSpace",
    "Setting",
    "Study",
    "TensorBoard",
    "UnmeasurableError",
    "UserError",
    "WandB",
    "__version__",
    "agreement",
    "benchmark",
    "build",
    "load_study",
    "search",
]

# None is called as a room is: importing that would put the room in its place.
_HOMES = {
    **dict.fromkeys(("MLflow", "TensorBoard", "WandB"), "api.loggers"),
    **dict.fromkeys(("Agreement", "Study", "agreement", "build", "load_study", "search"), "api"),
    **dict.fromkeys(("Benchmark", "benchmark"), "replay"),
    "UserError": "base.errors",
    **dict.fromkeys(("Outcome", "Setting", "UnmeasurableError"), "measures.contract"),
    "Architecture": "models.architecture",
    "SearchSpace": "space.grammar",
    "Measurement": "table.measurement",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
