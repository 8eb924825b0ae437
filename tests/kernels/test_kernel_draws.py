"""Philox against its published vectors, normals against an integer-exact NumPy rebuild, laws of the draws."""

import numpy as np
import pytest
from scipy import stats

from riskengine.base.sampling import BLOCK_BOOTSTRAP, BLOCK_MIXING
from riskengine.kernels import draws
from riskengine.simulation import mixing_table

SEED = 0x1234_5678_9ABC_DEF0


def philox_reference(path, block, step, seed):
    """Words (4, n) uint64 in plain NumPy integers, straight from the paper's figure."""
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    path = np.atleast_1d(np.asarray(path, dtype=np.uint64))
    c = [path & low, path >> shift, np.full_like(path, block), np.full_like(path, step)]
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> shift) ^ c[1] ^ np.uint64(k0), p1 & low, (p0 >> shift) ^ c[3] ^ np.uint64(k1), p0 & low]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.array(c)


def normals_reference(path, block, step, seed, real):
    """(4, n) normals by NumPy's own log, sin and cos."""
    a, b, c, d = philox_reference(path, block, step, seed).astype(np.float64)
    out = []
    for radial, angular in ((a, b), (c, d)):
        if real == np.float32:
            u = (radial.astype(np.float32).astype(np.float64) * 2.0**-32 + 2.0**-33).astype(np.float32)
            angle = 2 * np.pi * angular / 2**32
        else:
            u = (radial + 0.5) / 2**32
            angle = 2 * np.pi * (angular + 0.5) / 2**32
        radius = np.sqrt(-2 * np.log(u.astype(np.float64)))
        out += [radius * np.sin(angle), radius * np.cos(angle)]
    return np.array(out)


def signed(value, bits=64):
    return value - (1 << bits) if value >> (bits - 1) else value


