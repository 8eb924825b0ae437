"""Parameter draws: which draw a path belongs to, and the normals behind parameters and loadings.

    d(p) = perm_b[p − bD],  b = p // D        METHOD 9: every block of D paths holds every draw once

All of them come from the counter stream under reserved blocks (base/sampling.py): they do not depend on
the version of a library, on the number of parameters, or on who asks first.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from riskengine.base.sampling import BLOCK_LOADINGS, BLOCK_PARAMETERS, BLOCK_PERMUTATION, RunSpec
from riskengine.kernels.draws import fill_keys, fill_normals, fill_words
from riskengine.simulation.sobol import sobol_points


def draw_of_path(spec: RunSpec, lo: int, hi: int) -> np.ndarray:
    """Parameter draw d of paths lo ≤ p < hi: (n,) int32; every block of D paths holds every draw once."""
    draws = spec.draws
    first = lo // draws
    blocks = -(-hi // draws) - first
    keys = np.empty((blocks, draws), dtype=np.uint64)
    fill_keys(first, BLOCK_PERMUTATION, spec.seed, keys)
    order = np.argsort(keys, axis=1, kind="stable").astype(np.int32)
    return order.ravel()[lo - first * draws : hi - first * draws].copy()


def parameter_normals(spec: RunSpec, dimensions: int) -> np.ndarray:
    """Scrambled Sobol normals for parameter draws: (D, dimensions) float64, untruncated.

    Sobol points (Joe and Kuo directions) under nested uniform scrambling (Owen 1995) with flips from the
    counter stream: dimension j depends on (seed, j) only, so that more parameters leave the draws of the
    others alone.
    """
    bits = spec.draws.bit_length() - 1
    if dimensions == 0:
        return np.empty((spec.draws, 0))
    prefix = sobol_points(dimensions, bits)
    normals = np.empty((spec.draws, dimensions))
    words = np.empty((4, spec.draws), dtype=np.uint32)
    for j in range(dimensions):
        fill_words(0, BLOCK_PARAMETERS + j, 0, spec.seed, words)
        cell = np.zeros(spec.draws, dtype=np.int64)
        for level in range(bits):
            seen = prefix[:, j] >> (bits - level)
            bit = (prefix[:, j] >> (bits - level - 1)) & 1
            cell = 2 * cell + (bit ^ (words[0, (1 << level) + seen] & 1))
        within = (words[1, prefix[:, j]] + 0.5) / 2.0**32
        normals[:, j] = ndtri((cell + within) / spec.draws)
    return normals


def loading_normals(spec: RunSpec, coefficients: int) -> np.ndarray:
    """Standard normals of the loadings' coefficients: (D, Q) float64."""
    out = np.empty((-(-coefficients // 4) * 4, spec.draws))
    fill_normals(0, BLOCK_LOADINGS, 0, spec.seed, out)
    return np.ascontiguousarray(out[:coefficients].T)
