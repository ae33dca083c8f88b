"""How often the verdict makes each of its claims where nothing is true, and where something is.

Usage: python tests/bench/claims.py FILE.csv [TABLES]. One row a case, claim and number of architectures: the share of
simulated tables in which the claim is made, and in which the plain test of a proxy named beforehand makes it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from randsearch.statistics.claims import LEVEL, Claim, all_claims, among_best, misjudged_ps
from randsearch.statistics.permutation import doubled_ranks, holm, permutation_p
from randsearch.statistics.scores import Scores

SIZES = (16, 24, 50, 100)
TABLES = 2000
OTHERS = 8
"""Proxies beside fixed_decoder, early, params and macs."""

Floats = np.ndarray
Draw = Callable[[int, np.random.Generator], dict[str, Floats]]


def _noise(n: int, rng: np.random.Generator) -> dict[str, Floats]:
    names = ("trained", "fixed_decoder", "early", "params", "macs", *(f"other{i}" for i in range(OTHERS)))
    return {name: rng.normal(size=n) for name in names}


def _equal_to_size(n: int, rng: np.random.Generator) -> dict[str, Floats]:
    found, quality = _noise(n, rng), rng.normal(size=n)
    return found | {
        "trained": quality,
        **{name: quality + rng.normal(size=n) for name in ("fixed_decoder", "params", "macs")},
    }


def _equal_to_control(n: int, rng: np.random.Generator) -> dict[str, Floats]:
    found, quality = _noise(n, rng), rng.normal(size=n)
    return found | {"trained": quality, **{name: quality + rng.normal(size=n) for name in ("fixed_decoder", "early")}}


def _copy_of_size(n: int, rng: np.random.Generator) -> dict[str, Floats]:
    found, size = _noise(n, rng), rng.normal(size=n)
    return found | {
        **{"params": size, "macs": size + 0.5 * rng.normal(size=n)},
        **{"trained": size + rng.normal(size=n), "fixed_decoder": size + rng.normal(size=n)},
    }


def _bad_from_good(n: int, rng: np.random.Generator) -> dict[str, Floats]:
    """Every proxy tells the best quarter from the others, and nothing within it."""
    found = _noise(n, rng)
    truth = found["trained"]
    best = truth >= np.sort(truth)[-int(np.ceil(n / 4))]
    return {name: values if name == "trained" else values + 3 * best for name, values in found.items()}


def _correlated(n: int, rng: np.random.Generator) -> dict[str, Floats]:
    """The proxy has a rank correlation of 0.7 with training, all else none."""
    found = _noise(n, rng)
    r = 2 * np.sin(np.pi / 6 * 0.7)
    return found | {"fixed_decoder": r * found["trained"] + np.sqrt(1 - r**2) * rng.normal(size=n)}


CASES: dict[str, tuple[Draw, tuple[str, ...]]] = {
    "noise": (_noise, ("ranks", "against", "size", "control", "beyond", "quarter", "favours", "any")),
    "equal to params and macs": (_equal_to_size, ("size",)),
    "equal to early": (_equal_to_control, ("control",)),
    "noisy copy of size": (_copy_of_size, ("beyond",)),
    "tells bad from good only": (_bad_from_good, ("quarter",)),
    "options at random": (_correlated, ("favours",)),
    "Spearman 0.7, all else noise": (_correlated, ("ranks", "size", "control", "beyond", "quarter")),
}
"""How tables are drawn, and the claims that are counted; but for the last, none of them is true."""


def made(found: dict[str, Floats], rng: np.random.Generator, seed: int) -> dict[str, tuple[bool, bool]]:
    """Each claim: whether the verdict makes it, and whether the plain test does, of fixed_decoder."""
    truth, n = found["trained"], len(found["trained"])
    near = {
        name: Scores(name, values[:, None], values, np.ones(n), np.ones(n, dtype=bool))
        for name, values in found.items()
        if name in ("fixed_decoder", "early", "params", "macs")
    }
    target = Scores("trained", truth[:, None], truth, np.ones(n), np.ones(n, dtype=bool))
    own = all_claims(near, target, seed)[0]
    x = found["fixed_decoder"]
    ranks = Claim(
        float(doubled_ranks(x) @ doubled_ranks(truth)), permutation_p(x, truth, permutations=999, seed=seed), n
    )
    quarters = [own.quarter] + [
        among_best(values, truth, 0.25, seed)
        for name, values in found.items()
        if name not in ("trained", "fixed_decoder")
    ]
    corrected = holm([each.p for each in quarters])
    plain = {"ranks": ranks, "size": own.sizes, "control": own.control, "beyond": own.beyond, "quarter": own.quarter}
    claimed = {name: ranks.made() and each.made() for name, each in plain.items()}
    claimed["quarter"] |= any(p < LEVEL and each.point > 0 for p, each in zip(corrected, quarters, strict=True))
    claimed["against"] = ranks.point < 0 and ranks.p < LEVEL
    places = (doubled_ranks(x) - doubled_ranks(truth)) / (2 * (n - 1))
    levels = [rng.integers(4, size=n) == value for _ in range(5) for value in range(4)]
    enough = [level.astype(float) for level in levels if 3 <= level.sum() <= n - 3]
    claimed["favours"] = ranks.made() and bool((misjudged_ps(np.array(enough), places, seed) < LEVEL).any())
    claimed["any"] = any(claimed.values())
    return {name: (value, plain[name].made() if name in plain else value) for name, value in claimed.items()}


def _cell(arguments: tuple[str, int, int]) -> list[dict[str, object]]:
    case, n, tables = arguments
    draw, counted = CASES[case]
    rng = np.random.default_rng([n, *case.encode()])
    every = [made(draw(n, rng), rng, seed) for seed in range(tables)]
    return [
        {
            "case": case,
            "claim": claim,
            "architectures": n,
            "tables": tables,
            "claimed": float(np.mean([found[claim][0] for found in every])),
            "plain": float(np.mean([found[claim][1] for found in every])),
        }
        for claim in counted
    ]


def simulated(tables: int, sizes: tuple[int, ...] = SIZES) -> Iterator[dict[str, object]]:
    """The rows of the table, two processes at work."""
    cells = [(case, n, tables) for case in CASES for n in sizes]
    with ProcessPoolExecutor(2) as pool:
        for rows in pool.map(_cell, cells):
            yield from rows


if __name__ == "__main__":
    path, asked = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else TABLES
    pd.DataFrame(simulated(asked)).to_csv(path, index=False, float_format="%.4f", lineterminator="\n")
