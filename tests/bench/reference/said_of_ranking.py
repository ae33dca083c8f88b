"""What is said of questions 1, 2, 5 and 6: how scores rank, and how much of that is noise.

Nothing here sees a table: all that is said comes from `answers.csv`. A conclusion is drawn where a 95% interval
excludes 0, in either direction; where it holds 0, that is said.
"""

from __future__ import annotations

from bench.proxies import CONTROL
from bench.reference.noise import ELSEWHERE, JUDGED
from bench.reference.published import HALVES, VOTES, WHOLE_HALVES
from bench.reference.wording import BETTER, RANKS, TELLS, Say, chosen, code, grouped, listed, paragraph, table

from randsearch.statistics.ceiling import CLEARLY_RELIABLE

DECODER, ENCODER = HALVES


def halves_of(say: Say, what: str) -> dict[str, int]:
    """What may be concluded of each half."""
    return {half: say.sign(f"1.{half}.{what}") for half in HALVES}


def both(say: Say, what: str) -> str:
    """The numbers of both halves."""
    return f"{say.number(f'1.{DECODER}.{what}')} and {say.number(f'1.{ENCODER}.{what}')}"


def against(say: Say, half: str) -> str:
    """A half against size and against training of equal cost."""
    names = {other: f"1.{half}.less.{other}" for other in ("macs", CONTROL)}
    clauses = []
    for sign in dict.fromkeys(map(say.sign, names.values())):
        others = [f"{code(other)} ({say.number(name)})" for other, name in names.items() if say.sign(name) == sign]
        clauses.append(f"{chosen(sign, *BETTER)} {listed(others)}")
    return f"{code(half)} {listed(clauses)}."


def answer_1(say: Say) -> str:
    """Overall, given the sizes, and within the best quarter."""
    signs = halves_of(say, "spearman")
    head = f"In part: {grouped(HALVES, signs, RANKS)}."
    if set(signs.values()) == {1} and all(say.sign(f"1.{half}.less.macs") < 0 for half in HALVES):
        head = "Yes, whichever half is fixed, but worse than `macs` does, which is free."
    elif signs[DECODER] == signs[ENCODER]:
        head = chosen(
            signs[DECODER],
            "Yes, whichever half is fixed.",
            "That is not shown, whichever half is fixed.",
            "No: whichever half is fixed, it ranks against training.",
        )
    unseen = say.count("1.best_quarter.unseen_seeds")
    judged = {"0": "judged by the seed that chose it", "1": "judged by a seed that did not choose it"}.get(
        unseen, f"judged by {unseen} seeds that did not choose it"
    )
    return paragraph(
        f"**{head}**",
        f"Over all networks {code(DECODER)} has Spearman {say.number(f'1.{DECODER}.spearman')} with training, and",
        f"{code(ENCODER)} {say.number(f'1.{ENCODER}.spearman')}.",
        f"Normal training of equal cost, {code(CONTROL)}, has {say.number(f'1.{CONTROL}.spearman')}; `macs`, which is",
        f"free, has {say.number('1.macs.spearman')}.",
        "By paired differences,",
        *(against(say, half) for half in HALVES),
        f"Given sizes, {grouped(HALVES, halves_of(say, 'given_sizes'), TELLS)} ({both(say, 'given_sizes')}).",
        f"Within the best quarter ({say.count('1.best_quarter.networks')} networks, {judged}),",
        f"{grouped(HALVES, halves_of(say, 'best_quarter'), RANKS)} ({both(say, 'best_quarter')}).",
        f"With two seeds averaged, at twice the cost, they have {both(say, 'both_seeds')} over all networks.",
        *(of_equal_cost(say) if say.has("1.B.networks") else ()),
    )


