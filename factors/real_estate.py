"""What do national property prices move with, and how much of their variance is their own?

Loadings on daily factors (Dimson 1979): de-smoothed returns r* (factors.property_volatility) are regressed on
quarterly moves of the 10-year zero rate and of equities and on their PROPERTY_LAGS lags; the coefficients of
each factor are summed (standard errors HAC with at least as many lags and the factor n/(n − k)).
r* is first scaled to the volatility that is used, so that loadings and volatility belong to one series and
the correlation with daily factors does not depend on which of the two volatilities was chosen.

The sums depend on the window: rates fell from 1990 to 2020 while prices rose, recoveries bring higher yields
and higher prices, and 34 years hold few cycles.  ``rate_by_lags`` keeps the sum at other windows for the
diagnostics; the standard errors do not contain that uncertainty.

Data: Federal Reserve Board, supervisory stress-test history (house prices, commercial real-estate prices,
total US equity market index), quarterly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm

from factors.definitions import (HAC_LAGS_QUARTERLY, PROPERTY_LAGS, PROPERTY_LAGS_SHOWN,
                                 PROPERTY_SAMPLE_START)
from factors.property_volatility import PropertyVolatility, Smoothing, choose_volatility, desmooth
from riskengine.market import Panel

MINIMUM_RESIDUAL_SHARE = 0.25
"""At least this share of the de-smoothed variance stays specific to property (binds only if the regression's
summed coefficients explain more; the diagnostics print both)."""


@dataclass(frozen=True, slots=True)
class NationalProperty:
    """Log price of national property: annual volatility and loadings on EQ_SP500 and UST_10Y.

    rate_loading : log return per 1.00 of yield.  lags : quarterly lags summed.  rate_by_lags : (lags,
    rate_loading, se, r2, observations) at each window of PROPERTY_LAGS_SHOWN.
    total_vol : annual, the one used.  raw_vol : annual, as published.
    """

    name: str
    smoothing: Smoothing
    volatility: PropertyVolatility
    equity_loading: float
    se_equity: float
    rate_loading: float
    se_rate: float
    r2: float
    observations: int
    sample: str
    lags: int
    rate_by_lags: tuple[tuple[int, float, float, float, int], ...]

    @property
    def total_vol(self) -> float:
        return self.volatility.value

    @property
    def raw_vol(self) -> float:
        return 2.0 * self.smoothing.raw_vol

    def residual_variance(self, equity_loading: float, rate_loading: float, variance: np.ndarray) -> float:
        """Annual variance specific to property given its loadings and the (2, 2) annual covariance of
        (EQ_SP500, UST_10Y)."""
        b = np.array([equity_loading, rate_loading])
        total = self.total_vol**2
        return max(total - float(b @ variance @ b), MINIMUM_RESIDUAL_SHARE * total)


def dimson_sums(y: np.ndarray, regressors: np.ndarray, lags: int
                ) -> tuple[np.ndarray, np.ndarray, float, int]:
    """Sums of the coefficients of each regressor's current and *lags* lagged values, their HAC errors, R², n.

    y (T,), regressors (T, J), aligned; rows with NaN in any lag are left out.
    """
    t, j = regressors.shape
    blocks = [np.vstack([np.full((l, j), np.nan), regressors[: t - l]]) for l in range(lags + 1)]
    design = np.hstack(blocks)
    rows = np.isfinite(design).all(axis=1) & np.isfinite(y)
    hac = {"maxlags": max(lags, HAC_LAGS_QUARTERLY), "use_correction": True}
    fit = sm.OLS(y[rows], sm.add_constant(design[rows])).fit(cov_type="HAC", cov_kwds=hac)
    contrast = np.zeros((j, 1 + j * (lags + 1)))
    for i in range(j):
        contrast[i, 1 + i:: j] = 1.0
    sums = contrast @ fit.params
    se = np.sqrt(np.diag(contrast @ fit.cov_params() @ contrast.T))
    return sums, se, float(fit.rsquared), int(rows.sum())


def estimate_national(panels: Mapping[str, Panel]) -> dict[str, NationalProperty]:
    """'home' and 'commercial' from the quarterly history known at the as-of date of *panels*."""
    stress, zero = panels["stress_history_quarterly"], panels["zero_rates_daily"]
    quarters = _quarter(stress.dates)
    order = np.argsort(quarters)
    quarters, table = quarters[order], stress.values[order]
    ten_year = _quarter_end(zero, "10Y", quarters)
    equity = np.log(table[:, stress.axis.index("equity_total_market_index")])
    moves = np.column_stack([_difference(equity, quarters), _difference(ten_year, quarters)])
    out = {}
    for name, column in (("home", "house_price_index"), ("commercial", "commercial_real_estate_price_index")):
        level = np.log(table[:, stress.axis.index(column)])
        use = np.isfinite(level) & (quarters >= _parse_quarter(PROPERTY_SAMPLE_START) - 2)
        returns = np.diff(level[use])
        smoothing = desmooth(returns)
        volatility = choose_volatility(returns, smoothing)
        y = np.full(len(quarters), np.nan)
        y[np.flatnonzero(use)[2:]] = smoothing.returns * (volatility.value / volatility.geltner)
        sums, se, r2, n = dimson_sums(y, moves, PROPERTY_LAGS[name])
        windows = []
        for lags in PROPERTY_LAGS_SHOWN:
            other, se_other, fitted, rows = dimson_sums(y, moves, lags)
            windows.append((lags, float(other[1]), float(se_other[1]), fitted, rows))
        last = quarters[use][-1]
        out[name] = NationalProperty(
            name=name, smoothing=smoothing, volatility=volatility,
            equity_loading=float(sums[0]), se_equity=float(se[0]),
            rate_loading=float(sums[1]), se_rate=float(se[1]), r2=r2, observations=n,
            sample=f"{PROPERTY_SAMPLE_START} … {1970 + last // 4}Q{last % 4 + 1}",
            lags=PROPERTY_LAGS[name], rate_by_lags=tuple(windows),
        )
    return out


def _quarter(dates: np.ndarray) -> np.ndarray:
    """Quarters since 1970Q1."""
    return dates.astype("datetime64[M]").astype(np.int64) // 3


def _parse_quarter(text: str) -> int:
    return (int(text[:4]) - 1970) * 4 + int(text[5]) - 1


def _quarter_end(zero: Panel, tenor: str, quarters: np.ndarray) -> np.ndarray:
    """Last zero rate of each quarter, NaN where there is none."""
    rate = zero.values[:, zero.axis.index(tenor)]
    seen = np.isfinite(rate)
    q, rate = _quarter(zero.dates[seen]), rate[seen]
    at = np.searchsorted(q, quarters, side="right") - 1
    out = rate[np.maximum(at, 0)]
    return np.where((at >= 0) & (q[np.maximum(at, 0)] == quarters), out, math.nan)


def _difference(level: np.ndarray, quarters: np.ndarray) -> np.ndarray:
    """(T,) change from the previous quarter; NaN first and across gaps."""
    step = np.diff(level)
    step[np.diff(quarters) != 1] = np.nan
    return np.r_[np.nan, step]
