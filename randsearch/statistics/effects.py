"""Which hyperparameters a proxy misjudges: the effect of each on training and on the proxy, side by side.

An effect is a slope: the expected change from the lowest to the highest value of a number, by its rank, or the mean of
the architectures that have a value less the mean of those that do not, for any other parameter. It is taken of the
scores, and of the places in the ranking as a share of it (1 = from last to first), which proxies without a unit share
with training. Both sides come from the same architectures, so that where they differ the proxy misjudges. It is the
effect of each parameter alone: parameters that are drawn independently average out, and what is left of them is in the
interval; where the space makes parameters depend on each other, so do their effects. Ranks are those of the whole
sample in every resample.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from randsearch.base.files import Place, place_of
from randsearch.base.layout import StudyFolder
from randsearch.statistics.claims import UNGATED_LEVEL, misjudged_ps
from randsearch.statistics.correlations import Floats
from randsearch.statistics.interval import FEWEST_FOR_INTERVAL, UNKNOWN, Draws, Interval
from randsearch.statistics.permutation import doubled_ranks
from randsearch.statistics.scores import Scores

if TYPE_CHECKING:
    from rich.table import Table

FEWEST_WITH = 3
"""A value that fewer architectures have, or fewer have not, has no effect of its own."""
_MOST_VALUES = 12

INTERVALS = ("trained", "by_proxy", "misjudged", "trained_score", "proxy_score")
EFFECT_COLUMNS = (
    *("proxy", "parameter", "value", "n", "having"),
    *(f"{name}{end}" for name in INTERVALS for end in ("", "_low", "_high")),
    *("p", "sure"),
)
"""The columns of `effects.csv`, in order."""


@dataclass(frozen=True)
class Effect:
    """The effect of one parameter on training and on one proxy.

    Attributes:
        proxy: the proxy.
        parameter: the parameter.
        value: which value against all others; empty for a number, where it is from lowest to highest.
        n: architectures with both scores.
        having: how many of them have the value; all for a number.
        trained: on the ranking by training, as a share of it.
        by_proxy: on the ranking by the proxy.
        misjudged: `by_proxy` less `trained`: above 0, the proxy favours high values, or this one, too much.
        p: of `misjudged`, corrected for all effects of this proxy; see `claims.misjudged_ps`.
        sure: whether it is below `claims.UNGATED_LEVEL`.
        trained_score: on the trained score, in its unit.
        proxy_score: on the proxy's score, in its own.
    """

    proxy: str
    parameter: str
    value: str
    n: int
    having: int
    trained: Interval = UNKNOWN
    by_proxy: Interval = UNKNOWN
    misjudged: Interval = UNKNOWN
    p: float = math.nan
    sure: bool = False
    trained_score: Interval = UNKNOWN
    proxy_score: Interval = UNKNOWN


def effects(proxy: Scores, truth: Scores, given: pd.DataFrame, resamples: int, seed: int) -> list[Effect]:
    """The effects of every parameter that varies; none for fewer than 5 architectures.

    Args:
        proxy: the proxy.
        truth: the target.
        given: the parameters of all architectures, in candidate order, (architectures, parameters).
        resamples: the number of bootstrap resamples of architectures.
        seed: of the bootstrap.
    """
    both = proxy.scored & truth.scored
    n = int(both.sum())
    if n < FEWEST_FOR_INTERVAL:
        return []
    contrasts = list(_contrasts(given[both]))
    draws = Draws.of(n, resamples, np.random.default_rng([seed, 5]))
    places = [doubled_ranks(side.mean[both]) / (2 * (n - 1)) for side in (proxy, truth)]
    counts = draws.counts.astype(np.float32)
    outcomes = np.stack([*places, proxy.mean[both], truth.mean[both]], axis=1)
    found = []
    corrected = misjudged_ps(np.array([levels for *_, levels in contrasts]), places[0] - places[1], seed)
    for (parameter, value, levels), p in zip(contrasts, corrected, strict=True):
        known = ~np.isnan(levels)
        inside = draws if known.all() else draws.among(known)
        drawn = counts if known.all() else inside.counts.astype(np.float32)
        by_proxy, trained, proxy_score, trained_score = _slopes(levels[known], outcomes[known], drawn).T
        intervals = map(inside.bca, (trained, by_proxy, by_proxy - trained, trained_score, proxy_score))
        found.append(
            Effect(
                proxy=proxy.name,
                parameter=parameter,
                value=value,
                n=int(known.sum()),
                having=int(levels[known].sum()) if value else int(known.sum()),
                p=float(p),
                sure=bool(p < UNGATED_LEVEL),
                **dict(zip(INTERVALS, intervals, strict=True)),
            )
        )
    return found


def effects_frame(found: Sequence[Effect]) -> pd.DataFrame:
    """Effects as one row each, an interval as three columns; see `EFFECT_COLUMNS`."""
    rows = [
        {"proxy": effect.proxy, "parameter": effect.parameter, "value": effect.value}
        | {"n": effect.n, "having": effect.having}
        | {key: end for name in INTERVALS for key, end in getattr(effect, name).columns(name).items()}
        | {"p": effect.p, "sure": effect.sure}
        for effect in found
    ]
    return pd.DataFrame(rows, columns=list(EFFECT_COLUMNS))


def write_effects(found: Sequence[Effect], folder: str | Path | Place) -> None:
    """Writes `effects.csv` into a folder.

    Raises:
        UserError: if the file cannot be written.
    """
    place = place_of(folder)
    place.write(StudyFolder(place.root).effects, effects_frame(found).to_csv(index=False, lineterminator="\n"))


def format_effects(found: Sequence[Effect], target: str, proxy: str) -> "Table | None":
    """The effects on the scores of the target and of one proxy, as a table for the terminal; None if there are none."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    own = [effect for effect in found if effect.proxy == proxy]
    if not own:
        return None
    view = Table(
        title="Effect of each option on the score",
        caption="mean score with the value less without it; of a number, from its lowest to its highest value\n"
        f"brackets: 95% bootstrap over architectures; *: {proxy} misjudges its place in the ranking beyond chance",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for heading in ("option", "value"):
        view.add_column(heading, no_wrap=True)
    for heading in ("n", target, proxy):
        view.add_column(heading, justify="right", no_wrap=True)
    view.add_column("", no_wrap=True)
    for effect in own:
        view.add_row(
            effect.parameter,
            effect.value or "high",
            f"{effect.having}/{effect.n}" if effect.value else str(effect.n),
            _signed(effect.trained_score),
            _signed(effect.proxy_score),
            "*" if effect.sure else "",
        )
    return view


def _signed(found: Interval) -> str:
    if math.isnan(found.point):
        return "-"
    form = ".2f" if abs(found.point) < 1000 else ".3g"
    ends = "[-, -]" if math.isnan(found.low) else f"[{found.low:{form}}, {found.high:{form}}]"
    return f"{found.point:+{form}} {ends}"


def _contrasts(given: pd.DataFrame) -> Iterator[tuple[str, str, Floats]]:
    """Each parameter as numbers from 0 to 1: its rank if it is a number, else one contrast for each of its values."""
    for parameter, column in given.items():
        if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
            values = column.astype(str)
            counts = values.value_counts()
            often = counts[(counts >= FEWEST_WITH) & (counts <= len(values) - FEWEST_WITH)].index[:_MOST_VALUES]
            # Of two values, one contrast says all.
            for value in sorted(often, reverse=len(counts) == 2)[: 1 if len(counts) == 2 else None]:
                yield str(parameter), str(value), (values == value).to_numpy(dtype=float)
        else:
            numbers = column.to_numpy(dtype=float)
            known = ~np.isnan(numbers)
            if known.sum() >= FEWEST_FOR_INTERVAL and np.ptp(numbers[known]) > 0:
                ranks = doubled_ranks(numbers[known])
                levels = np.full(len(numbers), np.nan)
                levels[known] = (ranks - ranks.min()) / np.ptp(ranks)
                yield str(parameter), "", levels


def _slopes(levels: Floats, outcomes: Floats, counts: Floats) -> Floats:
    """The slopes of outcomes (n, outcomes) on levels (n,) in every resample (resamples, n), (resamples, outcomes)."""
    # Scores far from 0 or of many digits would lose their differences in single precision.
    centred = outcomes - outcomes.mean(axis=0)
    scale = np.abs(centred).max(axis=0)
    values = np.divide(centred, scale, out=np.zeros_like(centred), where=scale > 0)
    columns = np.column_stack([levels, levels**2, values, levels[:, None] * values])
    drawn = np.maximum(counts.sum(axis=1), 1)
    means = counts @ columns.astype(np.float32) / drawn[:, None]
    level, square, *others = means.T
    of_values, of_products = np.split(np.stack(others, axis=1), 2, axis=1)
    variance = (square - level**2)[:, None]
    slopes = np.full_like(of_values, np.nan)
    np.divide(of_products - level[:, None] * of_values, variance, out=slopes, where=variance > 1e-6)
    return np.asarray(slopes * scale)
