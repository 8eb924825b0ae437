"""How volatile is each factor now, in the long run, and how fast does one become the other?

GARCH(1,1) with Student-t innovations (Bollerslev 1986, 1987), estimated by ``arch`` with robust standard
errors, then filtered around the sample variance s² (variance targeting; Francq, Horváth and Zakoïan 2011):

    h_t = s² (1 − ρ) + α x²_{t−1} + β h_{t−1},   ρ = α + β,   z_t = x_t / √h_t

so that h_{T+1} is today's variance, s² the long run's and ρ its decay per step.  Estimates at or beyond the
unit root (α + β ≥ MAX_PERSISTENCE: pegs, yields at the lower bound, the euro) keep α and have β lowered
until ρ is the cap.  h is then scaled so that z has unit variance over the sample (with very fat tails the t
likelihood alone does not ensure it), because the simulation multiplies √h by unit-variance noise.  Where
the optimiser does not converge, RiskMetrics' exponentially weighted average is used.  The method column of
the diagnostics says which of the three it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from arch.univariate import GARCH, StudentsT, ZeroMean
from scipy.signal import lfilter

from factors.definitions import DEFAULT_EWMA_DECAY, MAX_PERSISTENCE

EWMA_PERSISTENCE = 0.98
"""Decay assumed where GARCH fails: half-life of 34 trading days (assumption, declared per factor)."""
MIN_PERSISTENCE = 0.5
START = np.array([0.01, 0.05, 0.94, 7.0])
START_ASYMMETRIC = np.array([0.01, 0.02, 0.10, 0.92, 7.0])
"""Starting values (ω, α, [γ,] β, ν) for a series of unit variance."""


@dataclass(frozen=True, slots=True)
class VolatilityFit:
    """One factor's volatility.

    method : 'GARCH(1,1)-t', 'GJR-GARCH(1,1)-t', either with ', capped', 'EWMA 0.94' or 'constant'.
    variance : (n + 1,) conditional variance of each observed move and, last, of the next one.  long_run :
    sample variance.  nu : univariate degrees of freedom (NaN without a fit).  calibration : factor on h
    that gives z unit variance. se_alpha, se_beta : robust standard errors.
    """

    method: str
    variance: np.ndarray
    long_run: float
    persistence: float
    alpha: float
    gamma: float
    beta: float
    se_alpha: float
    se_beta: float
    nu: float
    calibration: float = 1.0

    @property
    def now(self) -> float:
        """Variance of the next step."""
        return float(self.variance[-1])


def fit_garch(moves: np.ndarray, asymmetric: bool = False, near: VolatilityFit | None = None,
              errors: bool = True) -> VolatilityFit:
    """GARCH of *moves* (n,) without NaN, any unit; EWMA where it fails.

    asymmetric : GJR term for negative moves (Glosten, Jagannathan and Runkle 1993).  near : a fit to start
    from, e.g. last year's.  errors : False leaves the standard errors out (NaN), which saves a numerical
    Hessian.
    """
    x = np.asarray(moves, dtype=np.float64)
    scale = math.sqrt(float(np.mean(x * x)))
    y = x / scale
    process = GARCH(p=1, o=int(asymmetric), q=1)
    model = ZeroMean(y, volatility=process, distribution=StudentsT(), rescale=False)
    start = START_ASYMMETRIC if asymmetric else START
    if near is not None and math.isfinite(near.nu):
        middle = [near.alpha, near.gamma, near.beta] if asymmetric else [near.alpha, near.beta]
        start = np.array([1.0 - near.persistence, *middle, near.nu])
    result = model.fit(disp="off", show_warning=False, starting_values=start, cov_type="robust")
    p = result.params.to_numpy()
    alpha, gamma, beta = p[1], p[2] if asymmetric else 0.0, p[3 if asymmetric else 2]
    nu = float(p[-1])
    persistence = float(alpha + 0.5 * gamma + beta)
    method = "GJR-GARCH(1,1)-t" if asymmetric else "GARCH(1,1)-t"
    news = alpha + 0.5 * gamma
    if result.convergence_flag != 0 or persistence < MIN_PERSISTENCE or news >= MAX_PERSISTENCE:
        return ewma(x, nu=nu)
    if persistence >= MAX_PERSISTENCE:
        beta, persistence, method = MAX_PERSISTENCE - news, MAX_PERSISTENCE, method + ", capped"
    se = result.std_err.to_numpy() if errors else np.full(len(p), math.nan)
    h = garch_filter(x, alpha, gamma, beta, scale**2)
    calibration = float(np.mean(x * x / h[:-1]))
    return VolatilityFit(
        method=method, variance=h * calibration, long_run=scale**2, persistence=persistence,
        alpha=float(alpha), gamma=float(gamma), beta=float(beta), se_alpha=float(se[1]),
        se_beta=float(se[3 if asymmetric else 2]), nu=nu, calibration=calibration,
    )


def garch_filter(y: np.ndarray, alpha: float, gamma: float, beta: float, level: float = 1.0) -> np.ndarray:
    """(n + 1,) conditional variance around the long-run variance *level*, started at it."""
    news = alpha * y**2 + gamma * np.where(y < 0, y**2, 0.0)
    drive = level * (1.0 - alpha - 0.5 * gamma - beta) + news
    tail, _ = lfilter([1.0], [1.0, -beta], drive, zi=np.array([beta * level]))
    return np.concatenate(([level], tail))


def ewma(x: np.ndarray, decay: float = DEFAULT_EWMA_DECAY, nu: float = math.nan) -> VolatilityFit:
    """Exponentially weighted variance, started at the sample's."""
    level = float(np.mean(x * x))
    h = garch_filter(x, 1.0 - decay, 0.0, decay, level)
    calibration = float(np.mean(x * x / h[:-1]))
    return VolatilityFit(
        method=f"EWMA {decay:g}", variance=h * calibration, long_run=level, persistence=EWMA_PERSISTENCE,
        alpha=1.0 - decay, gamma=0.0, beta=decay, se_alpha=math.nan, se_beta=math.nan, nu=nu,
        calibration=calibration,
    )


def carry_on(fit: VolatilityFit, moves: np.ndarray) -> np.ndarray:
    """(n + 1,) variance of *moves* (n,) and of the next one with the parameters of *fit* held fixed: what a
    desk that estimated some time ago uses today."""
    return garch_filter(moves, fit.alpha, fit.gamma, fit.beta, fit.long_run) * fit.calibration


def constant(x: np.ndarray) -> VolatilityFit:
    """Long-run volatility only."""
    level = float(np.mean(x * x))
    return VolatilityFit(method="constant", variance=np.full(len(x) + 1, level), long_run=level,
                         persistence=0.0, alpha=0.0, gamma=0.0, beta=0.0, se_alpha=math.nan,
                         se_beta=math.nan, nu=math.nan)


def mean_forecast(variance: np.ndarray, long_run: float, persistence: float, steps: int) -> np.ndarray:
    """Average variance expected over the next *steps* steps given the next step's *variance* (any shape)."""
    share = (1.0 - persistence**steps) / (steps * (1.0 - persistence))
    return long_run + (variance - long_run) * share

