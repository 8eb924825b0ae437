"""A view on the held paths: the same paths with other weights, and what the measures become.

    mean_w = (1/P) Σ w x        F_w(v) = (1/P) Σ w 1{x ≤ v}        weights of mean 1

Weights come from outside (entropy pooling, ``measures.entropy_pooling``) and count as given in the standard
errors.  Expected P&L under a view is the reweighted mean less the plain mean of the baseline, so that what
the view itself is worth shows; among the channels it is the line 'view'.  With equal weights nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.base.errors import ModelError
from riskengine.base.units import Horizon
from riskengine.measures.tail_change import Estimate, TailEstimate, estimate_mean
from riskengine.measures.tail_risk import rank_of_level
from riskengine.resident.answer import View
from riskengine.resident.parts import DIMENSIONS, Slice, add_leaves, leaves_by_name
from riskengine.resident.what_if import Resident

Reweigh = Callable[[Sequence[str], np.ndarray, np.ndarray, Horizon], "Weights"]
"""(sentences, moves (K, P) at the horizon in the order of FACTORS, P&L of the book (P,) USD, horizon) →
weights; InputError for a wrong sentence."""


@dataclass(frozen=True, slots=True)
class Weights:
    """weight : (P,) ≥ 0, mean 1.  effective : number of scenarios.  understood : one sentence per view."""

    weight: np.ndarray
    effective: float
    understood: tuple[str, ...]

    def __post_init__(self) -> None:
        w = self.weight
        if w.ndim != 1 or not np.isfinite(w).all() or (w < 0).any() or abs(w.mean() - 1.0) > 1e-6:
            raise ModelError("weights of a view must be finite, not negative, and of mean 1")


def horizon_moves(state: Resident) -> np.ndarray:
    """(K, P) float64 moves of every factor at the horizon under the policy in force."""
    cache, response = state.cache, state.response
    moves = np.empty((len(FACTORS), cache.paths))
    for k, row in enumerate(moves):
        if response is None:
            row[:] = cache.noise[k]
            continue
        if response.noise_map is None:
            row[:] = cache.noise[k]
        else:
            row[:] = 0.0
            for j in np.flatnonzero(response.noise_map[k]):
                row += response.noise_map[k, j] * cache.noise[j]
        row += response.end[k, cache.draw]
    return moves


def reweigh_view(view: View, state: Resident, weights: Weights) -> View:
    """*view* of *state* with its paths reweighted."""
    draw, levels = state.cache.draw, state.setting.spec.levels
    counts = np.bincount(draw, minlength=state.setting.spec.draws)
    w, rows = weights.weight, state.rows

    def weighted(part: Slice, pnl: np.ndarray) -> Slice:
        tail = weighted_tail(pnl, w, draw, counts, levels)
        return Slice.of(part.expected.plus(tail.mean.minus(estimate_mean(pnl, draw, counts))), tail)

    total = weighted(view.total, rows.total)
    parts = leaves_by_name(rows)
    groups: dict[str, Mapping[str, Slice]] = {
        dimension: {name: weighted(part, add_leaves(rows, parts[dimension][name]))
                    for name, part in view.groups[dimension].items()}
        for dimension in DIMENSIONS if dimension in view.groups}
    channels = dict(view.channels)
    if channels:
        channels["view"] = total.expected.minus(view.total.expected)
    return replace(view, total=total, groups=groups, channels=channels)


def weighted_tail(
    pnl: np.ndarray, weight: np.ndarray, draw: np.ndarray, counts: np.ndarray, levels: Sequence[float]
) -> TailEstimate:
    """``measures.tail_change.estimate_tail`` of paths that carry weights of mean 1."""
    order = np.argsort(pnl, kind="stable")
    sorted_pnl, mass = pnl[order], np.cumsum(weight[order]) / pnl.size
    sums = np.cumsum(weight[order] * sorted_pnl) / pnl.size

    def place(probability: float) -> int:
        return min(int(np.searchsorted(mass, probability * (1.0 - 1e-12))), pnl.size - 1)

    def estimate(value: float, influence: np.ndarray) -> Estimate:
        return Estimate(value, np.bincount(draw, weights=weight * influence, minlength=counts.size), counts)

    var, es = [], []
    for level in levels:
        rank = rank_of_level(pnl.size, level)
        p, k = rank.probability, place(rank.probability)
        quantile = float(sorted_pnl[k])
        before = (float(sums[k - 1]), float(mass[k - 1])) if k else (0.0, 0.0)
        shortfall = -(before[0] + (p - before[1]) * quantile) / p
        low, high = place(rank.low / pnl.size), place(rank.high / pnl.size)
        width = float(mass[high] - mass[low])
        sparsity = float(sorted_pnl[high] - sorted_pnl[low]) / width if width > 0 else 0.0
        excess = np.maximum(quantile - pnl, 0.0) / p
        var.append(estimate(-quantile, sparsity * ((pnl <= quantile) - p)))
        es.append(estimate(shortfall, excess - (shortfall + quantile)))
    mean = float((weight * pnl).mean())
    return TailEstimate(tuple(levels), estimate(mean, pnl - mean), tuple(var), tuple(es))
