"""How often a verdict claims what: where nothing is true, where all but that is, and where it is.

`python tests/bench/claims.py results/reference/claims.csv` writes the table (2,000 tables a cell, some minutes). Each
row is a truth, a claim, a number of architectures, the share of tables in which the claim is made, and that in which a
plain test of one question named beforehand would make it.

Twelve proxies are simulated, the first of them named beforehand, with `early`, `params` and `macs`; in brackets what
each truth leaves false. Scores are normal; "rho" is Pearson's.

- noise: no proxy knows anything, and five text parameters of four values matter to nothing [all].
- as control: the proxy and `early` agree equally well, rho 0.7 [control].
- as size: the proxy, `params` and `macs` agree equally well, rho 0.7 [sizes].
- copies size: the proxy is a noisy copy of `params`, which matters to training [beyond].
- coarse half, coarse quarter: the proxy tells the better half, or the best quarter, from the rest, no more [half,
  quarter].
- agrees: rho 0.7, all else is noise; to the proxy, networks with one value of a parameter are a deviation better.
"""

import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from randsearch.statistics import claims
from randsearch.statistics.permutation import doubled_ranks, holm, permutation_p

PROXIES, PARAMETERS, VALUES, RHO = 12, 5, 4, 0.7
NUMBERS = (16, 24, 50, 100)
TRUTHS = ("noise", "as control", "as size", "copies size", "coarse half", "coarse quarter", "agrees")


def made(truth: str, n: int, index: int) -> dict[str, tuple[bool, bool]]:
    """The claims of one simulated table: whether each is made, and whether a plain test would make it.

    Args:
        truth: which; see the top of this file.
        n: architectures.
        index: of the table.
    """
    rng = np.random.default_rng([TRUTHS.index(truth), n, index])
    y, (x, early, params, macs), others = rng.normal(size=n), rng.normal(size=(4, n)), rng.normal(size=(PROXIES - 1, n))
    levels = one_hot(rng.integers(VALUES, size=(PARAMETERS, n)))
    if truth == "as control":
        x, early = (seen(y, noise) for noise in (x, early))
    elif truth == "as size":
        x, params, macs = (seen(y, noise) for noise in (x, params, macs))
    elif truth == "copies size":
        macs, x, y = seen(params, macs), seen(params, x), seen(params, y)
    elif truth.startswith("coarse"):
        best = n // 2 if truth == "coarse half" else -(-n // 4)
        x = x + 2.0 * (y >= np.sort(y)[-best])
    elif truth == "agrees":
        x = seen(y, x)
    ranks = permutation_p(x, y, permutations=claims.PERMUTATIONS, seed=index) < claims.LEVEL
    agrees = ranks and np.corrcoef(doubled_ranks(x), doubled_ranks(y))[0, 1] > 0
    sizes = [claims.better(x, size, y, index) for size in (params, macs)]
    further = {
        "control": claims.better(x, early, y, index).made(),
        "sizes": all(claim.made() for claim in sizes),
        "beyond": claims.beyond_sizes(x, y, [params, macs], index).made(),
        "half": claims.among_best(x, y, 0.5, index).made(),
        "quarter": claims.among_best(x, y, 0.25, index).made(),
    }
    found = {"ranks": (bool(ranks), bool(ranks))}
    found |= {name: (bool(agrees and plain), plain) for name, plain in further.items()}
    if truth in ("noise", "agrees"):
        quarters = [claims.among_best(proxy, y, 0.25, index) for proxy in (x, *others)]
        corrected = holm([claim.p for claim in quarters])
        good = [c.point > 0 and p < claims.UNGATED_LEVEL for c, p in zip(quarters, corrected, strict=True)]
        found["quarter, of all proxies"] = (any(good), quarters[0].made())
        # The first value of the first parameter is what an effect favours.
        judged = x + levels[0] if truth == "agrees" else x
        places = (doubled_ranks(judged) - doubled_ranks(y)) / (2 * (n - 1))
        p = claims.misjudged_ps(levels, places, index)
        plain = claims.misjudged_ps(levels[:1], places, index)
        sure = p < claims.UNGATED_LEVEL
        found["favours"] = (bool(sure[0] if truth == "agrees" else sure.any()), bool(plain[0] < claims.LEVEL))
    found["any"] = (any(claim for claim, _ in found.values()), any(plain for _, plain in found.values()))
    return found


def seen(truth: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """What agrees with the truth to `RHO`."""
    return RHO * truth + np.sqrt(1 - RHO**2) * noise


def one_hot(values: np.ndarray) -> np.ndarray:
    """Whether an architecture has a value, for every value of every parameter, (parameters x values, n)."""
    return np.concatenate([row == np.arange(VALUES)[:, None] for row in values]).astype(float)


def cell(truth: str, n: int, tables: int) -> list[dict[str, object]]:
    """The rows of one truth and number of architectures."""
    counts: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(2))
    for index in range(tables):
        for name, pair in made(truth, n, index).items():
            counts[name] += pair
    return [
        {"truth": truth, "claim": name, "n": n, "tables": tables, "made": both[0] / tables, "plain": both[1] / tables}
        for name, both in counts.items()
    ]


def main(path: Path, tables: int = 2000) -> None:
    """Writes the table."""
    cells = [(truth, n, tables) for truth in TRUTHS for n in NUMBERS]
    with ProcessPoolExecutor(2) as pool:
        rows = [row for found in pool.map(cell, *zip(*cells, strict=True)) for row in found]
    pd.DataFrame(rows).to_csv(path, index=False, float_format="%.4g", lineterminator="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
