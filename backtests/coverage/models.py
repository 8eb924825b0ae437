"""Who forecasts: the engine's two noise models and their rivals, for the books of one panel and one year.

The engine (parameters estimated on moves before the year, filters run daily; factors.volatility, .tails):

    garch_fhs    filtered historical simulation: past rows z of standardised moves, turned to today's
                 correlation R (factors.residuals), scaled by today's volatilities: P&L of row s = w' D_t z_s.
                 The night's ``filtered_historical``
    garch_t      GARCH(1,1)-t per factor, correlation R of standardised moves (half-life 3 years), degrees of
                 freedom of the joint t: σ_t² = w' D_t R D_t w, quantile σ_t t_ν⁻¹(α) √((ν − 2)/ν).
                 The night's ``student_t``

The rivals work on the book's own P&L, as a desk without a factor model would:

    ewma_normal      RiskMetrics (1996): variance with decay .94, Gaussian; with fixed weights it is w'Σw
                     of the exponentially weighted covariance matrix
    garch_normal     GARCH(1,1) by Gaussian quasi-likelihood, variance targeting, refitted yearly
    static_t         Student t of constant scale: maximum likelihood on the last 1000 days, refitted monthly
    historical_500   plain historical simulation, the last 500 days of P&L, moving daily
    historical_1000  the same with 1000 days

Forecasts are for mean-zero P&L; a day's drift is a hundredth of its volatility.  ES of a sample is the mean
of its α share of worst rows with the boundary row counted fractionally (Acerbi and Tasche 2002).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import gammaln, ndtr, ndtri, stdtr, stdtrit

from backtests.coverage.books import Moves
from factors.covariance import decay_weights, stambaugh_moments, to_correlation
from factors.definitions import CORRELATION_HALF_LIFE, DEFAULT_EWMA_DECAY
from factors.residuals import carry_correlation
from factors.tails import profile_dof
from factors.volatility import VolatilityFit, carry_on, fit_garch, garch_filter
from riskengine.base.units import BUSINESS_DAYS_PER_YEAR

TAIL_POINTS = 12
"""Points at which a day's distribution below VaR is kept: midpoints of slices of equal probability."""
STATIC_WINDOW, STATIC_REFIT = 1000, 21
FHS_ROWS = 5000
"""Most recent rows of standardised moves kept by filtered historical simulation: about twenty years, what the
night has."""
NU_LIMITS = (2.1, 100.0)
START = VolatilityFit("start", np.ones(1), 1.0, 0.99, 0.05, 0.0, 0.94, np.nan, np.nan, 7.0)
"""Every fit starts here, so that a year's result does not depend on which years were computed before."""


@dataclass(slots=True)
class YearForecast:
    """One model's forecasts of B books on the n days of a year at L levels; P&L, gains positive.

    var, es, high (B, n, L): lower quantile, mean below it, and upper quantile.  pit (B, n): F_t(x_t).
    tail (B, n, L, K): P&L over es below the quantile, at midpoints of K slices of equal probability.
    """

    var: np.ndarray
    es: np.ndarray
    high: np.ndarray
    pit: np.ndarray
    tail: np.ndarray

    @staticmethod
    def empty(books: int, days: int, levels: int) -> YearForecast:
        """Room for a forecast, NaN."""
        shape = (books, days, levels)
        return YearForecast(np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan),
                            np.full((books, days), np.nan),
                            np.full((*shape, TAIL_POINTS), np.nan, dtype=np.float16))


@dataclass(frozen=True, slots=True)
class Year:
    """What a model is given: moves x (T, N) up to the end of the year, the first *past* rows lie before it;
    weights (B, N); levels such as (.99, .975)."""

    x: np.ndarray
    past: int
    weights: np.ndarray
    levels: tuple[float, ...]

    @property
    def days(self) -> int:
        return len(self.x) - self.past

    @property
    def pnl(self) -> np.ndarray:
        """(T, B) P&L of the books."""
        return self.x @ self.weights.T


def slices(alpha: float) -> np.ndarray:
    """(K,) probabilities: midpoints of K equal slices of the tail of probability *alpha*."""
    return alpha * (np.arange(TAIL_POINTS) + 0.5) / TAIL_POINTS


