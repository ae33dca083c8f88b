"""What is said of questions 7 and 8: what a search gains, and what small studies would have told.

Nothing here sees a table: all that is said comes from `answers.csv`. A conclusion is drawn where a 95% interval
excludes 0, in either direction; where it holds 0, that is said.
"""

from __future__ import annotations

from bench.proxies import CONTROL
from bench.reference.few import PROXIES, SIZES
from bench.reference.published import HALVES
from bench.reference.replayed import BASIC, PRIMARY, STRATEGIES
from bench.reference.wording import BETTER, RANKS, Say, chosen, code, listed, paragraph, table

DECODER = HALVES[0]


def answer_7(say: Say) -> str:
    """Whether a search with a proxy finds better networks for the same seconds."""
    if not say.has("7.primary"):
        return paragraph("**Not known yet:** too few networks have been trained at several seeds.")
    names = [name for name in STRATEGIES if say.has(f"7.{name}.judged")]
    guided = [name for name in names if ":" in name]
    beat = [name for name in guided if min(say.sign(f"7.{name}.less.{other}") for other in BASIC) > 0]
    rows = [
        [
            code(name),
            say.db(f"7.{name}.judged"),
            f"{say.answers[f'7.{name}.band'].low:.2f} to {say.answers[f'7.{name}.band'].high:.2f} dB",
            *(say.db(f"7.{name}.less.{other}") for other in BASIC),
        ]
        for name in names
    ]
    times = [
        f"{chosen(say.sign(f'7.primary.at.{time}'), 'better', 'not shown to differ', 'worse')} for {time}"
        f" ({say.db(f'7.primary.at.{time}')})"
        for time in say.answers.below("7.primary.at.")
    ]
    parts = [
        paragraph(
            f"**{contrast(say)}**",
            beside_random(say),
            f"This contrast was fixed beforehand, and so was its budget: the {say.count('7.seconds')} s of",
            f"{say.count('7.trainings')} trainings for {say.count('7.networks')} networks, a tenth of all.",
            f"It wins {say.percent('7.primary.won')} of repetitions, and ties {say.percent('7.primary.tied')}.",
            f"{listed([code(name) for name in beat])} {'beats' if len(beat) == 1 else 'beat'} both `random` and"
            f" `halving` for the same seconds{'' if agreed(say) else ', by that mean'}."
            if beat
            else "No search with a proxy is shown to beat both `random` and `halving` for the same seconds.",
            f"Against {code(PRIMARY[1])} the first of the contrast is, for the seconds of so many trainings:",
            f"{listed(times)}.",
            f"Each of {say.count('7.repetitions')} repetitions draws {say.count('7.networks')} networks and"
            " hides the rest. What is found is judged by training seeds that the search did not see:"
            f" {say.count('7.judged')} networks have such, the others are judged by a line fitted on these."
            f"{judges(say) if agreed(say) else ''}{fewer(say, names)} Intervals are over repetitions, on these"
            " networks and trainings alone. Of all but the contrast nothing was said beforehand.",
        ),
        table(["search", "found, mean", "middle 95%", "less `random`", "less `halving`"], rows),
        paragraph(*(f"{code(name)} could not be replayed." for name in STRATEGIES if name not in names)),
    ]
    return "\n\n".join(part for part in parts if part)


def single(say: Say) -> dict[str, str]:
    """Of each unseen seed the name of the contrast that it alone judges."""
    return {seed: f"7.primary.judged_by.{seed}" for seed in say.answers.below("7.primary.judged_by.")}


def agreed(say: Say) -> bool:
    """Whether every unseen seed alone says of the contrast what all together say.

    An interval over repetitions knows nothing of the noise of the trainings that judge: these are the same in all of
    them, and few networks win. So where seeds disagree nothing is concluded.
    """
    return all(say.sign(name) == say.sign("7.primary") for name in single(say).values())


def by_seeds(say: Say) -> str:
    """What the contrast is where a single unseen seed judges."""
    return listed([f"{say.db(name)} by seed {seed} alone" for seed, name in single(say).items()])


def judges(say: Say) -> str:
    """The same as a sentence."""
    return f" The contrast is {by_seeds(say)}." if single(say) else ""


def fewer(say: Say, names: list[str]) -> str:
    """Which strategies have fewer repetitions than the others."""
    return "".join(
        f" Of {code(name)}, which is slow to replay, there are {say.count(f'7.{name}.repetitions')}."
        for name in names
        if say.has(f"7.{name}.repetitions")
    )


def contrast(say: Say) -> str:
    """The primary contrast in a sentence."""
    guided, plain = map(code, PRIMARY)
    if not agreed(say):
        return (
            f"Not shown: what {guided} finds for the same seconds differs from what {plain} finds by "
            f"{say.db('7.primary')} by the mean of the trainings that judge, but by {by_seeds(say)}."
        )
    number = say.apart("7.primary") if say.sign("7.primary") else say.db("7.primary")
    return chosen(
        say.sign("7.primary"),
        f"Yes: for the same seconds {guided} finds networks that are {number} better than those of {plain}.",
        f"That is not shown: what {guided} finds for the same seconds differs from what {plain} finds by {number}.",
        f"No: for the same seconds {guided} finds networks that are {number} worse than those of {plain}.",
    )


def beside_random(say: Say) -> str:
    """The winner of the contrast, if any, against random search: to beat `halving` is little where that is worse."""
    name = f"7.{PRIMARY[0]}.less.random"
    if not say.has(name):
        return ""
    told = chosen(say.sign(name), "also finds better ones than", "is not shown to differ from", "finds worse ones than")
    told = told.replace("also ", "") if say.sign("7.primary") <= 0 or not agreed(say) else told
    by = "" if agreed(say) else "By that mean "
    return f"{by}{code(PRIMARY[0])} {told} `random`, which trains one after the other ({say.db(name)})."


def turned(say: Say) -> str:
    """Where the contrast is the other way round, if it is, at the largest such budget."""
    own = say.sign("7.primary") if agreed(say) else 0
    other = [time for time in say.answers.below("7.primary.at.") if own and say.sign(f"7.primary.at.{time}") == -own]
    if not other:
        return ""
    told = chosen(-own, "better", "", "worse")
    less = say.db(f"7.primary.at.{other[-1]}")
    return f"For the seconds of {other[-1]} trainings it is {told} than {code(PRIMARY[1])} ({less})."


def answer_8(say: Say) -> str:
    """What 16 and 24 networks would have said."""
    sizes = [size for size in SIZES if say.has(f"8.{size}.{PROXIES[0]}.ranks.wrong")]
    if not sizes:
        return paragraph("**Not known yet:** the grid has too few networks to draw such studies from.")
    heads = [f"of {size} networks, {say.percent(f'8.{size}.{DECODER}.ranks.wrong')}" for size in sizes]
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
                f"**Of studies {listed(heads)} would have judged wrongly whether {code(DECODER)} ranks as training",
                "does.**",
                f"From all networks of A {say.count('8.subsets')} studies were drawn of each size. A study is wrong",
                "where its 95% intervals do not say what those of all networks say: it misses what is there, or claims",
                "what is not. *Sign right*: the difference, or Spearman, has the right sign, whatever its interval.",
                "Brackets are Wilson's intervals over the studies drawn.",
            ),
            table(["networks", "all networks say", "wrong", "missed", "false claim", "sign right"], rows),
        ]
    )


def said(say: Say, name: str, true: int, question: str) -> str:
    """What all networks say."""
    if question == "ranks":
        return RANKS[true].partition("|")[0]
    return f"{chosen(true, *BETTER)} {code(CONTROL)}"
