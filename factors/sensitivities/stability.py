"""Does a coefficient hold over its sample: moving windows, tests for a break, one observation left out?

    sup-F    max over break dates τ in the middle 70% of the sample of the Wald statistic of
             δ in  y_t = a + b'x_t + 1{t > τ}(a_δ + δ'x_t) + e_t,  HAC covariance (Andrews 1993)
    CUSUM    sup of the cumulated OLS residuals (Ploberger and Krämer 1992), by statsmodels
    DFBETA   the observation whose absence moves the coefficient most, (X'X)⁻¹ x_t e_t / (1 − h_t)
             (Belsley, Kuh and Welsch 1980)

The statistic is that of the first slope; the other coefficients are allowed to break with it.  Critical
values: Andrews (2003), Econometrica 71, 395–397, one coefficient, trimming 15%.  With HAC errors in short
samples the test rejects more often than 5%: a statistic near the critical value is weak evidence.
"""

from __future__ import annotations

import warnings

import numpy as np
from statsmodels.stats.diagnostic import breaks_cusumolsresid

from factors.sensitivities.regression import Fit, with_holes
from riskengine.base.sensitivity import Stability

TRIMMING = 0.15
CRITICAL_5 = 8.68
"""5% critical value of sup-F for one coefficient, trimming 15% (10%: 7.12, 1%: 12.16)."""
MOST_CANDIDATES = 100
"""Break dates tried at most: every k-th date of longer samples."""
MOST_WINDOWS = 120
WINDOW_MONTHS = 60


def stability(fit: Fit, window: int = WINDOW_MONTHS, rolling: bool = True) -> Stability:
    """All checks of the first slope of *fit*; moving windows only where two of them fit into the sample."""
    value, at = sup_f(fit)
    without, influential = leave_out_most_influential(fit)
    dates, path, errors = rolling_slopes(fit, window) if rolling and fit.n >= 2 * window else ((), (), ())
    return Stability(
        sup_f=value, critical_5=CRITICAL_5, break_date=_month(fit.dates[at]), cusum_p=cusum_p(fit),
        without_influential=without, influential_date=_month(fit.dates[influential]),
        window=window if len(path) else 0, rolling_dates=tuple(_month(d) for d in dates),
        rolling=tuple(float(v) for v in path), rolling_se=tuple(float(v) for v in errors))


def sup_f(fit: Fit) -> tuple[float, int]:
    """(statistic, row of the last observation before the break) of a break in the first slope."""
    n, j = fit.x.shape
    low, high = int(np.ceil(TRIMMING * n)), int(np.floor((1 - TRIMMING) * n))
    step = max(1, (high - low) // MOST_CANDIDATES + ((high - low) % MOST_CANDIDATES > 0))
    base = np.column_stack([np.ones(n), fit.x])
    best, at = -1.0, low
    for tau in range(low, high, step):
        after = (np.arange(n) >= tau).astype(float)
        design = np.column_stack([base, after[:, None] * base])
        beta, covariance = hac_least_squares(fit.y, design, fit.lag, fit.periods)
        variance = covariance[2 + j, 2 + j]
        if variance > 0 and (value := beta[2 + j] ** 2 / variance) > best:
            best, at = float(value), tau - 1
    return best, at


def hac_least_squares(y: np.ndarray, design: np.ndarray, lag: int,
                      periods: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(β, V) of y (T,) on *design* with the Newey–West covariance of ``regression`` (lags are distances of
    *periods*, consecutive without them): the loop of many small fits."""
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ (design.T @ y)
    scores = design * (y - design @ beta)[:, None]
    middle = scores.T @ scores
    if periods is not None:
        scores = with_holes(scores, periods)
    for k in range(1, min(lag, len(scores) - 1) + 1):
        cross = scores[k:].T @ scores[:-k]
        middle += (1 - k / (lag + 1)) * (cross + cross.T)
    return beta, inverse @ middle @ inverse


def rolling_slopes(fit: Fit, window: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Dates of the windows' ends, the first slope in each window and its error."""
    ends = np.arange(window, fit.n + 1)
    ends = ends[:: -max(1, -(-len(ends) // MOST_WINDOWS))][::-1]
    path, errors = np.empty(len(ends)), np.empty(len(ends))
    design = np.column_stack([np.ones(fit.n), fit.x])
    for i, end in enumerate(ends):
        rows = slice(end - window, end)
        beta, covariance = hac_least_squares(fit.y[rows], design[rows], fit.lag, fit.periods[rows])
        path[i], errors[i] = beta[1], np.sqrt(max(covariance[1, 1], 0.0))
    return fit.dates[ends - 1], path, errors


def cusum_p(fit: Fit) -> float | None:
    """p-value of the OLS-based CUSUM test; None where the residuals vanish."""
    if not float(np.abs(fit.residuals).max()) > 0:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, p, _ = breaks_cusumolsresid(fit.residuals, ddof=fit.x.shape[1] + 1)
    return float(p) if np.isfinite(p) else None


def leave_out_most_influential(fit: Fit) -> tuple[float, int]:
    """(first slope without it, row of it): the observation with the largest DFBETA of the first slope."""
    design = np.column_stack([np.ones(fit.n), fit.x])
    inverse = np.linalg.inv(design.T @ design)
    leverage = np.einsum("ti,ij,tj->t", design, inverse, design)
    change = (design @ inverse)[:, 1] * fit.residuals / np.maximum(1.0 - leverage, 1e-12)
    row = int(np.argmax(np.abs(change)))
    return float(fit.slopes[0] - change[row]), row


def _month(date: np.datetime64) -> str:
    return str(date)[:10]
