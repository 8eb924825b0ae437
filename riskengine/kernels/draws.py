"""Random numbers that depend on where they are used, never on who computes them.

Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011, SC11): a bijection of a 128-bit counter under a 64-bit key,

    counter = (path low 32, path high 32, block, step),  key = (seed low 32, seed high 32)

gives four 32-bit words.  Words (a, b) make two normals by Box and Muller (1958), words (c, d) two more:

    r = sqrt(−2 ln u_a),  u_a = (a + ½)/2³²,  θ = 2π(b + ½)/2³²,   (z₀, z₁) = (r sin θ, r cos θ)

so dimension k of a step is entry k % 4 of block k // 4, |z| ≤ 6.8.  In float32 u and the polynomials are rounded to
24 bits, and θ = 2πb/2³²; everything else is equal.

Student-t (any ν > 2): one uniform per (path, step), block ``mixing``, word 0, is turned by x = ln(u/(1 − u)) and a
table of cubics into sqrt((ν − 2)/χ²_ν(u)), which all dimensions share: a multivariate t with unit variances.
"""

from __future__ import annotations

import numpy as np
from numba.extending import overload

from riskengine.kernels import inline, kernel
from riskengine.kernels.primitives import (
    add32,
    and32,
    carry32,
    exp,
    float32_of_int,
    float64_of_word,
    fma,
    log,
    log32,
    low_word,
    mul32,
    mul_high32,
    shift_right32,
    sincos_turn,
    sincos_turn32,
    square_root,
    xor32,
)

f32 = np.float32
u32 = np.uint32
u64 = np.uint64

_MULTIPLIER_0 = u32(0xD251_1F53)
_MULTIPLIER_1 = u32(0xCD9E_8D57)
_WEYL_0 = u32(0x9E37_79B9)
_WEYL_1 = u32(0xBB67_AE85)


@inline
def philox(c0, c1, c2, c3, k0, k1):
    """Ten rounds of Philox4x32; every argument and result a uint32."""
    for _ in range(10):
        high0 = mul_high32(_MULTIPLIER_0, c0)
        low0 = mul32(_MULTIPLIER_0, c0)
        high1 = mul_high32(_MULTIPLIER_1, c2)
        low1 = mul32(_MULTIPLIER_1, c2)
        c0 = xor32(xor32(high1, c1), k0)
        c2 = xor32(xor32(high0, c3), k1)
        c1 = low1
        c3 = low0
        k0 = add32(k0, _WEYL_0)
        k1 = add32(k1, _WEYL_1)
    return c0, c1, c2, c3


@inline
def uniform32(word):
    """(word + ½)/2³² rounded once to float32: both halves of the word convert exactly."""
    high = float32_of_int(shift_right32(word, u32(16)))
    low = float32_of_int(and32(word, u32(0xFFFF))) + f32(0.5)
    return fma(high, f32(65536.0), low) * f32(1.0 / 4294967296.0)


@inline
def normals_of_words32(a, b, c, d):
    """Four standard normals (float32) from four words."""
    r0 = square_root(f32(-2.0) * log32(uniform32(a)))
    r1 = square_root(f32(-2.0) * log32(uniform32(c)))
    s0, t0 = sincos_turn32(b)
    s1, t1 = sincos_turn32(d)
    return r0 * s0, r0 * t0, r1 * s1, r1 * t1


@inline
def normals_of_words(a, b, c, d):
    """Four standard normals (float64) from four words."""
    r0 = square_root(-2.0 * log((float64_of_word(u64(a)) + 0.5) * (1.0 / 4294967296.0)))
    r1 = square_root(-2.0 * log((float64_of_word(u64(c)) + 0.5) * (1.0 / 4294967296.0)))
    s0, t0 = sincos_turn(u64(b))
    s1, t1 = sincos_turn(u64(d))
    return r0 * s0, r0 * t0, r1 * s1, r1 * t1


# ---------------------------------------------------------------- one tile: paths first … first + n − 1, one step
@kernel
def fill_words(first, block, step, seed, out):
    """Raw words of one block and step: out (4, n) uint32, column i is path first + i."""
    base = low_word(first)
    high = low_word(first >> 32)
    k0 = low_word(seed)
    k1 = low_word(seed >> 32)
    for i in range(out.shape[1]):
        low = add32(base, low_word(i))
        c1 = add32(high, carry32(low, base))
        a, b, c, d = philox(low, c1, low_word(block), low_word(step), k0, k1)
        out[0, i] = a
        out[1, i] = b
        out[2, i] = c
        out[3, i] = d


