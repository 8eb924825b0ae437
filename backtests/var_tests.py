"""Is a sequence of VaR exceptions, or of probability transforms, what a correct forecast would leave behind?

Duration form of independence (Christoffersen and Pelletier 2004): days D between exceptions are memoryless
under a correct forecast; against it the Weibull with censored first and last spell,

    f(D) = a^b b D^{b−1} e^{−(aD)^b},   S(D) = e^{−(aD)^b},   H0: b = 1,   LR ~ χ²(1)

b < 1 means that exceptions cluster.  Days are whole, so a spell of d days is put at d − ½: without that the
memoryless spells themselves look regular (b = 1.04 at 2.5%) and a 5% test rejects 12% of correct forecasts of
12,000 days; with it 6%.  Dynamic quantile (Engle and Manganelli 2004): Hit_t − p regressed on a
constant, its own lags and the VaR forecast, DQ = β'X'Xβ / (p(1 − p)) ~ χ²(columns).  Probability transforms
u_t = F_t(x_t): Berkowitz (2001) on z = Φ⁻¹(u), N(0, 1) and independent against AR(1) with free mean and
variance, LR ~ χ²(3); uniformity by Pearson's χ² on equal bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import ndtri
from scipy.stats import binom, chi2, kstest

from backtests.scoring import TestResult
from riskengine.base.errors import InputError, Problem

SHAPE_RANGE = (0.05, 5.0)
"""Weibull shapes searched."""
HALF_DAY = 0.5
DQ_LAGS = 4
PIT_BINS = 20
CLIP = 1e-6
"""Transforms are kept this far from 0 and 1, as an empirical distribution gives both."""
ZONES = ("green", "yellow", "red")


@dataclass(frozen=True, slots=True)
class DurationTest:
    """Shape of the Weibull (below 1: exceptions cluster), likelihood ratio and p-value; NaN with fewer than
    two exceptions."""

    shape: float
    lr: float
    p_value: float


def durations(exceeded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Days between exceptions (M,) and whether each spell is censored (M,) bool.

    exceeded : (N,) bool in time order.  The spell before the first exception is censored unless the first
    day is one, the spell after the last unless the last day is one.
    """
    hit = np.flatnonzero(np.asarray(exceeded, dtype=bool))
    n = len(exceeded)
    if not len(hit):
        return np.array([float(n)]), np.array([True])
    spells, censored = list(np.diff(hit).astype(float)), [False] * (len(hit) - 1)
    if hit[0] > 0:
        spells.insert(0, float(hit[0] + 1))
        censored.insert(0, True)
    if hit[-1] < n - 1:
        spells.append(float(n - 1 - hit[-1]))
        censored.append(True)
    return np.array(spells), np.array(censored, dtype=bool)


def duration_test(exceeded: np.ndarray) -> DurationTest:
    """Independence of exceptions by the Weibull of their durations."""
    spells, censored = durations(exceeded)
    complete = int((~censored).sum())
    if complete < 1 or int(np.asarray(exceeded, dtype=bool).sum()) < 2:
        return DurationTest(np.nan, np.nan, np.nan)
    logs = np.log(spells - HALF_DAY)

    def likelihood(b: float) -> float:
        powers = b * logs
        top = powers.max()
        total = top + np.log(np.exp(powers - top).sum())
        log_a_b = np.log(complete) - total
        return complete * (log_a_b + np.log(b)) + (b - 1.0) * logs[~censored].sum() - complete

    found = minimize_scalar(lambda b: -likelihood(b), bounds=SHAPE_RANGE, method="bounded",
                            options={"xatol": 1e-8})
    lr = max(0.0, 2.0 * (-found.fun - likelihood(1.0)))
    return DurationTest(float(found.x), float(lr), float(chi2.sf(lr, 1)))


