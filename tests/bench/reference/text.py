"""The words of the answers: sentences with numbers by name, and conclusions that follow from intervals by fixed rules.

Nothing here sees a table: all that is said comes from `answers.csv`, and the same numbers give the same text. A
conclusion is drawn where a 95% interval excludes 0, in either direction; where it holds 0, that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.proxies import CONTROL, RECOMMENDED, SEEDS
from bench.reference.answers import Answers
from bench.reference.budget import BUDGETS, CHECKS, CHOOSERS, PLACES
from bench.reference.few import PROXIES, SIZES
from bench.reference.noise import ELSEWHERE, JUDGED
from bench.reference.published import HALVES, STUDIES, VOTES
from bench.reference.replayed import PRIMARY, STRATEGIES, TIMES, TRAININGS
from bench.reference.wording import Say, chosen, code, figure, grouped, listed, paragraph, table

LEVEL = 0.05
DECODER, ENCODER = HALVES
BETTER = ("ranks better than", "is not shown to rank otherwise than", "ranks worse than")
RANKS: Mapping[int, str] = {
    1: "ranks as training does|rank as training does",
    0: "is not shown to rank as training does|are not shown to rank as training does",
    -1: "ranks against training|rank against training",
}
TELLS: Mapping[int, str] = {
    1: "tells which network trains better|tell which network trains better",
    0: "is not shown to tell which network trains better|are not shown to tell which network trains better",
    -1: "ranks against training|rank against training",
}
NAMES = {"A": "A", "B": "B, of equal multiply-adds"}


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
    return "\n\n".join(
        [
            "# The reference study: what random weights are worth",
            paragraph(
                "Which cheap score tells which separation network will train best, and does a search gain by it? Eight",
                "questions were written down before anything was measured. Here are the answers. `make reference` makes",
                "this page, its figures and [answers.csv](answers.csv), which holds every number by name, from the",
                "tables beside it.",
            ),
            table(["study", "networks that count", "proxies", "trainings", "steps of a training"], rows),
            paragraph(
                "A is a grid of networks, trained on songs with spoken vocals ([how they were made](corpus.md)). B is",
                "random networks of nearly equal multiply-adds on the same songs. C is networks of A on generated songs.",
                "A network counts once it is trained and has every score that is compared here.",
            ),
            paragraph(
                "Brackets are 95% intervals, by bootstrap over networks unless said otherwise. Proxies are scored at",
                "one seed, as a user would pay for them. Costs are multiply-adds, as shares of one training. Training",
                "is judged by its first seed unless said otherwise. *Given sizes*: Spearman with parameters and",
                "multiply-adds held fixed.",
            ),
        ]
    )


def halves_of(say: Say, what: str) -> dict[str, int]:
    """What may be concluded of each half."""
    return {half: say.sign(f"1.{half}.{what}") for half in HALVES}


def both(say: Say, what: str) -> str:
    """The numbers of both halves."""
    return f"{say.number(f'1.{DECODER}.{what}')} and {say.number(f'1.{ENCODER}.{what}')}"


def against(say: Say, half: str) -> str:
    """A half against size and against training of equal cost."""
    clauses = [
        f"{chosen(say.sign(f'1.{half}.less.{other}'), *BETTER)} {code(other)} ({say.number(f'1.{half}.less.{other}')})"
        for other in ("macs", CONTROL)
    ]
    return f"By paired differences, {code(half)} {clauses[0]}, and {clauses[1]}."


def answer_1(say: Say) -> str:
    """Overall, given the sizes, and within the best quarter."""
    signs = halves_of(say, "spearman")
    head = f"In part: {grouped(HALVES, signs, RANKS)}."
    if signs[DECODER] == signs[ENCODER]:
        head = chosen(
            signs[DECODER],
            "Yes, whichever half is fixed.",
            "That is not shown, whichever half is fixed.",
            "No: whichever half is fixed, it ranks against training.",
        )
    seeds = round(say.answers["1.best_quarter.unseen_seeds"].point)
    judged = f"judged by {seeds} training seed(s) that did not choose it" if seeds else "judged by the seed that chose it"
    return paragraph(
        f"**{head}**",
        f"Over all networks {code(DECODER)} has Spearman {say.number(f'1.{DECODER}.spearman')} with training, and",
        f"{code(ENCODER)} {say.number(f'1.{ENCODER}.spearman')}.",
        f"Normal training of equal cost, {code(CONTROL)}, has {say.number(f'1.{CONTROL}.spearman')}; `macs`, which is",
        f"free, has {say.number('1.macs.spearman')}.",
        *(against(say, half) for half in HALVES),
        f"Given sizes, {grouped(HALVES, halves_of(say, 'given_sizes'), TELLS)} ({both(say, 'given_sizes')}).",
        f"Within the best quarter ({say.count('1.best_quarter.networks')} networks, {judged}),",
        f"{grouped(HALVES, halves_of(say, 'best_quarter'), RANKS)} ({both(say, 'best_quarter')}).",
        f"With two seeds averaged, at twice the cost, they have {both(say, 'both_seeds')} over all networks.",
    )


def answer_2(say: Say) -> str:
    """Fixed decoder or fixed encoder, and how near to trained."""
    ranks, gap = say.sign("2.decoder_less_encoder.spearman"), f"2.{DECODER}.less.{ENCODER}.db"
    head = chosen(
        ranks,
        "Fix the decoder: it ranks better.",
        "Neither half is shown to rank better.",
        "Fix the encoder: it ranks better.",
    )
    scores = chosen(
        say.sign(gap),
        "separates better than",
        "is not shown to separate better or worse than",
        "separates worse than",
    )
    free = f"2.{DECODER}.less.{CONTROL}.db"
    return paragraph(
        f"**{head}**",
        f"Spearman with a fixed decoder less that with a fixed encoder is",
        f"{say.number('2.decoder_less_encoder.spearman')}.",
        f"As a separator a fixed decoder {scores} a fixed encoder: the mean difference is {say.db(gap)}, and it is",
        f"ahead on {say.count(f'2.{DECODER}.less.{ENCODER}.ahead')} networks.",
        *(near(say, half) for half in HALVES),
        f"For as many multiply-adds as the fixed decoder takes, normal training ({code(CONTROL)},",
        f"{say.count(f'2.{CONTROL}.steps')} steps)",
        chosen(
            say.sign(free),
            "scores lower than it, by",
            "is not shown to score otherwise; the difference is",
            "scores higher, by",
        ),
        f"{say.apart(free) if say.sign(free) else say.db(free)}.",
    )


def near(say: Say, half: str) -> str:
    """How far a half is from training."""
    name = f"2.{half}.less.trained.db"
    below = say.answers[name].point < 0
    kept = f"2.{half}.gain_kept"
    gain = f", and keeps {say.percent(kept)} of its gain over the best constant gain" if say.has(kept) else ""
    return (
        f"After {say.count(f'2.{half}.steps')} steps {code(half)} is {say.apart(name)} {'below' if below else 'above'} "
        f"what {say.count('2.trained.steps')} steps of training reach{gain}."
    )


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
    found = {budget: serves(say, "A", budget) for budget in BUDGETS}
    heads = [
        f"for {listed([budget for budget in BUDGETS if found[budget] == name])} {code(name) if name else 'none is shown to rank'}"
        for name in dict.fromkeys(found.values())
    ]
    verdicts = [
        f"On {NAMES[key]}, " + ", and ".join(f"{code(vote)} {confirmed(say, key, vote)}" for vote in VOTES) + "."
        for key in studies
    ]
    return "\n\n".join(
        [
            paragraph(
                f"**{'; '.join(heads).capitalize() if False else 'Buy ' + '; '.join(heads)}.**",
                "Nothing, 1%, 5% and 20% are shares of one training that a proxy may cost; the votes were fixed",
                "beforehand. A single proxy is preferred only where it is shown to rank better, corrected for how many",
                "were looked at.",
                *verdicts,
                "Confirmed means, at both seeds: Spearman above that of `macs`, Spearman given sizes above 0, and above",
                f"that of {code(CONTROL)}, each with an interval above 0.",
            ),
            *(budgets(say, key) for key in studies),
            recommendations(say, studies),
            paragraph(*(equal_cost(say, key) for key in studies)),
        ]
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
    header = [f"study {study}, cost up to", "recommended", "best single proxy", "it less the vote", "chosen on a half"]
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
    found = f"{listed([code(name) for name in ahead])} {'does' if len(ahead) == 1 else 'do'}" if ahead else "none does"
    return (
        f"At equal cost on {study}, {listed(votes)}." if votes else ""
    ) + f" Of {len(others)} other proxies that cost no more than {code(CONTROL)}, {found} (p corrected by Holm)."


def answer_4(say: Say) -> str:
    """Regret and recall of training the first 5%."""
    names = [name for name in CHOOSERS if say.has(f"4.{name}.regret_db")]
    chance = say.answers["4.random.regret_db"].point
    safe = [name for name in names if say.answers[f"4.{name}.regret_db"].high < chance]
    over = [name for name in names if say.answers.found.get(f"4.{name}.less.macs.db") and say.sign(f"4.{name}.less.macs.db") < 0]
    least = min(names, key=lambda name: (say.answers[f"4.{name}.regret_db"].point, names.index(name)))
    rows = [
        [code(name), say.db(f"4.{name}.regret_db"), say.percent(f"4.{name}.recall"), say.db(f"4.{name}.less.macs.db")]
        for name in names
    ]
    rows.append(["chance, expected", f"{chance:.2f} dB", f"{say.answers['4.random.recall'].point:.0%}", "-"])
    return "\n\n".join(
        [
            paragraph(
                f"**The first 5% by {code(least)} lose least, {say.db(f'4.{least}.regret_db')}; chance loses",
                f"{chance:.2f} dB on average.**",
                f"That is {say.count('4.trained')} trainings. Here brackets are the middle 95% of resampled studies.",
                f"{listed([code(name) for name in safe])} {'loses' if len(safe) == 1 else 'lose'} less than chance in all"
                " of these."
                if safe
                else "No proxy loses less than chance in all of these.",
                f"{listed([code(name) for name in over])} {'loses' if len(over) == 1 else 'lose'} less than `macs`."
                if over
                else "None is shown to lose less than `macs`.",
                "Noise of training makes every regret look larger, that of chance included.",
            ),
            table(["chosen by", "regret", "recall of the 3 best", "regret less that of `macs`"], rows),
        ]
    )


def answer_5(say: Say) -> str:
    """The ceiling, and the share of noise."""
    if not say.has("5.training.reliability"):
        return paragraph("**Not known yet:** too few networks have been trained at several seeds.")
    name = f"5.{DECODER}.training_noise"
    if say.has(name):
        low, high = say.answers[name].low, say.answers[name].high
        part = "less than half" if high < 0.5 else "more than half" if low > 0.5 else "an unsettled part"
        head = f"Seed noise of training is {part} of what {code(DECODER)} lacks: {say.percent(name)}."
    else:
        head = f"No share can be told of {code(DECODER)}, for it is not shown to rank as training does."
        if say.answers["5.training.reliability"].low <= 0.1:
            head = "No share can be told, for training is not shown to agree with itself."
    rows = [
        [
            code(each),
            *(say.number(f"5.{each}.{what}") for what in ("spearman", "reliability")),
            *(say.percent(f"5.{each}.{what}") for what in ("training_noise", "noise")),
        ]
        for each in JUDGED
        if say.has(f"5.{each}.spearman")
    ]
    header = ["proxy", "Spearman", "with itself, other seed", "noise of training", "that and its own"]
    return "\n\n".join(
        [
            paragraph(
                f"**{head}**",
                f"Training agrees with itself between two seeds to {say.number('5.training.reliability')} (Spearman, on",
                f"{say.count('5.drawn')} networks drawn at random, {say.count('5.seeds')} seeds).",
                f"A perfect proxy could thus reach {say.number('5.ceiling')} with one training.",
                "The last two columns say what share of the missing agreement, 1 less Spearman, would be gone if",
                "training had no seed noise, and if the proxy had none either.",
            ),
            table(header, rows),
        ]
    )


def answer_6(say: Say) -> str:
    """Whether rankings transfer to another corpus."""
    if not say.has("6.transfer.trained"):
        return paragraph("**Not known yet:** too few networks have been trained on both corpora.")
    head = chosen(
        say.sign("6.transfer.trained"),
        "Yes: what trains better on one corpus trains better on the other.",
        "That is not shown.",
        "No: the order is turned round.",
    )
    votes = [vote for vote in VOTES if say.has(f"6.{vote}.spearman")]
    same = [f"{code(vote)} {say.number(f'6.transfer.{vote}')}" for vote in votes]
    there = {vote: say.sign(f"6.{vote}.spearman") for vote in votes}
    predicts = [
        chosen(
            say.sign(f"6.{ELSEWHERE}.less.{vote}"),
            f"better than {code(vote)}",
            f"not shown to be better or worse than {code(vote)}",
            f"worse than {code(vote)}",
        )
        + f" ({say.number(f'6.{ELSEWHERE}.less.{vote}')})"
        for vote in votes
    ]
    sizes = f" `macs` has {say.number('6.macs.spearman')} there." if say.has("6.macs.spearman") else ""
    return paragraph(
        f"**{head}**",
        f"Trained scores on popvoice and on generated songs have Spearman {say.number('6.transfer.trained')} on",
        f"{say.count('6.networks')} networks.",
        "Both trainings of a network begin with the same weights." if say.has("6.shared_seeds") else "",
        f"The recommended votes rank alike on both: {listed(same)}." if same else "",
        f"Measured on the generated songs, {grouped(votes, there, RANKS)} there"
        f" ({listed([say.number(f'6.{vote}.spearman') for vote in votes])}).{sizes}"
        if votes
        else "",
        f"As a predictor of training on generated songs, training on popvoice is {listed(predicts)}." if votes else "",
    )


def said(say: Say, name: str, true: int, question: str) -> str:
    """What the whole grid says."""
    if question == "ranks":
        return RANKS[true].partition("|")[0]
    return f"{chosen(true, *BETTER)} {code(CONTROL)}"


def answer_8(say: Say) -> str:
    """What 16 and 24 networks would have said."""
    sizes = [size for size in SIZES if say.has(f"8.{size}.{PROXIES[0]}.ranks.wrong")]
    if not sizes:
        return paragraph("**Not known yet:** the grid has too few networks to draw such studies from.")
    heads = [f"of {size} networks {say.percent(f'8.{size}.{DECODER}.ranks.wrong')}" for size in sizes]
    rows = [
        [
            str(size),
            f"{code(name)} {said(say, name, say.sign(f'8.whole.{name}.{question}'), question)}",
            *(say.percent(f"8.{size}.{name}.{question}.{what}") for what in ("wrong", "missed", "false", "sign_right")),
        ]
        for question in ("ranks", "less_early")
        for name in PROXIES
        for size in sizes
        if say.has(f"8.{size}.{name}.{question}.wrong")
    ]
    return "\n\n".join(
        [
            paragraph(
                f"**Whether {code(DECODER)} ranks as training does, {listed(heads)} of studies would have judged wrongly.**",
                f"From the whole grid {say.count('8.subsets')} studies were drawn of each size. A study is wrong where its",
                "95% intervals do not say what those of the whole grid say. It then misses what is there, or claims",
                "what is not. *Sign right*: the difference, or Spearman, has the right sign, whatever its interval.",
                "Brackets are Wilson's intervals over the studies drawn.",
            ),
            table(["networks", "the whole grid says", "wrong", "missed", "false claim", "sign right"], rows),
        ]
    )


def answer_7(say: Say) -> str:
    """Whether a search with a proxy finds better networks for the same seconds."""
    if not say.has("7.primary"):
        return paragraph("**Not known yet:** too few networks have been trained at several seeds.")
    names = [name for name in STRATEGIES if say.has(f"7.{name}.judged")]
    guided = [name for name in names if ":" in name]
    beat = [name for name in guided if min(say.sign(f"7.{name}.less.{other}") for other in ("random", "halving")) > 0]
    rows = [
        [
            code(name),
            say.db(f"7.{name}.judged"),
            f"{say.answers[f'7.{name}.band'].low:.2f} to {say.answers[f'7.{name}.band'].high:.2f} dB",
            *(say.db(f"7.{name}.less.{other}") for other in ("random", "halving")),
        ]
        for name in names
    ]
    times = [
        f"{chosen(say.sign(f'7.primary.at.{time}'), 'better', 'not shown to differ', 'worse')} at {time}"
        f" ({say.db(f'7.primary.at.{time}')})"
        for time in TIMES
        if say.has(f"7.primary.at.{time}")
    ]
    return "\n\n".join(
        [
            paragraph(
                f"**{contrast(say)}**",
                f"That contrast and its budget were fixed beforehand: the {say.count('7.seconds')} s that random search",
                f"takes for {say.count('7.trainings')} whole trainings. Its share of repetitions won is",
                f"{say.percent('7.primary.won')}.",
                f"{listed([code(name) for name in beat])} {'beats' if len(beat) == 1 else 'beat'} both `random` and"
                " `halving` for the same seconds."
                if beat
                else "No search with a proxy is shown to beat both `random` and `halving` for the same seconds.",
                f"By the seconds of so many trainings, {code(PRIMARY[0])} is {listed(times)}.",
                f"Each of {say.count('7.repetitions')} repetitions draws {say.count('7.networks')} networks and hides the"
                " rest; what is found is judged by training seeds that the search did not see. Intervals are over"
                " repetitions, on these networks alone.",
            ),
            table(["search", "found", "middle 95%", "less `random`", "less `halving`"], rows),
        ]
    )


def contrast(say: Say) -> str:
    """The primary contrast in a sentence."""
    guided, plain = map(code, PRIMARY)
    number = say.apart("7.primary") if say.sign("7.primary") else say.db("7.primary")
    return chosen(
        say.sign("7.primary"),
        f"Yes: for the same seconds {guided} finds networks that are {number} better than those of {plain}.",
        f"That is not shown: what {guided} finds for the same seconds differs from what {plain} finds by {number}.",
        f"No: for the same seconds {guided} finds networks that are {number} worse than those of {plain}.",
    )


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
    return "\n\n".join([opening(say), *parts, ending(say)]) + "\n"


def ending(say: Say) -> str:
    """How it was run, and where the rest lies."""
    return "\n\n".join(
        [
            "## How it was run",
            paragraph(
                f"A training of A takes {say.count('0.A.seconds')} s on one thread (median; steps alone). The options of",
                "each study are in the `config.yaml` of its folder, which `randsearch search --config` takes; every",
                "measurement, failures with their reasons among them, is in the `measurements.csv.gz` beside it.",
            ),
        ]
    )


def passage(answers: Answers, figures: set[str]) -> str:
    """What the top README says of it."""
    say = Say(answers)
    lines = []
    if say.has("7.primary"):
        lines.append(f"**Does a search with a proxy find better networks for the same seconds?** {contrast(say)}")
    if say.has(f"1.{DECODER}.spearman"):
        ranks = RANKS[say.sign(f"1.{DECODER}.spearman")].partition("|")[0]
        lines.append(
            f"Over {say.count('0.A.networks')} networks the score with a fixed decoder {ranks}: Spearman "
            f"{say.number(f'1.{DECODER}.spearman')}; `macs`, which is free, has {say.number('1.macs.spearman')}."
        )
    lines.append("[Eight questions and their answers](results/reference/README.md).")
    image = "![Best network found against seconds](results/reference/figures/7-search.png)"
    return "\n\n".join([paragraph(*lines), *([image] if "search" in figures else [])])
