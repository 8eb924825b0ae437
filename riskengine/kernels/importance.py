"""Weights of paths drawn from a mixture of exponentially twisted laws.

    w = 1 / Σ_j π_j exp(θ_j (l/s + m) − B_j/s² + C_j) ρ_j,    ρ_j = Π_t q^{ν/2} e^{−κ χ²_t} or its mean

the balance heuristic (Veach and Guibas 1995) for the density ratios of simulation.importance; the mean is
over t.  Every path by itself.  For historical rows ρ_j is a product of the ratios of the steps' rows, or their mean.
"""

from __future__ import annotations

import numpy as np

from riskengine.kernels import kernel
from riskengine.kernels.primitives import exp


@kernel
def weigh(linear, square, inverse, chi, parts, out):
    """Density of the plain law over that of the mixture.

    Parameters
    ----------
    linear, square : (n,) l and m.  inverse : (n,) 1/s.  chi : (T, n) χ²_t, (0, n) for Gaussian noise.
    parts : (J, 7) rows (π, θ, B, C, κ, ln q^{ν/2}, 1 when one step jumps, 0 when all are scaled).
    out : (n,) written.
    """
    steps, paths = chi.shape
    factor = np.empty(paths)
    out[:] = 0.0
    for j in range(parts.shape[0]):
        share, theta, quadratic, constant = parts[j, 0], parts[j, 1], parts[j, 2], parts[j, 3]
        kappa, level, jumps = parts[j, 4], parts[j, 5], parts[j, 6] > 0.0
        factor[:] = 0.0
        if jumps:
            for t in range(steps):
                for i in range(paths):
                    factor[i] += exp(level - kappa * chi[t, i]) / steps
        else:
            for t in range(steps):
                for i in range(paths):
                    factor[i] += level - kappa * chi[t, i]
            for i in range(paths):
                factor[i] = exp(factor[i])
        for i in range(paths):
            t = inverse[i]
            x = theta * (linear[i] * t + square[i]) - quadratic * (t * t) + constant
            out[i] += share * exp(x) * factor[i]
    for i in range(paths):
        out[i] = 1.0 / out[i]


@kernel
def weigh_rows(rows, log_ratio, share, jumps, out):
    """Probability of a path's rows under the plain law over that under the mixture.

    rows : (T, n) int64.  log_ratio : (J, T, R) ln of each row's probability under law j over the plain one.
    share : (J,).  jumps : (J,) bool, one step only.  out : (n,) written.
    """
    steps, paths = rows.shape
    factor = np.empty(paths)
    out[:] = 0.0
    for j in range(share.shape[0]):
        factor[:] = 0.0
        for t in range(steps):
            row, ratio = rows[t], log_ratio[j, t]
            if jumps[j]:
                for i in range(paths):
                    factor[i] += exp(ratio[row[i]]) / steps
            else:
                for i in range(paths):
                    factor[i] += ratio[row[i]]
        if not jumps[j]:
            for i in range(paths):
                factor[i] = exp(factor[i])
        for i in range(paths):
            out[i] += share[j] * factor[i]
    for i in range(paths):
        out[i] = 1.0 / out[i]


@kernel
def quadratic_value(delta, product, moves, out):
    """out[i] = Σ_k moves[k, i] (delta[k] + ½ product[k, i]) with product = Γ moves, in the order of k."""
    for i in range(out.shape[0]):
        out[i] = 0.0
    for k in range(delta.shape[0]):
        d = delta[k]
        for i in range(out.shape[0]):
            x = moves[k, i]
            out[i] += x * (d + 0.5 * product[k, i])


@kernel
def twist(normals, component, stretch, tilt, inverse, out):
    """out[k, i] = normals[k, i]·stretch[j, k] + tilt[j, k]·inverse[i] − normals[k, i] for j = component[i].

    normals : (K, n) plain, in the eigenbasis.  stretch, tilt : (J, K).  out is the change of the normals.
    """
    for k in range(stretch.shape[1]):
        for i in range(component.shape[0]):
            j = component[i]
            y = normals[k, i]
            out[k, i] = y * stretch[j, k] + tilt[j, k] * inverse[i] - y