def dynamic_quantile(exceeded: np.ndarray, forecast: np.ndarray, probability: float,
                     lags: int = DQ_LAGS) -> TestResult:
    """Engle and Manganelli's DQ: can exceptions be foretold from past ones and from the forecast (N,)?"""
    hit = np.asarray(exceeded, dtype=np.float64) - probability
    n = len(hit)
    if n < 10 * (lags + 2):
        return TestResult(np.nan, np.nan)
    v = np.asarray(forecast, dtype=np.float64)
    columns = [np.ones(n - lags), *(hit[lags - k:n - k] for k in range(1, lags + 1))]
    if v[lags:].std() > 1e-12 * np.abs(v).max():
        columns.append((v[lags:] - v[lags:].mean()) / v[lags:].std())
    x, y = np.column_stack(columns), hit[lags:]
    beta, _, rank, _ = np.linalg.lstsq(x, y, rcond=None)
    fitted = x @ beta
    statistic = float(fitted @ fitted) / (probability * (1.0 - probability))
    return TestResult(statistic, float(chi2.sf(statistic, int(rank))))


def berkowitz(transforms: np.ndarray) -> TestResult:
    """Are the transforms (N,) uniform and independent? LR with 3 degrees of freedom."""
    z = ndtri(np.clip(np.asarray(transforms, dtype=np.float64), CLIP, 1.0 - CLIP))
    if len(z) < 20:
        return TestResult(np.nan, np.nan)
    before, after = z[:-1], z[1:]
    slope = np.cov(before, after, bias=True)[0, 1] / before.var()
    intercept = after.mean() - slope * before.mean()
    variance = np.mean((after - intercept - slope * before) ** 2)
    m = len(after)
    free = -0.5 * m * (np.log(variance) + 1.0)
    null = -0.5 * float(after @ after)
    lr = max(0.0, 2.0 * (free - null))
    return TestResult(float(lr), float(chi2.sf(lr, 3)))


def pit_counts(transforms: np.ndarray, bins: int = PIT_BINS) -> np.ndarray:
    """(bins,) number of transforms in each of equally wide bins of [0, 1]."""
    return np.histogram(np.clip(transforms, 0.0, 1.0), bins=bins, range=(0.0, 1.0))[0]


def pit_uniform(transforms: np.ndarray, bins: int = PIT_BINS) -> TestResult:
    """Pearson's χ² of the histogram against a flat one, bins − 1 degrees of freedom."""
    counts = pit_counts(transforms, bins)
    expected = counts.sum() / bins
    statistic = float(((counts - expected) ** 2).sum() / expected)
    return TestResult(statistic, float(chi2.sf(statistic, bins - 1)))


def pit_kolmogorov(transforms: np.ndarray) -> float:
    """p-value of Kolmogorov and Smirnov's distance to the uniform distribution."""
    return float(kstest(np.asarray(transforms, dtype=np.float64), "uniform").pvalue)


def rolling_counts(exceeded: np.ndarray, window: int = 250) -> np.ndarray:
    """(N − window + 1,) exceptions in each *window* of days; empty when there are too few days."""
    hit = np.concatenate(([0], np.cumsum(np.asarray(exceeded, dtype=np.int64))))
    return hit[window:] - hit[:-window] if len(hit) > window else np.zeros(0, dtype=np.int64)


def zone_limits(window: int, probability: float, yellow: float = 0.95, red: float = 0.9999
                ) -> tuple[int, int]:
    """Exceptions from which a window is yellow and red (Basel: 5 and 10 at 250 days and 1%)."""
    if window < 1 or not 0 < probability < 1:
        raise InputError(Problem("a window of at least a day and a probability in (0, 1)",
                                 got=f"{window}, {probability}"))
    cumulative = binom.cdf(np.arange(window + 1), window, probability)
    return int(np.argmax(cumulative >= yellow)), int(np.argmax(cumulative >= red))


def zone_shares(exceeded: np.ndarray, probability: float, window: int = 250) -> dict[str, float]:
    """Shares of rolling windows in each Basel zone, and 'maximum': most exceptions in any of them."""
    counts = rolling_counts(exceeded, window)
    if not len(counts):
        return {**dict.fromkeys(ZONES, np.nan), "maximum": np.nan}
    yellow, red = zone_limits(window, probability)
    return {"green": float((counts < yellow).mean()), "red": float((counts >= red).mean()),
            "yellow": float(((counts >= yellow) & (counts < red)).mean()), "maximum": int(counts.max())}
