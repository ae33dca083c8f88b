"""Proxies combined: what a rank regression on all of them would predict of an architecture that it has not seen.

Every prediction is cross-fitted: architectures are dealt into folds, and each is predicted by models fitted on the
others. Whatever is chosen (the ridge's strength) is chosen inside those, by leaving out one of them after the other.
`ensemble_ridge+options` has the architecture's own options beside the proxies, which costs nothing to know.
Cf. NAS-Bench-Suite-Zero (Krishnakumar et al., arXiv 2210.03230): zero-cost proxies complement each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from randsearch.base.files import Place, place_of
from randsearch.base.layout import StudyFolder
from randsearch.table.tidy import ENSEMBLE, means, parameters, seconds

FEWEST = 10
"""Architectures with a trained score; with fewer, folds hold too little to fit on."""
FOLDS = 10
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Of the ridge, against ranks of unit variance, of which there are as many as architectures to fit on."""
TREES = 60
DRAWS = 20
"""Of random ranks, to tell what a proxy is worth."""
MOST_FITTED = 2000
"""Architectures that one fold's models are fitted on, drawn from all others: more would change little and take long."""
MOST_TRIED = 200
"""Architectures of one fold on which random ranks are tried; up to 2,000 architectures a fold has no more."""
MOST_VALUES = 20
"""Of an option in words: one with more names architectures rather than choices, and is left out."""
OPTIONS = f"{ENSEMBLE}ridge+options"

Floats = NDArray[np.float64]


class Model(Protocol):
    """What is fitted on ranks."""

    def fit(self, features: Floats, target: Floats) -> object:
        """Fits (architectures, proxies) to (architectures,)."""

    def predict(self, features: Floats) -> Floats:
        """Predicts."""


@dataclass(frozen=True)
class Ensemble:
    """What came of combining proxies.

    Attributes:
        scores: cross-fitted predictions, as normal ranks: architectures x (`ensemble_ridge`, `ensemble_trees` and,
            with options, `ensemble_ridge+options`).
        importance: proxies x ensembles: by how much the squared error on architectures that were left out grows when
            a proxy's ranks are replaced by random ones, as a share of the target's variance. The ridge's coefficients,
            mean over folds, stand beside it as `ridge_coefficient`. Of proxies alone: options have none.
        seconds: what the proxies of an architecture took together.
    """

    scores: pd.DataFrame
    importance: pd.DataFrame
    seconds: "pd.Series[float]"


def ensemble(table: pd.DataFrame, *, target: str = "trained", seed: int = 0, options: bool = False) -> Ensemble | None:
    """Combines all proxies of a table.

    Scores are averaged over seeds and replaced by their ranks among the architectures that are fitted on; others are
    ranked by interpolation between those. A proxy that failed on an architecture has the median rank there, which says
    nothing for it nor against it. With more than 2,000 architectures to fit on, each fold draws 2,000 of them.

    Args:
        table: measurements.
        target: the measure to predict.
        seed: deals the folds, and drives the trees and the random ranks.
        options: also make `ensemble_ridge+options`, where architectures differ in an option.

    Returns:
        None if fewer than 10 architectures have the target's score, or nothing else was measured.
    """
    scores = means(table)
    if target not in scores or int(scores[target].notna().sum()) < FEWEST:
        return None
    known = scores[scores[target].notna()]
    proxies = known.drop(columns=target).dropna(axis="columns", how="all")
    proxies = proxies.loc[:, proxies.nunique() > 1]
    if proxies.empty:
        return None
    features, truth = proxies.to_numpy(dtype=float), known[target].to_numpy(dtype=float)
    predictions, importance = _cross_fit(features, truth, seed)
    chosen = _options(table, known.index) if options else np.empty((len(truth), 0))
    if chosen.size:
        predictions[OPTIONS] = _predicted(np.hstack([features, chosen]), truth, seed)
    spent = sum((seconds(table, str(name)).sum(axis=1) for name in proxies), pd.Series(0.0, index=scores.index))
    return Ensemble(
        pd.DataFrame(predictions, index=known.index),
        pd.DataFrame(importance, index=proxies.columns),
        spent.loc[known.index],
    )


