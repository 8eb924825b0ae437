"""From panels to the two factor models: daily (1 day) and weekly (5 business days), each on its own moves.

1. levels → moves → GARCH per factor, on daily data.  The weekly model takes its own long-run variance and
   correlation, and from the daily filter only the ratio of expected to long-run variance over the coming
   week; its persistence is ρ⁵.
2. Correlation of standardised moves by Stambaugh and EM, recent years weighing more, shrunk by Ledoit–Wolf;
   degrees of freedom by profile likelihood on currencies and yields (constant conditional correlation:
   Bollerslev 1990).
3. Derived factors (factors.structure): everything on the K factors of the axis.  VOL_EQUITY and VOL_FX
   revert to their mean: the variance of a step decays to almost nothing (factors.mean_reversion).
4. Stress correlation from crisis windows, rows for filtered historical simulation, betas, loadings.

Equity volatility is the long-run one: the embedded daily history ends in 2018 and says nothing about today.
Where imported data carry it to the as-of date, it is today's like every other, baskets of imported sectors
are factors with a history of their own, and an index without one takes the S&P 500's ratio of today's to
long-run volatility.
Currencies are quoted at noon in New York, yields and equities at the close: daily correlations between them
are understated, weekly ones less so.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from factors import diagnostics
from factors.covariance import (complete_rows, decay_weights, expected_moments, ledoit_wolf_intensity, shrink,
                                stambaugh_moments, to_correlation, update_long_block)
from factors.definitions import (ASYMMETRIC, CORRELATION_HALF_LIFE, CRISIS_WINDOWS, NON_CORE,
                                 STATISTICAL_FACTORS,
                                 VOL_BURN_IN, VOL_FORECAST_DAYS, VOL_FX_CURRENCIES)
from factors.history import Levels, daily_moves, factor_levels, sector_baskets, weekly_anchors, weekly_moves
from factors.loadings import core_loadings, currency_betas, index_weights, path_betas
from factors.mean_reversion import LONG_RUN_SHARE, MeanReversion, volatility_reversion
from factors.real_estate import NationalProperty, estimate_national
from factors.residuals import carry_correlation, fill_rows, usable_rows
from factors.structure import assemble, build_structure, require_inputs
from factors.tails import profile_dof
from factors.volatility import VolatilityFit, constant, fit_garch, mean_forecast
from riskengine.base.axes import FACTORS
from riskengine.base.errors import ModelError
from riskengine.base.units import BUSINESS_DAYS_PER_YEAR
from riskengine.factor_model import FactorModel
from riskengine.market import MarketInput, Panel

MOSTLY = 0.95
"""Columns observed on this share of rows enter estimates that need complete rows."""
WEEK = 5
RATES_AND_FX = 31
"""The first columns of STATISTICAL_FACTORS: 21 currencies and 10 key rates."""


@dataclass(frozen=True, slots=True)
class Standardised:
    """Standardised moves of the statistical factors over one step length.

    dates (T,), z (T, N_S) with NaN, vol_now, vol_long_run (N_S,) per step, persistence (N_S,) per step.
    labels (N_S,), live : equity factors with a current history.
    """

    step_days: int
    dates: np.ndarray
    z: np.ndarray
    vol_now: np.ndarray
    vol_long_run: np.ndarray
    persistence: np.ndarray
    fits: dict[str, VolatilityFit]
    labels: tuple[str, ...] = STATISTICAL_FACTORS
    live: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Crisis:
    """Change of the correlation in crises (N_S, N_S), see ``measure_crisis``; windows, rows, shrinkage."""

    change: np.ndarray
    windows: tuple[str, ...]
    rows: int
    shrinkage: float


def build_models(panels: Mapping[str, Panel], as_of: str, inputs: Mapping[str, MarketInput]
                 ) -> dict[str, FactorModel]:
    """{'daily': …, 'weekly': …} estimated on *panels* (already cut at *as_of*)."""
    require_inputs(inputs)
    day = np.datetime64(as_of, "D")
    plain = factor_levels(panels)
    fits = fit_volatilities(plain)
    levels = add_volatility_factors(plain, fits)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        national = estimate_national(panels)
        betas, paths = currency_betas(panels, day), path_betas(panels, day)
        loadings, draw, regressions = core_loadings(panels, levels, day)
        reversion = volatility_reversion(levels, day)
    common = {
        "loadings": loadings, "loadings_draw_factor": draw,
        "core": np.array([label not in NON_CORE for label in FACTORS.labels]),
        "currency_beta": np.array([b.slopes[0] for b in betas]),
        "currency_beta_se": np.array([b.errors[0] for b in betas]),
        "index_weights": index_weights(),
        "path_beta": np.array([p.slopes[0] for p in paths]),
        "path_beta_se": np.array([p.errors[0] for p in paths]),
    }
    coefficients = diagnostics.coefficient_rows(betas, paths, regressions, national, reversion)
    coefficients += diagnostics.basket_rows(sector_baskets(panels))
    daily, weekly = standardise_daily(levels, fits), standardise_weekly(levels, fits)
    moments = {s.step_days: stambaugh_moments(s.z)[1:] for s in (daily, weekly)}
    crisis = measure_crisis(daily, to_correlation(moments[1][0]))
    out = {}
    for name, s in (("daily", daily), ("weekly", weekly)):
        out[name] = _build(name, s, moments[s.step_days], crisis, national, reversion, inputs, as_of,
                           common, coefficients)
    return out


def fit_volatilities(levels: Levels) -> dict[str, VolatilityFit]:
    """GARCH of every factor with levels, on daily moves; with a GJR term for ASYMMETRIC ones."""
    moves = daily_moves(levels)
    out = {}
    for j, label in enumerate(moves.labels):
        x = moves.values[:, j]
        out[label] = fit_garch(x[np.isfinite(x)], asymmetric=label.startswith(ASYMMETRIC))
    return out


def add_volatility_factors(levels: Levels, fits: Mapping[str, VolatilityFit]) -> Levels:
    """*levels* with VOL_EQUITY and VOL_FX: the log of the model's volatility forecast over VOL_FORECAST_DAYS
    (currencies: cumulated average change, so that a late currency does not make a step)."""
    moves = daily_moves(levels)
    logs = np.full((len(levels.dates), len(moves.labels)), np.nan)
    for j, label in enumerate(moves.labels):
        fit = fits[label]
        forecast = mean_forecast(fit.variance[1:], fit.long_run, fit.persistence, VOL_FORECAST_DAYS)
        rows = np.flatnonzero(np.isfinite(moves.values[:, j])) + 1
        logs[rows[VOL_BURN_IN:], j] = 0.5 * np.log(forecast[VOL_BURN_IN:])
    equity = logs[:, moves.labels.index("EQ_SP500")]
    change = np.diff(logs[:, [moves.labels.index(f"FX_{c}") for c in VOL_FX_CURRENCIES]], axis=0)
    count = np.isfinite(change).sum(axis=1)
    average = np.where(count > 0, np.nansum(change, axis=1) / np.maximum(count, 1), np.nan)
    first = int(np.flatnonzero(count > 0)[0])
    fx = np.full(len(levels.dates), np.nan)
    fx[first] = 0.0
    fx[first + 1:] = np.cumsum(np.nan_to_num(average[first:]))
    return Levels(levels.dates, np.column_stack([levels.values, equity, fx]),
                  (*levels.labels, "VOL_EQUITY", "VOL_FX"), levels.live)


def standardise_daily(levels: Levels, fits: Mapping[str, VolatilityFit]) -> Standardised:
    """Daily moves over their conditional volatility."""
    moves = daily_moves(levels)
    z = np.full(moves.values.shape, np.nan)
    now, long_run, persistence = (np.zeros(z.shape[1]) for _ in range(3))
    used: dict[str, VolatilityFit] = {}
    for j, label in enumerate(moves.labels):
        rows = np.isfinite(moves.values[:, j])
        x = moves.values[rows, j]
        fit = used[label] = fits[label] if label in fits else constant(x)
        z[rows, j] = x / np.sqrt(fit.variance[:-1])
        long_run[j] = np.sqrt(fit.long_run)
        frozen = label.startswith(("EQ_", "VOL_")) and label not in levels.live
        now[j] = long_run[j] if frozen else np.sqrt(fit.now)
        persistence[j] = 0.0 if frozen else fit.persistence
    _follow_the_index(levels, now, long_run, persistence)
    return Standardised(1, moves.dates, z, now, long_run, persistence, used, levels.labels, levels.live)


def standardise_weekly(levels: Levels, fits: Mapping[str, VolatilityFit]) -> Standardised:
    """Weekly moves over √(s_w² g), g the daily filter's expected over long-run variance of the coming
    week."""
    daily, moves = daily_moves(levels), weekly_moves(levels)
    rows = weekly_anchors(levels.dates)
    z = np.full(moves.values.shape, np.nan)
    now, long_run, persistence = (np.zeros(z.shape[1]) for _ in range(3))
    used: dict[str, VolatilityFit] = {}
    for j, label in enumerate(moves.labels):
        x = moves.values[:, j]
        seen = np.isfinite(x)
        level = float(np.mean(x[seen] ** 2))
        fit = used[label] = fits[label] if label in fits else constant(x[seen])
        if label in fits:
            g = mean_forecast(_next_variance(daily.values[:, j], fit), fit.long_run, fit.persistence, WEEK)
            g = g / fit.long_run
            start = g[rows][:-1]
            start = start * np.mean(x[seen] ** 2 / start[seen]) / level
            z[seen, j] = x[seen] / np.sqrt(level * start[seen])
            today = g[-1] * (start[-1] / g[rows][-2])
        else:
            z[seen, j] = x[seen] / np.sqrt(level)
            today = 1.0
        frozen = label.startswith(("EQ_", "VOL_")) and label not in levels.live
        long_run[j] = np.sqrt(level)
        now[j] = long_run[j] if frozen else np.sqrt(level * today)
        persistence[j] = 0.0 if frozen else fit.persistence**WEEK
    _follow_the_index(levels, now, long_run, persistence)
    return Standardised(WEEK, moves.dates, z, now, long_run, persistence, used, levels.labels, levels.live)


def _follow_the_index(levels: Levels, now: np.ndarray, long_run: np.ndarray, persistence: np.ndarray) -> None:
    """An equity factor whose history has ended takes the S&P 500's ratio of today's to long-run volatility
    and its persistence, while that is live: an old level beside a current one would make one index several
    times as volatile as the other for no reason in the data."""
    if "EQ_SP500" not in levels.live:
        return
    lead = levels.labels.index("EQ_SP500")
    for j, label in enumerate(levels.labels):
        if label.startswith("EQ_") and label not in levels.live:
            now[j] = long_run[j] * now[lead] / long_run[lead]
            persistence[j] = persistence[lead]


def _next_variance(x: np.ndarray, fit: VolatilityFit) -> np.ndarray:
    """(T + 1,) variance of the next day known at the close of each date (long run before the first move)."""
    seen = np.isfinite(x)
    known = np.concatenate(([0], np.cumsum(seen)))
    return fit.variance[known]


def _build(name: str, s: Standardised, moments: tuple[np.ndarray, int], crisis: Crisis,
           national: Mapping[str, NationalProperty], reversion: Mapping[str, MeanReversion],
           inputs: Mapping[str, MarketInput], as_of: str, common: dict, coefficients: list[dict]
           ) -> FactorModel:
    """One model from standardised moves."""
    z, n = s.z, s.z.shape[1]
    cov, em_steps = moments
    long = np.array([j < RATES_AND_FX or label in s.live for j, label in enumerate(s.labels)])
    half_life = CORRELATION_HALF_LIFE[s.step_days] * BUSINESS_DAYS_PER_YEAR / s.step_days
    recent = stambaugh_moments(z[:, long], decay_weights(len(z), half_life))[1]
    recent = update_long_block(cov, long, recent)
    usable = mostly_observed(z[:, :RATES_AND_FX])
    block = complete_rows(z[:, :RATES_AND_FX][:, usable])
    intensity = ledoit_wolf_intensity(block, np.eye(block.shape[1]), decay_weights(len(block), half_life))
    correlation_s = shrink(to_correlation(recent), np.eye(n), intensity)
    long_run_s = shrink(to_correlation(cov), np.eye(n), intensity)
    dof, se_dof = profile_dof(block)

    column = {label: j for j, label in enumerate(s.labels)}
    pair = [column["EQ_SP500"], column["UST_10Y"]]
    annual = s.vol_long_run[pair] * np.sqrt(BUSINESS_DAYS_PER_YEAR / s.step_days)
    annual_covariance = correlation_s[np.ix_(pair, pair)] * np.outer(annual, annual)
    structure = build_structure(inputs, national, annual_covariance, s.labels)
    covariance = assemble(structure, correlation_s, s.vol_long_run, s.step_days)
    correlation = to_correlation(covariance)
    smallest = float(np.linalg.eigvalsh(correlation)[0])
    if not smallest > 0:
        raise ModelError(f"the {name} correlation matrix is not positive definite: eigenvalue {smallest:.3g}")
    root = np.linalg.cholesky(correlation_s)
    stress_s = to_correlation(root @ crisis.change @ root.T)
    stress = to_correlation(assemble(structure, stress_s, s.vol_long_run, s.step_days))

    at = FACTORS.indices(s.labels)
    vol_now = np.sqrt(np.diag(assemble(structure, correlation_s, s.vol_now, s.step_days)))
    ten = column["UST_10Y"]
    persistence = np.where(structure.loadings[:, ten] != 0, s.persistence[ten], 0.0)
    persistence[at] = s.persistence
    z_all = np.full((len(z), len(FACTORS)), np.nan)
    z_all[:, at] = z
    long_run = to_correlation(assemble(structure, long_run_s, s.vol_long_run, s.step_days))
    completed, drawn, synthetic = fill_rows(z_all, s.dates, long_run, dof)
    residuals = carry_correlation(completed, correlation)

    counts = np.zeros(len(FACTORS), dtype=np.int64)
    counts[at] = np.isfinite(z).sum(axis=0)
    for prefix, key in (("CAP_", "commercial"), ("HOME_", "home")):
        for i, label in enumerate(FACTORS.labels):
            if label.startswith(prefix):
                counts[i] = national[key].observations
    vol_long_run = np.sqrt(np.diag(covariance))
    for label, fit in reversion.items():
        i = FACTORS.index(label)
        vol_long_run[i] = LONG_RUN_SHARE * vol_now[i]
        persistence[i] = fit.variance_decay(s.step_days)
    rows = diagnostics.factor_rows(s, vol_now, vol_long_run, persistence, counts, drawn, national)
    rows += diagnostics.model_rows(
        s.step_days, dof=dof, se_dof=se_dof, block=block.shape, shrinkage=intensity, em_steps=em_steps,
        smallest_eigenvalue=smallest, crisis=crisis,
        row_dates=s.dates[usable_rows(z_all, s.dates)], drawn=float(drawn.mean()),
        pass_through=structure.pass_through)
    rows += diagnostics.volatility_scale_rows(s, inputs)
    return FactorModel(
        axis=FACTORS, step_days=s.step_days, as_of=as_of, vol_now=vol_now, vol_long_run=vol_long_run,
        persistence=persistence, correlation=correlation, cholesky=np.linalg.cholesky(correlation), dof=dof,
        residuals=residuals, residual_synthetic=synthetic, stress_correlation=stress, history=counts,
        sample=f"{s.dates[0]} … {s.dates[-1]}", diagnostics=tuple(rows + coefficients), **common)


def mostly_observed(z: np.ndarray, share: float = MOSTLY) -> np.ndarray:
    """(N,) bool: columns observed on at least *share* of the rows."""
    return np.isfinite(z).mean(axis=0) >= share


def measure_crisis(s: Standardised, calm: np.ndarray) -> Crisis:
    """How correlations change in CRISIS_WINDOWS, on daily moves (weeks are too few): the windows' second
    moment, shrunk by Ledoit–Wolf to the unconditional correlation R = *calm*, as A with  L A L' = R_crisis,
    L L' = R.

    Applied to another correlation matrix L̃ L̃' it gives L̃ A L̃', positive definite, and L̃ L̃' itself
    where crises change nothing (A = I).
    """
    inside = np.zeros(len(s.dates), dtype=bool)
    used = []
    for start, end, what in CRISIS_WINDOWS:
        rows = (s.dates >= np.datetime64(start)) & (s.dates <= np.datetime64(end))
        if rows.any():
            inside |= rows
            used.append(f"{start} … {end} ({what})")
    z = s.z[inside]
    usable = np.flatnonzero(mostly_observed(z[:, :RATES_AND_FX]))
    block = complete_rows(z[:, usable])
    block = block / block.std(axis=0)
    intensity = ledoit_wolf_intensity(block, calm[np.ix_(usable, usable)])
    crisis = shrink(to_correlation(expected_moments(z, calm)), calm, intensity)
    inverse = np.linalg.inv(np.linalg.cholesky(calm))
    return Crisis(inverse @ crisis @ inverse.T, tuple(used), int(inside.sum()), intensity)
