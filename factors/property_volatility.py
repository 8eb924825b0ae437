"""How volatile is property, when part of its autocorrelation is appraisal smoothing and part real momentum?

Two estimates of the annual volatility of the permanent part of a price index, from quarterly log returns r:

Geltner (1991, 1993): an appraised return is a moving average of the true one, r_t = (1 − a) r*_t + a r_{t−1},

    r*_t = (r_t − a r_{t−1}) / (1 − a),    σ_G = 2 sd(r*),    se(ln σ_G)² = (se_a / (1 − a))² + 1 / 2n

(no further term in se_a: least squares makes sd(r_t − a r_{t−1}) stationary in a).  It extrapolates the first
autocorrelation for ever; as a → 1 its error explodes.

Long horizon (Lo and MacKinlay 1988, the numerator of their variance ratio): overlapping changes over q
quarters, corrected for overlap and for the estimated mean,

    σ_q² = 4 Σ_t (p_t − p_{t−q} − q μ)² / (q (n − q + 1)(1 − q/n)),    se(ln σ_q) = √(q / 3n)

It needs no model of the autocorrelation: momentum that reverts within q quarters is not taken for permanent.
The error is that of the Newey–West estimator of a long-run variance with q lags, of which σ_q² is the
overlapping form: relative variance (4/3) q/n (Andrews 1991), whatever the autocorrelation.  What smoothing
has not yet passed on after q quarters is missing: for an AR(1) σ_q = σ_G √(1 − 2a (1 − a^q) / (q (1 − a²))),
a fifth less than σ_G at a = .89 and five years.  So if all of a were smoothing, σ_q understates.

Choice (Hausman 1978): Geltner is the more efficient where its model holds and a is small, the long horizon
needs no model.  Geltner is used where its relative standard error is the smaller and its own forecast of
σ_q does not differ from σ_q by more than CONTRAST_LIMIT standard errors; otherwise the long horizon.  House
prices are repeat-sales transaction prices whose autocorrelation is mostly real momentum (Case and Shiller
1989).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm

from factors.definitions import CONTRAST_LIMIT, HAC_LAGS_QUARTERLY, LONG_HORIZON_QUARTERS

MAX_SMOOTHING = 0.97
"""The smoothing coefficient is held here where its estimate is larger (US house prices to 2008: a = 1.005, a
bubble's momentum, not smoothing).  At .97 a shock is passed on by half after 23 quarters; its relative error
then makes the long-horizon estimate the one used for volatility."""


@dataclass(frozen=True, slots=True)
class Smoothing:
    """AR(1) of appraised returns: a ± se, returns r* (T − 1,), quarterly standard deviations before and
    after."""

    coefficient: float
    se: float
    returns: np.ndarray
    raw_vol: float
    vol: float


@dataclass(frozen=True, slots=True)
class PropertyVolatility:
    """Annual volatility by both estimates, each with its standard error, and the one used.

    variance_ratio : σ_q² over the variance of quarterly returns.  contrast : z of the long horizon against
    Geltner's forecast of it (NaN where Geltner is the less precise and no contrast is needed).  method :
    'Geltner' or 'long horizon'; reason : why.
    """

    geltner: float
    se_geltner: float
    long_horizon: float
    se_long_horizon: float
    variance_ratio: float
    contrast: float
    method: str
    reason: str

    @property
    def value(self) -> float:
        """Annual volatility used."""
        return self.geltner if self.method == "Geltner" else self.long_horizon

    @property
    def se(self) -> float:
        """Its standard error."""
        return self.se_geltner if self.method == "Geltner" else self.se_long_horizon


def desmooth(returns: np.ndarray) -> Smoothing:
    """Geltner de-smoothing of appraised log returns (T,) without NaN; a by OLS with a constant, HAC error.

    A negative autocorrelation is not smoothing: then a = 0 and nothing is changed; one above MAX_SMOOTHING is
    held there (the standard error of the estimate is reported in both cases).
    """
    r = np.asarray(returns, dtype=np.float64)
    fit = sm.OLS(r[1:], sm.add_constant(r[:-1])).fit(cov_type="HAC", cov_kwds={"maxlags": HAC_LAGS_QUARTERLY})
    a = float(np.clip(fit.params[1], 0.0, MAX_SMOOTHING))
    true = (r[1:] - a * r[:-1]) / (1 - a)
    return Smoothing(a, float(fit.bse[1]), true, float(r.std(ddof=1)), float(true.std(ddof=1)))


def long_horizon_volatility(returns: np.ndarray, quarters: int = LONG_HORIZON_QUARTERS
                            ) -> tuple[float, float]:
    """Annual volatility from overlapping changes over *quarters* of log returns (n,) without NaN, and its
    relative standard error.  ValueError with fewer than two full windows."""
    r = np.asarray(returns, dtype=np.float64)
    n = len(r)
    if n < 2 * quarters:
        raise ValueError(f"{n} quarters are too few for changes over {quarters}: at least {2 * quarters}")
    level = np.concatenate(([0.0], np.cumsum(r - r.mean())))
    change = level[quarters:] - level[:-quarters]
    variance = float(change @ change) / (quarters * (n - quarters + 1) * (1.0 - quarters / n))
    return 2.0 * math.sqrt(variance), math.sqrt(quarters / (3.0 * n))


def share_passed_on(a: float, quarters: int) -> float:
    """Volatility over *quarters* of a random walk smoothed by an AR(1), as a share of the random walk's."""
    return math.sqrt(1.0 - 2.0 * a * (1.0 - a**quarters) / (quarters * (1.0 - a * a)))


def choose_volatility(returns: np.ndarray, smoothing: Smoothing,
                      quarters: int = LONG_HORIZON_QUARTERS) -> PropertyVolatility:
    """Both estimates of annual volatility from log returns (T,) and the one used."""
    geltner = 2.0 * smoothing.vol
    relative = math.hypot(smoothing.se / (1.0 - smoothing.coefficient),
                          math.sqrt(0.5 / len(smoothing.returns)))
    robust, relative_robust = long_horizon_volatility(returns, quarters)
    contrast = math.nan
    if relative >= relative_robust:
        method, reason = "long horizon", "Geltner is the less precise"
    else:
        expected = geltner * share_passed_on(smoothing.coefficient, quarters)
        contrast = math.log(robust / expected) / math.sqrt(relative_robust**2 - relative**2)
        if abs(contrast) > CONTRAST_LIMIT:
            method, reason = "long horizon", f"Geltner is contradicted, contrast z = {contrast:.1f}"
        else:
            method, reason = "Geltner", f"the more precise and not contradicted, contrast z = {contrast:.1f}"
    return PropertyVolatility(
        geltner=geltner, se_geltner=geltner * relative, long_horizon=robust,
        se_long_horizon=robust * relative_robust,
        variance_ratio=(robust / (2.0 * smoothing.raw_vol)) ** 2, contrast=contrast, method=method,
        reason=reason)
