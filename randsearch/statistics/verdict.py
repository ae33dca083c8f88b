"""What the numbers of a study mean, in words that are as cautious as the numbers are.

Each claim follows from a test by a fixed rule. What is asked of the proxy that was named beforehand is asked in a fixed
order: first whether it ranks as training does, and only if so whether it does more (see `claims`). What is said of
proxies that were chosen after looking is corrected for their number. Where nothing is shown, that is said.
"""

import itertools
import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from randsearch.statistics.analysis import Analysis, settings
from randsearch.statistics.best_so_far import COMPARED_AT, NO_RANDOM, SEARCH, after
from randsearch.statistics.claims import LEVEL, UNGATED_LEVEL
from randsearch.statistics.curves import RANDOM
from randsearch.statistics.differences import CONTROL, MODES, Gap
from randsearch.statistics.effects import Effect
from randsearch.statistics.interval import FEWEST_FOR_COEFFICIENT, FEWEST_FOR_INTERVAL, Interval
from randsearch.statistics.wording import format_p, format_seconds, worded

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
        lines: the answer in a few sentences, the most important first; at most ten lines of 100 characters.
        correlation: whether the primary proxy ranks as training does (J-Net's first claim), and whether that is more
            than sizes or a short training tell.
        modes: whether a fixed decoder does better than a fixed encoder, and how near it is to training (the third).
        budget: which proxy picks the best network for how much compute.
        loss: what trusting the primary proxy would have lost.
        search: the best trained score for the seconds spent, and what random search is expected to have for as many.
        parameters: which parameters the primary proxy misjudges.
        more: how many more architectures would tell what cannot be told yet.
        bias: why all of this is biased; empty if it is not.
        opening: the first of the lines, and of `correlation`.
        proxy: the proxy that is spoken of.
    """

    lines: tuple[str, ...]
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
        """In detail: the question and the answer of each part that says something."""
        questions = QUESTIONS | ({"correlation": CLAIM_1} if self.proxy in MODES else {})
        answers = ((title, str(getattr(self, name))) for name, title in questions.items())
        return [(title, answer) for title, answer in answers if answer]

    def sentences(self) -> list[str]:
        """The answer in short, the bias first; `parts` say more."""
        return [*([self.bias] if self.bias else []), *self.lines]


def verdict(analysis: Analysis, proxy: str = PRIMARY) -> Verdict:
    """Says in words what an analysis found.

    Args:
        analysis: of a study.
        proxy: the primary proxy; where it was not measured, the one with the highest Spearman is spoken of.
    """
    how, chosen = settings(analysis.rows), spoken_of(analysis.rows, proxy)
    lines = list(_in_short(analysis, proxy))
    correlation = [lines[0], *_correlation(analysis, proxy)]
    parts = (_modes, _budget, _loss, _parameters, _more)
    modes, budget, loss, parameters, more = (" ".join(part(analysis, chosen)) for part in parts)
    search = " ".join(_search(analysis))
    bias = f"Biased: {how.bias}." if how.bias else ""
    return Verdict(
        tuple(lines), " ".join(correlation), modes, budget, loss, search, parameters, more, bias, lines[0], chosen
    )


def spoken_of(result: pd.DataFrame, proxy: str) -> str:
    """The proxy that a verdict is about: the primary one, or the one with the highest Spearman if it was not measured.

    Args:
        result: one row a proxy, by falling Spearman.
        proxy: the primary proxy.
    """
    names = [str(name) for name in result["proxy"]]
    return proxy if proxy in names else next(iter(names), proxy)


def headline(result: pd.DataFrame, proxy: str = PRIMARY, control: str = CONTROL) -> str:
    """One sentence on the primary proxy, as cautious as its test, with the equal-cost control beside it."""
    target = settings(result).target
    rows = _rows(result)
    if proxy not in rows:
        return f"{proxy} was not measured, so that its agreement with {target} is unknown."
    sentence = _agrees(rows[proxy], target)
    controlled = control in rows and control != proxy and settings(result).named.uncontrolled is None
    if controlled and not math.isnan(rows[control]["spearman"] + rows[proxy]["spearman"]):
        sentence += f"; {control}, the equal-cost control, has {worded(_interval(rows[control], 'spearman'))}"
    bias = settings(result).bias
    return sentence + (f" (biased: {bias})." if bias else ".")


def _agrees(row: dict[str, Any], target: str, of: int = 1) -> str:
    """Whether a proxy agrees with the target, less the full stop; `of` so many if it was chosen after looking."""
    proxy, n, rho = row["proxy"], row["n"], row["spearman"]
    if n < FEWEST_FOR_COEFFICIENT:
        return f"Too few architectures ({n}) have both scores to say whether {proxy} ranks like {_called(target)}"
    if math.isnan(rho):
        return f"{proxy} or {target} gives all {n} architectures the same score, so that there is no ranking"
    if n < FEWEST_FOR_INTERVAL:
        return (
            f"{n} architectures are too few to show whether {proxy} ranks like {_called(target)} (Spearman {rho:.2f})"
        )
    found = _interval(row, "spearman")
    number = f"{rho:.2f}" if math.isnan(found.low) else worded(found)
    p = row["p_value"] if of == 1 else row["p_holm"]
    tested = "" if math.isnan(p) else f", p {format_p(p)}{f' corrected for {of} proxies' if of > 1 else ''}"
    numbers = f"Spearman {number}{tested}, {n:,} architectures"
    if _shown(row, of) > 0:
        return f"{proxy} ranks like {_called(target)}: {numbers}"
    if _shown(row, of) < 0:
        return f"{proxy} ranks against {_called(target)}: {numbers}"
    return f"No evidence that {proxy} ranks like {_called(target)}: {numbers}"


def _called(target: str) -> str:
    return "training" if target == "trained" else target


def _shown(row: Mapping[str, Any], of: int = 1) -> int:
    """1 if a proxy is shown to rank like the target, -1 if against it, 0 if neither."""
    p = row["p_value"] if of == 1 else row["p_holm"]
    # What learned from the target has no p; its interval was cross-fitted.
    beyond = (row["spearman_low"] > 0) or (row["spearman_high"] < 0) if math.isnan(p) else p < LEVEL
    return (1 if row["spearman"] > 0 else -1) if beyond else 0


def _in_short(analysis: Analysis, primary: str) -> Iterator[str]:
    """The answer in few sentences, the most important first."""
    how, rows, proxy = settings(analysis.rows), _rows(analysis.rows), spoken_of(analysis.rows, primary)
    if proxy not in rows:
        yield f"No proxy was measured beside {how.target}."
        yield from _found(analysis)
        return
    of = 1 if proxy == primary else len(rows)
    yield _agrees(rows[proxy], how.target, of) + "."
    if of > 1:
        yield f"{primary}, named beforehand, was not measured: {proxy} is the best of {of}."
    shown = _shown(rows[proxy], of)
    if shown > 0:
        yield from _more_than_that(analysis, proxy, LEVEL / of)
    yield from _among_the_good(analysis, proxy if shown > 0 else "")
    yield from _lost(analysis, proxy)
    yield from _found(analysis)
    sure = _sure(analysis, proxy)
    if sure:
        yield f"{_overrates(sure[0])}{f', and misjudges {len(sure) - 1} more' if len(sure) > 1 else ''} (--details)."
    missing = more_needed(_interval(rows[proxy], "spearman"), rows[proxy]["n"])
    if not shown and missing and missing <= _OUT_OF_REACH * rows[proxy]["n"]:
        rho = rows[proxy]["spearman"]
        yield f"If its Spearman is really {rho:.2f}, about {missing:,} more architectures are needed to show it."


def _more_than_that(analysis: Analysis, proxy: str, level: float) -> Iterator[str]:
    """What a proxy that ranks like the target does beyond that, each shown if its p is below the level."""
    claims = next((claims for claims in analysis.claims if claims.proxy == proxy), None)
    if claims is None:
        return
    sizes, control, beyond = claims.sizes, claims.control, claims.beyond
    if not math.isnan(sizes.p):
        shown = (
            "It ranks better than size alone" if sizes.made(level) else "It is not shown to rank better than size alone"
        )
        yield f"{shown} (Spearman {sizes.point:+.2f} against {sizes.other}, p {format_p(sizes.p)})."
    if not math.isnan(control.p):
        shown = "It ranks better than" if control.made(level) else "It is not shown to rank better than"
        yield (
            f"{shown} {control.other}, a short training of equal cost ({control.point:+.2f}, p {format_p(control.p)})."
        )
    if not math.isnan(beyond.p):
        tells = "it tells which trains better" if beyond.made(level) else "it is not shown to tell which trains better"
        yield f"Among networks of equal size {tells} (partial Spearman {beyond.point:.2f}, p {format_p(beyond.p)})."


def _among_the_good(analysis: Analysis, proxy: str) -> Iterator[str]:
    """Who ranks the best quarter like the target: the proxy, if it ranks the whole so, or any, corrected for all."""
    tested = [claims for claims in analysis.claims if not math.isnan(claims.quarter_holm)]
    if not tested:
        return
    target = _called(settings(analysis.rows).target)
    where = f"Among the best quarter by {target}"
    own = next((claims.quarter for claims in tested if claims.proxy == proxy), None)
    if own is not None and own.made():
        yield f"{where}, too, it ranks like {target} (Spearman {own.point:.2f}, p {format_p(own.p)})."
        return
    good = [claims for claims in tested if claims.quarter.point > 0 and claims.quarter_holm < UNGATED_LEVEL]
    if not good:
        yield f"{where}, none of {len(tested)} proxies is shown to rank like it."
        return
    best = max(good, key=lambda claims: claims.quarter.point)
    numbers = f"Spearman {best.quarter.point:.2f}, p {format_p(best.quarter_holm)} corrected for {len(tested)} proxies"
    yield f"{where}, {best.proxy} ranks {'best' if len(good) > 1 else 'like it'} ({numbers})."


def _lost(analysis: Analysis, proxy: str) -> Iterator[str]:
    """What training only the proxy's first choice would have lost."""
    unit, own = settings(analysis.rows).unit, analysis.curves[analysis.curves["proxy"] == proxy]
    if not own.empty:
        first = own.iloc[0].to_dict()
        yield (
            f"Its first choice is {worded(_interval(first, 'regret_db'), unit)} below the best; a random choice is "
            f"{_number(first['random_regret_db'], unit)} below it on average."
        )


def _found(analysis: Analysis) -> Iterator[str]:
    """The best that was trained, and for what."""
    own = analysis.best_so_far[analysis.best_so_far["line"] == SEARCH]
    if own.empty:
        return
    last = own.iloc[-1].to_dict()
    first = own[own["best"] == last["best"]].iloc[0].to_dict()
    reached, all_of_it = format_seconds(first["seconds"]), format_seconds(last["seconds"])
    yield (
        f"The best of {last['trained']:,} trained has {_number(last['best'], settings(analysis.rows).unit)}, found "
        f"after {reached} of {all_of_it} of compute."
    )


def _sure(analysis: Analysis, proxy: str) -> list[Effect]:
    """The effects that a proxy is shown to misjudge, the largest first."""
    own = (found for found in analysis.effects if found.proxy == proxy and found.sure)
    return sorted(own, key=lambda found: -abs(found.misjudged.point))


def _overrates(found: Effect) -> str:
    """That a proxy misjudges an option, less the full stop."""
    what = f"{found.parameter} = {found.value}" if found.value else f"high {found.parameter}"
    verb = "overrates" if found.misjudged.point > 0 else "underrates"
    return f"{found.proxy} {verb} {what} (by {abs(found.misjudged.point):.2f} of the ranking, p {format_p(found.p)})"


def _correlation(analysis: Analysis, primary: str) -> Iterator[str]:
    """The first claim beyond its opening: is it luck, is it more than cheaper means tell, how high could it be?"""
    how, rows, proxy = settings(analysis.rows), _rows(analysis.rows), spoken_of(analysis.rows, primary)
    if proxy not in rows:
        return
    row = rows[proxy]
    if len(rows) > 1 and row["p_value"] < LEVEL <= row["p_holm"]:
        yield f"Corrected for {len(rows)} proxies, p is {format_p(row['p_holm'])}, so that this may be luck."
    of = 1 if proxy == primary else len(rows)
    if _shown(row, of) > 0:
        yield from _more_than_that(analysis, proxy, LEVEL / of)
    if not math.isnan(row["over_ceiling"]):
        yield (
            f"{how.target} does not agree with itself wholly between {how.seeds} seeds: a perfect proxy could reach "
            f"about {row['ceiling']:.2f}, and {proxy} reaches {worded(_interval(row, 'over_ceiling'))} of that."
        )
    elif how.seeds == 1:
        yield f"How high a perfect proxy could reach is unknown: {how.target} was measured at one seed."
    else:
        yield f"How high a perfect proxy could reach is unknown: {how.target} is not shown to agree with itself."
    for name, where in (("top_half", "better half"), ("top_quarter", "best quarter")):
        found = _interval(row, name)
        if not math.isnan(found.low):
            yield f"Among the {where} by {_called(how.target)} its Spearman is {worded(found)}."
    beyond = _interval(row, "partial")
    if not math.isnan(beyond.low):
        yield f"Given {' and '.join(how.controls)}, it is {worded(beyond)}."


def _modes(analysis: Analysis, proxy: str) -> Iterator[str]:
    """The third claim: fixed decoder against fixed encoder, and both against training."""
    how = settings(analysis.rows)
    gaps = {(gap.measure, gap.other): gap for gap in analysis.gaps}
    between = gaps.get(("fixed_decoder", "fixed_encoder"))
    if between is not None and between.n:
        yield _higher(between, how.unit)
    found = next((d for d in analysis.differences if (d.proxy, d.other) == ("fixed_decoder", "fixed_encoder")), None)
    if found is not None and not math.isnan(found.spearman.low):
        told = "differs" if found.spearman.low > 0 or found.spearman.high < 0 else "is not shown to differ"
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
    return f"The scores of {gap.measure} and {gap.other} are not shown to differ ({mean})."


def _near(gap: Gap, steps: dict[str, int], unit: str) -> str:
    under = gap.mean.point < 0
    apart = Interval(-gap.mean.point, -gap.mean.high, -gap.mean.low) if under else gap.mean
    text = f"{gap.measure} lies {worded(apart, unit)} {'below' if under else 'above'} {gap.other}"
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
    numbers = f"regret {worded(regret, unit)}; chance loses {_number(chance, unit)}"
    if regret.point >= chance > 0:
        return f"no proxy would have done better than chance (the best, {names}: {numbers})"
    lost = "would have lost least"
    if math.isnan(regret.high):
        return f"{names} {lost} ({numbers}); too few architectures for more"
    if not regret.high < chance:
        return f"{names} {lost} ({numbers}); in another study of this size it may lose as much as chance"
    if len(alike) == 1 and best["best_share"] < 0.5:
        return f"{names} {lost} ({numbers}); best in only {best['best_share']:.0%} of resampled studies"
    return f"{names} {lost} ({numbers})"


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
    own, sure = [found for found in analysis.effects if found.proxy == proxy], _sure(analysis, proxy)
    for found in sure[:_MOST_NAMED]:
        yield f"{_overrates(found)}."
    if own and not sure:
        yield f"No option is shown to be misjudged by {proxy} (of {len(own)} effects looked at)."


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
    # `to_dict` takes a row's every cell from a column of its own, several times as long.
    columns = {str(name): result[name].tolist() for name in result}
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    return {str(row["proxy"]): row for row in rows}


def _interval(row: Mapping[Any, Any], name: str) -> Interval:
    return Interval(*(float(row[key]) for key in (name, f"{name}_low", f"{name}_high")))


def _number(value: float, unit: str) -> str:
    return "-" if math.isnan(value) else f"{value:.2f} {unit}".rstrip()
