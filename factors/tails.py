"""How fat are the joint tails? Degrees of freedom of the multivariate Student t by profile likelihood.

    log f(z) = c(ν, d) − ½ log|S| − (ν + d)/2 · log(1 + z' S⁻¹ z / ν)

For each ν the scatter S is re-estimated (EM weights u = (ν + d)/(ν + δ), warm start from the neighbour); ν
is the maximiser of the profile.  Reference: Lange, Little and Taylor (1989).  The noise model scales the t
to unit variance, so only ν travels.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

SCATTER_STEPS = 4
BOUNDS = (2.2, 60.0)


def profile_dof(z: np.ndarray) -> tuple[float, float]:
    """ν and its standard error (curvature of the profile in ν) from standardised residuals *z* (T, d)."""
    state = {"scatter": z.T @ z / len(z)}

    def negative(log_nu: float) -> float:
        nu = math.exp(log_nu)
        value, state["scatter"] = _profile(z, nu, state["scatter"])
        return -value

    low, high = (math.log(b) for b in BOUNDS)
    found = minimize_scalar(negative, bounds=(low, high), method="bounded", options={"xatol": 2e-3})
    nu = math.exp(found.x)
    step = 0.05
    curvature = (negative(found.x + step) - 2 * negative(found.x) + negative(found.x - step)) / step**2
    se = nu / math.sqrt(curvature) if curvature > 0 else math.nan
    return float(nu), float(se)


def _profile(z: np.ndarray, nu: float, scatter: np.ndarray) -> tuple[float, np.ndarray]:
    """Log-likelihood at ν with its own scatter matrix (the scatter is not rescaled to the covariance)."""
    t, d = z.shape
    for _ in range(SCATTER_STEPS):
        weight = (nu + d) / (nu + _mahalanobis(z, scatter)[0])
        scatter = (z * weight[:, None]).T @ z / t
    delta, log_det = _mahalanobis(z, scatter)
    constant = gammaln((nu + d) / 2) - gammaln(nu / 2) - d / 2 * math.log(nu * math.pi)
    return float(t * (constant - log_det / 2) - (nu + d) / 2 * np.log1p(delta / nu).sum()), scatter


def _mahalanobis(z: np.ndarray, scatter: np.ndarray) -> tuple[np.ndarray, float]:
    lower = np.linalg.cholesky(scatter)
    y = solve_triangular(lower, z.T, lower=True, check_finite=False)
    return np.einsum("it,it->t", y, y), 2.0 * float(np.log(np.diag(lower)).sum())