def with_ensemble(table: pd.DataFrame, found: Ensemble | None, *, target: str = "trained") -> pd.DataFrame:
    """Adds the ensembles' scores to a table as measurements of seed 0, so that they are compared as proxies are.

    Args:
        table: measurements.
        found: of that table.
        target: the measure that it predicts, whose rows name the architectures.
    """
    if found is None:
        return table
    rows = table[(table["measure"] == target) & table["architecture"].isin(found.scores.index)]
    rows = rows[rows["state"] == "complete"].drop_duplicates("architecture")
    places = rows["architecture"].tolist()
    plain: dict[str, Any] = {"seed": 0, "baseline": np.nan, "steps": 0, "reason": "", "curve": "[]"}
    plain |= {"multiply_adds": 0.0, "validation_seconds": 0.0, "data_seconds": 0.0}
    added = [
        rows.assign(measure=name, score=found.scores.loc[places, name].to_numpy(), **plain).assign(
            seconds=found.seconds.loc[places].to_numpy()
        )
        for name in map(str, found.scores)
    ]
    return pd.concat([table, *added], ignore_index=True)


def write_ensemble(found: Ensemble, folder: Path | Place) -> None:
    """Writes `ensemble.csv`: which proxies each ensemble uses, the most useful to the ridge first.

    Raises:
        UserError: if the file cannot be written.
    """
    order = found.importance.sort_values(f"{ENSEMBLE}ridge", ascending=False, kind="stable")
    place = place_of(folder)
    place.write(StudyFolder(place.root).ensemble, order.to_csv(index_label="proxy", lineterminator="\n"))


def sentences(found: Ensemble, most: int = 3) -> list[str]:
    """One line an ensemble: the proxies that it loses most without, with the importance of each."""
    lines = []
    for name in found.scores.columns.intersection(found.importance.columns):
        useful = found.importance[name].sort_values(ascending=False, kind="stable")
        useful = useful[useful > 0].head(most)
        used = ", ".join(f"{proxy} ({share:.2f})" for proxy, share in useful.items())
        lines.append(f"{name} uses {used or 'no proxy to any effect'}")
    return lines


def _options(table: pd.DataFrame, architectures: "pd.Index[str]") -> Floats:
    """Options in which architectures differ: numbers as they are, words as a column of 0 and 1 for each value."""
    rows = table.drop_duplicates("architecture").set_index("architecture").loc[architectures, parameters(table)]
    rows = rows.loc[:, rows.nunique() > 1]
    numbers = rows.select_dtypes("number")
    words = rows.drop(columns=numbers.columns)
    words = words.loc[:, words.nunique() <= MOST_VALUES].astype(str)
    return np.hstack([numbers.to_numpy(dtype=float), *(pd.get_dummies(words[name]).to_numpy(float) for name in words)])


@dataclass(frozen=True)
class _Fold:
    """One fold's architectures, as ranks among those that its models are fitted on.

    Attributes:
        left_out: places of those that are predicted.
        seen: features of those that are fitted on.
        wanted: their target.
        unseen: features of those that are predicted.
        actual: their target.
    """

    left_out: NDArray[np.intp]
    seen: Floats
    wanted: Floats
    unseen: Floats
    actual: Floats


def _dealt(features: Floats, truth: Floats, seed: int) -> Iterator[_Fold]:
    """The folds, each with the ranks that it is fitted on and predicts."""
    for number, left_out in enumerate(_folds(len(truth), seed)):
        others = np.setdiff1d(np.arange(len(truth)), left_out)
        if len(others) > MOST_FITTED:
            others = np.random.default_rng([seed, number, 1]).choice(others, MOST_FITTED, replace=False)
        ranks, target = _Ranks(features[others]), _Ranks(truth[others, None])
        wanted, actual = target(truth[others, None])[:, 0], target(truth[left_out, None])[:, 0]
        yield _Fold(left_out, ranks(features[others]), wanted, ranks(features[left_out]), actual)


def _predicted(features: Floats, truth: Floats, seed: int) -> Floats:
    """The ridge's predictions for every architecture from the others."""
    found = np.full(len(truth), np.nan)
    for fold in _dealt(features, truth, seed):
        model = _ridge()
        model.fit(fold.seen, fold.wanted)
        found[fold.left_out] = model.predict(fold.unseen)
    return found


