"""Published tables of measurements as a benchmark, and search strategies replayed on them with a simulated clock."""

from randsearch.replay.benchmark import Answer, Benchmark, benchmark
from randsearch.replay.simulation import Difference, Simulation, compare
from randsearch.replay.world import World

__all__ = ["Answer", "Benchmark", "Difference", "Simulation", "World", "benchmark", "compare"]
