"""What the numbers of a study mean, in words that are as cautious as the numbers are.

Each sentence follows from an interval by a fixed rule: it claims an effect only where the 95% interval lies on one side
of 0, says so where it does not, and says nothing where there is no interval.
"""

import itertools
import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from randsearch.statistics.analysis import Analysis, settings
from randsearch.statistics.best_so_far import COMPARED_AT, NO_RANDOM, SEARCH, after
from randsearch.statistics.curves import RANDOM
from randsearch.statistics.differences import CONTROL, MODES, TRIVIAL, Difference, Gap
from randsearch.statistics.interval import FEWEST_FOR_COEFFICIENT, FEWEST_FOR_INTERVAL, Interval
from randsearch.statistics.wording import format_interval, format_p, format_seconds, worded

PRIMARY = "fixed_decoder"
QUESTIONS = {
    "correlation": "Does the proxy rank as training does?",
    "modes": "Fixed decoder or fixed encoder, and how near to training (J-Net's third claim)?",
    "budget": "Which proxy for which budget?",
    "loss": "What would trusting it have lost?",
    "search": "What was found for how much compute?",
    "parameters": "Which parameters does it misjudge?",
    "more": "How many more architectures would tell?",
}
"""What each part of a verdict answers, in order."""
CLAIM_1 = "Does the proxy rank as training does (J-Net's first claim)?"
"""The question of a proxy that J-Net is about."""
_MOST_NAMED = 3
_OUT_OF_REACH = 100  # times the architectures that there are


@dataclass(frozen=True)
class Verdict:
    """What a study says, each part one or more sentences; empty where the study says nothing on it.

    Attributes:
        correlation: whether the primary proxy ranks as training does (J-Net's first claim), and whether that is more
            than sizes or a short training tell.
        modes: whether a fixed decoder does better than a fixed encoder, and how near it is to training (the third).
        budget: which proxy picks the best network for how much compute.
        loss: what trusting the primary proxy would have lost.
        search: the best trained score for the seconds spent, and what random search is expected to have for as many.
        parameters: which parameters the primary proxy misjudges.
        more: how many more architectures would tell what cannot be told yet.
        bias: why all of this is biased; empty if it is not.
        opening: the first sentence of `correlation`.
        proxy: the proxy that is spoken of.
    """

    correlation: str
    modes: str
    budget: str
    loss: str
    search: str
    parameters: str
    more: str
    bias: str
    opening: str
    proxy: str

    def parts(self) -> list[tuple[str, str]]:
        """The question and the answer of each part that says something."""
        questions = QUESTIONS | ({"correlation": CLAIM_1} if self.proxy in MODES else {})
        answers = ((title, str(getattr(self, name))) for name, title in questions.items())
        return [(title, answer) for title, answer in answers if answer]

    def sentences(self) -> list[str]:
        """All parts that say something, the bias first."""
        return [*([self.bias] if self.bias else []), *(answer for _, answer in self.parts())]


def verdict(analysis: Analysis, proxy: str = PRIMARY) -> Verdict:
    """Says in words what an analysis found.

    Args:
        analysis: of a study.
        proxy: the primary proxy; where it was not measured, the one with the highest Spearman is spoken of.
    """
    how, chosen = settings(analysis.rows), spoken_of(analysis.rows, proxy)
    correlation = list(_correlation(analysis, chosen))
    if chosen != proxy and len(analysis.rows) > 1:
        correlation.append(
            f"{proxy} was not measured; {chosen} is spoken of as the best of {len(analysis.rows)} proxies, "
            "and having been chosen for its agreement flatters it."
        )
    parts = (_modes, _budget, _loss, _parameters, _more)
    modes, budget, loss, parameters, more = (" ".join(part(analysis, chosen)) for part in parts)
    search = " ".join(_search(analysis))
    bias = f"Biased: {how.bias}." if how.bias else ""
    opening = correlation[0]
    return Verdict(" ".join(correlation), modes, budget, loss, search, parameters, more, bias, opening, chosen)


def spoken_of(result: pd.DataFrame, proxy: str) -> str:
    """The proxy that a verdict is about: the primary one, or the one with the highest Spearman if it was not measured.

    Args:
        result: one row a proxy, by falling Spearman.
        proxy: the primary proxy.
    """
    names = [str(name) for name in result["proxy"]]
    return proxy if proxy in names else next(iter(names), proxy)


