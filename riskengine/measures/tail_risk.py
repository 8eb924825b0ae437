"""How large is the tail loss, and how surely do we know it?

With P paths sorted upwards, x_(1) ≤ … ≤ x_(P), level a and tail probability p = 1 − a::

    k    = ⌈P p⌉   (integer arithmetic on the decimal the level is written as: 0.975 is 975/1000)
    VaR  = −x_(k)
    ES   = −(1/(P p)) [ x_(1) + … + x_(k) − (k − P p) x_(k) ]        (Acerbi and Tasche 2002)

The last term is the fractional atom: when P p is not an integer only part of path k belongs to the tail.

Paths share D parameter draws, so they are not independent.  Every error is therefore computed from the
sums of an influence function ψ inside each draw (cluster-robust; Var_d(mean_d)/D when draws have equal
numbers of paths)::

    ψ_VaR = (1{x ≤ −VaR} − p) / f(−VaR)      ψ_ES = (−VaR − x)⁺ / p − (ES − VaR)      ψ_mean = x − mean

1/f is the spacing of order statistics (Siddiqui 1960) with the bandwidth of Bofinger (1975).  The
errors 'given draws' are the i.i.d. formulas sqrt(p(1 − p)/P)/f and sd(ψ_ES)/sqrt(P): what remains of
the sampling error when the draws are held fixed (an upper bound of it, as part of that variance is
between draws).  Parameter draws are scrambled Sobol points, more even than independent ones, so the
clustered error is on the safe side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.kernels.tails import smallest, total as sum_paths
from riskengine.result import Tail


@dataclass(frozen=True, slots=True)
class TailRank:
    """Ranks of one level among P paths: k = ⌈P p⌉, expected = P p, spacing ranks low < high around k."""

    level: float
    probability: float
    expected: float
    k: int
    low: int
    high: int


@lru_cache(maxsize=256)
def rank_of_level(paths: int, level: float) -> TailRank:
    """Ranks that VaR, ES and the density at the VaR need.

    Parameters
    ----------
    paths : number of paths P.
    level : confidence level in (0, 1), read as the shortest decimal that prints as this float.

    Raises
    ------
    InputError : level outside (0, 1), or fewer than two paths.
    """
    level = float(level)
    if not 0.0 < level < 1.0:
        raise InputError(Problem("a VaR level must lie strictly between 0 and 1", got=str(level)))
    if paths < 2:
        raise InputError(Problem("a tail needs at least two paths", got=str(paths)))
    tail = paths * (1 - Fraction(repr(level)))
    k = -(-tail.numerator // tail.denominator)
    half = max(1, int(paths * _bofinger_bandwidth(paths, 1.0 - level)))
    return TailRank(level, float(1 - Fraction(repr(level))), float(tail), k,
                    max(1, k - half), min(paths, k + half))


def measure_tail(
    pnl: np.ndarray, draw_of_path: np.ndarray, draws: int, levels: Sequence[float] = (0.95, 0.975, 0.99)
) -> Tail:
    """VaR, ES, mean and standard deviation of one P&L vector, with standard errors.

    Parameters
    ----------
    pnl : (P,), USD, gain positive.
    draw_of_path : (P,) int, parameter draw 0 … D − 1 behind each path.
    draws : D ≥ 2; every draw has at least one path.
    levels : confidence levels; the result keeps their order.

    Returns
    -------
    Tail : VaR and ES with losses positive.  A constant P&L has zero errors.

    Raises
    ------
    ModelError : NaN or infinite P&L, or arrays that do not fit together.
    """
    pnl, draw_of_path, counts = check_paths(pnl, draw_of_path, draws)
    ranks = [rank_of_level(pnl.size, level) for level in levels]
    if not ranks:
        raise InputError(Problem("at least one VaR level is needed"))
    value, total = order_statistics(pnl, ranks)
    mean = sum_paths(pnl) / pnl.size
    sd = math.sqrt(sum_paths((pnl - mean) ** 2) / (pnl.size - 1))
    draw_sums = np.bincount(draw_of_path, weights=pnl, minlength=draws)

    widest = max(ranks, key=lambda rank: rank.k)
    tail = np.flatnonzero(pnl <= value[widest.k])
    tail_pnl, tail_draw = pnl[tail], draw_of_path[tail]
    rows = []
    for rank in ranks:
        quantile = value[rank.k]
        shortfall = max(0.0, (rank.k * quantile - total[rank.k]) / rank.expected)
        sparsity = inverse_density(value, rank, pnl.size)
        exceeds = tail_pnl <= quantile
        excess = np.where(exceeds, quantile - tail_pnl, 0.0) / rank.probability
        exceedances = np.bincount(tail_draw[exceeds], minlength=draws)
        excess_sums = np.bincount(tail_draw, weights=excess, minlength=draws)
        variance_excess = max(0.0, float((excess**2).sum()) / pnl.size - shortfall**2)
        p = rank.probability
        rows.append((
            -quantile,
            -quantile + shortfall,
            sparsity * clustered_error(exceedances, counts),
            clustered_error(excess_sums, counts),
            sparsity * math.sqrt(p * (1.0 - p) / pnl.size),
            math.sqrt(variance_excess / pnl.size),
        ))
    var, es, se_var, se_es, se_var_given, se_es_given = (tuple(map(float, column)) for column in zip(*rows))
    return Tail(tuple(rank.level for rank in ranks), var, es, se_var, se_es, se_var_given, se_es_given,
                mean, clustered_error(draw_sums, counts), sd)


def variance_share(pnl: np.ndarray, draw_of_path: np.ndarray, draws: int) -> dict[str, float]:
    """Shares of the P&L variance due to parameters and to markets, by one-way analysis of variance.

    parameters ∝ max(0, Var_d(mean_d) − within·D/P), markets ∝ within, the mean variance inside a draw
    (for unequal draws P/D is the usual n₀).  Paths of one draw are taken as independent given the draw.

    Returns
    -------
    dict : 'parameters' and 'markets', sum 1.  A P&L without any variance is (0, 1) by convention.

    Raises
    ------
    ModelError : fewer than two paths per draw on average, or arrays that do not fit together.
    """
    pnl, draw_of_path, counts = check_paths(pnl, draw_of_path, draws)
    if pnl.size <= draws:
        raise ModelError(f"a variance split needs more paths ({pnl.size}) than parameter draws ({draws})")
    centred = pnl - pnl.mean()
    means = np.bincount(draw_of_path, weights=centred, minlength=draws) / counts
    within = float(((centred - means[draw_of_path]) ** 2).sum()) / (pnl.size - draws)
    between = float((counts * means**2).sum()) / (draws - 1)
    paths_per_draw = (pnl.size - float((counts.astype(float) ** 2).sum()) / pnl.size) / (draws - 1)
    parameters = max(0.0, (between - within) / paths_per_draw)
    if parameters + within == 0.0:
        return {"parameters": 0.0, "markets": 1.0}
    share = parameters / (parameters + within)
    return {"parameters": share, "markets": 1.0 - share}


def check_paths(
    pnl: np.ndarray, draw_of_path: np.ndarray, draws: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Checked contiguous P&L (P,) and draw index (P,), and the number of paths in each draw (D,).

    Raises
    ------
    ModelError : not finite, wrong shapes, draw index outside 0 … D − 1, D < 2, a draw without paths.
    """
    pnl = np.ascontiguousarray(pnl, dtype=np.float64)
    draw_of_path = np.ascontiguousarray(draw_of_path)
    if pnl.ndim != 1 or pnl.size < 2:
        raise ModelError(f"P&L must be a vector of at least two paths, got shape {pnl.shape}")
    if draw_of_path.shape != pnl.shape or draw_of_path.dtype.kind not in "iu":
        raise ModelError(
            f"draw_of_path must hold one integer per path: P&L {pnl.shape}, "
            f"draw_of_path {draw_of_path.shape} of {draw_of_path.dtype}"
        )
    if not np.isfinite(pnl).all():
        bad = np.flatnonzero(~np.isfinite(pnl))
        raise ModelError(f"P&L is not finite on {bad.size} of {pnl.size} paths, first path {bad[0]}")
    if draws < 2:
        raise ModelError(f"standard errors need at least two parameter draws, got {draws}")
    if draw_of_path.min() < 0 or draw_of_path.max() >= draws:
        raise ModelError(
            f"draw_of_path must lie in 0 … {draws - 1}, got {draw_of_path.min()} … {draw_of_path.max()}"
        )
    counts = np.bincount(draw_of_path, minlength=draws)
    if not counts.all():
        raise ModelError(f"{int((counts == 0).sum())} of {draws} parameter draws have no path")
    return pnl, draw_of_path, counts


