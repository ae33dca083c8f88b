"""Paired comparisons: whether one measure agrees better with the target than another, or scores higher.

Both sides of a difference are taken on the architectures that have both scores, and in the same resamples, so that what
they share cancels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from randsearch.statistics.correlations import Floats, Side, blocks, spearman
from randsearch.statistics.interval import FEWEST_FOR_COEFFICIENT, FEWEST_FOR_INTERVAL, UNKNOWN, Draws, Interval
from randsearch.statistics.scores import Scores

TRIVIAL = ("params", "macs", "flops", "receptive_field")
"""Baselines that need no forward pass; a proxy that does not beat them is of no use."""
CONTROL = "early"
MODES = ("fixed_decoder", "fixed_encoder")
"""The proxies of J-Net."""


@dataclass(frozen=True)
class Difference:
    """Spearman of `proxy` less Spearman of `other`, on the `n` architectures that both and the target scored."""

    proxy: str
    other: str
    n: int
    spearman: Interval = UNKNOWN


@dataclass(frozen=True)
class Gap:
    """The score of `measure` less that of `other`, the mean over the `n` architectures that have both.

    Attributes:
        measure: the one.
        other: the other.
        n: architectures with both.
        mean: in dB if the scores are SDR.
        ahead: on how many of them `measure` scores higher.
        gain_kept: the mean gain of `measure` over the constant-gain baseline, over that of `other`; NaN if unknown.
    """

    measure: str
    other: str
    n: int
    mean: Interval = UNKNOWN
    ahead: int = 0
    gain_kept: Interval = UNKNOWN


@dataclass(frozen=True)
class Comparer:
    """Differences of Spearman between measures, with what was computed before kept.

    Attributes:
        measures: by name, over all architectures.
        truth: the target.
        draws: of the architectures with a target score.
        known: by name, Spearman in each of `draws.kept(...)`, of measures computed on their own architectures.
    """

    measures: Mapping[str, Scores]
    truth: Scores
    draws: Draws
    known: Mapping[str, Floats] = field(default_factory=dict)

    def difference(self, proxy: str, other: str) -> Difference:
        """Compares two proxies."""
        scored = [self.measures[name].scored[self.truth.scored] for name in (proxy, other)]
        both = scored[0] & scored[1]
        n = int(both.sum())
        if n < FEWEST_FOR_COEFFICIENT:
            return Difference(proxy, other, n)
        left, right = (
            self.known[name] if name in self.known and (own == both).all() else self._spearman(name, both)
            for name, own in zip((proxy, other), scored, strict=True)
        )
        values = left - right
        if n < FEWEST_FOR_INTERVAL:
            return Difference(proxy, other, n, Interval(float(values[0])))
        return Difference(proxy, other, n, self.draws.among(both).bca(values))

    def _spearman(self, name: str, chosen: NDArray[np.bool_]) -> Floats:
        x, y = self.measures[name].mean[self.truth.scored][chosen], self.truth.mean[self.truth.scored][chosen]
        a, b = Side.of(x), Side.of(y)
        counts = self.draws.among(chosen).counts
        return np.concatenate([spearman(a.standing(w), b.standing(w), w) for w in blocks(counts)])


def best_trivial(points: Mapping[str, float]) -> str | None:
    """The trivial baseline with the highest Spearman, of those that have one."""
    present = {name: points[name] for name in TRIVIAL if not np.isnan(points.get(name, np.nan))}
    return max(present, key=lambda name: present[name]) if present else None


def wanted_pairs(proxies: Sequence[str], points: Mapping[str, float]) -> list[tuple[str, str]]:
    """Which differences matter: to the best trivial baseline, to the equal-cost control, and between J-Net's modes."""
    pairs = [
        (proxy, other)
        for proxy in proxies
        for other in (best_trivial(points), CONTROL)
        if other is not None and other in proxies and other != proxy
    ]
    return [*pairs, *([MODES] if set(MODES) <= set(proxies) else [])]


def score_gap(measure: Scores, other: Scores, baseline: float, resamples: int, seed: int) -> Gap:
    """How much higher one measure scores than another on the same architectures.

    Args:
        measure: the one.
        other: the other; its scores and those of `measure` share a unit.
        baseline: what the best constant gain scores; NaN if unknown.
        resamples: the number of bootstrap resamples of architectures.
        seed: of the bootstrap.
    """
    both = measure.scored & other.scored
    n = int(both.sum())
    if not n:
        return Gap(measure.name, other.name, 0)
    pair = np.stack([measure.mean[both], other.mean[both]], axis=1)
    draws = Draws.of(n, resamples, np.random.default_rng([seed, 4]))
    drawn = draws.counts.sum(axis=1, dtype=float)
    left, right = (draws.counts.astype(np.float32) @ pair / np.maximum(drawn, 1)[:, None]).T
    # A ratio to a gain of nothing, or to a loss, says nothing.
    kept = np.divide(left - baseline, right - baseline, out=np.full_like(left, np.nan), where=right > baseline)
    intervals = [
        draws.bca(values) if n >= FEWEST_FOR_INTERVAL else Interval(float(values[0])) for values in (left - right, kept)
    ]
    return Gap(measure.name, other.name, n, intervals[0], int((pair[:, 0] > pair[:, 1]).sum()), intervals[1])