def headline(result: pd.DataFrame, proxy: str = PRIMARY, control: str = CONTROL) -> str:
    """One sentence on the primary proxy, as cautious as its interval, with the equal-cost control beside it."""
    target = settings(result).target
    rows = _rows(result)
    if proxy not in rows:
        return f"{proxy} was not measured, so that its agreement with {target} is unknown."
    sentence = _agrees(rows[proxy], target)
    if control in rows and control != proxy and not math.isnan(rows[control]["spearman"] + rows[proxy]["spearman"]):
        sentence += f"; {control}, the equal-cost control, has {worded(_interval(rows[control], 'spearman'))}"
    bias = settings(result).bias
    return sentence + (f" (biased: {bias})." if bias else ".")


def _agrees(row: dict[str, Any], target: str) -> str:
    """Whether a proxy agrees with the target, less the full stop."""
    proxy, n, low, high = row["proxy"], row["n"], row["spearman_low"], row["spearman_high"]
    rho = f"Spearman {format_interval(row['spearman'], low, high)}, p {format_p(row['p_value'])}"
    on = f"on {n} architectures"
    if n < FEWEST_FOR_COEFFICIENT:
        return f"Too few architectures ({n}) have both scores to say how {proxy} agrees with {target}"
    if math.isnan(row["spearman"]):
        return f"{proxy} or {target} gives all {n} architectures the same score, so that there is no ranking"
    if math.isnan(low):
        if n >= FEWEST_FOR_INTERVAL and abs(row["spearman"]) == 1:
            order = "exactly as" if row["spearman"] > 0 else "exactly against"
            return f"{proxy} ranks {order} {target} {on} ({rho}); no resample differs, so that there is no interval"
        return f"{proxy} against {target} {on}: {rho}; too little for an interval, and so for a conclusion"
    if low > 0:
        return f"{proxy} ranks as {target} does better than chance {on} ({rho})"
    if high < 0:
        return f"{proxy} ranks against {target} {on} ({rho})"
    return f"{proxy} cannot be told from a proxy without any agreement with {target} {on} ({rho})"


def _correlation(analysis: Analysis, proxy: str) -> Iterator[str]:
    """The first claim: does the correlation hold, and is it more than cheaper means tell?"""
    how, rows = settings(analysis.rows), _rows(analysis.rows)
    if proxy not in rows:
        yield f"No proxy was measured beside {how.target}."
        return
    row = rows[proxy]
    yield _agrees(row, how.target) + "."
    if len(rows) > 1 and row["p_value"] < 0.05 <= row["p_holm"]:
        yield f"Corrected for {len(rows)} proxies, p is {format_p(row['p_holm'])}, so that this may be luck."
    for found in analysis.differences:
        if found.proxy == proxy and found.other in (CONTROL, *TRIVIAL) and not math.isnan(found.spearman.low):
            yield _beats(found)
    if not math.isnan(row["over_ceiling"]):
        yield (
            f"A perfect proxy could reach {row['ceiling']:.2f}, for {how.target} does not agree with itself wholly "
            f"between {how.seeds} seeds; {proxy} reaches {worded(_interval(row, 'over_ceiling'))} of that."
        )
    elif how.seeds == 1:
        yield f"How high a perfect proxy could reach is unknown: {how.target} was measured at one seed."
    half = _interval(row, "top_half")
    if not math.isnan(half.low):
        shown = "it ranks better than chance" if half.low > 0 else "it is not shown to rank better than chance"
        yield f"Among the better half by {how.target} {shown} (Spearman {worded(half)})."
    beyond = _interval(row, "partial")
    if not math.isnan(beyond.low):
        shown = "it tells more than size" if beyond.low > 0 else "it is not shown to tell more than size"
        yield f"Given {' and '.join(how.controls)}, {shown} (partial Spearman {worded(beyond)})."


def _beats(found: Difference) -> str:
    what = "the equal-cost control" if found.other == CONTROL else "the best baseline that needs no network"
    name = f"{found.other}, {what}"
    gap = f"difference of Spearman {worded(found.spearman)}"
    if found.spearman.low > 0:
        return f"It agrees better than {name} ({gap})."
    if found.spearman.high < 0:
        return f"It agrees worse than {name} ({gap})."
    return f"It cannot be told from {name} ({gap})."


