"""How volatile is each factor now, in the long run, and how fast does one become the other?

GARCH(1,1) with Student-t innovations (Bollerslev 1986, 1987) and variance targeting (Francq, Horváth and
Zakoïan 2011): estimated by ``arch``, which gives the robust standard errors and the start from which
``garch_likelihood`` maximises the likelihood of the recursion used, around the sample variance s²:

    h_t = s² (1 − ρ) + α x²_{t−1} + β h_{t−1},   ρ = α + β,   z_t = x_t / √h_t

so that h_{T+1} is today's variance, s² the long run's and ρ its decay per step.  Where the maximum lies at or
beyond MAX_PERSISTENCE (pegs, yields at the lower bound, the euro), ρ is held there and α, ν are estimated.
h is then scaled so that z has unit variance over the sample (with very fat tails the t likelihood alone does
not ensure it), because the simulation multiplies √h by unit-variance noise.  Where no maximum is found,
RiskMetrics' exponentially weighted average is used.  The method column of the diagnostics says which of the
three it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from arch.univariate import GARCH, StudentsT, ZeroMean
from scipy.signal import lfilter

from factors.definitions import DEFAULT_EWMA_DECAY, MAX_PERSISTENCE
from factors.garch_likelihood import maximise

EWMA_PERSISTENCE = 0.98
"""Decay assumed where GARCH fails: half-life of 34 trading days (assumption, declared per factor)."""
MIN_PERSISTENCE = 0.5
NU_START_MAX = 100.0
ARCH_TOLERANCE = 1e-3
"""Of the log-likelihood in the first estimate; Newton steps go on from there."""
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
    se, nu, found = np.full(5, math.nan), math.nan, None
    if near is not None and math.isfinite(near.nu):
        found = _maximum(y, (near.alpha, near.gamma, near.beta, near.nu), asymmetric)
    if found is None:
        process = GARCH(p=1, o=int(asymmetric), q=1)
        model = ZeroMean(y, volatility=process, distribution=StudentsT(), rescale=False)
        result = model.fit(disp="off", show_warning=False, cov_type="robust", tol=ARCH_TOLERANCE,
                           starting_values=START_ASYMMETRIC if asymmetric else START)
        p = result.params.to_numpy()
        nu = float(p[-1])
        if result.convergence_flag != 0:
            return ewma(x, nu=nu)
        se = result.std_err.to_numpy() if errors else np.full(len(p), math.nan)
        found = _maximum(y, (p[1], p[2] if asymmetric else 0.0, p[-2], nu), asymmetric)
        if found is None:
            return ewma(x, nu=nu)
    (alpha, gamma, beta, nu), capped = found
    h = garch_filter(x, alpha, gamma, beta, scale**2)
    calibration = float(np.mean(x * x / h[:-1]))
    method = "GJR-GARCH(1,1)-t" if asymmetric else "GARCH(1,1)-t"
    return VolatilityFit(
        method=method + (", capped" if capped else ""), variance=h * calibration, long_run=scale**2,
        persistence=alpha + 0.5 * gamma + beta, alpha=alpha, gamma=gamma, beta=beta, se_alpha=float(se[1]),
        se_beta=float(se[3 if asymmetric else 2]), nu=nu, calibration=calibration,
    )


def _maximum(y: np.ndarray, start: tuple[float, float, float, float], asymmetric: bool
             ) -> tuple[tuple[float, float, float, float], bool] | None:
    """Parameters (α, γ, β, ν) maximising the targeted likelihood from *start*, and whether persistence is
    held at the cap; None without a maximum.  With a GJR term α is held at 0 where its maximum lies below."""
    alpha, gamma, beta, nu = start
    news = alpha + 0.5 * gamma
    if news >= MAX_PERSISTENCE or news + beta < MIN_PERSISTENCE:
        return None
    nu = min(nu, NU_START_MAX)
    for hold_alpha in (False, True) if asymmetric else (False,):
        alpha = 0.0 if hold_alpha else alpha
        inside = (alpha, gamma, min(beta, MAX_PERSISTENCE - news), nu)
        free = (not hold_alpha, asymmetric, True)
        found, capped = maximise(y, inside, free), False
        if found is None or found[0] + 0.5 * found[1] + found[2] >= MAX_PERSISTENCE:
            found, capped = maximise(y, inside, free, cap=MAX_PERSISTENCE), True
        if found is not None and found[0] >= 0:
            return found, capped
    return None


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

