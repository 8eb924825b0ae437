"""Does the default model's one-day 99% VaR cover what happened, without look-ahead?

For every calendar year y: GARCH, degrees of freedom and correlation are estimated on moves before y only;
through y the filter runs on with those parameters (``factors.volatility.carry_on``), and each day

    VaR_t = − σ_t · t_ν⁻¹(1 − level) · √((ν − 2)/ν),     book: σ_t² = w' D_t R D_t w

is compared with that day's move; beside it the filtered historical simulation, whose quantile is that of
past rows of standardised moves scaled by today's volatilities.  Covered: single currencies held long
against the dollar, two Treasury yields (the holder loses when the yield rises) and an equally weighted
currency book.  The degrees of freedom are those of the multivariate t of this set, as in the default model
of the full set.

This is a sanity test of the noise model, not the model-validation of ``riskengine backtest`` to come.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from backtests.scoring import (christoffersen, conditional_coverage, kupiec, pinball, traffic_light,
                               transitions)
from factors.covariance import decay_weights, stambaugh_moments, to_correlation
from factors.definitions import CORRELATION_HALF_LIFE
from factors.history import daily_moves, factor_levels, read_panels
from factors.tails import profile_dof
from factors.volatility import VolatilityFit, carry_on, fit_garch
from riskengine.base.errors import InputError, Problem
from riskengine.base.units import BUSINESS_DAYS_PER_YEAR
from riskengine.result import BacktestResult

MIN_HISTORY_DAYS = 1000
CURRENCIES_COVERED = ("FX_EUR", "FX_JPY", "FX_GBP", "FX_AUD", "FX_KRW", "FX_MXN")
YIELDS_COVERED = ("UST_2Y", "UST_10Y")
BOOK = "equally weighted FX book"
STUDENT = "GARCH Student t"
HISTORICAL = "GARCH filtered historical"


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Daily VaR forecasts of one series by one model.

    dates (N,), pnl (N,) of the holder, low and high (N,) forecast quantiles of pnl at 1 − level and level.
    """

    series: str
    model: str
    level: float
    dates: np.ndarray
    pnl: np.ndarray
    low: np.ndarray
    high: np.ndarray


def run_coverage(as_of: str, years: int = 10, level: float = 0.99) -> tuple[BacktestResult, ...]:
    """One BacktestResult per covered series and model over the last *years* calendar years to *as_of*.

    extra: expected exceptions, Christoffersen and conditional-coverage statistics, exceptions by year and
    in the other tail, mean pinball loss relative to a constant-volatility normal VaR, first and last day.
    """
    return tuple(judge(f) for f in forecast(as_of, years, level))


def forecast(as_of: str, years: int = 10, level: float = 0.99,
             currencies: tuple[str, ...] = CURRENCIES_COVERED,
             yields: tuple[str, ...] = YIELDS_COVERED) -> list[Forecasts]:
    """Out-of-sample daily forecasts of every covered series and of the book, both models."""
    moves = daily_moves(factor_levels(read_panels(as_of)))
    labels = currencies + yields
    x = np.column_stack([moves.column(label) for label in labels])
    complete = np.isfinite(x).all(axis=1)
    x, dates = x[complete], moves.dates[complete]
    x = x * np.array([1.0 if label.startswith("FX_") else -1.0 for label in labels])
    year = dates.astype("datetime64[Y]").astype(int) + 1970
    first = int(year[-1]) - years + 1
    if years < 1 or (year < first).sum() < MIN_HISTORY_DAYS:
        raise InputError(Problem("too little history before the first year to cover", field="years",
                                 got=str(years), accepted=f"at least {MIN_HISTORY_DAYS} days before it"))
    book = np.concatenate([np.full(len(currencies), 1.0 / len(currencies)), np.zeros(len(yields))])
    quantiles, fits = [], [None] * len(labels)
    for y in range(first, int(year[-1]) + 1):
        past = x[year < y]
        fits = [fit_garch(past[:, j], near=fits[j], errors=False) for j in range(len(labels))]
        quantiles.append(_one_year(fits, past, x[year <= y], year[year <= y] == y, book, level))
    rows = year >= first
    pnl = np.column_stack([x, x @ book])[rows]
    out = []
    for m, model in enumerate((STUDENT, HISTORICAL)):
        low, high = (np.concatenate([q[m][tail] for q in quantiles]) for tail in (0, 1))
        out += [Forecasts(name, model, level, dates[rows], pnl[:, j], low[:, j], high[:, j])
                for j, name in enumerate((*labels, BOOK))]
    return out


def _one_year(fits: list[VolatilityFit], past: np.ndarray, seen: np.ndarray, now: np.ndarray,
              book: np.ndarray, level: float):
    """Quantiles (low, high), each (days of the year, series + book), of both models.

    fits : estimated on *past* (T, J), the moves before the year.  seen : (T', J) moves to its end, *now*
    (T',) bool its days among them.
    """
    z = np.column_stack([past[:, j] / np.sqrt(f.variance[:-1]) for j, f in enumerate(fits)])
    sd = np.column_stack([np.sqrt(carry_on(f, seen[:, j])[:-1]) for j, f in enumerate(fits)])[now]
    half_life = CORRELATION_HALF_LIFE[1] * BUSINESS_DAYS_PER_YEAR
    correlation = to_correlation(stambaugh_moments(z, decay_weights(len(z), half_life))[1])
    nu, _ = profile_dof(z)
    loaded = sd * book
    all_sd = np.column_stack([sd, np.sqrt(np.einsum("ti,ij,tj->t", loaded, correlation, loaded))])
    multiple = student.ppf(level, nu) * np.sqrt((nu - 2) / nu)
    parametric = (-multiple * all_sd, multiple * all_sd)
    tails = [1 - level, level]
    single = np.quantile(z, tails, axis=0)
    whole = np.quantile(loaded @ z.T, tails, axis=1)
    historical = tuple(np.column_stack([sd * single[i], whole[i]]) for i in (0, 1))
    return parametric, historical


def judge(f: Forecasts) -> BacktestResult:
    """Kupiec, Christoffersen and traffic light of one series."""
    p = 1 - f.level
    hit = f.pnl < f.low
    n, x = len(hit), int(hit.sum())
    rate = kupiec(n, x, p)
    independence = christoffersen(*transitions(hit))
    zone, cumulative = traffic_light(n, x, p)
    years = f.dates.astype("datetime64[Y]").astype(int) + 1970
    flat = np.full(n, norm.ppf(p) * f.pnl.std())
    return BacktestResult(
        series=f.series, model=f.model, level=f.level, observations=n, exceptions=x, kupiec_lr=rate.lr,
        kupiec_p=rate.p_value, traffic_light=zone,
        extra={
            "expected": n * p, "cumulative_probability": cumulative, "christoffersen_lr": independence.lr,
            "christoffersen_p": independence.p_value,
            "conditional_coverage_p": conditional_coverage(rate, independence).p_value,
            "other_tail_exceptions": int((f.pnl > f.high).sum()),
            "exceptions_by_year": {int(y): int(hit[years == y].sum()) for y in np.unique(years)},
            "mean_var": float(-f.low.mean()),
            "pinball_against_flat_normal": float(
                pinball(f.pnl, f.low, p).mean() / pinball(f.pnl, flat, p).mean()),
            "first": str(f.dates[0]), "last": str(f.dates[-1]),
        })