def clustered_error(sums: np.ndarray, counts: np.ndarray) -> float | np.ndarray:
    """Standard error of a mean over all paths from the sums inside each parameter draw.

    sqrt(D/(D − 1) Σ_d (sum_d − n_d·mean)²)/P; with equal n_d it is sqrt(Var_d(mean_d)/D).

    Parameters
    ----------
    sums : (..., D) sums of the quantity over the paths of each draw.
    counts : (D,) paths in each draw.
    """
    sums = np.asarray(sums, dtype=np.float64)
    draws, paths = counts.size, int(counts.sum())
    mean = sums.sum(axis=-1, keepdims=True) / paths
    variance = ((sums - counts * mean) ** 2).sum(axis=-1) * draws / (draws - 1)
    error = np.sqrt(variance) / paths
    return float(error) if error.ndim == 0 else error


def order_statistics(pnl: np.ndarray, ranks: Sequence[TailRank]) -> tuple[dict[int, float], dict[int, float]]:
    """k → k-th smallest value, and k → sum of the k smallest, for k, low and high of every rank."""
    ks = np.unique(np.array([(r.low, r.k, r.high) for r in ranks], dtype=np.int64))
    values, sums = smallest(pnl, ks)
    return dict(zip(ks.tolist(), values.tolist())), dict(zip(ks.tolist(), sums.tolist()))


def inverse_density(value: dict[int, float], rank: TailRank, paths: int) -> float:
    """1/f at the quantile, USD per unit of probability, by spacing of order statistics; 0 at an atom."""
    return (value[rank.high] - value[rank.low]) * paths / (rank.high - rank.low)


def _bofinger_bandwidth(paths: int, probability: float) -> float:
    """Half-width in probability of the spacing estimate, for a normal reference, at most half of the tail."""
    z = NormalDist().inv_cdf(probability)
    density = math.exp(-z * z / 2.0) / math.sqrt(2.0 * math.pi)
    width = (4.5 * density**4 / (2.0 * z * z + 1.0) ** 2 / paths) ** 0.2
    return min(width, probability / 2.0, (1.0 - probability) / 2.0)
