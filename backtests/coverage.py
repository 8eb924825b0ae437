"""Does the default model's one-day 99% VaR cover what happened, without look-ahead?

For every calendar year y: GARCH, degrees of freedom and correlation are estimated on moves before y only; through
y the filter runs on with those parameters (``factors.volatility.carry_on``), and each day

    VaR_t = − σ_t · t_ν⁻¹(1 − level) · √((ν − 2)/ν),     book: σ_t² = w' D_t R D_t w

is compared with that day's move.  Covered: single currencies held long against the dollar, two Treasury yields
(the holder loses when the yield rises) and an equally weighted currency book.  The degrees of freedom are those of
the multivariate t of this set, as in the default model of the full set.

This is a sanity test of the noise model, not the model-validation of ``riskengine backtest`` to come.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from backtests.scoring import christoffersen, conditional_coverage, kupiec, pinball, traffic_light, transitions
from factors.history import daily_moves, factor_levels, read_panels
from factors.tails import profile_dof
from factors.volatility import carry_on, fit_garch
from riskengine.base.errors import InputError, Problem
from riskengine.result import BacktestResult

CURRENCIES_COVERED = ("FX_EUR", "FX_JPY", "FX_GBP", "FX_AUD", "FX_KRW", "FX_MXN")
YIELDS_COVERED = ("UST_2Y", "UST_10Y")
BOOK = "equally weighted FX book"
MODEL = "GARCH(1,1) volatility, multivariate Student t, re-estimated each year"


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Daily forecasts of one series: dates (N,), pnl (N,) of the holder, sd (N,), dof (N,)."""

    series: str
    dates: np.ndarray
    pnl: np.ndarray
    sd: np.ndarray
    dof: np.ndarray

    def var(self, level: float) -> np.ndarray:
        """(N,) value at risk, loss positive."""
        return -self.sd * student.ppf(1 - level, self.dof) * np.sqrt((self.dof - 2) / self.dof)


def run_coverage(as_of: str, years: int = 10, level: float = 0.99) -> tuple[BacktestResult, ...]:
    """One BacktestResult per covered series over the last *years* calendar years to *as_of*.

    extra: expected exceptions, Christoffersen and conditional-coverage statistics, exceptions by year and in the
    other tail, mean pinball loss against that of a constant-volatility normal VaR, first and last day.
    """
    return tuple(judge(f, level) for f in forecast(as_of, years))


def forecast(as_of: str, years: int = 10, currencies: tuple[str, ...] = CURRENCIES_COVERED,
             yields: tuple[str, ...] = YIELDS_COVERED) -> list[Forecasts]:
    """Out-of-sample daily forecasts of every covered series and of the book."""
    moves = daily_moves(factor_levels(read_panels(as_of)))
    labels = currencies + yields
    x = np.column_stack([moves.column(label) for label in labels])
    complete = np.isfinite(x).all(axis=1)
    x, dates = x[complete], moves.dates[complete]
    year = dates.astype("datetime64[Y]").astype(int) + 1970
    first = year[-1] - years + 1
    if (year < first).sum() < 500:
        raise InputError(Problem("too little history before the first year to cover", field="years", got=str(years)))
    sign = np.array([1.0 if label.startswith("FX_") else -1.0 for label in labels])
    weights = np.array([1.0 / len(currencies)] * len(currencies) + [0.0] * len(yields))
    pieces: list[tuple[np.ndarray, np.ndarray, float, np.ndarray]] = []
    for y in range(first, year[-1] + 1):
        past, now = x[year < y], year == y
        fits = [fit_garch(past[:, j]) for j in range(len(labels))]
        z = np.column_stack([past[:, j] / np.sqrt(f.variance[:-1]) for j, f in enumerate(fits)])
        nu, _ = profile_dof(z)
        correlation = np.corrcoef(z.T)
        seen = year <= y
        sd = np.column_stack([np.sqrt(carry_on(f, x[seen, j])[:-1]) for j, f in enumerate(fits)])[year[seen] == y]
        loaded = sd * weights
        pieces.append((now, sd, nu, np.sqrt(np.einsum("ti,ij,tj->t", loaded, correlation, loaded))))
    rows = np.flatnonzero(np.any([p[0] for p in pieces], axis=0))
    sd = np.concatenate([p[1] for p in pieces])
    dof = np.concatenate([np.full(len(p[1]), p[2]) for p in pieces])
    book_sd = np.concatenate([p[3] for p in pieces])
    out = [Forecasts(label, dates[rows], sign[j] * x[rows, j], sd[:, j], dof) for j, label in enumerate(labels)]
    out.append(Forecasts(BOOK, dates[rows], x[rows] @ weights, book_sd, dof))
    return out


def judge(f: Forecasts, level: float = 0.99) -> BacktestResult:
    """Kupiec, Christoffersen and traffic light of one series at *level*."""
    var = f.var(level)
    hit = f.pnl < -var
    n, x = len(hit), int(hit.sum())
    rate = kupiec(n, x, 1 - level)
    independence = christoffersen(*transitions(hit))
    both = conditional_coverage(rate, independence)
    zone, cumulative = traffic_light(n, x, 1 - level)
    years = f.dates.astype("datetime64[Y]").astype(int) + 1970
    flat = student.ppf(1 - level, 1e9) * f.pnl.std()
    return BacktestResult(
        series=f.series, model=MODEL, level=level, observations=n, exceptions=x, kupiec_lr=rate.lr,
        kupiec_p=rate.p_value, traffic_light=zone,
        extra={
            "expected": n * (1 - level), "cumulative_probability": cumulative,
            "christoffersen_lr": independence.lr, "christoffersen_p": independence.p_value,
            "conditional_coverage_p": both.p_value, "other_tail_exceptions": int((f.pnl > var).sum()),
            "exceptions_by_year": {int(y): int(hit[years == y].sum()) for y in np.unique(years)},
            "mean_var": float(var.mean()), "mean_dof": float(f.dof.mean()),
            "pinball": float(pinball(f.pnl, -var, 1 - level).mean()),
            "pinball_flat_normal_in_sample": float(pinball(f.pnl, np.full(n, flat), 1 - level).mean()),
            "first": str(f.dates[0]), "last": str(f.dates[-1]),
        })
