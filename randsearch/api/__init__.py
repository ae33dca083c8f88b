"""What a notebook or a script uses, reached as `randsearch.NAME`: a thin layer over the rooms below."""

from randsearch.api.agreements import Agreement, agreement
from randsearch.api.loggers import MLflow, TensorBoard, WandB
from randsearch.api.networks import build
from randsearch.api.studies import Study, load_study, search
from randsearch.replay import Benchmark, benchmark

__all__ = [
    "Agreement",
    "Benchmark",
    "MLflow",
    "Study",
    "TensorBoard",
    "WandB",
    "agreement",
    "benchmark",
    "build",
    "load_study",
    "search",
]
