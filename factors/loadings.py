"""What does a currency do per unit of the broad dollar, a yield per unit of the 2-year, a non-core factor per
unit of the core factors? Ordinary least squares with Newey–West (HAC) errors, by statsmodels.

    Δ ln c_t = a + β_c s_t + e_t            monthly averages, s_t = Σ w_c Δ ln c_t (broad dollar depreciation)
    Δ y_t^n = a + φ_n Δ y_t^2y + e_t        monthly averages
    x_t^i = a + B_i' x_t^core + e_t         month-end moves

The broad dollar is built from the H.10 currencies with the weights of ``definitions``; every coefficient
names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm

from factors.definitions import (BETA_SAMPLE_START, BROAD_DOLLAR_WEIGHTS, HAC_LAGS_MONTHLY,
                                 MIN_REGRESSION_MONTHS, PATH_SAMPLE_START)
from factors.history import Levels, complete_months, month_end_rows
from riskengine.base.axes import CURRENCIES, FACTORS, KEY_RATES
from riskengine.base.errors import InputError, Problem
from riskengine.market import Panel

RATE_COLUMNS = {"3M": "GS3M", "6M": "GS6M"} | {t: f"GS{int(y)}" for t, y in KEY_RATES.items() if y >= 1}


@dataclass(frozen=True, slots=True)
class Regression:
    """y on X with a constant: slopes (J,), their HAC covariance (J, J), R², n, first and last month."""

    slopes: np.ndarray
    covariance: np.ndarray
    r2: float
    observations: int
    sample: str

    @property
    def errors(self) -> np.ndarray:
        """(J,) standard errors."""
        return np.sqrt(np.diag(self.covariance))


def regress(y: np.ndarray, x: np.ndarray, months: np.ndarray, what: str) -> Regression:
    """OLS of y (T,) on x (T, J) over rows without NaN; InputError below MIN_REGRESSION_MONTHS."""
    rows = np.isfinite(y) & np.isfinite(x).all(axis=1)
    if rows.sum() < MIN_REGRESSION_MONTHS:
        raise InputError(Problem(f"too few months to estimate {what}", got=str(int(rows.sum())),
                                 accepted=f"at least {MIN_REGRESSION_MONTHS}"))
    fit = sm.OLS(y[rows], sm.add_constant(x[rows])).fit(cov_type="HAC",
                                                        cov_kwds={"maxlags": HAC_LAGS_MONTHLY})
    return Regression(np.asarray(fit.params[1:]), np.asarray(fit.cov_params()[1:, 1:]), float(fit.rsquared),
                      int(rows.sum()), f"{months[rows][0]} … {months[rows][-1]}")


def index_weights() -> np.ndarray:
    """(21,) broad-dollar weights in CURRENCIES order, sum 1."""
    w = np.array([BROAD_DOLLAR_WEIGHTS.get(c, 0.0) for c in CURRENCIES])
    return w / w.sum()


def broad_dollar(log_fx: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(T − 1,) depreciation of the dollar from log USD prices (T, 21); NaN where a weighted currency is
    missing."""
    member = weights > 0
    return np.diff(log_fx[:, member], axis=0) @ weights[member]


def currency_betas(panels: Mapping[str, Panel], as_of: np.datetime64) -> list[Regression]:
    """One regression per currency (CURRENCIES order) on the broad dollar, complete months before *as_of*."""
    panel = panels["fx_monthly"]
    months, values = complete_months(panel, as_of)
    log_fx = np.log(values[:, panel.axis.indices(CURRENCIES)])
    s = broad_dollar(log_fx, index_weights())
    moves = np.diff(log_fx, axis=0)
    start = _start(BETA_SAMPLE_START, as_of)
    rows = months[1:] > start
    return [regress(moves[rows, j], s[rows, None], months[1:][rows], f"the dollar beta of {c}")
            for j, c in enumerate(CURRENCIES)]


def path_betas(panels: Mapping[str, Panel], as_of: np.datetime64) -> list[Regression]:
    """One regression per key rate on the 2-year, complete months before *as_of* (the 2-year itself: exactly
    1)."""
    panel = panels["rates_monthly"]
    months, values = complete_months(panel, as_of)
    moves = np.diff(values, axis=0)
    rows = months[1:] >= _start(PATH_SAMPLE_START, as_of)
    two = moves[rows, panel.axis.index("GS2")]
    out = []
    for tenor in KEY_RATES:
        y = moves[rows, panel.axis.index(RATE_COLUMNS[tenor])]
        if tenor == "2Y":
            n = int(np.isfinite(y).sum())
            out.append(Regression(np.ones(1), np.zeros((1, 1)), 1.0, n, "by definition"))
        else:
            out.append(regress(y, two[:, None], months[1:][rows], f"the path beta of the {tenor} rate"))
    return out


def core_loadings(panels: Mapping[str, Panel], levels: Levels, as_of: np.datetime64
                  ) -> tuple[np.ndarray, np.ndarray, dict[str, Regression]]:
    """B (K, K), its draw factor (K, K, Q) and the regressions of the non-core factors on core ones.

    EQ_NASDAQ and VOL_EQUITY on EQ_SP500; VOL_FX on the broad dollar (carried to its currencies by their
    weights) and EQ_SP500; month-end moves.
    """
    rows = month_end_rows(levels.dates, as_of)
    months = levels.dates[rows].astype("datetime64[M]")[1:]
    moves = {label: np.diff(levels.values[rows, j]) for j, label in enumerate(levels.labels)}
    weights = index_weights()
    fx = panels["fx_daily"]
    at = np.searchsorted(fx.dates, levels.dates[rows])
    s = broad_dollar(np.log(fx.values[at][:, fx.axis.indices(CURRENCIES)]), weights)
    spx = moves["EQ_SP500"]
    fits = {
        "EQ_NASDAQ": regress(moves["EQ_NASDAQ"], spx[:, None], months, "EQ_NASDAQ on EQ_SP500"),
        "VOL_EQUITY": regress(moves["VOL_EQUITY"], spx[:, None], months, "VOL_EQUITY on EQ_SP500"),
        "VOL_FX": regress(moves["VOL_FX"], np.column_stack([s, spx]), months, "VOL_FX on the broad dollar"),
    }
    k = len(FACTORS)
    equity = np.zeros(k)
    equity[FACTORS.index("EQ_SP500")] = 1.0
    dollar = np.zeros(k)
    dollar[FACTORS.indices(f"FX_{c}" for c in CURRENCIES)] = weights
    basis = {"EQ_NASDAQ": [equity], "VOL_EQUITY": [equity], "VOL_FX": [dollar, equity]}
    b = np.eye(k)
    b[:, FACTORS.indices(fits)] = 0.0
    draw = np.zeros((k, k, sum(len(v) for v in basis.values())))
    q = 0
    for label, fit in fits.items():
        i = FACTORS.index(label)
        directions = np.array(basis[label])
        b[i] = fit.slopes @ directions
        root = np.linalg.cholesky(fit.covariance)
        for column in range(root.shape[1]):
            draw[i, :, q] = root[:, column] @ directions
            q += 1
    return b, draw, fits


def _start(month: str, as_of: np.datetime64) -> np.datetime64:
    """*month*, or ten years before *as_of* where that is earlier and the sample would be short."""
    wanted = np.datetime64(month, "M")
    latest = as_of.astype("datetime64[M]") - np.timedelta64(120, "M")
    return min(wanted, latest)
