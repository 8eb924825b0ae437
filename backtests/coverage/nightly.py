"""Does the night's noise cover what happened lately? The short table of the nightly report.

The engine's two noise models on factors of its own set (six currencies, the 2- and the 10-year zero rate) and
an equally weighted currency book, one-day 99% VaR, the last ten calendar years or fewer.  Rows, correlation
and degrees of freedom are those of this set.  The full court is
``riskengine backtest coverage``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.stats import norm

from backtests.coverage.books import night_books
from backtests.coverage.models import ENGINE
from backtests.coverage.rolling import MIN_HISTORY_DAYS, Daily, forecast_daily
from backtests.scoring import (
    christoffersen, conditional_coverage, kupiec, pinball, traffic_light, transitions,
)
from riskengine.base.errors import InputError, Problem
from riskengine.result import BacktestResult


def run_nightly(as_of: str, years: int = 10, level: float = 0.99, folder: Path | None = None
                ) -> tuple[BacktestResult, ...]:
    """One BacktestResult per series and model over the last *years* calendar years to *as_of*.

    extra: expected exceptions, Christoffersen and conditional-coverage statistics, exceptions by year and
    in the other tail, mean pinball loss relative to a constant-volatility normal VaR, first and last day.
    InputError with fewer than 1000 days before the first year.
    """
    return tuple(judge(d) for d in forecast_night(as_of, years, level, folder))


def forecast_night(as_of: str, years: int = 10, level: float = 0.99, folder: Path | None = None
                   ) -> list[Daily]:
    """Out-of-sample daily forecasts of every covered series and of the book, both models."""
    holdings = night_books(as_of)
    year = holdings.panels["night"].dates.astype("datetime64[Y]").astype(int) + 1970
    first = int(year[-1]) - years + 1
    if years < 1 or (year < first).sum() < MIN_HISTORY_DAYS:
        raise InputError(Problem("too little history before the first year to cover", field="years",
                                 got=str(years), accepted=f"at least {MIN_HISTORY_DAYS} days before it"))
    return forecast_daily(holdings, first, tuple(ENGINE), (level,), workers=1, folder=folder)


def judge(d: Daily) -> BacktestResult:
    """Kupiec, Christoffersen and traffic light of one series at the first level."""
    level, low = d.levels[0], d.var[:, 0]
    p = 1 - level
    hit = d.pnl < low
    n, x = len(hit), int(hit.sum())
    rate = kupiec(n, x, p)
    independence = christoffersen(*transitions(hit))
    zone, cumulative = traffic_light(n, x, p)
    years = d.dates.astype("datetime64[Y]").astype(int) + 1970
    flat = np.full(n, norm.ppf(p) * d.pnl.std())
    return BacktestResult(
        series=d.book.name, model=d.model, level=level, observations=n, exceptions=x, kupiec_lr=rate.lr,
        kupiec_p=rate.p_value, traffic_light=zone,
        extra={
            "expected": n * p, "cumulative_probability": cumulative, "christoffersen_lr": independence.lr,
            "christoffersen_p": independence.p_value,
            "conditional_coverage_p": conditional_coverage(rate, independence).p_value,
            "other_tail_exceptions": int((d.pnl > d.high[:, 0]).sum()),
            "exceptions_by_year": {int(y): int(hit[years == y].sum()) for y in np.unique(years)},
            "mean_var": float(-low.mean()),
            "pinball_against_flat_normal":
                float(pinball(d.pnl, low, p).mean() / pinball(d.pnl, flat, p).mean()),
            "first": str(d.dates[0]), "last": str(d.dates[-1]),
        })
