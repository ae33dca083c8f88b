"""What every proxy of a study is worth, which votes serve within which budget, and what their parts see.

`python tests/bench/proxies.py results/NAME results/reference/proxies` reads the table of a finished study and writes

- `agreement.csv`: every proxy, smaller budgets of it and the recommended votes, means over seeds, as `analyse` has
  them; the cost in front is of multiply-adds, a share of those of training, all seeds together.
- `votes.csv`: for each budget the best votes of up to four proxies at the first seed, chosen on all architectures, what
  they are at the second, and what such a choice is worth: made on a random half of the architectures, its Spearman on
  the other half.
- `recommended.csv`: the proxies recommended for each budget, and a vote that was proposed on other networks, at each
  seed alone, with paired differences to `macs` and to `early`.
- `parts.csv`: what each part of a recommended vote agrees with, and what the vote is without it, at the first seed.
"""

import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from randsearch.measures.catalogue import MEASURES
from randsearch.statistics import agreement
from randsearch.statistics.best_only import spearman_among_best, top_half
from randsearch.statistics.budgets import at_budgets, base
from randsearch.statistics.partial import partial_spearman
from randsearch.statistics.proxy_rows import Board
from randsearch.statistics.votes import with_votes
from randsearch.table.tidy import read_measurements
from randsearch.table.votes import VOTE, parts_of

RECOMMENDED = {
    "nothing trained": "vote:macs+params+zen",
    "1%": "vote:macs+params+zen",
    "5%": "vote:early+macs+params+zen",
}
"""What is to be confirmed or refuted by the reference study."""
COMPARED = {**RECOMMENDED, "proposed on other networks": "vote:params+jacob_cov+synflow+zen"}
BUDGETS = {"nothing trained": 0.0, "1%": 0.01, "5%": 0.05}
CONTROL, SIZES, TARGET, SEEDS = "early", ("params", "macs"), "trained", (0, 1)
MOST_PARTS, MOST_VOTES, SHOWN, SPLITS, RESAMPLES = 4, 60_000, 10, 200, 2_000


@dataclass(frozen=True)
class Known:
    """The proxies of a table that every trained architecture has a score of.

    Attributes:
        board: scores of all measures.
        costs: of each proxy, multiply-adds as a share of those of training.
        truth: trained scores, (architectures,).
    """

    board: Board
    costs: dict[str, float]
    truth: np.ndarray

    def scores(self, name: str) -> np.ndarray:
        """Of the trained architectures, by a measure."""
        return self.board.proxies[name].mean[self.board.truth.scored]

    def ranks(self, names: list[str]) -> np.ndarray:
        """Ranks less their mean, (proxies, architectures)."""
        return unit(np.stack([rankdata(self.scores(name)) for name in names]))

    def statistics(self, name: str) -> dict[str, np.ndarray]:
        """Spearman, the same given the sizes, and within the better half, in every draw."""
        own, counts = self.scores(name), self.board.draws.counts
        sizes = [self.scores(size) for size in SIZES]
        plain = partial_spearman(own, self.truth, [], counts)
        given = np.full_like(plain, np.nan) if name in SIZES else partial_spearman(own, self.truth, sizes, counts)
        best = spearman_among_best(own, self.truth, counts, top_half(len(self.truth)))
        return {"spearman": plain, "given_sizes": given, "better_half": best}


def unit(values: np.ndarray) -> np.ndarray:
    """Rows less their means, of length 1."""
    centred = values - values.mean(axis=-1, keepdims=True)
    return np.asarray(centred / np.linalg.norm(centred, axis=-1, keepdims=True))


def of_votes(ranks: np.ndarray, truth: np.ndarray, sets: list[tuple[int, ...]]) -> np.ndarray:
    """Spearman of the sum of ranks of each set with the truth, (sets,)."""
    chosen = np.zeros((len(sets), len(ranks)))
    for row, each in enumerate(sets):
        chosen[row, list(each)] = 1
    return np.asarray(unit(rankdata((chosen @ ranks).round(9), axis=1)) @ unit(rankdata(truth)))


def within(known: Known, budget: str) -> tuple[list[str], list[tuple[int, ...]]]:
    """The proxies that a budget pays for, and the votes of them that it pays for."""
    share = BUDGETS[budget]
    names = [
        name
        for name, proxy in known.board.proxies.items()
        if not name.startswith(VOTE) and known.board.both(proxy).all() and np.ptp(known.scores(name)) > 0
        if (known.costs[name] <= share or share == 0) and (share > 0 or MEASURES[base(name)].group == "cheap")
    ]
    # The best by themselves, as many as leave a number of votes that can be looked through.
    names.sort(key=lambda name: -float(known.ranks([name])[0] @ unit(rankdata(known.truth))))
    sets: list[tuple[int, ...]] = []
    for size in range(1, MOST_PARTS + 1):
        found = [
            each
            for each in itertools.combinations(range(len(names)), size)
            if share == 0 or sum(known.costs[names[i]] for i in each) <= share
        ]
        sets += found[: max(0, MOST_VOTES - len(sets))]
    return names, sets


