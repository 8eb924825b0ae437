"""How much did a tail change, and how surely?  Two P&L vectors on the same paths, errors of the difference.

Each estimate θ (mean, VaR, ES) is known by its value and by the sums of its influence function inside each
parameter draw; the error of a difference on common random numbers is that of the difference of the sums::

    se(θ₁ − θ₀) = sqrt( D/(D − 1) Σ_d (S₁_d − S₀_d)² ) / P,      S_d = Σ_{p in draw d} ψ(x_p)   (centred)

with ψ as in ``measures.tail_risk``.  What both vectors share (market noise, parameters) cancels, which is why
the interval of a change is far narrower than those of its two ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.base.errors import ModelError
from riskengine.kernels.tails import total as sum_paths
from riskengine.measures.tail_risk import (
    clustered_error, inverse_density, order_statistics, rank_of_level,
)

NORMAL_95 = 1.959963984540054
"""Half width of a 95% interval in standard errors."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its influence sums: value USD; sums (D,) over the paths of each draw; counts (D,) paths."""

    value: float
    sums: np.ndarray
    counts: np.ndarray

    @property
    def se(self) -> float:
        """Standard error, clustered by parameter draw."""
        return float(clustered_error(self.sums, self.counts))

    def minus(self, other: Estimate) -> Estimate:
        """The difference of two estimates on the same paths."""
        if other.sums.shape != self.sums.shape or not np.array_equal(other.counts, self.counts):
            raise ModelError("a difference needs two estimates on the same paths and draws")
        return Estimate(self.value - other.value, self.sums - other.sums, self.counts)

    def plus(self, other: Estimate) -> Estimate:
        """The sum of two estimates on the same paths."""
        return Estimate(self.value + other.value, self.sums + other.sums, self.counts)


@dataclass(frozen=True, slots=True)
class TailEstimate:
    """Mean (gain +), VaR and ES (loss +) of one P&L vector, by level; each with its influence sums."""

    levels: tuple[float, ...]
    mean: Estimate
    var: tuple[Estimate, ...]
    es: tuple[Estimate, ...]

    def minus(self, other: TailEstimate) -> TailEstimate:
        """The change from *other* to this."""
        return TailEstimate(
            self.levels, self.mean.minus(other.mean),
            tuple(a.minus(b) for a, b in zip(self.var, other.var, strict=True)),
            tuple(a.minus(b) for a, b in zip(self.es, other.es, strict=True)),
        )


def estimate_mean(pnl: np.ndarray, draw: np.ndarray, counts: np.ndarray) -> Estimate:
    """Mean of (P,) USD with its sums by draw; draw : (P,) int, counts : (D,)."""
    return Estimate(sum_paths(pnl) / pnl.size, np.bincount(draw, weights=pnl, minlength=counts.size), counts)


def estimate_draw_mean(values: np.ndarray) -> Estimate:
    """Mean over parameter draws of one number per draw (D,): each draw counts as one path."""
    return Estimate(float(values.mean()), np.asarray(values, dtype=np.float64),
                    np.ones(values.size, dtype=np.int64))


def estimate_tail(
    pnl: np.ndarray, draw: np.ndarray, counts: np.ndarray, levels: Sequence[float]
) -> TailEstimate:
    """VaR and ES of ``measures.tail_risk.measure_tail`` to the bit, with influence sums kept.

    pnl : (P,) float64 USD, gain positive.  draw : (P,) int.  counts : (D,) paths of each draw.
    """
    ranks = [rank_of_level(pnl.size, level) for level in levels]
    value, total = order_statistics(pnl, ranks)
    widest = max(ranks, key=lambda rank: rank.k)
    tail = np.flatnonzero(pnl <= value[widest.k])
    tail_pnl, tail_draw = pnl[tail], draw[tail]
    var, es = [], []
    for rank in ranks:
        quantile = value[rank.k]
        shortfall = max(0.0, (rank.k * quantile - total[rank.k]) / rank.expected)
        exceeds = tail_pnl <= quantile
        excess = np.where(exceeds, quantile - tail_pnl, 0.0) / rank.probability
        exceedances = np.bincount(tail_draw[exceeds], minlength=counts.size).astype(np.float64)
        sparsity = inverse_density(value, rank, pnl.size)
        var.append(Estimate(-quantile, sparsity * exceedances, counts))
        es.append(Estimate(-quantile + shortfall,
                           np.bincount(tail_draw, weights=excess, minlength=counts.size), counts))
    return TailEstimate(tuple(levels), estimate_mean(pnl, draw, counts), tuple(var), tuple(es))
