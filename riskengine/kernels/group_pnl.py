"""P&L by group at the horizon for one chunk of paths, quadratic in the moves, in one call without a lock.

    x      = Σ_{t < T} v_t ∘ (w_t L z_t)                         the moves of kernels/paths.py
    P_g    = Σ_k δ_gk x_k + Σ_m c_gm x_a(m) x_b(m)               delta, gamma and cross gamma by group
    total  = Σ_g P_g

The pairs (a, b) are the diagonal (c = ½ γ_kk) and, when there is cross gamma, those off the diagonal with an
entry in some group (c = γ_ab): positions are collapsed to groups before the simulation, and neither
moves nor positions by path are ever stored.  A tile of paths stays in the second-level cache through all
stages: normals → triangular product → mixing → products of pairs → register-blocked product with the
exposures.  Every operation belongs to one path alone, so neither chunk nor tile nor thread can change a bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from riskengine.kernels import kernel
from riskengine.kernels.draws import fill_mixing, fill_normals, fill_rows
from riskengine.kernels.paths import TILE
from riskengine.kernels.products import MICRO_ROWS, multiply, multiply_triangular

PANEL = 120
"""Pairs of factors multiplied in one go: bounds the tile of products (120 × 240 float32 are 115 kB)."""


class GroupProducts(NamedTuple):
    """Exposures laid out for the products; ``real`` is the type of draws and products.

    linear : pack_rows(delta (G, K)) real.  pairs : (M, 2) int64 factors.
    quadratic : one row pack_rows(c[:, panel]) real per panel of PANEL pairs, (panels, rows · PANEL).  A short
    last panel is filled up with zeros.
    """

    linear: np.ndarray
    pairs: np.ndarray
    quadratic: np.ndarray


class Target(NamedTuple):
    """Where the P&L goes: groups (G, P) real and total (P,) float64; column 0 is path *origin*."""

    groups: np.ndarray
    total: np.ndarray
    origin: int


@kernel
def scale_moves(volatility, scale, x, moves, first_step):
    """moves[k] = or += v[k] · scale · x[k] for K rows of tiles."""
    for k in range(moves.shape[0]):
        v = volatility[k]
        source, target = x[k], moves[k]
        if first_step:
            for i in range(TILE):
                target[i] = v * (scale[i] * source[i])
        else:
            for i in range(TILE):
                target[i] += v * (scale[i] * source[i])


@kernel
def gather_moves(volatility, residuals, rows, moves, first_step):
    """moves[k, i] = or += v[k] · residuals[k, rows[i]]."""
    for k in range(moves.shape[0]):
        v = volatility[k]
        source, target = residuals[k], moves[k]
        if first_step:
            for i in range(TILE):
                target[i] = v * source[rows[i]]
        else:
            for i in range(TILE):
                target[i] += v * source[rows[i]]


@kernel
def multiply_pairs(moves, pairs, begin, products):
    """products[m] = x_a x_b of pair begin + m; rows beyond the last pair are zero."""
    for m in range(products.shape[0]):
        target = products[m]
        if begin + m < pairs.shape[0]:
            one, two = moves[pairs[begin + m, 0]], moves[pairs[begin + m, 1]]
            for i in range(TILE):
                target[i] = one[i] * two[i]
        else:
            for i in range(TILE):
                target[i] = 0.0


@kernel
def add_rows(x, y):
    """y += x, tile by tile."""
    for r in range(y.shape[0]):
        source, target = x[r], y[r]
        for i in range(TILE):
            target[i] += source[i]


@kernel
def store_groups(pnl, column, width, target):
    """Copy a tile of P&L to its columns and add the groups up, in their order, in float64."""
    total = target.total[column : column + width]
    total[:] = 0.0
    for g in range(target.groups.shape[0]):
        source, row = pnl[g], target.groups[g, column : column + width]
        for i in range(width):
            value = source[i]
            row[i] = value
            total[i] += value


@kernel
def simulate_groups(noise, stream, exposures, first, last, target):
    """P&L of paths first … last − 1.

    Parameters
    ----------
    noise : paths.Noise (its fixings are not used).  stream : paths.Stream.
    exposures : GroupProducts.  first, last : paths.
    target : Target, written in columns first − origin … last − origin − 1.
    """
    factors = noise.volatility.shape[1]
    historical = noise.residuals.shape[1] > 0
    real = noise.volatility.dtype
    groups = target.groups.shape[0]
    padded = (groups + MICRO_ROWS - 1) // MICRO_ROWS * MICRO_ROWS
    panels = exposures.quadratic.shape[0]
    depth = exposures.quadratic.shape[1] // padded
    z = np.empty(((factors + 3) // 4 * 4, TILE), dtype=real)
    x = np.empty(((factors + MICRO_ROWS - 1) // MICRO_ROWS * MICRO_ROWS, TILE), dtype=real)
    scale = np.ones(TILE, dtype=real)
    rows = np.empty(TILE, dtype=np.int64)
    moves = np.empty((factors, TILE), dtype=real)
    products = np.empty((depth, TILE), dtype=real)
    part = np.empty((padded, TILE), dtype=real)
    pnl = np.empty((padded, TILE), dtype=real)
    for begin in range(first, last, TILE):
        for step in range(noise.volatility.shape[0]):
            if historical:
                fill_rows(begin, stream.block_bootstrap, step, stream.seed, noise.residuals.shape[1], rows)
                gather_moves(noise.volatility[step], noise.residuals, rows, moves, step == 0)
            else:
                fill_normals(begin, 0, step, stream.seed, z)
                multiply_triangular(noise.packed, factors, z, x)
                if noise.mixing.shape[0] > 0:
                    fill_mixing(begin, stream.block_mixing, step, stream.seed, noise.mixing, scale)
                scale_moves(noise.volatility[step], scale, x, moves, step == 0)
        multiply(exposures.linear, factors, moves, pnl)
        for panel in range(panels):
            multiply_pairs(moves, exposures.pairs, panel * depth, products)
            multiply(exposures.quadratic[panel], depth, products, part)
            add_rows(part, pnl)
        store_groups(pnl, begin - target.origin, min(TILE, last - begin), target)
