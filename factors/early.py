"""Which factor model could have been estimated at a date when half of today's series did not exist yet?

For the court only (``backtests``): before 2007 (``definitions.EARLIEST_AS_OF``) the full model cannot be
estimated, so the factors with a history at the date are estimated by the same methods as the night's,

    GARCH-t per factor · Stambaugh and EM correlation with decay and Ledoit–Wolf shrinkage · ν by profile
    likelihood · dollar and path betas by least squares with Newey–West errors

and every other factor is *absent*: no volatility, no correlation, no beta.  Who reads the model must look at
``EarlyModels.available`` first; an absent factor's moves mean nothing.

Dollar and curve of the time: the broad dollar is built from the currencies that floated or were managed by
then (today's trade weights, renormalised; the krone, tied to the mark, carries the euro's weight before
1999); the curve from the constant-maturity yields of the day, interpolated between quoted tenors and absent
beyond them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm

from factors.assembly import fit_volatilities, standardise_daily, standardise_weekly
from factors.covariance import (complete_rows, decay_weights, ledoit_wolf_intensity, shrink,
                                stambaugh_moments,
                                to_correlation)
from factors.definitions import (BROAD_DOLLAR_WEIGHTS, CORRELATION_HALF_LIFE, HAC_LAGS_MONTHLY,
                                 MIN_REGRESSION_MONTHS)
from factors.history import Levels, complete_months
from factors.loadings import RATE_COLUMNS
from factors.residuals import carry_correlation, fill_rows
from factors.tails import profile_dof
from riskengine.base.axes import CURRENCIES, FACTORS, KEY_RATES
from riskengine.base.errors import InputError, Problem
from riskengine.base.units import BUSINESS_DAYS_PER_YEAR
from riskengine.data.catalog import TENOR_YEARS, panel_info
from riskengine.data.continuation import PAR_SERIES
from riskengine.data.panels import known_history, parse_as_of
from riskengine.data.selection import active_store
from riskengine.factor_model import FactorModel
from riskengine.market import bootstrap_zero_rates

FLOAT_START = "1973-03-19"
"""The generalised float of the major currencies."""
SAMPLE_YEARS = 15
"""Years of daily history used: a regime, not an epoch."""
MIN_DAYS = 500
"""Daily moves without which a factor is absent."""
STALE_DAYS = 10
EARLY_REGIME_STARTS: dict[str, str] = {
    "BRL": "1999-01-15", "CNY": "1994-01-03", "HKD": "1983-10-17", "INR": "1993-03-01", "MXN": "1994-12-22",
    "MYR": "2005-07-25", "THB": "1997-07-02", "KRW": "1981-04-13", "TWD": "1983-10-03",
}
"""First day on which a move of the currency says something about its risk: BRL float of January 1999, CNY
unified rate, HKD link, INR unified rate, MXN float, MYR and THB after (and before) their pegs; a peg of
the time has no history to learn from and is absent.  KRW, TWD: begin of the H.10 quotes (managed)."""
EURO_STAND_IN = "DKK"
"""Carries the euro's weight before 1999: the krone was kept within narrow bands to the mark."""
LISTED_REAL_ESTATE_FUNDS = ("etf.IYR", "etf.VNQ")
"""Imported funds whose closes stand for listed real estate, the first found."""
BETA_MONTHS = 180
"""Months behind the dollar and path betas."""
MIN_WEIGHT = 0.5
"""Months in which currencies of at least this weight were quoted count for the dollar betas."""
MAX_BETA_ERROR = 0.25
"""A currency whose dollar beta is less certain than this (crawling pegs, recent floats) is no part of the
dollar of the time: with it the currencies of some parameter draws would not add up."""
ABSENT_VOLATILITY = 1e-9


@dataclass(frozen=True, slots=True)
class EarlyModels:
    """The models at a date: daily, weekly, the labels of available factors, weights of the broad dollar (name
    → share, sum 1), the zero curve of the last day (10,) at KEY_RATES with absent tenors held flat, spot of
    available currencies (USD per unit), remarks."""

    daily: FactorModel
    weekly: FactorModel
    available: tuple[str, ...]
    weights: dict[str, float]
    zero_rates: np.ndarray
    spot: dict[str, float]
    remarks: tuple[str, ...]

    @property
    def models(self) -> dict[str, FactorModel]:
        """{'daily', 'weekly'}."""
        return {"daily": self.daily, "weekly": self.weekly}