def voted(known: Known, other: Known, budget: str) -> Iterator[dict[str, Any]]:
    """The best votes within a budget, and what choosing them on half of the architectures is worth on the other."""
    names, sets = within(known, budget)
    again = other.ranks(names)
    ranks, truth, rng = known.ranks(names), known.truth, np.random.default_rng(0)
    single, held_out = [i for i, each in enumerate(sets) if len(each) == 1], []
    for _ in range(SPLITS):
        order = rng.permutation(len(truth))
        half, rest = np.array_split(order, 2)
        on_half, on_rest = (of_votes(ranks[:, part], truth[part], sets) for part in (half, rest))
        best_alone = single[int(np.argmax(on_half[single]))]
        held_out.append((on_rest[int(np.argmax(on_half))], on_rest[best_alone]))
    vote, alone = np.mean(held_out, axis=0)
    found = of_votes(ranks, truth, sets)
    for place, index in enumerate(np.argsort(-found, kind="stable")[:SHOWN], start=1):
        parts = [names[i] for i in sets[index]]
        yield {
            **{"budget": budget, "votes": len(sets), "place": place, "parts": "+".join(parts)},
            **{"spearman": found[index], "at_the_other_seed": of_votes(again, truth, [sets[index]])[0]},
            "cost": sum(known.costs[part] for part in parts),
            **{"vote_chosen_on_a_half": vote, "proxy_chosen_on_a_half": alone},
        }


def recommended(known: Known, seed: int) -> Iterator[dict[str, Any]]:
    """The recommended proxies, and the differences by which they are confirmed."""
    against = {name: known.statistics(name) for name in ("macs", CONTROL)}
    for budget, name in COMPARED.items():
        if name not in known.board.proxies:
            continue
        own = known.statistics(name)
        row: dict[str, Any] = {"budget": budget, "proxy": name, "seed": seed, "cost": known.costs[name]}
        wanted = {**own, "spearman_less_macs": own["spearman"] - against["macs"]["spearman"]}
        wanted |= {f"{what}_less_{CONTROL}": own[what] - against[CONTROL][what] for what in own}
        for label, values in wanted.items():
            row |= known.board.draws.bca(values).columns(label)
        yield row


def seen(known: Known) -> Iterator[dict[str, Any]]:
    """What each part of a recommended vote agrees with, and what the vote is without it."""
    for budget, name in COMPARED.items():
        if not name.startswith(VOTE):
            continue
        parts = list(parts_of(name))
        ranks, sizes = known.ranks(parts), known.ranks(list(SIZES))
        everything = tuple(range(len(parts)))
        for index, part in enumerate(parts):
            own = known.statistics(part)
            rest = tuple(i for i in everything if i != index)
            yield {
                **{
                    "budget": budget,
                    "part": part,
                    "spearman": own["spearman"][0],
                    "given_sizes": own["given_sizes"][0],
                },
                **{f"with_{size}": float(ranks[index] @ row) for size, row in zip(SIZES, sizes, strict=True)},
                "vote": of_votes(ranks, known.truth, [everything])[0],
                "without_it": of_votes(ranks, known.truth, [rest])[0],
            }


def shares(table: pd.DataFrame) -> dict[str, float]:
    """Multiply-adds of each proxy for an architecture, all seeds together, as a share of those of training."""
    spent = table.groupby(["measure", "architecture"])["multiply_adds"].sum().groupby("measure").mean()
    found = {str(name): float(value) for name, value in (spent / spent[TARGET]).items()}
    return found | {
        name: sum(found[part] for part in parts_of(name))
        for name in COMPARED.values()
        if name.startswith(VOTE) and set(parts_of(name)) <= set(found)
    }


def at(table: pd.DataFrame, seed: int, resamples: int = RESAMPLES) -> Known:
    """What is known of the proxies at one seed; those without seeds and training are as they are."""
    seeded = table.groupby("measure")["seed"].transform("nunique") > 1
    own = table[~seeded | (table["seed"] == seed) | (table["measure"] == TARGET)].reset_index(drop=True)
    board = Board.of(own, TARGET, resamples, 0)
    return Known(board, shares(own), board.truth.mean[board.truth.scored])


def main(study: Path, into: Path) -> None:
    """Writes the tables."""
    votes = dict.fromkeys(name for name in COMPARED.values() if name.startswith(VOTE))
    table = with_votes(at_budgets(read_measurements(study / "measurements.csv")), list(votes))
    known = [at(table, seed) for seed in SEEDS]
    rows = agreement(table, resamples=RESAMPLES)
    rows.insert(1, "cost", rows["proxy"].map(shares(table)))
    into.mkdir(parents=True, exist_ok=True)
    for name, found in {
        "agreement": rows,
        "votes": pd.DataFrame([row for budget in BUDGETS for row in voted(*known, budget)]),
        "recommended": pd.DataFrame([row for seed in SEEDS for row in recommended(known[seed], seed)]),
        "parts": pd.DataFrame(seen(known[0])),
    }.items():
        found.to_csv(into / f"{name}.csv", index=False, float_format="%.4g", lineterminator="\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
