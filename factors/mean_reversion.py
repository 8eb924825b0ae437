"""How fast does implied volatility return to its mean?

The log of the model's volatility forecast (VOL_EQUITY, VOL_FX) follows an Ornstein–Uhlenbeck process,

    dx = −κ (x − m) dt + σ dW,      x_{t+1} = c + φ x_t + e_t  at month ends,  κ = −12 ln φ per year,

φ by least squares with Newey–West errors, se(κ) = 12 se(φ)/φ, half-life ln 2 / κ.  The move accumulated over
a horizon h has

    variance  σ² (1 − e^{−2κh}) / 2κ,     covariance with a random walk w  corr · σ σ_w (1 − e^{−κh}) / κ

FactorModel reproduces both at every horizon h with uncorrelated steps whose volatility decays,
v_t² = v_0² ρ^t with ρ = e^{−2κ dt}: the sum of v_t² is the first, that of v_t σ_w the second (σ_w constant).
What it does not reproduce is the covariance between two dates of one path (the model's earlier level is worth
more later than an OU process's), which only path-dependent claims on volatility would see.  The pull of
today's level towards its mean (x − m ≠ 0) is left out: factor moves have zero mean.

So vol_long_run of the two factors is LONG_RUN_SHARE of vol_now: not zero, so that no step has exactly no
variance (it adds 1.4% to the covariance with equities over five years, less before); vol_now is the
standard deviation of one step's moves.  vol_long_run.VOL_* enters no option price: implied volatility is
the forecast of the *underlying's* volatility (riskengine.instruments.valuation), shocked by exp(move of
VOL_*).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm

from factors.definitions import HAC_LAGS_MONTHLY, MIN_REGRESSION_MONTHS
from factors.history import Levels, month_end_rows
from riskengine.base.errors import InputError, Problem
from riskengine.base.units import BUSINESS_DAYS_PER_YEAR

REVERTING = ("VOL_EQUITY", "VOL_FX")
LONG_RUN_SHARE = 0.001
"""vol_long_run over vol_now of a mean-reverting factor."""
DECAY_BOUNDS = (0.05, 0.97)
"""Monthly φ is held between them (half-lives of a week and of two years); 'held' in the method says when."""


@dataclass(frozen=True, slots=True)
class MeanReversion:
    """AR(1) of month-end levels: monthly φ ± se, held at a bound or not, months used, first and last."""

    decay: float
    se: float
    held: bool
    r2: float
    observations: int
    sample: str

    @property
    def rate(self) -> float:
        """κ per year."""
        return -12.0 * math.log(self.decay)

    @property
    def se_rate(self) -> float:
        """Standard error of κ."""
        return 12.0 * self.se / self.decay

    @property
    def half_life(self) -> float:
        """Years in which a deviation halves."""
        return math.log(2.0) / self.rate

    @property
    def se_half_life(self) -> float:
        """Standard error of the half-life."""
        return self.half_life * self.se_rate / self.rate

    def variance_decay(self, step_days: int) -> float:
        """ρ = e^{−2κ dt} per step of *step_days* business days."""
        return math.exp(-2.0 * self.rate * step_days / BUSINESS_DAYS_PER_YEAR)


def estimate_reversion(level: np.ndarray, months: np.ndarray, what: str) -> MeanReversion:
    """AR(1) of month-end levels (T,) with NaN at consecutive months (T,) datetime64[M]; InputError below
    MIN_REGRESSION_MONTHS."""
    before, after = level[:-1], level[1:]
    rows = np.isfinite(before) & np.isfinite(after) & (np.diff(months).astype(np.int64) == 1)
    if rows.sum() < MIN_REGRESSION_MONTHS:
        raise InputError(Problem(f"too few months to estimate the mean reversion of {what}",
                                 got=str(int(rows.sum())), accepted=f"at least {MIN_REGRESSION_MONTHS}"))
    fit = sm.OLS(after[rows], sm.add_constant(before[rows])).fit(cov_type="HAC",
                                                                cov_kwds={"maxlags": HAC_LAGS_MONTHLY})
    low, high = DECAY_BOUNDS
    decay = float(np.clip(fit.params[1], low, high))
    seen = months[1:][rows]
    return MeanReversion(decay, float(fit.bse[1]), decay != fit.params[1], float(fit.rsquared),
                         int(rows.sum()), f"{seen[0]} … {seen[-1]}")


def volatility_reversion(levels: Levels, as_of: np.datetime64) -> dict[str, MeanReversion]:
    """VOL_EQUITY and VOL_FX from their month-end levels, complete months before *as_of*."""
    rows = month_end_rows(levels.dates, as_of)
    months = levels.dates[rows].astype("datetime64[M]")
    return {label: estimate_reversion(levels.values[rows, levels.labels.index(label)], months, label)
            for label in REVERTING}