def yield_history(as_of: str) -> tuple[np.ndarray, np.ndarray]:
    """(T,) days and (T, 10) zero rates at KEY_RATES known at *as_of*: par yields from 1990, before that the
    constant maturity yields embedded and imported (FRED ``DGS…``); NaN outside the quoted tenors."""
    par_dates, par = known_history("treasury_par_daily", as_of)
    cmt_dates, cmt = known_history("treasury_cmt_daily", as_of)
    par_labels = panel_info("treasury_par_daily").labels
    cmt_labels = panel_info("treasury_cmt_daily").labels
    columns = [cmt[:, cmt_labels.index(t)] if t in cmt_labels else np.full(len(cmt), np.nan)
               for t in par_labels]
    early = np.column_stack(columns) if len(cmt) else np.empty((0, len(par_labels)))
    cmt_dates, early = _add_imported(cmt_dates, early, par_labels, as_of, par_dates)
    new = ~np.isin(cmt_dates, par_dates)
    dates = np.concatenate([cmt_dates[new], par_dates])
    yields = np.vstack([early[new], par])
    order = np.argsort(dates, kind="stable")
    dates, yields = dates[order], yields[order]
    years = np.array([TENOR_YEARS[t] for t in par_labels])
    wanted = np.array(list(KEY_RATES.values()))
    zero = np.full((len(dates), len(wanted)), np.nan)
    patterns, which = np.unique(np.isfinite(yields), axis=0, return_inverse=True)
    which = np.ravel(which)
    for p, quoted in enumerate(patterns):
        if quoted.sum() < 2:
            continue
        rows = np.flatnonzero(which == p)
        inside = (wanted >= years[quoted][0]) & (wanted <= years[quoted][-1])
        zero[np.ix_(rows, inside)] = bootstrap_zero_rates(
            years[quoted], yields[np.ix_(rows, quoted)], wanted[inside])
    return dates, zero


