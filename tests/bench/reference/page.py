"""The page of answers, and the passage of the top README, made of the numbers of `answers.csv` alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.reference.answers import Answers
from bench.reference.published import HALVES, STUDIES, VOTES
from bench.reference.said_of_choice import answer_3, answer_4
from bench.reference.said_of_ranking import answer_1, answer_2, answer_5, answer_6
from bench.reference.said_of_search import agreed, answer_7, answer_8, beside_random, contrast, turned
from bench.reference.wording import RANKS, Say, chosen, figure, paragraph, table

DECODER = HALVES[0]
SEEDS = 3
"""Of training, as planned."""

QUESTIONS: Mapping[int, tuple[str, str, str, Callable[[Say], str]]] = {
    1: ("Does a score with a fixed half rank as training does?", "ranks", "1.", answer_1),
    2: ("Which half should be fixed, and how near does it come to training?", "halves", "2.", answer_2),
    3: ("Which proxy for nothing, 1%, 5% and 20% of a training?", "budgets", "3.A", answer_3),
    4: ("What is lost if only the first 5% are trained?", "regret", "4.", answer_4),
    5: ("How much of the disagreement is noise between seeds?", "seeds", "5.", answer_5),
    6: ("Do rankings hold on another corpus?", "transfer", "6.", answer_6),
    7: ("Does a search with a proxy find better networks for the same seconds?", "search", "7.", answer_7),
    8: ("What would 16 or 24 networks have told?", "few", "8.", answer_8),
}
"""Of each question: its heading, the name of its figure, how the names of its numbers begin, and what answers it."""

COMMANDS = """```sh
common="--sample-rate 8000 --segment 4096 --batch 4 --steps 1500 --validate-every 25 --seed 20 --workers 2 --threads 1"
# A: a second training seed of the first 128 networks, a third of the first 64, both of the best quarter by the first
python tests/bench/again.py results/popvoice-8k results/popvoice-8k-again 128 0,1
randsearch search --study popvoice-8k-again
python tests/bench/again.py results/popvoice-8k results/popvoice-8k-third 64 0,1,2
randsearch search --study popvoice-8k-third
randsearch merge popvoice-8k popvoice-8k-again popvoice-8k-third --into popvoice-8k-all
python tests/bench/publish.py results/popvoice-8k-all results/reference/popvoice-8k
# C, halves that are trained as long as whole networks, and the seconds of a quiet machine
randsearch search reference --study synthetic --data synthetic --trials 48 --train-seeds 0 --proxy-steps 75 \\
  --seeds 0,1 --measures params,macs,zen,early $common
randsearch search reference --study whole-halves --data musdbhq:../shared/data/popvoice --trials 24 --train none \\
  --proxy params --proxy-steps 1500 --seeds 0 --measures fixed_decoder,fixed_encoder $common
randsearch search reference --study timed --data musdbhq:../shared/data/popvoice --trials 24 --train-seeds 0 \\
  --proxy-steps 75 --seeds 0 --measures all $common
```"""
"""What questions.md has no command for."""


def page(answers: Answers, figures: set[str]) -> str:
    """The whole README.

    Args:
        answers: as they were read.
        figures: names of the figures that were made.
    """
    say, parts = Say(answers), []
    for number, (heading, name, front, answer) in QUESTIONS.items():
        known = any(each.startswith(front) for each in answers.found)
        own = answer(say) if known else paragraph("**Not known yet:** the study that answers it has not been run.")
        shown = [figure(number, name, heading)] if name in figures else []
        parts += [f"## {number}. {heading}", own, *shown]
    return "\n\n".join(part for part in [opening(say), *parts, ending(say)] if part) + "\n"


def opening(say: Say) -> str:
    """What was studied, and how to read it."""
    rows = [
        [
            f"{key}: [{name}]({name}/config.yaml)",
            f"{say.count(f'0.{key}.networks')} of {say.count(f'0.{key}.measured')}",
            *(say.count(f"0.{key}.{what}") for what in ("proxies", "trainings", "steps")),
        ]
        for key, name in STUDIES.items()
        if say.has(f"0.{key}.networks")
    ]
    parts = [
        "# The reference study: what random weights are worth",
        paragraph(
            "Which cheap score tells which separation network will train best, and does a search gain by it? Eight",
            "questions were [written down before anything was measured](questions.md). Here are the answers.",
            "`make reference` makes this page, its figures and [answers.csv](answers.csv), which holds every",
            "number by name, from the tables beside it.",
        ),
        table(["study", "networks that count", "proxies", "trainings", "steps of a training"], rows),
        unfinished(say),
        paragraph(
            "A is a grid of networks, trained on songs with spoken vocals ([how they were made](corpus.md)). B is",
            "random networks of nearly equal multiply-adds on the same songs. C is networks of A on generated",
            "songs.",
            "A network counts once it is trained and has every score that is compared here.",
        ),
        paragraph(
            "Brackets are 95% intervals, by bootstrap over networks unless said otherwise. Proxies are scored at",
            "one seed, as a user would pay for them. Costs are multiply-adds, as shares of one training. Training",
            "is judged by its first seed unless said otherwise. *Given sizes*: Spearman with parameters and",
            "multiply-adds held fixed.",
        ),
    ]
    return "\n\n".join(part for part in parts if part)


def unfinished(say: Say) -> str:
    """What was planned and is not there yet, if anything."""
    if is_unfinished(say):
        return paragraph(
            f"**A is not complete:** it holds {say.count('0.A.networks')} of the {say.count('0.A.grid')} networks of",
            "its grid, a random sample. What is not shown by these may be shown by all.",
        )
    if say.has("5.complete") and lacks_seeds(say):
        return paragraph(
            f"{say.count('5.complete')} networks of A are trained at {say.count('5.seeds')} seeds: some drawn",
            f"beforehand, and the best quarter. The others have fewer; {SEEDS} were planned for all. A also lacks",
            "measures that were planned: readouts, `sotl`, the regression of songs, and stronger halves.",
        )
    return ""


def lacks_seeds(say: Say) -> bool:
    """Whether a network of A lacks a planned training seed."""
    some = say.answers["5.complete"].point < say.answers["0.A.networks"].point
    return some or say.answers["5.seeds"].point < SEEDS


def is_unfinished(say: Say) -> bool:
    """Whether A lacks networks of its grid."""
    return say.has("0.A.grid") and say.answers["0.A.networks"].point < say.answers["0.A.grid"].point


def ending(say: Say) -> str:
    """How it was run, and where the rest lies."""
    return "\n\n".join(
        [
            "## How it was run",
            paragraph(
                f"A training of A takes {say.count('0.A.seconds')} s on one thread (median; steps alone). The options",
                "of each study are in the `config.yaml` of its folder, which `randsearch search --config` takes, the",
                "commands in [questions.md](questions.md) and below. All ran on a virtual machine of two cores",
                "without a GPU, two measurements at once; costs are multiply-adds, but where seconds are named.",
                quiet(say),
                "Every measurement, failures with their reasons among them, is in the `measurements.csv.gz` beside it;",
                "what `randsearch analyse` says of A, in [popvoice-8k-agreement.csv](popvoice-8k-agreement.csv).",
                f"Of all measurements of A {say.count('0.A.failed')} failed.",
            ),
            COMMANDS,
        ]
    )


def quiet(say: Say) -> str:
    """Of which machine the seconds of a replay are."""
    if not say.has("7.timed"):
        return ""
    return (
        f"Seconds of searches are scaled to a quiet machine: {say.count('7.timed.networks')} networks were measured "
        f"once more, with nothing else running, and trained in {say.number('7.timed')} times the seconds that A has "
        "(median, and middle 95% of networks); the seconds of every measure are scaled by its own such median."
    )


def passage(answers: Answers, figures: set[str]) -> str:
    """What the top README says of it."""
    say = Say(answers)
    lines = []
    if say.has("7.primary"):
        lines.append(f"**Does a search with a proxy find better networks for the same seconds?** {contrast(say)}")
        lines += [beside_random(say) if agreed(say) else "", turned(say)]
    if say.has(f"1.{DECODER}.spearman"):
        ranks, macs = RANKS[say.sign(f"1.{DECODER}.spearman")].partition("|")[0], say.number("1.macs.spearman")
        so_far = f" (of {say.count('0.A.grid')}, so far)" if is_unfinished(say) else ""
        lines.append(
            f"Over {say.count('0.A.networks')} networks{so_far} the score with a fixed decoder {ranks}: Spearman "
            f"{say.number(f'1.{DECODER}.spearman')}. `macs`, which is free, "
            + chosen(-say.sign(f"1.{DECODER}.less.macs"), f"ranks better: {macs}.", f"has {macs}.", f"has only {macs}.")
        )
    if say.has("1.B.networks"):
        lines.append(
            f"Over {say.count('1.B.networks')} networks of nearly equal multiply-adds the fixed decoder has "
            f"{say.number(f'1.B.{DECODER}.spearman')}, and `{VOTES[0]}` {say.number(f'1.B.{VOTES[0]}.spearman')}."
        )
    lines.append("[Eight questions and their answers](results/reference).")
    image = "![Best network found against seconds](results/reference/figures/7-search.png)"
    return "\n\n".join([paragraph(*lines), *([image] if "search" in figures else [])])
