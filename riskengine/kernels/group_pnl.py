"""P&L by group at the horizon for one chunk of paths, quadratic in the moves, in one call without a lock.

    x      = Σ_{t < T} v_t ∘ (w_t L z_t)                         the moves of kernels/paths.py
    P_g    = Σ_k δ_gk x_k + Σ_m c_gm x_a(m) x_b(m)               delta, gamma and cross gamma by group
    total  = Σ_g P_g

The pairs (a, b) are the diagonal (c = ½ γ_kk) and, when there is cross gamma, those off the diagonal with an
entry in some group (c = γ_ab): positions are collapsed to groups before the simulation, and neither
moves nor positions by path are ever stored.  A tile of paths stays in the second-level cache through all
stages: normals → triangular product → mixing → register-blocked product of moves and their squares with the
exposures → products of the pairs a ≠ b.  Over a single step the volatilities are folded into L and the
mixing scale is applied to the groups, P = w (δ·y + w Q(y)) with y = (v ∘ L) z: no
pass over the
moves.  Every operation belongs to one path alone, so neither chunk nor tile nor thread can change a bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from riskengine.kernels import kernel
from riskengine.kernels.aligned import empty_rows
from riskengine.kernels.draws import fill_mixing, fill_normals, fill_rows
from riskengine.kernels.paths import TILE
from riskengine.kernels.primitives import fma
from riskengine.kernels.products import MICRO_ROWS, multiply, multiply_quadratic, multiply_triangular

PANEL = 120
"""Pairs of factors multiplied in one go: bounds the tile of products (120 × 240 float32 are 115 kB)."""


class GroupProducts(NamedTuple):
    """Exposures laid out for the products; ``real`` is the type of draws and products.

    rows : of a panel of linear and diagonal (products.best_rows; MICRO_ROWS without a diagonal).
    linear : pack_rows(delta (G, K)) real.
    diagonal : pack_rows(½ gamma (G, K)) real, empty when all are zero.
    pairs : (M, 2) int64 factors a ≠ b.
    cross : one row pack_rows(c[:, panel]) real per panel of PANEL pairs, (panels, rows · PANEL).  A short
    last panel is filled up with zeros.
    """

    rows: int
    linear: np.ndarray
    diagonal: np.ndarray
    pairs: np.ndarray
    cross: np.ndarray


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
def add_rows(x, y, rows):
    """y += x in the first *rows*, tile by tile."""
    for r in range(rows):
        source, target = x[r], y[r]
        for i in range(TILE):
            target[i] += source[i]


@kernel
def scale_packed(packed, volatility):
    """Packed L with row k multiplied by volatility[k]."""
    scaled = np.empty_like(packed)
    columns = volatility.shape[0]
    for i in range(packed.shape[0]):
        row = i // (columns * MICRO_ROWS) * MICRO_ROWS + i % MICRO_ROWS
        scaled[i] = packed[i] * volatility[row] if row < columns else packed[i]
    return scaled


@kernel
def store_groups(linear, quadratic, scale, column, width, total, target):
    """P_g = scale (linear + scale · quadratic) of a tile, to its columns; total their sum, in their order."""
    for i in range(TILE):
        total[i] = 0.0
    for g in range(target.groups.shape[0]):
        one, two = linear[g], quadratic[g]
        for i in range(TILE):
            one[i] = scale[i] * fma(scale[i], two[i], one[i])
        for i in range(TILE):
            total[i] += one[i]
        row = target.groups[g, column : column + width]
        for i in range(width):
            row[i] = one[i]
    sums = target.total[column : column + width]
    for i in range(width):
        sums[i] = total[i]


@kernel
def simulate_groups(noise, stream, exposures, first, last, target):
    """P&L of paths first … last − 1.

    Parameters
    ----------
    noise : paths.Noise (its fixings are not used).  stream : paths.Stream.
    exposures : GroupProducts.  first, last : paths.
    target : Target, written in columns first − origin … last − origin − 1.
    """
    steps, factors = noise.volatility.shape
    historical = noise.residuals.shape[1] > 0
    single = steps == 1 and not historical
    mixed = not historical and noise.mixing.shape[0] > 0
    like = noise.volatility
    groups = target.groups.shape[0]
    padded = (groups + MICRO_ROWS - 1) // MICRO_ROWS * MICRO_ROWS
    panels = exposures.cross.shape[0]
    depth = exposures.cross.shape[1] // padded
    lower = scale_packed(noise.packed, noise.volatility[0]) if single else noise.packed
    z = empty_rows((factors + 3) // 4 * 4, TILE, like)
    x = empty_rows((factors + MICRO_ROWS - 1) // MICRO_ROWS * MICRO_ROWS, TILE, like)
    moves = x if single else empty_rows(factors, TILE, like)
    scale = empty_rows(2, TILE, like)
    scale[:] = 1.0
    step_scale = scale[1]
    group_scale = scale[1] if single else scale[0]
    rows = np.empty(TILE, dtype=np.int64)
    products = empty_rows(depth, TILE, like)
    part = empty_rows(padded, TILE, like)
    height = exposures.linear.shape[0] // factors
    linear = empty_rows(height, TILE, like)
    quadratic = empty_rows(height, TILE, like)
    total = np.empty(TILE)
    for begin in range(first, last, TILE):
        for step in range(steps):
            if historical:
                fill_rows(begin, stream.block_bootstrap, step, stream.seed, noise.residuals.shape[1], rows)
                gather_moves(noise.volatility[step], noise.residuals, rows, moves, step == 0)
            else:
                fill_normals(begin, 0, step, stream.seed, z)
                multiply_triangular(lower, factors, z, x)
                if mixed:
                    fill_mixing(begin, stream.block_mixing, step, stream.seed, noise.mixing, step_scale)
                if not single:
                    scale_moves(noise.volatility[step], step_scale, x, moves, step == 0)
        if exposures.diagonal.shape[0] > 0:
            multiply_quadratic(exposures.linear, exposures.diagonal, factors, exposures.rows, moves, linear,
                               quadratic)
        else:
            multiply(exposures.linear, factors, moves, linear)
            quadratic[:] = 0.0
        for panel in range(panels):
            multiply_pairs(moves, exposures.pairs, panel * depth, products)
            multiply(exposures.cross[panel], depth, products, part)
            add_rows(part, quadratic, groups)
        store_groups(linear, quadratic, group_scale, begin - target.origin, min(TILE, last - begin), total,
                     target)