def put_scale_family(out: YearForecast, b: int, year: Year, pnl: np.ndarray, sd: np.ndarray,
                     quantile: Callable, shortfall: Callable, cdf: Callable) -> None:
    """Fill book *b* of *out*: P&L is *sd* (n,) times a unit variable with these functions, which map (P,)
    probabilities to (n or 1, P) quantiles and shortfalls, and (n,) values to probabilities."""
    for i, level in enumerate(year.levels):
        a = 1.0 - level
        q, top = quantile(np.array([a, level])).T
        e = shortfall(np.array([a]))[:, 0]
        out.var[b, :, i], out.es[b, :, i], out.high[b, :, i] = sd * q, sd * e, sd * top
        out.tail[b, :, i, :] = quantile(slices(a)) / e[:, None]
    out.pit[b] = cdf(pnl / sd)


def put_normal(out: YearForecast, b: int, year: Year, pnl: np.ndarray, sd: np.ndarray) -> None:
    """Gaussian P&L with standard deviations *sd* (n,); *pnl* (n,) is what came."""
    put_scale_family(out, b, year, pnl, sd, lambda p: ndtri(p)[None, :],
                     lambda a: -np.exp(-0.5 * ndtri(a) ** 2)[None, :] / np.sqrt(2 * np.pi) / a, ndtr)


def put_student(out: YearForecast, b: int, year: Year, pnl: np.ndarray, sd: np.ndarray, nu) -> None:
    """Student-t P&L of variance sd² (n,) and ν degrees of freedom, one for all days or one a day (n,)."""
    column = np.atleast_1d(np.asarray(nu, dtype=np.float64))[:, None]
    unit = np.sqrt((column - 2.0) / column)
    log_peak = gammaln((column + 1.0) / 2.0) - gammaln(column / 2.0) - 0.5 * np.log(column * np.pi)

    def shortfall(a):
        q = stdtrit(column, a)
        density = np.exp(log_peak - (column + 1.0) / 2.0 * np.log1p(q * q / column))
        return -unit * density / a * (column + q * q) / (column - 1.0)

    put_scale_family(out, b, year, pnl, sd, lambda p: unit * stdtrit(column, p), shortfall,
                     lambda z: stdtr(column[:, 0], z / unit[:, 0]))


def put_samples(out: YearForecast, b: int, rows: slice, samples: np.ndarray, pnl: np.ndarray,
                levels: tuple[float, ...]) -> None:
    """Empirical forecasts of days *rows*: samples (n, S) sorted along the last axis, pnl (n,)."""
    n, size = samples.shape
    for i, level in enumerate(levels):
        a = 1.0 - level
        out.var[b, rows, i] = at_probability(samples, np.array([a]))[:, 0]
        out.high[b, rows, i] = at_probability(samples, np.array([level]))[:, 0]
        whole = int(a * size)
        part = a * size - whole
        total = samples[:, :whole].sum(axis=1) + part * samples[:, whole]
        out.es[b, rows, i] = np.minimum(total / (a * size), out.var[b, rows, i])
        out.tail[b, rows, i, :] = at_probability(samples, slices(a)) / out.es[b, rows, i][:, None]
    below = (samples < pnl[:, None]).sum(axis=1)
    upto = (samples <= pnl[:, None]).sum(axis=1)
    out.pit[b, rows] = (0.5 * (below + upto) + 0.5) / (size + 1)


def at_probability(ordered: np.ndarray, p: np.ndarray) -> np.ndarray:
    """(n, K) quantiles of sorted samples (n, S), linear between order statistics at (i − ½)/S."""
    size = ordered.shape[-1]
    place = np.clip(p * size - 0.5, 0.0, size - 1.0)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, size - 1)
    share = place - low
    return ordered[..., low] * (1.0 - share) + ordered[..., high] * share


# -------------------------------------------------------------------------------------------- the engine's
@dataclass(frozen=True, slots=True)
class FactorFit:
    """Estimates on moves before the year: z (T', N) standardised moves, correlation (N, N), ν, and sd (n, N)
    of each day of the year by the filter carried on."""

    z: np.ndarray
    correlation: np.ndarray
    nu: float
    sd: np.ndarray


