"""What is said of questions 3 and 4: which proxy to buy, and what its first choices lose.

Nothing here sees a table: all that is said comes from `answers.csv`. A conclusion is drawn where a 95% interval
excludes 0, in either direction; where it holds 0, that is said.
"""

from __future__ import annotations

from bench.proxies import CONTROL, RECOMMENDED, SEEDS
from bench.reference.budget import BUDGETS, CHECKS, CHOOSERS, PLACES
from bench.reference.published import VOTES
from bench.reference.wording import BETTER, Say, chosen, code, listed, paragraph, table

LEVEL = 0.05
"""Below it a p that was corrected for how many were looked at shows a difference."""
NAMES = {"A": "A", "B": "B, of equal multiply-adds"}


def vote_of(budget: str) -> str:
    """The proxy recommended for a budget; for 20%, for which none was, the one for 5%."""
    return RECOMMENDED.get(PLACES[budget], VOTES[-1])


def best_of(say: Say, study: str, budget: str) -> str:
    """The single proxy that ranks best within a budget."""
    return next(
        name.removesuffix(".spearman")
        for name in say.answers.below(f"3.{study}.{budget}.best.")
        if name.endswith(".spearman")
    )


def serves(say: Say, study: str, budget: str) -> str | None:
    """Which proxy a budget should buy: the recommended one, unless a single one is shown to be better, or none ranks.

    The best of several looks better than it is, so that its p is corrected for their number.
    """
    vote, best = vote_of(budget), best_of(say, study, budget)
    front = f"3.{study}.{budget}.best.{best}"
    if say.sign(f"{front}.less.{vote}") > 0 and say.answers[f"{front}.p"].point < LEVEL:
        return best
    return vote if say.sign(f"3.{study}.seed0.{vote}.spearman") > 0 else None


def confirmed(say: Say, study: str, vote: str) -> str:
    """Whether a recommendation is confirmed."""
    signs = [[say.sign(f"3.{study}.seed{seed}.{vote}.{check}") for check in CHECKS] for seed in SEEDS]
    whole = sum(min(each) > 0 for each in signs)
    if whole == len(SEEDS):
        return "is confirmed"
    if min(min(each) for each in signs) < 0:
        return "is refuted"
    return "is confirmed at one seed of two" if whole else "is not confirmed"


def answer_3(say: Say) -> str:
    """Which proxy for which budget, against `early`, and the recommendations."""
    studies = [key for key in NAMES if say.has(f"3.{key}.nothing.proxies")]
    heads = [f"On {NAMES[key]}: {'; '.join(buys(say, key))}." for key in studies]
    verdicts = [
        f"On {NAMES[key]}, " + ", and ".join(f"{code(vote)} {confirmed(say, key, vote)}" for vote in VOTES) + "."
        for key in studies
    ]
    return "\n\n".join(
        [
            paragraph(
                f"**{' '.join(heads)}**",
                "The votes were recommended beforehand, none for 20%, where that for 5% stands. A single proxy is",
                "preferred only where it is shown to rank better, corrected for how many were looked at. To be",
                "confirmed, a vote must at both seeds rank better than `macs`, tell given sizes which network trains",
                "better, and do so better than `early`; each shown by its interval.",
                *verdicts,
            ),
            *(budgets(say, key) for key in studies),
            paragraph(
                "The best of several looks better than it is. The last column is what it is worth to choose it: chosen",
                "on a random half of the networks, its Spearman on the other half.",
                *(left_out(say, key) for key in studies),
            ),
            recommendations(say, studies),
            paragraph(*(equal_cost(say, key) for key in studies)),
        ]
    )


def buys(say: Say, study: str) -> list[str]:
    """Which proxy each budget should buy, budgets that buy the same one together."""
    found = {budget: serves(say, study, budget) for budget in BUDGETS if say.has(f"3.{study}.{budget}.proxies")}
    return [
        f"for {listed([budget for budget in found if found[budget] == name])}, "
        f"{code(name) if name else 'none is shown to rank as training does'}"
        for name in dict.fromkeys(found.values())
    ]


def left_out(say: Say, study: str) -> str:
    """How many proxies are compared nowhere here."""
    number = say.count(f"3.{study}.left_out")
    return (
        ""
        if number == "0"
        else f"On {study} {number} proxies are left out: each failed on a network, or scores all alike."
    )


