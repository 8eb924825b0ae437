"""Which GARCH parameters maximise the likelihood of exactly the recursion that is used, to machine precision?

Variance-targeted GARCH with Student-t innovations on a series of unit variance:

    h_{t+1} = (1 − α − γ/2 − β) + (α + γ 1{y_t < 0}) y_t² + β h_t,   h_1 = 1
    ℓ = Σ ln Γ((ν+1)/2) − ln Γ(ν/2) − ½ ln(π(ν−2)) − ½ ln h_t − (ν+1)/2 · ln(1 + y_t² / ((ν−2) h_t))

Optimisers that difference the likelihood stop within about 1e-5 of the maximum, and where exactly depends on
the machine (measured: 1e-4 in a loading between two settings of the linear-algebra threads).  Here Newton
steps with complex-step gradients (Squire and Trapp 1998) go on to 1e-10, so that estimates agree across
machines.  Coordinates: (α, γ, β, ν); some may be held: γ = 0, α = 0, or β at the cap.

Newton steps may try α < 0, because a maximum that lies there is how α = 0 is found to bind.  Whether h stays
positive then depends on the data: one large move times a negative α ends below zero.  Such parameters are not
admissible (the model gives the data no density): ℓ = −∞, and the line search turns back from them.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter
from scipy.special import loggamma

COMPLEX_STEP = 1e-20
STEP_TOLERANCE = 1e-10
NEWTON_STEPS = 60
HESSIAN_EVERY = 6
NU_RANGE = (2.05, 200.0)


def log_likelihood(y: np.ndarray, alpha, gamma, beta, nu):
    """ℓ of *y* (n,), unit variance; real or complex parameters.  −∞ where a variance is not positive."""
    news = (alpha + gamma * (y < 0)) * y**2 + (1.0 - alpha - 0.5 * gamma - beta)
    kind = np.result_type(news, type(beta), np.float64)
    tail, _ = lfilter(np.ones(1, kind), np.array([1.0, -beta], kind), news[:-1].astype(kind),
                      zi=np.array([beta], kind))
    if not (tail.real.min(initial=1.0) > 0.0 and np.real(nu) > 2.0):
        return -np.inf
    h = np.concatenate((np.ones(1, kind), tail))
    constant = loggamma((nu + 1) / 2) - loggamma(nu / 2) - 0.5 * np.log(np.pi * (nu - 2))
    return len(y) * constant - 0.5 * np.log(h).sum() - (nu + 1) / 2 * np.log1p(y**2 / ((nu - 2) * h)).sum()


def maximise(y: np.ndarray, start: tuple[float, float, float, float], free: tuple[bool, bool, bool],
             cap: float | None = None) -> tuple[float, float, float, float] | None:
    """(α, γ, β, ν) at the maximum near *start*, or None when Newton does not get there.

    free : which of α, γ, β move (ν always does).  cap : persistence held there, β = cap − α − γ/2 (β not
    free).
    """
    index = [i for i, f in enumerate((*free, True)) if f and not (i == 2 and cap is not None)]

    def full(theta):
        p = np.array(start, dtype=np.result_type(theta, np.float64))
        p[index] = theta
        if cap is not None:
            p[2] = cap - p[0] - 0.5 * p[1]
        return p

    def gradient(theta):
        out = np.empty(len(theta))
        for i in range(len(theta)):
            moved = theta.astype(complex)
            moved[i] += 1j * COMPLEX_STEP
            value = log_likelihood(y, *full(moved))
            out[i] = np.nan if value == -np.inf else value.imag / COMPLEX_STEP
        return out

    theta = np.array(start)[index]
    inverse, slope = None, gradient(theta)
    for n in range(NEWTON_STEPS):
        if n % HESSIAN_EVERY == 0:
            inverse = _inverse_curvature(gradient, theta, slope)
            if inverse is None:
                return None
        step = inverse @ slope
        length = 1.0
        while not _inside(full(theta + length * step)):
            length *= 0.5
            if length < 1e-3:
                return None
        least = log_likelihood(y, *full(theta))
        least -= 1e-9 * abs(least)
        while (value := log_likelihood(y, *full(theta + length * step))) < least and length > 1e-3:
            length *= 0.5
        if value == -np.inf:
            return None
        theta = theta + length * step
        if np.abs(length * step / np.maximum(np.abs(theta), 0.01)).max() < STEP_TOLERANCE:
            return tuple(float(v) for v in full(theta))
        slope = gradient(theta)
    return None


def _inside(p: np.ndarray) -> bool:
    """Parameters for which the recursion is positive and stationary enough to be evaluated."""
    alpha, gamma, beta, nu = p
    return (alpha > -0.05 and alpha + gamma >= 0 and 0 <= beta < 1 and alpha + 0.5 * gamma + beta < 0.99999
            and NU_RANGE[0] < nu < NU_RANGE[1])


def _inverse_curvature(gradient, theta: np.ndarray, slope: np.ndarray) -> np.ndarray | None:
    """−H⁻¹ by forward differences of exact gradients, eigenvalues made positive; None when not finite."""
    n = len(theta)
    h = np.empty((n, n))
    for i in range(n):
        size = 1e-5 * max(abs(theta[i]), 0.01)
        moved = theta.copy()
        moved[i] += size
        h[:, i] = (gradient(moved) - slope) / size
    if not np.isfinite(h).all():
        return None
    values, vectors = np.linalg.eigh(-0.5 * (h + h.T))
    values = np.maximum(np.abs(values), 1e-8 * np.abs(values).max())
    return (vectors / values) @ vectors.T
