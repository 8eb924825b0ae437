"""Joint noise of all factors over all steps for one chunk of paths, in one call that holds no lock.

    a_T[k] = Σ_{t < T} v_t[k] · w_t · (L z_t)[k],     z_t normal, w_t the Student-t scale (1 for Gaussian
    noise) a_T[k] = Σ_{t < T} v_t[k] · e[row_t, k]           filtered historical simulation (Barone-Adesi
    et al. 1999)

A chunk is walked in tiles that stay in the second-level cache; a tile goes through all steps before the
next one starts, and only the accumulated noise leaves it: at the end, and at fixing steps for the factors
that ask.  Every operation belongs to one path alone, so neither chunk nor tile can change a bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from riskengine.kernels import kernel
from riskengine.kernels.aligned import empty_rows, part_of_row
from riskengine.kernels.draws import fill_mixing, fill_normals, fill_rows
from riskengine.kernels.products import MICRO_ROWS, multiply_triangular

TILE = 240
"""Paths per tile: a multiple of 16, no power of two."""


class Noise(NamedTuple):
    """What every path shares; ``real`` is float32 or float64, the type of draws and products.

    packed : pack_rows(L) real, empty for filtered historical.  volatility : (T, K) real, standard
    deviation of each step.  mixing : (N + 1, 4) float64 table of draws.fill_mixing, or (0, 4) for
    Gaussian noise.
    residuals : (K, R) real, standardised residuals by factor, (K, 0) when unused.
    fixings : (F, 2) int64 rows (factor, step), ascending in step.
    """

    packed: np.ndarray
    volatility: np.ndarray
    mixing: np.ndarray
    residuals: np.ndarray
    fixings: np.ndarray


class Stream(NamedTuple):
    """seed and the numbers of the reserved blocks (base.sampling)."""

    seed: int
    block_mixing: int
    block_bootstrap: int


@kernel
def add_scaled(volatility, scale, x, total):
    """total[k, i] += volatility[k] · scale[i] · x[k, i]; total (K, TILE) float64."""
    for k in range(total.shape[0]):
        v = volatility[k]
        source, target = x[k], total[k]
        for i in range(TILE):
            target[i] += v * (scale[i] * source[i])


@kernel
def add_residuals(volatility, residuals, rows, total):
    """total[k, i] += volatility[k] · residuals[k, rows[i]]; total (K, n) float64."""
    for k in range(total.shape[0]):
        v = volatility[k]
        for i in range(total.shape[1]):
            total[k, i] += v * residuals[k, rows[i]]


@kernel
def write_scaled(volatility, scale, x, begin, width, out):
    """out[k, begin + i] = volatility[k] · scale[i] · x[k, i], i < width, the bits of add_scaled on zeros: + 0
    turns −0 to 0."""
    zero = x.dtype.type(0.0)
    for k in range(out.shape[0]):
        v = volatility[k]
        source, target = x[k], part_of_row(out, k, begin, width)
        for i in range(width):
            target[i] = v * (scale[i] * source[i]) + zero


@kernel
def accumulate_noise(noise, stream, first, out, fixed):
    """Accumulated noise of paths first … first + n − 1.

    Parameters
    ----------
    noise : Noise.  stream : Stream.  first : first path.
    out : (K, n) float32 or float64, neighbours in a row neighbours in memory, written: noise accumulated over
    all steps, in the factors' units.
    fixed : (F, n) float64, written: row f is factor fixings[f, 0] after step fixings[f, 1] + 1.
    """
    factors = out.shape[0]
    paths = out.shape[1]
    steps = noise.volatility.shape[0]
    historical = noise.residuals.shape[1] > 0
    like = noise.volatility
    z = empty_rows((factors + 3) // 4 * 4, TILE, like)
    x = empty_rows((factors + MICRO_ROWS - 1) // MICRO_ROWS * MICRO_ROWS, TILE, like)
    scale = empty_rows(1, TILE, like)[0]
    scale[:] = 1.0
    rows = np.empty(TILE, dtype=np.int64)
    total = empty_rows(factors, TILE, np.empty(0))
    single = steps == 1 and not historical and noise.fixings.shape[0] == 0
    for offset in range(0, paths, TILE):
        begin = first + offset
        width = min(TILE, paths - offset)
        if single:
            fill_normals(begin, 0, 0, stream.seed, z)
            multiply_triangular(noise.packed, factors, z, x)
            if noise.mixing.shape[0] > 0:
                fill_mixing(begin, stream.block_mixing, 0, stream.seed, noise.mixing, scale)
            write_scaled(noise.volatility[0], scale, x, offset, width, out)
            continue
        total[:] = 0.0
        fixing = 0
        for step in range(steps):
            if historical:
                fill_rows(begin, stream.block_bootstrap, step, stream.seed, noise.residuals.shape[1], rows)
                add_residuals(noise.volatility[step], noise.residuals, rows, total)
            else:
                fill_normals(begin, 0, step, stream.seed, z)
                multiply_triangular(noise.packed, factors, z, x)
                if noise.mixing.shape[0] > 0:
                    fill_mixing(begin, stream.block_mixing, step, stream.seed, noise.mixing, scale)
                add_scaled(noise.volatility[step], scale, x, total)
            while fixing < noise.fixings.shape[0] and noise.fixings[fixing, 1] == step:
                for i in range(width):
                    fixed[fixing, offset + i] = total[noise.fixings[fixing, 0], i]
                fixing += 1
        for k in range(factors):
            source, target = total[k], part_of_row(out, k, offset, width)
            for i in range(width):
                target[i] = source[i]