@kernel
def fill_normals32(first, block, step, seed, out):
    """Standard normals, float32: out (K, n), K a multiple of 4; row k is word k % 4 of block + k // 4."""
    base = low_word(first)
    high = low_word(first >> 32)
    k0 = low_word(seed)
    k1 = low_word(seed >> 32)
    c3 = low_word(step)
    for j in range(out.shape[0] // 4):
        c2 = low_word(block + j)
        row = 4 * j
        for i in range(out.shape[1]):
            low = add32(base, low_word(i))
            c1 = add32(high, carry32(low, base))
            a, b, c, d = philox(low, c1, c2, c3, k0, k1)
            z0, z1, z2, z3 = normals_of_words32(a, b, c, d)
            out[row, i] = z0
            out[row + 1, i] = z1
            out[row + 2, i] = z2
            out[row + 3, i] = z3


@kernel
def fill_normals64(first, block, step, seed, out):
    """Standard normals, float64: out (K, n), K a multiple of 4; row k is word k % 4 of block + k // 4."""
    base = low_word(first)
    high = low_word(first >> 32)
    k0 = low_word(seed)
    k1 = low_word(seed >> 32)
    c3 = low_word(step)
    for j in range(out.shape[0] // 4):
        c2 = low_word(block + j)
        row = 4 * j
        for i in range(out.shape[1]):
            low = add32(base, low_word(i))
            c1 = add32(high, carry32(low, base))
            a, b, c, d = philox(low, c1, c2, c3, k0, k1)
            z0, z1, z2, z3 = normals_of_words(a, b, c, d)
            out[row, i] = z0
            out[row + 1, i] = z1
            out[row + 2, i] = z2
            out[row + 3, i] = z3


def fill_normals(first, block, step, seed, out):
    """fill_normals32 or fill_normals64 by the type of *out* (inside kernels)."""
    raise NotImplementedError("fill_normals is called from kernels only")


@overload(fill_normals)
def _fill_normals(first, block, step, seed, out):
    if out.dtype.bitwidth == 32:
        return lambda first, block, step, seed, out: fill_normals32(first, block, step, seed, out)
    return lambda first, block, step, seed, out: fill_normals64(first, block, step, seed, out)


@kernel
def fill_mixing(first, block, step, seed, table, out):
    """Scale sqrt((ν − 2)/χ²_ν) of each path: out (n,), shared by all dimensions of the step.

    table : (N + 1, 4) float64.  Row 0 is (x₀, 1/h, 0, 0); row 1 + i holds the cubic c₀ … c₃ in (x − x_i)/h of
    ln scale on x_i ≤ x < x_{i+1}, x = ln(u/(1 − u)).
    """
    base = low_word(first)
    high = low_word(first >> 32)
    k0 = low_word(seed)
    k1 = low_word(seed >> 32)
    start = table[0, 0]
    inverse_width = table[0, 1]
    last = table.shape[0] - 2
    n = out.shape[0]
    score = np.empty(n)
    for i in range(n):
        low = add32(base, low_word(i))
        c1 = add32(high, carry32(low, base))
        a, b, c, d = philox(low, c1, low_word(block), low_word(step), k0, k1)
        u = float64_of_word(u64(a)) + 0.5
        score[i] = (log(u / (4294967296.0 - u)) - start) * inverse_width
    for i in range(n):
        cell = min(max(int(score[i]), 0), last)
        t = score[i] - cell
        p = fma(t, table[cell + 1, 3], table[cell + 1, 2])
        p = fma(t, p, table[cell + 1, 1])
        score[i] = fma(t, p, table[cell + 1, 0])
    for i in range(n):
        out[i] = exp(score[i])


@kernel
def fill_rows(first, block, step, seed, rows, out):
    """Row 0 … rows − 1 of the historical residuals drawn by each path: out (n,) int64; floor(word·rows/2³²)."""
    base = low_word(first)
    high = low_word(first >> 32)
    k0 = low_word(seed)
    k1 = low_word(seed >> 32)
    for i in range(out.shape[0]):
        low = add32(base, low_word(i))
        c1 = add32(high, carry32(low, base))
        a, b, c, d = philox(low, c1, low_word(block), low_word(step), k0, k1)
        out[i] = mul_high32(a, low_word(rows))


@kernel
def fill_keys(first, block, steps, seed, out):
    """Sorting keys of the permutations of parameter draws: out (n, steps) uint64, words 0 and 1 of counter
    (first + i, block, step d); the order of row i is the permutation of path block first + i."""
    k0 = low_word(seed)
    k1 = low_word(seed >> 32)
    for i in range(out.shape[0]):
        path = first + i
        c0 = low_word(path)
        c1 = low_word(path >> 32)
        for d in range(steps):
            a, b, c, e = philox(c0, c1, low_word(block), low_word(d), k0, k1)
            out[i, d] = (u64(a) << u64(32)) | u64(b)