def _add_imported(dates: np.ndarray, yields: np.ndarray, labels: tuple[str, ...], as_of: str,
                  later: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """*yields* (T, N) of *dates* with imported constant maturity yields of days before *later* begins where
    nothing is embedded."""
    store = active_store()
    found = {t: store.read_as_of(PAR_SERIES[t], as_of) for t in labels if PAR_SERIES[t] in store.series}
    end = later[0] if len(later) else parse_as_of(as_of) + 1
    days = np.unique(np.concatenate([dates, *(d[d < end]
                                              for d, _ in found.values())])).astype("datetime64[D]")
    out = np.full((len(days), len(labels)), np.nan)
    out[np.searchsorted(days, dates)] = yields
    for label, (when, percent) in found.items():
        early = when < end
        rows, column = np.searchsorted(days, when[early]), out[:, labels.index(label)]
        column[rows] = np.where(np.isfinite(column[rows]), column[rows], percent[early] / 100.0)
    return days, out


def equity_history(as_of: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Factor → days and closes known at *as_of*: the panel ``equity_daily``, before its first day the
    imported series of the same index, and the listed real estate fund where it is imported."""
    dates, values = known_history("equity_daily", as_of)
    store = active_store()
    out = {}
    for j, name in enumerate(panel_info("equity_daily").labels):
        days, closes = _observed(dates, values[:, j])
        if name in store.series:
            days, closes = _prepend(days, closes, *store.read_as_of(name, as_of))
        if len(days):
            out[f"EQ_{name}"] = (days, closes)
    for fund in LISTED_REAL_ESTATE_FUNDS:
        if fund in store.series:
            out["EQ_LISTED_REAL_ESTATE"] = store.read_as_of(fund, as_of)
            break
    return out


def _observed(dates: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    seen = np.isfinite(values)
    return dates[seen], values[seen]


def _prepend(days: np.ndarray, values: np.ndarray, more_days: np.ndarray, more: np.ndarray
             ) -> tuple[np.ndarray, np.ndarray]:
    """*more* where it is earlier than the first of *days*, then *values*."""
    early = more_days < days[0] if len(days) else np.ones(len(more_days), dtype=bool)
    return np.concatenate([more_days[early], days]), np.concatenate([more[early], values])


def early_levels(as_of: str) -> tuple[Levels, tuple[str, ...]]:
    """Log prices and yields of the factors available at *as_of*, and remarks on the absent ones."""
    day = parse_as_of(as_of)
    start = max(np.datetime64(FLOAT_START), day - np.timedelta64(round(365.25 * SAMPLE_YEARS), "D"))
    fx_dates, fx = known_history("fx_daily", as_of)
    y_dates, zero = yield_history(as_of)
    ten = list(KEY_RATES).index("10Y")
    traded = y_dates[np.isfinite(zero[:, ten])]
    quoted = fx_dates[np.isfinite(fx[:, CURRENCIES.index("JPY")])]
    dates = np.intersect1d(traded, quoted)
    dates = dates[dates >= start]
    if len(dates) < 2 * MIN_DAYS:
        raise InputError(Problem("too little daily history of currencies and yields before this date",
                                 field="as_of", got=as_of,
                                 accepted=f"{FLOAT_START} plus four years or later"))
    labels, columns, absent = [], [], []

    def offer(label: str, days: np.ndarray, level: np.ndarray, first: str | None = None) -> None:
        column = np.full(len(dates), np.nan)
        seen = np.isfinite(level)
        at = np.searchsorted(dates, days[seen])
        safe = np.minimum(at, len(dates) - 1)
        hit = dates[safe] == days[seen]
        column[safe[hit]] = level[seen][hit]
        if first is not None:
            column[dates < np.datetime64(first)] = np.nan
        known = np.flatnonzero(np.isfinite(column))
        fresh = len(known) and (day - dates[known[-1]]).astype(int) <= STALE_DAYS
        moves = np.diff(column)
        if not fresh or np.isfinite(moves).sum() < MIN_DAYS or not np.nanstd(moves) > 0:
            absent.append(label)
            return
        labels.append(label)
        columns.append(column)

    for j, c in enumerate(CURRENCIES):
        with np.errstate(invalid="ignore"):
            offer(f"FX_{c}", fx_dates, np.log(fx[:, j]), EARLY_REGIME_STARTS.get(c))
    for j, tenor in enumerate(KEY_RATES):
        offer(f"UST_{tenor}", y_dates, zero[:, j])
    index = equity_history(as_of).get("EQ_SP500")
    if index is not None:
        offer("EQ_SP500", index[0], np.log(index[1]))
    else:
        absent.append("EQ_SP500")
    remarks = (f"absent at {as_of}: {', '.join(absent)}",) if absent else ()
    return Levels(dates, np.column_stack(columns), tuple(labels)), remarks


def estimate_early(as_of: str) -> EarlyModels:
    """The models of what existed at *as_of* (ISO date), from what was known at its close; nothing later is
    read.

    InputError when less than four years of floating currencies and daily yields precede the date.
    """
    levels, remarks = early_levels(as_of)
    day = parse_as_of(as_of)
    weights = dollar_weights(levels.labels)
    betas, se_betas = _dollar_betas(as_of, day, weights)
    loose = [c for c, se in zip(CURRENCIES, se_betas, strict=True) if not 0 < se <= MAX_BETA_ERROR]
    weights = dollar_weights(tuple(x for x in levels.labels if x[3:] not in loose))
    betas, se_betas = _dollar_betas(as_of, day, weights)
    path, se_path = _path_betas(as_of, day)
    fits = fit_volatilities(levels)
    models = {}
    for name, s in (("daily", standardise_daily(levels, fits)), ("weekly", standardise_weekly(levels, fits))):
        models[name] = _embed(s, levels.labels, as_of, betas, se_betas, path, se_path, weights)
    zero = levels.values[:, [j for j, x in enumerate(levels.labels) if x.startswith("UST_")]]
    tenors = [KEY_RATES[x[4:]] for x in levels.labels if x.startswith("UST_")]
    last = np.array([_last(column) for column in zero.T])
    curve = np.interp(np.array(list(KEY_RATES.values())), tenors, last)
    spot = {x[3:]: float(np.exp(_last(levels.values[:, j]))) for j, x in enumerate(levels.labels)
            if x.startswith("FX_")}
    return EarlyModels(models["daily"], models["weekly"], levels.labels, weights, curve, spot, remarks)


def dollar_weights(labels: tuple[str, ...]) -> dict[str, float]:
    """Currency → share of the broad dollar over the available currencies, sum 1."""
    present = [c for c in CURRENCIES if f"FX_{c}" in labels]
    raw = {c: BROAD_DOLLAR_WEIGHTS.get(c, 0.0) for c in present}
    if "EUR" not in present and EURO_STAND_IN in present:
        raw[EURO_STAND_IN] = BROAD_DOLLAR_WEIGHTS["EUR"]
    total = sum(raw.values())
    if not total > 0:
        raise InputError(Problem("no currency of the broad dollar is available", field="as_of"))
    return {c: w / total for c, w in raw.items() if w > 0}


def _dollar_betas(as_of: str, day: np.datetime64, weights: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """(21,) beta and standard error of each currency on the weighted dollar; 0 where it cannot be
    estimated."""
    dates, values = known_history("fx_monthly", as_of)
    months = dates.astype("datetime64[M]")
    complete = months < day.astype("datetime64[M]")
    with np.errstate(invalid="ignore"):
        moves = np.diff(np.log(values[complete][-BETA_MONTHS - 1:]), axis=0)
    member = [CURRENCIES.index(c) for c in weights]
    share = np.where(np.isfinite(moves[:, member]), np.array(list(weights.values())), 0.0)
    total = share.sum(axis=1)
    s = np.where(total >= MIN_WEIGHT, (share * np.nan_to_num(moves[:, member])).sum(axis=1), np.nan)
    s = s / np.where(total > 0, total, 1.0)
    beta, se = np.zeros(len(CURRENCIES)), np.zeros(len(CURRENCIES))
    for j in range(len(CURRENCIES)):
        rows = np.isfinite(moves[:, j]) & np.isfinite(s)
        if rows.sum() >= MIN_REGRESSION_MONTHS and np.std(moves[rows, j]) > 0:
            beta[j], se[j] = _slope(moves[rows, j], s[rows])
    return beta, se


def _path_betas(as_of: str, day: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
    """(10,) change of each key rate per change of the 2-year, monthly averages; a tenor without history takes
    that of its nearest quoted neighbour."""
    from riskengine.data.panels import load_panel

    panel = load_panel("rates_monthly", as_of)
    _, values = complete_months(panel, day)
    moves = np.diff(values[-BETA_MONTHS - 1:], axis=0)
    two = moves[:, panel.axis.index("GS2")]
    beta, se = np.full(len(KEY_RATES), np.nan), np.full(len(KEY_RATES), np.nan)
    for j, tenor in enumerate(KEY_RATES):
        if tenor == "2Y":
            beta[j], se[j] = 1.0, 0.0
            continue
        y = moves[:, panel.axis.index(RATE_COLUMNS[tenor])]
        rows = np.isfinite(y) & np.isfinite(two)
        if rows.sum() >= MIN_REGRESSION_MONTHS:
            beta[j], se[j] = _slope(y[rows], two[rows])
    known = np.flatnonzero(np.isfinite(beta))
    nearest = known[np.argmin(np.abs(np.arange(len(beta))[:, None] - known[None]), axis=1)]
    return beta[nearest], se[nearest]


def _slope(y: np.ndarray, x: np.ndarray) -> tuple[float, float]:
    fit = sm.OLS(y, sm.add_constant(x)).fit(cov_type="HAC", cov_kwds={"maxlags": HAC_LAGS_MONTHLY})
    return float(fit.params[1]), float(fit.bse[1])


def _last(column: np.ndarray) -> float:
    return float(column[np.isfinite(column)][-1])


def _embed(s, labels, as_of, betas, se_betas, path, se_path, weights) -> FactorModel:
    """One model on the full axis from standardised moves of *labels*; absent factors are still."""
    k, n = len(FACTORS), len(labels)
    half_life = CORRELATION_HALF_LIFE[s.step_days] * BUSINESS_DAYS_PER_YEAR / s.step_days
    moments = stambaugh_moments(s.z, decay_weights(len(s.z), half_life))[1]
    full = np.isfinite(s.z).mean(axis=0) >= 0.95
    block = complete_rows(s.z[:, full])
    intensity = ledoit_wolf_intensity(block, np.eye(block.shape[1]), decay_weights(len(block), half_life))
    correlation_s = shrink(to_correlation(moments), np.eye(n), intensity)
    dof, _ = profile_dof(block)
    at = FACTORS.indices(labels)
    correlation = np.eye(k)
    correlation[np.ix_(at, at)] = correlation_s
    now, long_run = np.full(k, ABSENT_VOLATILITY), np.full(k, ABSENT_VOLATILITY)
    persistence = np.zeros(k)
    now[at], long_run[at], persistence[at] = s.vol_now, s.vol_long_run, s.persistence
    z = np.full((len(s.z), k), np.nan)
    z[:, at] = s.z
    completed, _, synthetic = fill_rows(z, s.dates, correlation, dof)
    residuals = carry_correlation(completed, correlation)
    counts = np.zeros(k, dtype=np.int64)
    counts[at] = np.isfinite(s.z).sum(axis=0)
    share = np.array([weights.get(c, 0.0) for c in CURRENCIES])
    return FactorModel(
        axis=FACTORS, step_days=s.step_days, as_of=as_of, vol_now=now, vol_long_run=long_run,
        persistence=persistence, correlation=correlation, cholesky=np.linalg.cholesky(correlation), dof=dof,
        residuals=residuals, residual_synthetic=synthetic, loadings=np.eye(k), loadings_draw_factor=None,
        core=np.ones(k, dtype=bool), stress_correlation=correlation, currency_beta=betas,
        currency_beta_se=se_betas, index_weights=share, path_beta=path, path_beta_se=se_path,
        history=counts, sample=f"{s.dates[0]} … {s.dates[-1]}", diagnostics=())


