"""Is a risk forecast refuted by what happened? Tests of VaR coverage and scores, from counts and arrays.

Kupiec (1995), proportion of failures:   LR = −2 ln[ (1−p)^{N−x} p^x / ((1−x/N)^{N−x} (x/N)^x) ] ~ χ²(1)
Christoffersen (1998), independence:     LR = −2 ln[ L(π) / L(π01, π11) ] ~ χ²(1), from N − 1 transitions
Conditional coverage: the sum of the two ~ χ²(2)
Basel traffic light (1996): zone by the probability of at most x exceptions under a correct model.
Pinball loss: (1{y < q} − α)(q − y), the proper score of a quantile (Koenker and Bassett 1978).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy
from scipy.stats import binom, chi2

from riskengine.base.errors import InputError, Problem

YELLOW_FROM, RED_FROM = 0.95, 0.9999
"""Cumulative probability at which the yellow and the red zone begin (Basel Committee, January 1996)."""
PLUS_FACTORS_250 = {5: 0.40, 6: 0.50, 7: 0.65, 8: 0.75, 9: 0.85}
"""Additions to the multiplier for 250 days at 99%; 0 below, 1 from 10 exceptions on."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """Likelihood ratio and its p-value."""

    __test__ = False

    lr: float
    p_value: float


def kupiec(observations: int, exceptions: int, probability: float) -> TestResult:
    """Proportion of failures.  probability : expected exceedance rate, e.g. 0.01 for 99% VaR."""
    _check(observations, exceptions, probability)
    n, x = observations, exceptions
    null = xlogy(n - x, 1 - probability) + xlogy(x, probability)
    free = xlogy(n - x, 1 - x / n) + xlogy(x, x / n)
    lr = max(0.0, -2.0 * float(null - free))
    return TestResult(lr, float(chi2.sf(lr, 1)))


def transitions(exceeded: np.ndarray) -> tuple[int, int, int, int]:
    """n00, n01, n10, n11 of consecutive days; exceeded (N,) bool in time order."""
    hit = np.asarray(exceeded, dtype=bool)
    before, after = hit[:-1], hit[1:]
    return (int((~before & ~after).sum()), int((~before & after).sum()), int((before & ~after).sum()),
            int((before & after).sum()))


def christoffersen(n00: int, n01: int, n10: int, n11: int) -> TestResult:
    """Independence of exceptions against a first-order Markov chain (no exception today changes tomorrow's
    probability); with no exception at all the ratio is 0."""
    if min(n00, n01, n10, n11) < 0 or n00 + n01 + n10 + n11 == 0:
        raise InputError(Problem("transition counts must be non-negative and not all zero",
                                 got=f"{n00}, {n01}, {n10}, {n11}"))
    total = (n01 + n11) / (n00 + n01 + n10 + n11)
    from_calm = n01 / (n00 + n01) if n00 + n01 else 0.0
    from_hit = n11 / (n10 + n11) if n10 + n11 else 0.0
    null = xlogy(n00 + n10, 1 - total) + xlogy(n01 + n11, total)
    free = xlogy(n00, 1 - from_calm) + xlogy(n01, from_calm) + xlogy(n10, 1 - from_hit) + xlogy(n11, from_hit)
    lr = max(0.0, -2.0 * float(null - free))
    return TestResult(lr, float(chi2.sf(lr, 1)))


def conditional_coverage(coverage: TestResult, independence: TestResult) -> TestResult:
    """Joint test of rate and independence."""
    lr = coverage.lr + independence.lr
    return TestResult(lr, float(chi2.sf(lr, 2)))


def traffic_light(observations: int, exceptions: int, probability: float) -> tuple[str, float]:
    """('green' | 'yellow' | 'red', probability of at most that many exceptions under a correct model)."""
    _check(observations, exceptions, probability)
    cumulative = float(binom.cdf(exceptions, observations, probability))
    zone = "green" if cumulative < YELLOW_FROM else "yellow" if cumulative < RED_FROM else "red"
    return zone, cumulative


def plus_factor(exceptions: int) -> float:
    """Basel's addition to the multiplier at 250 days and 99%."""
    return 0.0 if exceptions < 5 else PLUS_FACTORS_250.get(exceptions, 1.0)


def pinball(outcome: np.ndarray, quantile: np.ndarray, alpha: float) -> np.ndarray:
    """(N,) score of *quantile* forecasts at level *alpha* for *outcome*, lower is better, same unit."""
    y, q = np.asarray(outcome, dtype=np.float64), np.asarray(quantile, dtype=np.float64)
    return ((y < q) - alpha) * (q - y)


def _check(observations: int, exceptions: int, probability: float) -> None:
    problems = []
    if observations < 1 or not 0 <= exceptions <= observations:
        problems.append(Problem("exceptions must lie between 0 and the observations",
                                got=f"{exceptions} of {observations}"))
    if not 0 < probability < 1:
        problems.append(Problem("probability must lie in (0, 1)", got=str(probability)))
    if problems:
        raise InputError(problems)