def fit_factors(year: Year, asymmetric: np.ndarray) -> FactorFit:
    """The engine's estimate for one year; asymmetric (N,) bool: factors with a GJR term."""
    x, past = year.x, year.x[:year.past]
    with np.errstate(invalid="ignore"):  # a step of the search that leaves the range is taken back there
        fits = [fit_garch(past[:, j], asymmetric=bool(g), near=START, errors=False)
                for j, g in enumerate(asymmetric)]
    z = np.column_stack([past[:, j] / np.sqrt(f.variance[:-1]) for j, f in enumerate(fits)])
    sd = np.sqrt(np.column_stack([carry_on(f, x[:, j])[:-1] for j, f in enumerate(fits)])[year.past:])
    half_life = CORRELATION_HALF_LIFE[1] * BUSINESS_DAYS_PER_YEAR
    correlation = to_correlation(stambaugh_moments(z, decay_weights(len(z), half_life))[1])
    return FactorFit(z, correlation, profile_dof(z)[0], sd)


def forecast_garch_t(year: Year, fit: FactorFit) -> YearForecast:
    """GARCH variances, joint Student t."""
    out = YearForecast.empty(len(year.weights), year.days, len(year.levels))
    pnl = year.pnl[year.past:]
    for b, w in enumerate(year.weights):
        loaded = fit.sd * w
        sd = np.sqrt(np.einsum("ti,ij,tj->t", loaded, fit.correlation, loaded))
        put_student(out, b, year, pnl[:, b], sd, fit.nu)
    return out


def forecast_garch_fhs(year: Year, fit: FactorFit) -> YearForecast:
    """The night's default: filtered historical simulation of past rows, turned to the correlation of
    *fit*."""
    out = YearForecast.empty(len(year.weights), year.days, len(year.levels))
    z, pnl = carry_correlation(fit.z[-FHS_ROWS:], fit.correlation), year.pnl[year.past:]
    for b, w in enumerate(year.weights):
        used = np.flatnonzero(w)
        if len(used) == 1:
            rows = np.sort(w[used[0]] * z[:, used[0]])
            samples = fit.sd[:, used] * rows
            if w[used[0]] < 0:
                samples = np.sort(samples, axis=1)
        else:
            samples = np.sort((fit.sd * w) @ z.T, axis=1)
        put_samples(out, b, slice(None), samples, pnl[:, b], year.levels)
    return out


# ---------------------------------------------------------------------------------------------- the rivals
def forecast_ewma_normal(year: Year) -> YearForecast:
    """RiskMetrics on the book's P&L; the average starts at the mean square of the first 250 days."""
    out = YearForecast.empty(len(year.weights), year.days, len(year.levels))
    pnl = year.pnl
    for b in range(pnl.shape[1]):
        level = float(np.mean(pnl[:250, b] ** 2))
        h = garch_filter(pnl[:, b], 1.0 - DEFAULT_EWMA_DECAY, 0.0, DEFAULT_EWMA_DECAY, level)
        put_normal(out, b, year, pnl[year.past:, b], np.sqrt(h[:-1][year.past:]))
    return out


def forecast_garch_normal(year: Year) -> YearForecast:
    """Gaussian GARCH(1,1) on the book's P&L."""
    out = YearForecast.empty(len(year.weights), year.days, len(year.levels))
    pnl = year.pnl
    for b in range(pnl.shape[1]):
        past = pnl[:year.past, b]
        level = float(np.mean(past**2))
        alpha, beta = fit_normal_garch(past / np.sqrt(level))
        h = garch_filter(pnl[:, b], alpha, 0.0, beta, level)
        put_normal(out, b, year, pnl[year.past:, b], np.sqrt(h[:-1][year.past:]))
    return out


def fit_normal_garch(y: np.ndarray) -> tuple[float, float]:
    """(α, β) maximising the Gaussian quasi-likelihood of *y* (n,), unit variance, targeting it.

    Alternating bounded searches over the persistence ρ = α + β and the share α/ρ.
    """
    square = y * y

    def loss(rho: float, share: float) -> float:
        h = garch_filter(y, rho * share, 0.0, rho * (1.0 - share))[:-1]
        return float(np.log(h).sum() + (square / h).sum())

    rho, share = 0.98, 0.06
    best = loss(rho, share)
    for _ in range(12):
        share = minimize_scalar(lambda s: loss(rho, s), bounds=(0.005, 0.5), method="bounded",
                                options={"xatol": 1e-4}).x
        found = minimize_scalar(lambda r: loss(r, share), bounds=(0.5, 0.9995), method="bounded",
                                options={"xatol": 1e-5})
        rho = found.x
        if best - found.fun < 1e-4:
            break
        best = found.fun
    return float(rho * share), float(rho * (1.0 - share))


