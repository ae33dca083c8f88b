"""Ridge regression from streamed normal equations, in float64: what is kept does not grow with the data.

Features are standardised, so that one strength means the same to all of them; the intercept is not punished.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from randsearch.data.metrics import Array
from randsearch.measures.contract import UnmeasurableError

STRENGTHS = (0.0, 1e-8, 1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""What may be chosen from, relative to the unit variance of the features."""

DEAD = 1e-12
"""Below this share of its mean square the variance of a feature is rounding."""


@dataclass(frozen=True)
class Moments:
    """What least squares needs to know of rows of features and targets.

    Attributes:
        rows: how many there were.
        features: their sum, (features,).
        targets: their sum, (targets,).
        squares: sum of features^T features, (features, features).
        products: sum of features^T targets, (features, targets).
        energy: sum of targets squared, (targets,).
    """

    rows: int
    features: Array
    targets: Array
    squares: Array
    products: Array
    energy: Array

    @classmethod
    def of(cls, features: Array, targets: Array) -> Self:
        """Moments of (rows, features) and (rows, targets)."""
        return cls(
            len(features),
            features.sum(axis=0),
            targets.sum(axis=0),
            features.T @ features,
            features.T @ targets,
            np.square(targets).sum(axis=0),
        )

    def __add__(self, other: Moments) -> Moments:
        """Moments of both sets of rows."""
        return Moments(
            self.rows + other.rows,
            self.features + other.features,
            self.targets + other.targets,
            self.squares + other.squares,
            self.products + other.products,
            self.energy + other.energy,
        )

    def error(self, weights: Array, intercept: Array) -> float:
        """Mean squared error of a linear map on these rows, averaged over targets."""
        fitted = np.sum(weights * (self.squares @ weights), axis=0) + self.rows * intercept**2
        fitted += 2 * intercept * (self.features @ weights)
        crossed = np.sum(weights * self.products, axis=0) + intercept * self.targets
        return float(np.mean(self.energy - 2 * crossed + fitted) / self.rows)


class Ridge:
    """The linear maps that fit some rows best, one for each strength.

    Dead features, which do not vary, get no weight. A strength of 0 is least squares, of the smallest norm where
    features depend on each other.

    Args:
        moments: of the rows to fit.

    Raises:
        UnmeasurableError: features are not finite, or all of them are dead.
    """

    def __init__(self, moments: Moments) -> None:
        if not np.isfinite(moments.squares).all():
            raise UnmeasurableError("the features of the random network are not finite")
        self._mean, self._target = moments.features / moments.rows, moments.targets / moments.rows
        square = np.diag(moments.squares) / moments.rows
        variance = square - self._mean**2
        self._alive = variance > DEAD * square
        if not self._alive.any():
            raise UnmeasurableError("no feature of the random network varies")
        self._deviation = np.sqrt(variance[self._alive])
        living = np.ix_(self._alive, self._alive)
        covariance = moments.squares[living] / moments.rows - np.outer(self._mean, self._mean)[living]
        correlation = covariance / np.outer(self._deviation, self._deviation)
        self._values, self._vectors = np.linalg.eigh((correlation + correlation.T) / 2)
        products = moments.products / moments.rows - np.outer(self._mean, self._target)
        self._products = self._vectors.T @ (products[self._alive] / self._deviation[:, None])

    @property
    def alive(self) -> int:
        """How many features vary."""
        return int(self._alive.sum())

    def solve(self, strength: float) -> tuple[Array, Array]:
        """Weights, (features, targets), and intercept, (targets,), for features as they come."""
        # Directions of rounding noise carry nothing, and without strength they would be divided by.
        carries = self._values > len(self._values) * np.finfo(float).eps * self._values[-1]
        gains = np.where(carries, 1.0 / (np.where(carries, self._values, 1.0) + strength), 0.0)
        living = self._vectors @ (gains[:, None] * self._products)
        weights = np.zeros((len(self._alive), len(self._target)))
        weights[self._alive] = living / self._deviation[:, None]
        return weights, self._target - self._mean @ weights


def fit(moments: Moments, held_out: Moments) -> tuple[Array, Array]:
    """Chooses the strength that does best on held-out rows, and fits all rows with it.

    Args:
        moments: of the rows to fit with each strength.
        held_out: of the rows to choose on.

    Returns:
        weights, (features, targets), and intercept, (targets,).
    """
    candidates = Ridge(moments)
    strength = min(STRENGTHS, key=lambda s: held_out.error(*candidates.solve(s)))
    return Ridge(moments + held_out).solve(strength)
