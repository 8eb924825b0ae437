"""Random numbers that depend on where they are used, never on who computes them.

Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011, SC11): a bijection of a 128-bit counter under a 64-bit key,

    counter = (path low 32, path high 32, block, step),  key = (seed low 32, seed high 32)

gives four 32-bit words.  Words (a, b) make two normals by Box and Muller (1958), words (c, d) two more:

    r = sqrt(−2 ln u),  u = (a + ½)/2³²,  θ = 2π(b + ½)/2³²,   (z₀, z₁) = (r sin θ, r cos θ)

so dimension k of a step is entry k % 4 of block k // 4, and |z| ≤ 6.8.  In float32 a is rounded to 24
bits, θ is 2πb/2³² and the polynomials are shorter; everything else is equal.

Student-t, any ν > 2: word 0 of the mixing block of (path, step) is turned by x = ln(u/(1 − u)) and a
table of cubics into sqrt((ν − 2)/χ²_ν(u)), which all dimensions share: a multivariate t with unit variances.

Words and normals are separate loops: 64-bit lanes carry the products of Philox, 32-bit lanes the float32
polynomials, and one loop over both would run at the width of the wider.
"""

from __future__ import annotations

import numpy as np
from numba.extending import overload

from riskengine.kernels import inline, kernel
from riskengine.kernels.primitives import (
    exp,
    float32_of_word,
    float64_of_word,
    fma,
    log,
    log32,
    low_word,
    sincos_turn,
    sincos_turn32,
    square_root,
)

f32 = np.float32
u64 = np.uint64

_MULTIPLIER_0 = u64(0xD251_1F53)
_MULTIPLIER_1 = u64(0xCD9E_8D57)
_WEYL_0 = u64(0x9E37_79B9)
_WEYL_1 = u64(0xBB67_AE85)
_WORD = u64(0xFFFF_FFFF)
_HALF_WIDTH = u64(32)


@inline
def philox(c0, c1, c2, c3, k0, k1):
    """Ten rounds of Philox4x32; 32-bit values carried in uint64.

    Only the low 32 bits of each result count: the upper ones are left over from the products (masking the
    factors alone is free, the multiplier of the vector unit reads 32 bits).
    """
    for _ in range(10):
        product0 = _MULTIPLIER_0 * (c0 & _WORD)
        product1 = _MULTIPLIER_1 * (c2 & _WORD)
        c0 = (product1 >> _HALF_WIDTH) ^ c1 ^ k0
        c2 = (product0 >> _HALF_WIDTH) ^ c3 ^ k1
        c1 = product1
        c3 = product0
        k0 += _WEYL_0
        k1 += _WEYL_1
    return c0, c1, c2, c3


# ---------------------------------------------------------------- words of paths first … first + n − 1
@kernel
def fill_words(first, block, step, seed, out):
    """Words of one block and step: out (4, n) uint32, column i is path first + i."""
    k0 = u64(seed) & _WORD
    k1 = u64(seed) >> _HALF_WIDTH
    for i in range(out.shape[1]):
        path = u64(first + i)
        a, b, c, d = philox(path & _WORD, path >> _HALF_WIDTH, u64(block), u64(step), k0, k1)
        out[0, i] = low_word(a)
        out[1, i] = low_word(b)
        out[2, i] = low_word(c)
        out[3, i] = low_word(d)


@kernel
def fill_rows(first, block, step, seed, rows, out):
    """Row 0 … rows − 1 of the historical residuals of each path: out (n,) int64, floor(word·rows/2³²)."""
    k0 = u64(seed) & _WORD
    k1 = u64(seed) >> _HALF_WIDTH
    for i in range(out.shape[0]):
        path = u64(first + i)
        a, b, c, d = philox(path & _WORD, path >> _HALF_WIDTH, u64(block), u64(step), k0, k1)
        out[i] = np.int64(((a & _WORD) * u64(rows)) >> _HALF_WIDTH)