def forecast_static_t(year: Year) -> YearForecast:
    """Student t with the constant scale of the last STATIC_WINDOW days, refitted every STATIC_REFIT days."""
    out = YearForecast.empty(len(year.weights), year.days, len(year.levels))
    pnl, n = year.pnl, year.days
    for b in range(pnl.shape[1]):
        scale, nu = np.empty(n), np.empty(n)
        for first in range(0, n, STATIC_REFIT):
            now = year.past + first
            rows = slice(first, first + STATIC_REFIT)
            scale[rows], nu[rows] = fit_student(pnl[max(0, now - STATIC_WINDOW):now, b])
        put_student(out, b, year, pnl[year.past:, b], scale * np.sqrt(nu / (nu - 2.0)), nu)
    return out


def fit_student(y: np.ndarray) -> tuple[float, float]:
    """(scale, ν) of a Student t with location 0 by maximum likelihood: profile in ν, EM for the scale."""
    square = y * y
    state = {"scale2": float(np.median(square)) + 1e-30}

    def negative(log_nu: float) -> float:
        nu = np.exp(log_nu)
        s = state["scale2"]
        for _ in range(5):
            s = float(np.mean((nu + 1.0) * square / (nu + square / s)))
        state["scale2"] = s
        peak = gammaln((nu + 1.0) / 2.0) - gammaln(nu / 2.0) - 0.5 * np.log(nu * np.pi * s)
        return -float(len(y) * peak - 0.5 * (nu + 1.0) * np.log1p(square / (nu * s)).sum())

    found = minimize_scalar(negative, bounds=tuple(np.log(NU_LIMITS)), method="bounded",
                            options={"xatol": 2e-2})
    negative(found.x)
    return float(np.sqrt(state["scale2"])), float(np.exp(found.x))


def forecast_historical(year: Year, window: int) -> YearForecast:
    """Plain historical simulation of the last *window* days of P&L."""
    out = YearForecast.empty(len(year.weights), year.days, len(year.levels))
    pnl, n = year.pnl, year.days
    for b in range(pnl.shape[1]):
        seen = pnl[:-1, b]
        size = min(window, year.past)
        windows = np.lib.stride_tricks.sliding_window_view(seen, size)[-n:]
        put_samples(out, b, slice(None), np.sort(windows, axis=1), pnl[year.past:, b], year.levels)
    return out


RIVALS: dict[str, Callable[[Year], YearForecast]] = {
    "ewma_normal": forecast_ewma_normal,
    "garch_normal": forecast_garch_normal,
    "static_t": forecast_static_t,
    "historical_500": lambda year: forecast_historical(year, 500),
    "historical_1000": lambda year: forecast_historical(year, 1000),
}
ENGINE: dict[str, Callable[[Year, FactorFit], YearForecast]] = {
    "garch_fhs": forecast_garch_fhs,
    "garch_t": forecast_garch_t,
}
MODELS = (*ENGINE, *RIVALS)
"""Every model by name, the default first."""


DESCRIPTIONS: dict[str, str] = {
    "garch_fhs": "filtered historical simulation: GARCH(1,1)-t variances per factor, rows of up to 20 years "
                 "turned to weighted correlations; parameters yearly",
    "garch_t": "joint Student t on the same variances and correlations",
    "ewma_normal": "RiskMetrics: exponentially weighted variance (.94), Gaussian",
    "garch_normal": "Gaussian GARCH(1,1) on the book's P&L; parameters yearly",
    "static_t": "Student t of constant scale on the last 1000 days; refitted monthly",
    "historical_500": "plain historical simulation, last 500 days",
    "historical_1000": "plain historical simulation, last 1000 days",
}
"""One line per model for the reader."""


def forecast_year(panel: Moves, year: Year, models: tuple[str, ...], symmetric: tuple[str, ...]
                  ) -> dict[str, YearForecast]:
    """Forecasts by model; the engine's factors are estimated once for all of its models.

    symmetric : labels of *panel* whose variance has no GJR term.
    """
    out = {name: RIVALS[name](year) for name in models if name in RIVALS}
    wanted = [name for name in models if name in ENGINE]
    if wanted:
        fit = fit_factors(year, np.array([label not in symmetric for label in panel.labels]))
        out |= {name: ENGINE[name](year, fit) for name in wanted}
    return {name: out[name] for name in models}