def budgets(say: Say, study: str) -> str:
    """The best single proxies of each budget beside the vote."""
    rows = []
    for budget in (each for each in BUDGETS if say.has(f"3.{study}.{each}.proxies")):
        vote, best, front = vote_of(budget), best_of(say, study, budget), f"3.{study}.{budget}"
        rows.append(
            [
                budget,
                f"{code(vote)} {say.number(f'3.{study}.seed0.{vote}.spearman')}",
                f"{code(best)} of {say.count(f'{front}.proxies')}, {say.number(f'{front}.best.{best}.spearman')}",
                say.number(f"{front}.best.{best}.less.{vote}"),
                say.number(f"{front}.held_out"),
            ]
        )
    header = [
        f"study {study}, cost up to",
        "recommended",
        "best single proxy",
        "that less the vote",
        "if chosen on one half",
    ]
    return table(header, rows)


def recommendations(say: Say, studies: list[str]) -> str:
    """What confirms the recommended votes."""
    rows = [
        [
            f"{key}, {seed}",
            f"{code(vote)}, {say.cost(f'3.{key}.seed{seed}.{vote}.cost')}",
            *(say.number(f"3.{key}.seed{seed}.{vote}.{column}") for column in ("spearman", *CHECKS)),
        ]
        for key in studies
        for vote in VOTES
        for seed in SEEDS
    ]
    header = ["study, seed", "vote, cost", "Spearman", "less `macs`", "given sizes", "the same, less `early`"]
    return table(header, rows)


def equal_cost(say: Say, study: str) -> str:
    """Which proxies beat `early` at equal cost."""
    front = f"3.{study}.equal_cost."
    names = list(say.answers.below(front))
    others = [name for name in names if name not in VOTES]
    ahead = [
        name
        for name in others
        if say.answers[front + name].point > 0 and say.answers[f"3.{study}.equal_cost_p.{name}"].point < LEVEL
    ]
    votes = [
        f"{code(vote)} {chosen(say.sign(front + vote), *BETTER)} {code(CONTROL)} ({say.number(front + vote)})"
        for vote in VOTES
        if vote in names
    ]
    found = (
        f"{listed([code(name) for name in ahead])} rank better than it"
        if ahead
        else "none is shown to rank better than it"
    )
    told = f"At equal cost on {study}, {listed(votes)}. " if votes else ""
    others_there = say.count(f"3.{study}.others")
    return (
        f"{told}Of {others_there} other proxies that cost no more than {code(CONTROL)}, {found} (p corrected by Holm)."
    )


def answer_4(say: Say) -> str:
    """Regret and recall of training the first 5%."""
    names = [name for name in CHOOSERS if say.has(f"4.{name}.regret_db")]
    chance = say.answers["4.random.regret_db"].point
    safe = [name for name in names if say.answers[f"4.{name}.regret_db"].high < chance]
    over = [name for name in names if say.sign(f"4.{name}.less.macs.db") < 0]
    head = f"Less than by chance with {listed([code(name) for name in safe])}."
    rows = [
        [code(name), say.db(f"4.{name}.regret_db"), say.percent(f"4.{name}.recall"), say.db(f"4.{name}.less.macs.db")]
        for name in names
    ]
    rows.append(["chance, expected", f"{chance:.2f} dB", f"{say.answers['4.random.recall'].point:.0%}", "-"])
    return "\n\n".join(
        [
            paragraph(
                f"**{head if safe else 'No proxy is shown to lose less than chance.'}**",
                f"The first 5% are {say.count('4.trained')} trainings; chosen by chance they lose {chance:.2f} dB on",
                "average against the best network. Here brackets are the middle 95% of resampled studies, and less is",
                "shown where all of that is less.",
                f"Less than `macs` {'loses' if len(over) == 1 else 'lose'} {listed([code(name) for name in over])}."
                if over
                else "None is shown to lose less than `macs`.",
                "Noise of training makes every regret look larger, that of chance included.",
            ),
            table(["chosen by", "regret", "recall of the 3 best", "regret less that of `macs`"], rows),
        ]
    )