def of_equal_cost(say: Say) -> list[str]:
    """The halves where size tells nothing."""
    signs, vote = {half: say.sign(f"1.B.{half}.spearman") for half in HALVES}, VOTES[0]
    numbers = listed([say.number(f"1.B.{half}.spearman") for half in HALVES])
    return [
        f"**Where multiply-adds are nearly equal** (B, {say.count('1.B.networks')} networks),",
        f"{grouped(HALVES, signs, RANKS)} ({numbers}); {code(CONTROL)} has {say.number(f'1.B.{CONTROL}.spearman')},",
        f"and {code(vote)} {say.number(f'1.B.{vote}.spearman')}.",
        *(
            f"There {code(half)} {listed([against_one(say, half, other) for other in (vote, CONTROL)])}."
            for half in HALVES
        ),
    ]


def against_one(say: Say, half: str, other: str) -> str:
    """A half against another proxy on B."""
    name = f"1.B.{half}.less.{other}"
    return f"{chosen(say.sign(name), *BETTER)} {code(other)} ({say.number(name)})"


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
        "Spearman with a fixed decoder less that with a fixed encoder is",
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
        *(as_long(say) if say.has("2.whole.networks") else ()),
    )


def as_long(say: Say) -> list[str]:
    """How near a half comes with as many steps as training has."""
    told = [
        f"{code(half)} is {say.apart(f'2.whole.{half}.less.trained.db')} "
        f"{'below' if say.answers[f'2.whole.{half}.less.trained.db'].point < 0 else 'above'} it and keeps "
        f"{say.percent(f'2.whole.{half}.gain_kept')} of the gain"
        for half in HALVES
    ]
    ranks = {half: say.sign(f"2.whole.{half}.spearman") for half in HALVES}
    numbers = listed([say.number(f"2.whole.{half}.spearman") for half in HALVES])
    return [
        f"With as many steps as training has ({say.count(f'2.whole.{DECODER}.steps')}; the first",
        f"{say.count('2.whole.networks')} networks of A, in [{WHOLE_HALVES}]({WHOLE_HALVES}/config.yaml)),",
        f"{listed(told)}.",
        f"Then {grouped(HALVES, ranks, RANKS)} (Spearman {numbers}).",
    ]


def near(say: Say, half: str) -> str:
    """How far a half is from training."""
    name = f"2.{half}.less.trained.db"
    below = say.answers[name].point < 0
    kept = f"2.{half}.gain_kept"
    gain = (
        f", and keeps {say.percent(kept)} of the gain of training over the best constant gain" if say.has(kept) else ""
    )
    return (
        f"After {say.count(f'2.{half}.steps')} steps {code(half)} is {say.apart(name)} {'below' if below else 'above'} "
        f"what {say.count('2.trained.steps')} steps of training reach{gain}."
    )


def answer_5(say: Say) -> str:
    """The ceiling, and the share of noise."""
    if not say.has("5.training.reliability"):
        return paragraph("**Not known yet:** too few networks have been trained at several seeds.")
    name = f"5.{DECODER}.training_noise"
    if say.has(name):
        low, high = say.answers[name].low, say.answers[name].high
        part = (
            "less than half"
            if high < 0.5
            else "more than half"
            if low > 0.5
            else "not shown to be less or more than half"
        )
        head = f"Seed noise of training is {part} of what {code(DECODER)} lacks: {say.percent(name)}."
    else:
        head = f"No share can be told of {code(DECODER)}, for it is not shown to rank as training does."
        if say.answers["5.training.reliability"].low <= CLEARLY_RELIABLE:
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
                f"Training agrees with itself between two seeds to {say.number('5.training.reliability')} (Spearman,",
                f"the mean over pairs of {say.count('5.seeds')} seeds; {say.count('5.drawn')} networks drawn at random",
                "have two or more).",
                f"A perfect proxy could thus reach {say.number('5.ceiling')} with one training.",
                "The last two columns say what share of what a proxy lacks to perfect agreement would be gone if",
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
        f"Between both corpora, the recommended votes agree with themselves to {listed(same)}." if same else "",
        f"Measured on the generated songs, {grouped(votes, there, RANKS)} there"
        f" ({listed([say.number(f'6.{vote}.spearman') for vote in votes])}).{sizes}"
        if votes
        else "",
        f"As a predictor of training on generated songs, training on popvoice is {listed(predicts)}." if votes else "",
    )