def _cross_fit(features: Floats, truth: Floats, seed: int) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Predictions for every architecture by models that have not seen it, and what the models use."""
    names = (f"{ENSEMBLE}ridge", f"{ENSEMBLE}trees")
    predictions = {name: np.full(len(truth), np.nan) for name in names}
    importance = {name: np.zeros(features.shape[1]) for name in (*names, "ridge_coefficient")}
    for number, fold in enumerate(_dealt(features, truth, seed)):
        unseen, actual = fold.unseen[:MOST_TRIED], fold.actual[:MOST_TRIED]
        for name, model in zip(names, (_ridge(), _trees(seed)), strict=True):
            model.fit(fold.seen, fold.wanted)
            predictions[name][fold.left_out] = model.predict(fold.unseen)
            lost = _loss_without(model, unseen, actual, np.random.default_rng([seed, number]))
            importance[name] += lost * len(fold.left_out) / len(truth)
            if name == names[0]:
                importance["ridge_coefficient"] += getattr(model, "coef_") / min(FOLDS, len(truth))  # noqa: B009
    return predictions, importance


def _folds(n: int, seed: int) -> list[NDArray[np.intp]]:
    return np.array_split(np.random.default_rng(seed).permutation(n), min(FOLDS, n))


def _ridge() -> Model:
    """Ridge regression whose strength leaving out one of the fitted architectures after the other has chosen."""
    from sklearn.linear_model import RidgeCV

    model: Model = RidgeCV(alphas=STRENGTHS)
    return model


def _trees(seed: int) -> Model:
    """Many trees of few leaves: with some twenty architectures, more leaves would learn them by heart."""
    from sklearn.ensemble import ExtraTreesRegressor

    model: Model = ExtraTreesRegressor(n_estimators=TREES, min_samples_leaf=3, max_features=0.5, random_state=seed)
    return model


def _loss_without(model: Model, features: Floats, actual: Floats, random: np.random.Generator) -> Floats:
    """By how much the mean squared error grows if a proxy's ranks are random: a fold is too small to shuffle them.

    Args:
        model: fitted.
        features: ranks of architectures that it has not seen, (architectures, proxies).
        actual: their ranks by the target.
        random: draws the ranks in a proxy's place: uniform, as ranks are.
    """
    before = np.mean((model.predict(features) - actual) ** 2)
    proxies = features.shape[1]
    after = []
    # As many proxies at once as fit into little memory: all of them would take the square of their number.
    at_once = max(1, _ROWS // (DRAWS * len(features)))
    for first in range(0, proxies, at_once):
        replaced = range(first, min(first + at_once, proxies))
        drawn = np.tile(features, (len(replaced), DRAWS, 1, 1))
        for place, proxy in enumerate(replaced):
            drawn[place, :, :, proxy] = random.uniform(-_HALF, _HALF, size=drawn.shape[1:3])
        predicted = model.predict(drawn.reshape(-1, proxies)).reshape(len(replaced), -1, len(features))
        after.append(np.mean((predicted - actual) ** 2, axis=(1, 2)))
    grown: Floats = np.concatenate(after) - before
    return grown


_ROWS = 20_000
"""Architectures with random ranks that are predicted at once."""


_HALF = 3**0.5
"""Ranks are uniform between minus and plus this, which makes their variance 1."""


class _Ranks:
    """Ranks among the architectures that are fitted on, scaled to a mean of 0 and a variance of about 1.

    Args:
        fitted: scores, (architectures, proxies); NaN where a proxy failed.
    """

    def __init__(self, fitted: Floats) -> None:
        self._columns = []
        for column in fitted.T:
            known = column[~np.isnan(column)]
            values, counts = np.unique(known, return_counts=True)
            # Tied values share the mean of their ranks.
            ranks = np.cumsum(counts) - (counts - 1) / 2
            self._columns.append((values, (ranks - 0.5) / max(len(known), 1)))

    def __call__(self, scores: Floats) -> Floats:
        """Ranks (architectures, proxies), by interpolation; the median rank, 0, where a proxy failed."""
        found = np.zeros_like(scores)
        for place, (values, ranks) in enumerate(self._columns):
            known = ~np.isnan(scores[:, place])
            if len(values):
                found[known, place] = (2 * np.interp(scores[known, place], values, ranks) - 1) * _HALF
        return found
