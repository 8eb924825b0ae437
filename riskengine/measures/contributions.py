"""Who makes the tail: Euler contributions, the effect of a trade, and the fair split of a liquidation cost.

With tail paths and weights (w, Σ w = 1) of the total's ES, ES = −Σ_p w_p X_p and, X being the sum of its
parts, the component of part i is the same sum over its own P&L (Euler; Tasche 1999)::

    C_i = −Σ_p w_p x_ip,   Σ_i C_i = ES

The fractional atom of METHOD 10 sits on the paths that tie at the quantile, shared equally, so components add
up whatever the order of paths.  Standard errors come from the influence function of C_i, with the quantile q
estimated too, summed inside each parameter draw::

    ψ_i = −[x_i − m_i(q)] 1{X ≤ q} / p + constant,   m_i(q) = E[x_i | X = q]

(m_i by a straight line through the half of the tail nearest to q).  A cost that is homogeneous of degree
g ≠ 1 is split by Aumann and Shapley (1974): x_i ∫₀¹ ∂_i C(λx) dλ = x_i ∂_i C(x) / g.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.base.errors import ModelError
from riskengine.measures.tail_risk import (
    check_paths,
    clustered_error,
    inverse_density,
    order_statistics,
    rank_of_level,
)

_ROWS_AT_ONCE = 8
"""Rows taken together where several passes go over them: they stay in the cache."""


@dataclass(frozen=True, slots=True)
class TailPaths:
    """The paths that carry VaR or ES of one total, and their weights.

    level : confidence level.  paths : P of the whole simulation.  quantile : −VaR, USD.
    indices : (n,) int64 ascending path numbers.  weights : (n,), positive, sum 1.
    pnl : (n,) USD, the total on these paths.
    """

    level: float
    paths: int
    quantile: float
    indices: np.ndarray
    weights: np.ndarray
    pnl: np.ndarray

    @property
    def loss(self) -> float:
        """−Σ w X, USD: the ES (or smoothed VaR) that the components add up to."""
        return float(-(self.weights * self.pnl).sum())


@dataclass(frozen=True, slots=True)
class Incremental:
    """What a trade does to the tail, on the same paths: after − before, USD, + = more risk; per level."""

    levels: tuple[float, ...]
    var_change: tuple[float, ...]
    es_change: tuple[float, ...]
    se_var_change: tuple[float, ...]
    se_es_change: tuple[float, ...]
    mean_change: float
    se_mean_change: float


def tail_paths(total: np.ndarray, level: float) -> TailPaths:
    """Paths and weights of the expected shortfall of *total* (P,) at *level*.

    Paths below the quantile weigh 1/(P p); those equal to it share what is left of the tail equally.

    Raises
    ------
    ModelError : P&L not finite or not a vector.
    """
    total = _checked(total)
    rank = rank_of_level(total.size, level)
    quantile = order_statistics(total, [rank])[0][rank.k]
    indices = np.flatnonzero(total <= quantile)
    pnl = total[indices]
    tied = pnl == quantile
    ties = int(tied.sum())
    below = indices.size - ties
    weights = np.where(tied, (rank.expected - below) / (ties * rank.expected), 1.0 / rank.expected)
    return TailPaths(rank.level, total.size, quantile, indices, weights, pnl)


def quantile_paths(total: np.ndarray, level: float) -> TailPaths:
    """Paths around the VaR: a uniform kernel over the ranks of the density estimate (rank_of_level).

    Components over these paths estimate the Euler contributions to VaR, E[−x_i | X = −VaR]; they add up to
    ``.loss``, the mean loss in the window, which differs from the VaR by the smoothing (not rescaled).
    """
    total = _checked(total)
    rank = rank_of_level(total.size, level)
    value, _ = order_statistics(total, [rank])
    indices = np.flatnonzero((total >= value[rank.low]) & (total <= value[rank.high]))
    weights = np.full(indices.size, 1.0 / indices.size)
    return TailPaths(rank.level, total.size, value[rank.k], indices, weights, total[indices])


def component_es(tail_pnl: np.ndarray, tail: TailPaths) -> np.ndarray:
    """Euler contributions of each row, USD, positive = adds loss.

    Parameters
    ----------
    tail_pnl : (N, n) USD, P&L of each group or position on the tail paths only (``pnl[:, tail.indices]`` or a
        replay of those paths).

    Returns
    -------
    (N,) : sums over rows that make up the total to ``tail.loss``.
    """
    tail_pnl = _checked_rows(tail_pnl, tail)
    out = np.empty(len(tail_pnl))
    for lo in range(0, len(tail_pnl), _ROWS_AT_ONCE):
        out[lo : lo + _ROWS_AT_ONCE] = -(tail_pnl[lo : lo + _ROWS_AT_ONCE] * tail.weights).sum(axis=1)
    return out


def component_es_error(
    tail_pnl: np.ndarray, tail: TailPaths, draw_of_path: np.ndarray, draws: int
) -> np.ndarray:
    """Standard errors (N,) of :func:`component_es`, USD, clustered by parameter draw.

    Parameters
    ----------
    tail_pnl : (N, n) as for :func:`component_es`; *tail* from :func:`tail_paths`.
    draw_of_path : (P,) int, parameter draw of every path of the simulation.  draws : D.
    """
    tail_pnl = _checked_rows(tail_pnl, tail)
    draw_of_path = np.ascontiguousarray(draw_of_path)
    if draw_of_path.shape != (tail.paths,):
        raise ModelError(
            f"draw_of_path must have one entry per path: {draw_of_path.shape}, paths {tail.paths}"
        )
    counts = np.bincount(draw_of_path, minlength=draws)
    # weight · P is 1/p inside the tail and the shared part of it on the paths tied at the quantile
    order = np.argsort(draw_of_path[tail.indices], kind="stable")
    present, first = np.unique(draw_of_path[tail.indices][order], return_index=True)
    scale, line = (tail.weights * tail.paths)[order], _Line.at_quantile(tail)
    sums = np.zeros((tail_pnl.shape[0], draws))
    for lo in range(0, len(tail_pnl), _ROWS_AT_ONCE):
        rows = tail_pnl[lo : lo + _ROWS_AT_ONCE]
        influence = np.take(rows, order, axis=1)
        influence -= line.end(rows)[:, None]
        influence *= scale
        sums[lo : lo + _ROWS_AT_ONCE, present] = np.add.reduceat(influence, first, axis=1)
    return np.atleast_1d(clustered_error(sums, counts))


def marginal_es(unit_pnl: np.ndarray, tail: TailPaths) -> np.ndarray:
    """Change of the total's ES per unit of a small trade, USD per unit.

    Parameters
    ----------
    unit_pnl : (N, n) USD per unit of size (one USD of notional, one contract …) on the tail paths of the
        present book; the trades need not be in it.
    """
    return component_es(unit_pnl, tail)


def incremental_risk(
    before: np.ndarray,
    after: np.ndarray,
    draw_of_path: np.ndarray,
    draws: int,
    levels: Sequence[float] = (0.95, 0.975, 0.99),
) -> Incremental:
    """VaR and ES of *after* less those of *before*, with the standard error of the difference.

    Both are (P,) USD on the same paths, so most of the noise cancels; the error is that of the difference of
    the two influence functions, not of two independent numbers.
    """
    before, draw_of_path, counts = check_paths(before, draw_of_path, draws)
    after, _, _ = check_paths(after, draw_of_path, draws)
    rows = []
    for level in levels:
        rank = rank_of_level(before.size, level)
        measures, var_sums, es_sums = [], [], []
        for pnl in (before, after):
            value, total = order_statistics(pnl, [rank])
            quantile = value[rank.k]
            shortfall = max(0.0, (rank.k * quantile - total[rank.k]) / rank.expected)
            measures.append((-quantile, -quantile + shortfall))
            tail = np.flatnonzero(pnl <= quantile)
            excess = (quantile - pnl[tail]) / rank.probability
            exceedances = np.bincount(draw_of_path[tail], minlength=draws)
            var_sums.append(inverse_density(value, rank, pnl.size) * exceedances)
            es_sums.append(np.bincount(draw_of_path[tail], weights=excess, minlength=draws))
        rows.append((
            measures[1][0] - measures[0][0],
            measures[1][1] - measures[0][1],
            clustered_error(var_sums[1] - var_sums[0], counts),
            clustered_error(es_sums[1] - es_sums[0], counts),
        ))
    var, es, se_var, se_es = (tuple(map(float, column)) for column in zip(*rows))
    change = after - before
    sums = np.bincount(draw_of_path, weights=change, minlength=draws)
    return Incremental(tuple(map(float, levels)), var, es, se_var, se_es, float(change.mean()),
                       clustered_error(sums, counts))


def allocate_homogeneous(size: np.ndarray, gradient: np.ndarray, degree: float) -> np.ndarray:
    """Aumann–Shapley shares of a cost homogeneous of *degree*: size ∘ gradient(size)/degree, summing to it.

    Parameters
    ----------
    size : (N,) signed sizes, USD.  gradient : (N,) ∂C/∂size at *size*.  degree : 1.5 for the square-root law.
    """
    if not degree > 0:
        raise ModelError(f"the degree of homogeneity must be positive, got {degree}")
    return np.asarray(size, dtype=np.float64) * np.asarray(gradient, dtype=np.float64) / degree


def allocate_aumann_shapley(
    size: np.ndarray, gradient: Callable[[np.ndarray], np.ndarray], nodes: int = 16
) -> np.ndarray:
    """Aumann–Shapley shares of any differentiable cost with C(0) = 0: size ∘ ∫₀¹ gradient(λ size) dλ.

    Gauss–Legendre in u with λ = u², which removes the square root of a degree-1.5 cost at the origin.
    """
    size = np.asarray(size, dtype=np.float64)
    abscissa, weight = np.polynomial.legendre.leggauss(nodes)
    share = np.zeros_like(size)
    for u, w in zip((abscissa + 1.0) / 2.0, weight / 2.0, strict=True):
        share += w * 2.0 * u * np.asarray(gradient(u * u * size), dtype=np.float64)
    return size * share


def _checked(total: np.ndarray) -> np.ndarray:
    total = np.ascontiguousarray(total, dtype=np.float64)
    if total.ndim != 1 or not np.isfinite(total).all():
        raise ModelError(f"the total P&L must be a finite vector, got shape {total.shape}")
    return total


def _checked_rows(tail_pnl: np.ndarray, tail: TailPaths) -> np.ndarray:
    tail_pnl = np.ascontiguousarray(tail_pnl, dtype=np.float64)
    if tail_pnl.ndim != 2 or tail_pnl.shape[1] != tail.indices.size:
        raise ModelError(f"tail P&L must be (rows, {tail.indices.size} tail paths), got {tail_pnl.shape}")
    # a finite sum has finite terms: the rows are looked at one by one only when it is not
    if not np.isfinite(tail_pnl.sum()) and not np.isfinite(tail_pnl).all():
        row = int(np.flatnonzero(~np.isfinite(tail_pnl).all(axis=1))[0])
        raise ModelError(f"tail P&L is not finite, first in row {row}")
    return tail_pnl


@dataclass(frozen=True, slots=True)
class _Line:
    """E[x_i | X = q]: the end of the least-squares line in X over the half of the tail nearest to the
    quantile.

    near (m,) places in the tail.  centred (m,) their distances to the quantile less the *mean*.
    spread : Σ centred².
    """

    near: np.ndarray
    centred: np.ndarray
    mean: float
    spread: float

    @classmethod
    def at_quantile(cls, tail: TailPaths) -> _Line:
        near = np.argsort(-tail.pnl, kind="stable")[: max(2, (tail.pnl.size + 1) // 2)]
        distance = tail.pnl[near] - tail.quantile
        centred = distance - distance.mean()
        return cls(near, centred, distance.mean(), float((centred**2).sum()))

    def end(self, tail_pnl: np.ndarray) -> np.ndarray:
        """(N,) USD for rows (N, n); sums run in the order of the paths, so that no bit hangs on the
        other rows."""
        rows = np.take(tail_pnl, self.near, axis=1)
        mean = np.cumsum(rows, axis=1)[:, -1] / rows.shape[1]
        if self.spread == 0.0:
            return mean
        return mean - np.cumsum(rows * self.centred, axis=1)[:, -1] / self.spread * self.mean
