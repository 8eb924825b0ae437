"""Moves of factors by draw as sums over a few drivers, and of the factors that follow them.

    combine     out_r(t) = Σ_n weight_n x_n(t)          follow   out_i(t) = Σ_j B_ij x_j(t)
    look_ahead  out(t) = x(t) + weight (E[x(t + ahead)] − x(t)),  E the mean over the draws of a regime

The draws lie along the last axis; terms are added in ascending order, product and sum rounded apart.
"""

from __future__ import annotations

import numpy as np

from riskengine.kernels import kernel


@kernel
def _add_scaled(weight, x, out):
    """out[i] += weight · x[i]."""
    for i in range(out.shape[0]):
        out[i] += weight * x[i]


@kernel
def _add_product(x, y, out):
    """out[i] += x[i] · y[i]."""
    for i in range(out.shape[0]):
        out[i] += x[i] * y[i]


@kernel
def combine(rows, drivers, weights, moves, out):
    """out[rows[n], t, d] += weights[n, d] · moves[drivers[n], t, d], n ascending.

    rows, drivers : (N,) int64.  weights : (N, D).  moves : (J, T, D).  out : (R, T, D), zeros at first.
    """
    for t in range(moves.shape[1]):
        for n in range(rows.shape[0]):
            _add_product(weights[n], moves[drivers[n], t], out[rows[n], t])


@kernel
def follow(loadings, leaders, followers, moves):
    """moves[followers[i], t, d] = Σ_j loadings[i, j, d] · moves[leaders[j], t, d], j ascending.

    loadings : (I, J, D), or (I, J, 1) shared by all draws.  leaders : (J,), followers : (I,) int64, none in
    both.  moves : (K, T, D).
    """
    shared = loadings.shape[2] == 1
    for i in range(followers.shape[0]):
        for t in range(moves.shape[1]):
            row = moves[followers[i], t]
            row[:] = 0.0
            for j in range(leaders.shape[0]):
                if shared:
                    _add_scaled(loadings[i, j, 0], moves[leaders[j], t], row)
                else:
                    _add_product(loadings[i, j], moves[leaders[j], t], row)


@kernel
def look_ahead(path, ahead, weight, regime, out):
    """out[t, d] = x + weight[d] (mean of path[t + ahead] over the draws of d's regime − x), x = path[t, d].

    path : (≥ T + ahead, D).  weight : (D,).  regime : (D,) int64 from 0 on.  out : (T, D).
    """
    regimes = 0
    for d in range(regime.shape[0]):
        regimes = max(regimes, regime[d] + 1)
    count, mean = np.zeros(regimes), np.empty(regimes)
    for d in range(regime.shape[0]):
        count[regime[d]] += 1.0
    for t in range(out.shape[0]):
        now, later, price = path[t], path[t + ahead], out[t]
        mean[:] = 0.0
        for d in range(price.shape[0]):
            mean[regime[d]] += later[d]
        for r in range(regimes):
            mean[r] /= count[r]
        for d in range(price.shape[0]):
            price[d] = now[d] + weight[d] * (mean[regime[d]] - now[d])