def _modes(analysis: Analysis, proxy: str) -> Iterator[str]:
    """The third claim: fixed decoder against fixed encoder, and both against training."""
    how = settings(analysis.rows)
    gaps = {(gap.measure, gap.other): gap for gap in analysis.gaps}
    between = gaps.get(("fixed_decoder", "fixed_encoder"))
    if between is not None and between.n:
        yield _higher(between, how.unit)
    found = next((d for d in analysis.differences if (d.proxy, d.other) == ("fixed_decoder", "fixed_encoder")), None)
    if found is not None and not math.isnan(found.spearman.low):
        told = "differs" if found.spearman.low > 0 or found.spearman.high < 0 else "cannot be told to differ"
        yield f"Their agreement with {how.target} {told} (difference of Spearman {worded(found.spearman)})."
    near = gaps.get(("fixed_decoder", how.target))
    if near is not None and near.n:
        yield _near(near, analysis.steps, how.unit)


def _higher(gap: Gap, unit: str) -> str:
    mean = f"mean difference {worded(gap.mean, unit)}, higher on {gap.ahead} of {gap.n}"
    if math.isnan(gap.mean.low):
        return f"{gap.measure} against {gap.other}: {mean}; too little for a conclusion."
    if gap.mean.low > 0:
        return f"{gap.measure} scores higher than {gap.other} ({mean})."
    if gap.mean.high < 0:
        return f"{gap.measure} scores lower than {gap.other} ({mean})."
    return f"{gap.measure} and {gap.other} cannot be told apart by their scores ({mean})."


def _near(gap: Gap, steps: dict[str, int], unit: str) -> str:
    below = Interval(-gap.mean.point, -gap.mean.high, -gap.mean.low)
    text = f"{gap.measure} lies {worded(below, unit)} below {gap.other}"
    if not math.isnan(gap.gain_kept.low):
        text += f" and keeps {worded(gap.gain_kept)} of its gain over a constant gain"
    mine, theirs = steps.get(gap.measure, 0), steps.get(gap.other, 0)
    if mine != theirs:
        text += f"; that is after {mine:,} steps against {theirs:,}"
    return text + "."


def _budget(analysis: Analysis, proxy: str) -> Iterator[str]:
    """Which proxy picks the best network, for some shares of the cost of training all."""
    for share, rows in itertools.groupby(analysis.budgets.to_dict(orient="records"), lambda row: row["share"]):
        found = list(rows)
        seconds = format_seconds(found[0]["seconds"])
        yield f"For {share:.0%} of the compute of training all ({seconds}), {_best_for(found, analysis)}."


def _best_for(found: list[dict[Hashable, Any]], analysis: Analysis) -> str:
    """What serves best within one budget, less the full stop."""
    unit = settings(analysis.rows).unit
    best = min(found, key=lambda row: row["regret_db"])
    regret, chance = _interval(best, "regret_db"), best["random_regret_db"]
    alike = [row for row in found if row["regret_db"] <= regret.point + 1e-9]
    naming = [f"{row['proxy']} (which leaves time to train {row['trained']})" for row in alike[:_MOST_NAMED]]
    names = _listed(naming + ([f"{len(alike) - _MOST_NAMED} more"] if len(alike) > _MOST_NAMED else []))
    numbers = f"regret {worded(regret, unit)}, chance {_number(chance, unit)}"
    if regret.point >= chance > 0:
        return f"no proxy loses less here than chance does (the least is lost by {names}: {numbers})"
    text = f"{names} {'picks' if len(alike) == 1 else 'pick'} best: {numbers}"
    if math.isnan(regret.high):
        return f"{text}; too few architectures for more"
    if not regret.high < chance:
        return f"{text}; in another study of this size it may do no better than chance"
    if len(alike) == 1 and best["best_share"] < 0.5:
        return f"{text}; best in only {best['best_share']:.0%} of resampled studies, so that others may serve as well"
    return text


def _listed(names: list[str]) -> str:
    return " and ".join([*([", ".join(names[:-1])] if names[:-1] else []), names[-1]])


def _loss(analysis: Analysis, proxy: str) -> Iterator[str]:
    """What trusting the primary proxy would have lost."""
    unit, own = settings(analysis.rows).unit, analysis.curves[analysis.curves["proxy"] == proxy]
    if proxy == RANDOM or own.empty:
        return
    first = own.iloc[0].to_dict()
    yield (
        f"Training only the first choice of {proxy} would have lost {worded(_interval(first, 'regret_db'), unit)} "
        f"against the best; chance loses {_number(first['random_regret_db'], unit)}."
    )
    found = own[own["regret_db"] <= 1e-9]
    if found.empty:
        yield f"The best network is not among the architectures that {proxy} scored."
    elif found["trained"].iloc[0] > 1:
        yield f"In this study the best network is among the first {found['trained'].iloc[0]} by {proxy}."


