"""Is expected shortfall refuted, and which of two forecasts of VaR and ES is better?

P&L x_t, gains positive; forecasts v_t < 0 (quantile at α) and e_t ≤ v_t (mean below it); I_t = 1{x_t ≤ v_t}.

    Z1 = 1 − Σ (x_t / e_t) I_t / Σ I_t          Z2 = 1 − Σ (x_t / e_t) I_t / (T α)

(Acerbi and Szekely 2014, tests 1 and 2): zero under a correct forecast, negative when losses are worse than
forecast; Z1 looks only at their size, Z2 also at their number.  Critical values have no closed form; they are
simulated from each day's own forecast: exceptions come with probability α, and an exception's x/e follows the
day's forecast distribution below v.

    FZ0_t = −1{x_t ≤ v_t} (v_t − x_t) / (α e_t) + v_t / e_t + ln(−e_t) − 1

is the score of the pair (v, e) homogeneous of degree 0 (Fissler and Ziegel 2016; Patton, Ziegel and Chen
2019), lower is better.  Differences of mean scores are free of the P&L's unit (ratios are not): Diebold and
Mariano (1995) test them with Newey and West's variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from riskengine.base.errors import InputError, Problem

SIMULATIONS = 1000


@dataclass(frozen=True, slots=True)
class ShortfallTest:
    """A statistic of Acerbi and Szekely, its simulated one-sided p-value and the 5% critical value."""

    statistic: float
    p_value: float
    critical: float


@dataclass(frozen=True, slots=True)
class ScoreComparison:
    """Mean difference of scores (model − reference: positive = the model is worse), HAC t and two-sided p."""

    difference: float
    t: float
    p_value: float


def fz0(pnl: np.ndarray, var: np.ndarray, es: np.ndarray, alpha: float) -> np.ndarray:
    """(N,) scores of the forecasts *var* and *es* (both negative P&L) at level *alpha*."""
    x, v, e = (np.asarray(a, dtype=np.float64) for a in (pnl, var, es))
    if not ((e < 0) & (v < 0)).all():
        raise InputError(Problem("FZ0 needs negative quantiles and shortfalls",
                                 got=f"{int((v >= 0).sum())} quantiles and {int((e >= 0).sum())} shortfalls"))
    return np.where(x <= v, (x - v) / (alpha * e), 0.0) + v / e + np.log(-e) - 1.0


def z1(pnl: np.ndarray, var: np.ndarray, es: np.ndarray) -> float:
    """Acerbi and Szekely's first statistic; NaN without an exception."""
    hit = pnl <= var
    return float(1.0 - (pnl[hit] / es[hit]).mean()) if hit.any() else float("nan")


def z2(pnl: np.ndarray, var: np.ndarray, es: np.ndarray, alpha: float) -> float:
    """Acerbi and Szekely's second statistic."""
    hit = pnl <= var
    return float(1.0 - (pnl[hit] / es[hit]).sum() / (alpha * len(pnl)))


def acerbi_szekely(pnl: np.ndarray, var: np.ndarray, es: np.ndarray, tail: np.ndarray, alpha: float,
                   simulations: int = SIMULATIONS, seed: int = 20140930
                   ) -> tuple[ShortfallTest, ShortfallTest]:
    """Z1 and Z2 with critical values simulated under the forecasts.

    tail : (N, K) x/e of each day's forecast distribution below its quantile, at midpoints of K slices of
    equal probability (their mean is 1 up to discretisation; they are scaled so that it is exactly 1).
    """
    n = len(pnl)
    first, second = simulate_null(tail, alpha, simulations, seed)
    out = []
    for value, null in ((z1(pnl, var, es), first), (z2(pnl, var, es, alpha), second)):
        known = null[np.isfinite(null)]
        p = (1 + (known <= value).sum()) / (1 + len(known)) if np.isfinite(value) and n else np.nan
        out.append(ShortfallTest(value, float(p), float(np.quantile(known, 0.05)) if len(known) else np.nan))
    return out[0], out[1]


def simulate_null(tail: np.ndarray, alpha: float, simulations: int, seed: int
                  ) -> tuple[np.ndarray, np.ndarray]:
    """Z1 and Z2 (simulations,) under the forecasts whose tails are *tail* (N, K); NaN in Z1 without
    exceptions.  Days of exceptions come from geometric waiting times over all simulations laid end to end."""
    days, points = tail.shape
    shape = tail / tail.mean(axis=1, keepdims=True)
    rng = np.random.default_rng(seed)
    total, at = days * simulations, []
    last = -1
    while last < total:
        wait = rng.geometric(alpha, int(1.05 * alpha * total) + 64)
        part = last + np.cumsum(wait)
        at.append(part)
        last = int(part[-1])
    where = np.concatenate(at)
    where = where[where < total]
    ratio = shape[where % days, rng.integers(0, points, len(where))].astype(np.float64)
    run = where // days
    counts = np.bincount(run, minlength=simulations)
    sums = np.bincount(run, weights=ratio, minlength=simulations)
    with np.errstate(invalid="ignore", divide="ignore"):
        first = np.where(counts > 0, 1.0 - sums / counts, np.nan)
    return first, 1.0 - sums / (alpha * days)


def diebold_mariano(score: np.ndarray, reference: np.ndarray, lags: int | None = None) -> ScoreComparison:
    """Do two score series (N,) have the same mean?  lags : Newey–West, default ⌊4 (N/100)^{2/9}⌋."""
    d = np.asarray(score, dtype=np.float64) - np.asarray(reference, dtype=np.float64)
    n = len(d)
    if n < 20 or not np.ptp(d) > 0:
        return ScoreComparison(float(d.mean()) if n else np.nan, np.nan, np.nan)
    lags = int(4 * (n / 100) ** (2 / 9)) if lags is None else lags
    u = d - d.mean()
    variance = float(u @ u) / n
    for k in range(1, lags + 1):
        variance += 2.0 * (1.0 - k / (lags + 1)) * float(u[k:] @ u[:-k]) / n
    t = float(d.mean() / np.sqrt(variance / n))
    return ScoreComparison(float(d.mean()), t, float(2.0 * ndtr(-abs(t))))