KNOWN = [  # Random123 1.14, kat_vectors, philox4x32 10: counter, key, words
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
     (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_philox_known_answers(counter, key, words):
    path = counter[0] | counter[1] << 32
    seed = key[0] | key[1] << 32
    out = np.empty((4, 1), np.uint32)
    draws.fill_words(signed(path), counter[2], counter[3], signed(seed), out)
    assert tuple(out[:, 0]) == words
    assert tuple(int(w) for w in philox_reference(path, counter[2], counter[3], seed)[:, 0]) == words


def test_words_equal_the_integer_reference_across_the_32_bit_border():
    first = 2**32 - 500
    out = np.empty((4, 1000), np.uint32)
    draws.fill_words(first, BLOCK_MIXING, 51, SEED, out)
    assert np.array_equal(out, philox_reference(np.arange(first, first + 1000), BLOCK_MIXING, 51, SEED))


@pytest.mark.parametrize(("real", "tolerance"), [(np.float32, 1.5e-6), (np.float64, 1e-14)])
def test_normals_equal_an_independent_rebuild(real, tolerance):
    first, n, step = 2**32 - 333, 1000, 7
    out = np.empty((48, n), real)
    draws.fill_normals(first, 0, step, SEED, out)
    expected = np.concatenate(
        [normals_reference(np.arange(first, first + n), j, step, SEED, real) for j in range(12)]
    )
    assert np.abs(out - expected).max() <= tolerance


def test_extreme_words_stay_finite():
    words = np.array([[0, 2**32 - 1, 0, 2**32 - 1]] * 4, dtype=np.uint32)
    for real, function in ((np.float32, draws.pair_normals32), (np.float64, draws.pair_normals64)):
        out = np.empty((2, 4), real)
        function(words, 0, out, 0)
        assert np.all(np.isfinite(out))
        assert np.abs(out).max() == pytest.approx(np.sqrt(2 * 33 * np.log(2)), rel=1e-6)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_normals_moments_ks_and_correlations(real):
    n = 100_000
    z = np.empty((48, n), real)
    draws.fill_normals(0, 0, 3, SEED, z)
    z = z.astype(np.float64)
    assert np.abs(z.mean(axis=1)).max() < 4.5 / np.sqrt(n)
    assert np.abs(z.var(axis=1) - 1).max() < 4.5 * np.sqrt(2 / n)
    assert np.abs((z**3).mean(axis=1)).max() < 4.5 * np.sqrt(15 / n)
    assert np.abs((z**4).mean(axis=1) - 3).max() < 4.5 * np.sqrt(96 / n)
    assert min(stats.kstest(z[k], "norm").pvalue for k in range(0, 48, 5)) > 1e-4
    across = np.corrcoef(z) - np.eye(48)
    assert np.abs(across).max() < 5.0 / np.sqrt(n)
    neighbours = z[:, 1:] @ z[:, :-1].T / (n - 1)
    assert np.abs(neighbours).max() < 5.2 / np.sqrt(n)
    later = np.empty((48, n), real)
    draws.fill_normals(0, 0, 4, SEED, later)
    assert np.abs((z * later).mean(axis=1)).max() < 4.5 / np.sqrt(n)
    squares = z**2 - 1
    assert np.abs(np.corrcoef(squares) - np.eye(48)).max() < 5.0 / np.sqrt(n)


def test_seeds_and_steps_give_other_streams():
    base = np.empty((4, 4000))
    other = np.empty((4, 4000))
    draws.fill_normals(0, 0, 0, 1, base)
    for step, seed in ((1, 1), (0, 2), (0, 1 + 2**32)):
        draws.fill_normals(0, 0, step, seed, other)
        assert np.abs(np.corrcoef(base.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(16_000)


@pytest.mark.parametrize("dof", [2.1, 3.2, 5.0, 9.7, 30.0, 400.0])
def test_mixing_table_interpolates_the_chi_square_quantile(dof):
    table = mixing_table(dof)
    words = np.random.default_rng(0).integers(0, 2**32, 20_000, dtype=np.uint64)
    u = (words + 0.5) / 2.0**32
    extremes = np.array([0.5, 1.5, 2.0**32 - 1.5, 2.0**32 - 0.5]) / 2.0**32
    u = np.concatenate([u, extremes, np.geomspace(1e-9, 1e-2, 500), 1 - np.geomspace(1e-9, 1e-2, 500)])
    x = np.log(u / (1 - u))
    position = (x - table[0, 0]) * table[0, 1]
    cell = np.clip(position.astype(int), 0, len(table) - 2)
    c = table[cell + 1]
    t = position - cell
    scale = np.exp(c[:, 0] + t * (c[:, 1] + t * (c[:, 2] + t * c[:, 3])))
    quantile = np.where(u < 0.5, stats.chi2.ppf(u, dof), stats.chi2.isf(1 - u, dof))
    assert np.abs(scale / np.sqrt((dof - 2) / quantile) - 1).max() < 1e-8


@pytest.mark.parametrize("dof", [3.2, 5.0, 9.7])
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_student_t_moments_and_ks(dof, real):
    n = 200_000
    z = np.empty((4, n), real)
    scale = np.empty(n, real)
    draws.fill_normals(0, 0, 0, SEED, z)
    draws.fill_mixing(0, BLOCK_MIXING, 0, SEED, mixing_table(dof), scale)
    chi_square = (dof - 2) / scale.astype(np.float64) ** 2
    assert stats.kstest(chi_square, "chi2", args=(dof,)).pvalue > 1e-4
    assert abs(chi_square.mean() - dof) < 4.5 * np.sqrt(2 * dof / n)
    t = z.astype(np.float64) * scale
    unit = stats.t(dof, scale=np.sqrt((dof - 2) / dof))
    for k in range(4):
        assert stats.kstest(t[k], unit.cdf).pvalue > 1e-4
        absolute = np.abs(t[k])
        expected = unit.expect(np.abs)
        assert abs(absolute.mean() - expected) < 4.5 * np.sqrt((1 - expected**2) / n)
    if dof > 4:
        sd = np.sqrt(t.var(axis=1).mean())
        kurtosis = 3 * (dof - 2) / (dof - 4)
        assert abs(sd**2 - 1) < 4.5 * np.sqrt((kurtosis - 1) / n)
    shared = np.corrcoef(np.log(np.abs(t[0])), np.log(np.abs(t[1])))[0, 1]
    assert shared > 0.01, "one mixing draw per path and step is shared by the factors"


def test_mixing_scale_is_the_word_of_the_reserved_block():
    n, dof = 1000, 5.0
    scale = np.empty(n)
    draws.fill_mixing(77, BLOCK_MIXING, 9, SEED, mixing_table(dof), scale)
    u = (philox_reference(np.arange(77, 77 + n), BLOCK_MIXING, 9, SEED)[0] + 0.5) / 2.0**32
    assert np.abs(scale / np.sqrt((dof - 2) / stats.chi2.ppf(u, dof)) - 1).max() < 1e-8


def test_bootstrap_rows_are_uniform_and_from_their_block():
    n, rows = 200_000, 701
    out = np.empty(n, np.int64)
    draws.fill_rows(5, BLOCK_BOOTSTRAP, 2, SEED, rows, out)
    word = philox_reference(np.arange(5, 5 + n), BLOCK_BOOTSTRAP, 2, SEED)[0]
    assert np.array_equal(out, (word * np.uint64(rows)) >> np.uint64(32))
    assert stats.chisquare(np.bincount(out, minlength=rows)).pvalue > 1e-4