@kernel
def fill_keys(first, block, seed, out):
    """Sorting keys of the permutations of parameter draws: out (n, D) uint64, words 0 and 1 of counter
    (first + i, block, step d); the order of row i is the permutation of path block first + i."""
    k0 = u64(seed) & _WORD
    k1 = u64(seed) >> _HALF_WIDTH
    for i in range(out.shape[0]):
        path = u64(first + i)
        for step in range(out.shape[1]):
            a, b, c, d = philox(path & _WORD, path >> _HALF_WIDTH, u64(block), u64(step), k0, k1)
            out[i, step] = (a << _HALF_WIDTH) | (b & _WORD)


# ---------------------------------------------------------------- normals
@kernel
def pair_normals32(words, row, out, target):
    """Rows target, target + 1 of out (K, n) float32 from rows row, row + 1 of words (4, n)."""
    for i in range(out.shape[1]):
        u = fma(float32_of_word(words[row, i]), f32(2.0**-32), f32(2.0**-33))
        radius = square_root(f32(-2.0) * log32(u))
        sine, cosine = sincos_turn32(words[row + 1, i])
        out[target, i] = radius * sine
        out[target + 1, i] = radius * cosine


@kernel
def pair_normals64(words, row, out, target):
    """Rows target, target + 1 of out (K, n) float64 from rows row, row + 1 of words (4, n)."""
    for i in range(out.shape[1]):
        u = (float64_of_word(u64(words[row, i])) + 0.5) * 2.0**-32
        radius = square_root(-2.0 * log(u))
        sine, cosine = sincos_turn(u64(words[row + 1, i]))
        out[target, i] = radius * sine
        out[target + 1, i] = radius * cosine


def pair_normals(words, row, out, target):
    """pair_normals32 or pair_normals64 by the type of *out*, chosen when a kernel is compiled."""
    raise NotImplementedError("pair_normals is called from kernels only")


@overload(pair_normals)
def _pair_normals(words, row, out, target):
    if out.dtype.bitwidth == 32:
        return lambda words, row, out, target: pair_normals32(words, row, out, target)
    return lambda words, row, out, target: pair_normals64(words, row, out, target)


@kernel
def fill_normals(first, block, step, seed, out):
    """Standard normals: out (K, n) of either precision, K a multiple of 4; row k: block + k // 4, entry k % 4."""
    words = np.empty((4, out.shape[1]), dtype=np.uint32)
    for j in range(out.shape[0] // 4):
        fill_words(first, block + j, step, seed, words)
        pair_normals(words, 0, out, 4 * j)
        pair_normals(words, 2, out, 4 * j + 2)


# ---------------------------------------------------------------- Student-t
@kernel
def fill_mixing(first, block, step, seed, table, out):
    """Scale sqrt((ν − 2)/χ²_ν) of each path: out (n,), shared by all dimensions of the step.

    table : (N + 1, 4) float64.  Row 0 is (x₀, 1/h, 0, 0); row 1 + i holds the cubic c₀ … c₃ in (x − x_i)/h of
    ln scale on x_i ≤ x < x_{i+1}, x = ln(u/(1 − u)).
    """
    k0 = u64(seed) & _WORD
    k1 = u64(seed) >> _HALF_WIDTH
    start = table[0, 0]
    inverse_width = table[0, 1]
    last = table.shape[0] - 2
    n = out.shape[0]
    score = np.empty(n)
    for i in range(n):
        path = u64(first + i)
        a, b, c, d = philox(path & _WORD, path >> _HALF_WIDTH, u64(block), u64(step), k0, k1)
        u = float64_of_word(a & _WORD) + 0.5
        score[i] = (log(u / (4294967296.0 - u)) - start) * inverse_width
    for i in range(n):
        cell = min(max(int(score[i]), 0), last)
        t = score[i] - cell
        p = fma(t, table[cell + 1, 3], table[cell + 1, 2])
        p = fma(t, p, table[cell + 1, 1])
        score[i] = fma(t, p, table[cell + 1, 0])
    for i in range(n):
        out[i] = exp(score[i])
