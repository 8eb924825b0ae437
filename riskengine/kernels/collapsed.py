"""P&L of a collapsed book on many paths under one scenario: a weighted sum of features of the path.

    P_p = const + Σ_f c_f φ_f(x_p),     x_p = noise_p + μ_{d(p)}
    φ:  exp(c₁x₁ + c₂x₂ + c₃x₃) − 1 · e^{x_r} − 1 and max(w (S e^{x_r} − K), 0) at fixings ·
        unit values of the fully revalued instruments · y_k and y_a y_b, y = x − centre held within limits (delta
        and gamma of the others)

Every feature belongs to one path; features are computed in panels of rows that stay in cache and are used
thrice while there: for the total, for groups when wanted (register-blocked product), and for the sums over
paths from which the mean of every group follows without its P&L by path.  Sums fold a tile of 256 paths in
halves and add tiles in path order; a chunk of paths starts on a multiple of the tile.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from riskengine.kernels import kernel
from riskengine.kernels.curved import PANEL, STRIDE, WIDTH, Instruments, exp_less_one, fill_instruments
from riskengine.kernels.products import MICRO_ROWS, multiply


class Features(NamedTuple):
    """What is computed on every path, in the order of the features; ``real`` float32 or float64.

    exponential_rows (E, 3) int64 factors; exponential_terms (E, 3) real.
    fixing_rows (Z,) int64 row of the fixings, ascending; fixing_terms (Z, 3) real w, S, K (w = 0: e^x − 1).
    instruments : fully revalued on every path.  factors (L,) int64, pairs (X, 2) int64: the quadratic part.
    """

    exponential_rows: np.ndarray
    exponential_terms: np.ndarray
    fixing_rows: np.ndarray
    fixing_terms: np.ndarray
    instruments: Instruments
    factors: np.ndarray
    pairs: np.ndarray


class Weights(NamedTuple):
    """One scenario's numbers.

    shift (K, W), fixing_shift (F, W) real: response by draw, W = D or its repetitions up to a tile.
    centre, limit (K,) real: the quadratic part sees y = x − centre held within ± limit.
    total (f,) real: weight of each feature in the total P&L.
    groups (panels, rows · PANEL) real: pack_rows of the weights of each panel by group, or (0, 0).
    """

    shift: np.ndarray
    fixing_shift: np.ndarray
    centre: np.ndarray
    limit: np.ndarray
    total: np.ndarray
    groups: np.ndarray


class Paths(NamedTuple):
    """Noise of a chunk: noise (K, n), fixings (F, n) real.

    Paths are in the order of their draws, column i having draw i modulo W: every block of D paths holds each draw
    once, and in this order no response has to be gathered.
    """

    noise: np.ndarray
    fixings: np.ndarray


class CollapsedPnl(NamedTuple):
    """Written: exact, quadratic (n,) real, the two parts of the total without constants; by_group (2, G, n) real
    the same by group ((2, 0, n) when not wanted); sums (f,) float64 of every feature."""

    exact: np.ndarray
    quadratic: np.ndarray
    by_group: np.ndarray
    sums: np.ndarray


@kernel
def fold_half(scratch):
    """Sum of the first 128 entries, overwritten."""
    for t in range(64):
        scratch[t] += scratch[t + 64]
    for t in range(32):
        scratch[t] += scratch[t + 32]
    for t in range(16):
        scratch[t] += scratch[t + 16]
    for t in range(8):
        scratch[t] += scratch[t + 8]
    return (float(scratch[0] + scratch[4]) + float(scratch[1] + scratch[5])) + (
        float(scratch[2] + scratch[6]) + float(scratch[3] + scratch[7]))


@kernel
def fold(row, scratch):
    """Sum of a tile, halves onto halves: the same order of additions always (widths written out, to be unrolled)."""
    for t in range(128):
        scratch[t] = row[t] + row[t + 128]
    return fold_half(scratch)


assert WIDTH == 256


@kernel
def absorb(panel, count, width, offset, panel_number, weights, total, by_group, part, scratch, sums):
    """Add *count* rows of features to the total, to the groups and to the sums."""
    for m in range(count):
        row, c = panel[m], weights.total[offset + m]
        if width < WIDTH:
            for t in range(width, WIDTH):
                row[t] = 0.0
        for t in range(WIDTH):
            total[t] += c * row[t]
        sums[offset + m] += fold(row, scratch)
    if weights.groups.shape[0] > 0:
        multiply(weights.groups[panel_number], count, panel, part)
        for g in range(by_group.shape[0]):
            source, target = part[g], by_group[g]
            for t in range(WIDTH):
                target[t] += source[t]


@kernel
def fill_exponentials(features, begin, count, x, panel):
    """panel[m] = exp(c₁x₁ + c₂x₂ + c₃x₃) − 1"""
    for m in range(count):
        rows, terms, out = features.exponential_rows[begin + m], features.exponential_terms[begin + m], panel[m]
        one, two, three = x[rows[0]], x[rows[1]], x[rows[2]]
        c1, c2, c3 = terms[0], terms[1], terms[2]
        for t in range(WIDTH):
            out[t] = exp_less_one(c1 * one[t] + (c2 * two[t] + c3 * three[t]))


@kernel
def fill_fixings(features, begin, count, paths, start, width, weights, last, growth, panel):
    """panel[m] = e^x − 1 or the payoff at a fixing; *growth* holds e^x − 1 of row *last*, which is returned."""
    for m in range(count):
        row, out = features.fixing_rows[begin + m], panel[m]
        if row != last:
            source, shift = paths.fixings[row], weights.fixing_shift[row]
            first = start % shift.shape[0]
            noise, shift = source[start : start + width], shift[first : first + width]
            for t in range(width):
                growth[t] = exp_less_one(noise[t] + shift[t])
            last = row
        w, spot, strike = (features.fixing_terms[begin + m, 0], features.fixing_terms[begin + m, 1],
                           features.fixing_terms[begin + m, 2])
        if w == 0.0:
            for t in range(WIDTH):
                out[t] = growth[t]
        else:
            slope, gap = w * spot, w * (spot - strike)
            for t in range(WIDTH):
                out[t] = max(slope * growth[t] + gap, growth.dtype.type(0.0))
    return last


@kernel
def add_fixings(features, offset, paths, start, weights, total, growth, scratch, sums):
    """The fixings of a full tile when no groups are wanted: nothing is stored between payoff, total and sum."""
    last = -1
    half = WIDTH // 2
    for m in range(features.fixing_rows.shape[0]):
        row, c = features.fixing_rows[m], weights.total[offset + m]
        if row != last:
            last = row
            first = start % weights.fixing_shift.shape[1]
            noise, shift = paths.fixings[row, start : start + WIDTH], weights.fixing_shift[row, first : first + WIDTH]
            for t in range(WIDTH):
                growth[t] = exp_less_one(noise[t] + shift[t])
        w, spot, strike = features.fixing_terms[m, 0], features.fixing_terms[m, 1], features.fixing_terms[m, 2]
        if w == 0.0:
            for t in range(half):
                one, two = growth[t], growth[t + half]
                total[t] += c * one
                total[t + half] += c * two
                scratch[t] = one + two
        else:
            slope, gap = w * spot, w * (spot - strike)
            for t in range(half):
                one = max(slope * growth[t] + gap, growth.dtype.type(0.0))
                two = max(slope * growth[t + half] + gap, growth.dtype.type(0.0))
                total[t] += c * one
                total[t + half] += c * two
                scratch[t] = one + two
        sums[offset + m] += fold_half(scratch)


@kernel
def fill_quadratic(features, begin, count, y, panel):
    """panel[m] = y_k, then y_a y_b, of entry begin + m."""
    linear = features.factors.shape[0]
    for m in range(count):
        i, out = begin + m, panel[m]
        if i < linear:
            one = y[features.factors[i]]
            for t in range(WIDTH):
                out[t] = one[t]
        else:
            one, two = y[features.pairs[i - linear, 0]], y[features.pairs[i - linear, 1]]
            for t in range(WIDTH):
                out[t] = one[t] * two[t]


@kernel
def shift_tile(paths, start, width, weights, x, y):
    """x = noise + μ_d, and y = x − centre within its limits, for one tile."""
    first = start % weights.shift.shape[1]
    for k in range(x.shape[0]):
        source, shift = paths.noise[k, start : start + width], weights.shift[k, first : first + width]
        centre, limit, target, off = weights.centre[k], weights.limit[k], x[k], y[k]
        for t in range(width):
            target[t] = source[t] + shift[t]
        for t in range(WIDTH):
            off[t] = min(max(target[t] - centre, -limit), limit)


@kernel
def collapse_pnl(features, weights, paths, out):
    """P&L of a chunk under one scenario: features : Features, weights : Weights, paths : Paths, out : CollapsedPnl."""
    factors, n = paths.noise.shape
    real = paths.noise.dtype
    groups = out.by_group.shape[1]
    exponentials, fixings = features.exponential_rows.shape[0], features.fixing_rows.shape[0]
    instruments = features.instruments.option_rows.shape[0] + features.instruments.property_rows.shape[0]
    quadratics = features.factors.shape[0] + features.pairs.shape[0]
    x = np.zeros((factors, STRIDE), dtype=real)
    y = np.zeros((factors, STRIDE), dtype=real)
    panel = np.zeros((PANEL, STRIDE), dtype=real)
    growth = np.zeros(STRIDE, dtype=real)
    scratch = np.empty(WIDTH, dtype=real)
    total = np.empty((2, STRIDE), dtype=real)
    by_group = np.empty((2, groups, STRIDE), dtype=real)
    part = np.empty(((groups + MICRO_ROWS - 1) // MICRO_ROWS * MICRO_ROWS, STRIDE), dtype=real)
    for start in range(0, n, WIDTH):
        width = min(WIDTH, n - start)
        shift_tile(paths, start, width, weights, x, y)
        total[:] = 0.0
        by_group[:] = 0.0
        offset = number = 0
        for begin in range(0, exponentials, PANEL):
            count = min(PANEL, exponentials - begin)
            fill_exponentials(features, begin, count, x, panel)
            absorb(panel, count, width, offset, number, weights, total[0], by_group[0], part, scratch, out.sums)
            offset += count
            number += 1
        last = -1
        fused = groups == 0 and width == WIDTH
        if fused:
            add_fixings(features, offset, paths, start, weights, total[0], growth, scratch, out.sums)
            offset += fixings
        for begin in range(0, 0 if fused else fixings, PANEL):
            count = min(PANEL, fixings - begin)
            last = fill_fixings(features, begin, count, paths, start, width, weights, last, growth, panel)
            absorb(panel, count, width, offset, number, weights, total[0], by_group[0], part, scratch, out.sums)
            offset += count
            number += 1
        for begin in range(0, instruments, PANEL):
            count = min(PANEL, instruments - begin)
            fill_instruments(features.instruments, begin, count, WIDTH, x, panel)
            absorb(panel, count, width, offset, number, weights, total[0], by_group[0], part, scratch, out.sums)
            offset += count
            number += 1
        for begin in range(0, quadratics, PANEL):
            count = min(PANEL, quadratics - begin)
            fill_quadratic(features, begin, count, y, panel)
            absorb(panel, count, width, offset, number, weights, total[1], by_group[1], part, scratch, out.sums)
            offset += count
            number += 1
        for t in range(width):
            out.exact[start + t] = total[0, t]
            out.quadratic[start + t] = total[1, t]
        for h in range(2):
            for g in range(groups):
                for t in range(width):
                    out.by_group[h, g, start + t] = by_group[h, g, t]


@kernel
def map_noise(packed_map, packed_carry, paths, mapped):
    """Noise given pinned factors: mapped.noise ← A noise, mapped.fixings ← fixings − C noise.

    packed_map : pack_rows(A (K, K)).  packed_carry : pack_rows(C (F, K)).  paths, mapped : Paths.
    """
    factors, n = paths.noise.shape
    fixings = paths.fixings.shape[0]
    real = paths.noise.dtype
    z = np.zeros((factors, STRIDE), dtype=real)
    one = np.empty((packed_map.shape[0] // factors, STRIDE), dtype=real)
    two = np.empty((packed_carry.shape[0] // factors, STRIDE), dtype=real)
    for start in range(0, n, WIDTH):
        width = min(WIDTH, n - start)
        for k in range(factors):
            for t in range(width):
                z[k, t] = paths.noise[k, start + t]
        multiply(packed_map, factors, z, one)
        multiply(packed_carry, factors, z, two)
        for k in range(factors):
            for t in range(width):
                mapped.noise[k, start + t] = one[k, t]
        for f in range(fixings):
            for t in range(width):
                mapped.fixings[f, start + t] = paths.fixings[f, start + t] - two[f, t]