def _search(analysis: Analysis) -> Iterator[str]:
    """What the study found for its seconds, and random search for as many."""
    unit, rows = settings(analysis.rows).unit, analysis.best_so_far
    own, random = rows[rows["line"] == SEARCH], rows[rows["line"] == RANDOM]
    if own.empty:
        return
    last = own.iloc[-1].to_dict()
    found = own[own["best"] == last["best"]].iloc[0].to_dict()
    proxies, reached, all_of_it = map(format_seconds, (own["seconds"].iloc[0], found["seconds"], last["seconds"]))
    yield (
        f"The best of {last['trained']:,} trained has {_number(last['best'], unit)}, found after {reached}; all took "
        f"{all_of_it} of compute, of which proxies {proxies}."
    )
    if random.empty:
        yield f"What random search finds for as much cannot be told here, for {NO_RANDOM}."
        return
    half = COMPARED_AT * last["seconds"]
    mine, theirs = after(own, half), after(random, half)
    if theirs is None or last["trained"] < FEWEST_FOR_COEFFICIENT:
        return
    had = "nothing was trained"
    if mine is not None and mine["trained"]:
        had = f"the best of {mine['trained']:,} trained was {_number(mine['best'], unit)}"
    yield (
        f"With {COMPARED_AT:.0%} of that compute {had}; random search is expected to have "
        f"{worded(_interval(theirs, 'best'), unit)}, the best of {theirs['trained']:,} of these {last['trained']:,}."
    )


def _parameters(analysis: Analysis, proxy: str) -> Iterator[str]:
    """Which parameters the primary proxy misjudges, beyond what chance does among so many."""
    own = [found for found in analysis.effects if found.proxy == proxy]
    sure = sorted((found for found in own if found.sure), key=lambda found: -abs(found.misjudged.point))
    for found in sure[:3]:
        what = f"{found.parameter} = {found.value}" if found.value else f"high {found.parameter}"
        judged = "more" if found.misjudged.point > 0 else "less"
        yield f"{proxy} favours {what} {judged} than training does (by {worded(found.misjudged)} of the ranking)."
    if own and not sure:
        yield f"No parameter is shown to be misjudged by {proxy} (of {len(own)} effects looked at)."


def _more(analysis: Analysis, proxy: str) -> Iterator[str]:
    """How many more architectures would tell what is not told yet, if it is as large as it looks."""
    rows = _rows(analysis.rows)
    if proxy not in rows:
        return
    questions = [(f"{proxy} agrees with {settings(analysis.rows).target} at all", rows[proxy]["n"], rows[proxy])]
    wanted = [(text, n, _interval(row, "spearman")) for text, n, row in questions]
    wanted += [
        (f"{found.proxy} agrees better or worse than {found.other}", found.n, found.spearman)
        for found in analysis.differences
        if found.proxy == proxy
    ]
    for text, n, interval in wanted:
        missing = more_needed(interval, n)
        if missing is None or missing == 0:
            continue
        if missing > _OUT_OF_REACH * n:
            yield f"Whether {text} is out of reach here: the difference is too small."
        else:
            yield f"To tell whether {text} takes about {missing:,} more architectures, if it is as large as it looks."


def more_needed(interval: Interval, n: int) -> int | None:
    """How many more architectures would move an interval off 0, if its point is true.

    Intervals narrow with the square root of n. None if there is no interval, or nothing to tell.

    Args:
        interval: of what should differ from 0.
        n: architectures that it comes from.
    """
    if math.isnan(interval.low) or interval.point == 0:
        return None
    towards_zero = interval.point - interval.low if interval.point > 0 else interval.high - interval.point
    return max(0, math.ceil(n * (towards_zero / abs(interval.point)) ** 2) - n)


def _rows(result: pd.DataFrame) -> dict[str, dict[str, Any]]:
    rows = ({str(name): value for name, value in row.items()} for row in result.to_dict(orient="records"))
    return {str(row["proxy"]): row for row in rows}


def _interval(row: Mapping[Any, Any], name: str) -> Interval:
    return Interval(*(float(row[key]) for key in (name, f"{name}_low", f"{name}_high")))


def _number(value: float, unit: str) -> str:
    return "-" if math.isnan(value) else f"{value:.2f} {unit}".rstrip()
