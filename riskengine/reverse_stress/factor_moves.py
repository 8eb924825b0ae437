"""Factor moves that lose an amount: of all factors, and led by the dollar, rates, equity or property.

The loss is that of the book revalued in full at the horizon, less that of the unshocked book at the same horizon (so
ageing and carry drop out).  A fixing before the horizon stands at its share of the factor's move by time.  Led by a
block: the block moves as it must, every other factor follows at its conditional mean.  Distances are those of the
moving block, or of all factors, against the baseline covariance at the horizon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.engine.paths import World
from riskengine.base.units import Horizon
from riskengine.instruments.book import Book
from riskengine.reverse_stress.least_distance import (
    FARTHEST, Loss, NearestMove, block_factor, linear_answer, nearest_move, whole_factor,
)

LEADERS: dict[str, tuple[str, ...]] = {
    "dollar": ("FX_",), "rates": ("UST_",), "equity": ("EQ_", "VOL_EQUITY"), "property": ("CAP_", "HOME_"),
}
"""Blocks that may lead, by prefix of their factors."""
WHOLE = "all factors"
SAME = 0.95
"""Cosine of two moves in standard deviations above which they count as one."""


@dataclass(frozen=True, slots=True)
class FactorAnswer:
    """leader : 'all factors' or a block.  move : (K,).  distance : of *dimension* factors, standard deviations.

    linear_distance : of the closed form for the book's first derivatives; what curvature changes is the difference.
    """

    leader: str
    move: np.ndarray
    distance: float
    dimension: int
    linear_distance: float
    loss: float
    reached: bool


class BookLoss:
    """Loss of a compiled book by factor moves at its horizon, against no move; counts its revaluations."""

    def __init__(self, book: Book):
        steps = 1 if book.horizon is None else book.horizon.steps
        self.book = book
        self._factors = np.array([k for k, _ in book.fixings], dtype=np.int64)
        self._share = np.array([(step + 1) / steps for _, step in book.fixings])[:, None]
        self._still = self.by_group(np.zeros((len(book.axis), 1)), self._share * 0.0)
        self.revaluations = 0

    def by_group(self, moves: np.ndarray, at_fixings: np.ndarray | None = None) -> np.ndarray:
        """(G, n) P&L, carry included."""
        if at_fixings is None:
            at_fixings = moves[self._factors] * self._share
        return self.book.pnl(np.ascontiguousarray(moves), np.ascontiguousarray(at_fixings))

    def gains(self, moves: np.ndarray, at_fixings: np.ndarray | None = None) -> np.ndarray:
        """(G, n) P&L against the unshocked book at the horizon, USD."""
        self.revaluations += moves.shape[1]
        return self.by_group(moves, at_fixings) - self._still

    def __call__(self, moves: np.ndarray) -> np.ndarray:
        """(n,) losses for moves (K, n)."""
        return -self.gains(moves).sum(axis=0)

    def slope(self) -> np.ndarray:
        """(K,) USD lost per unit move at no move."""
        count, bump = len(self.book.axis), 1e-4
        both = bump * np.concatenate([np.eye(count), -np.eye(count)], axis=1)
        values = self(both)
        return (values[:count] - values[count:]) / (2.0 * bump)


def search_factor_moves(
    loss: BookLoss, world: World, horizon: Horizon, amount: float, leaders: Sequence[str] = tuple(LEADERS),
) -> list[FactorAnswer]:
    """The nearest move of all factors and of each block, by distance; moves that nearly repeat a nearer one are left
    out, blocks that cannot lose the amount come last.

    amount : USD > 0.
    """
    check_amount(amount)
    covariance = world.model(horizon).horizon_covariance(horizon.steps)
    exposure = loss.slope()
    answers = [_answer(WHOLE, loss, whole_factor(covariance), exposure, amount)]
    for name in leaders:
        block = leading(name)
        try:
            answers.append(_answer(name, loss, block_factor(covariance, block), exposure, amount))
        except ModelError:
            continue
    return distinct(answers, np.sqrt(np.diag(covariance)))


def leading(name: str) -> list[int]:
    """Indices of a block's factors."""
    return [k for k, label in enumerate(FACTORS.labels) if label.startswith(LEADERS[name])]


def distinct(answers: Sequence[FactorAnswer], deviations: np.ndarray, same: float = SAME) -> list[FactorAnswer]:
    """Answers by distance without those whose direction, in standard deviations (K,), a nearer one has already."""
    kept: list[FactorAnswer] = []
    scale = np.where(deviations > 0.0, deviations, 1.0)
    reached = sorted((a for a in answers if a.reached), key=lambda a: a.distance)
    for answer in reached:
        own = answer.move / scale
        size = float(np.linalg.norm(own))
        if all(float(own @ (k.move / scale)) <= same * size * float(np.linalg.norm(k.move / scale)) for k in kept):
            kept.append(answer)
    return [*kept, *(a for a in answers if not a.reached)]


def check_amount(amount: float) -> None:
    """InputError unless *amount* is a positive number of USD."""
    if not (np.isfinite(amount) and amount > 0.0):
        raise InputError(Problem("the loss to look for must be positive", field="--lose", got=f"{amount:,.0f}",
                                 accepted="USD, e.g. 500m, 1.2bn"))


def _answer(leader: str, loss: Loss, factor: np.ndarray, exposure: np.ndarray, amount: float) -> FactorAnswer:
    slope = factor.T @ exposure
    steep = float(np.linalg.norm(slope))
    starts = []
    if steep > 0.0:
        # the closed form Σ w L*/(w'Σ w) in deviations of the block
        starts.append(slope * (amount / steep**2))
    found: NearestMove = nearest_move(loss, factor, amount, [s for s in starts if np.linalg.norm(s) <= FARTHEST])
    return FactorAnswer(leader, found.move, found.distance, factor.shape[1],
                        amount / steep if steep > 0.0 else float("inf"), found.loss, found.reached)


__all__ = ["BookLoss", "FactorAnswer", "LEADERS", "WHOLE", "check_amount", "distinct", "leading", "linear_answer",
           "search_factor_moves"]
