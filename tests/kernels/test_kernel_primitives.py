"""Elementary functions against 80-bit and decimal arithmetic and SciPy."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from numba import njit
from scipy.special import ndtr

from riskengine.kernels import primitives as p


@njit
def each_exp(x, out):
    for i in range(x.size):
        out[i] = p.exp(x[i])


@njit
def each_log(x, out):
    for i in range(x.size):
        out[i] = p.log(x[i])


@njit
def each_log32(x, out):
    for i in range(x.size):
        out[i] = p.log32(x[i])


@njit
def each_cdf(x, out):
    for i in range(x.size):
        out[i] = p.normal_cdf(x[i])


@njit
def each_turn(words, out):
    for i in range(words.size):
        out[0, i], out[1, i] = p.sincos_turn(np.uint64(words[i]))


@njit
def each_turn32(words, out):
    for i in range(words.size):
        out[0, i], out[1, i] = p.sincos_turn32(words[i])


@njit
def fused(a, b, c):
    return p.fma(a, b, c)


def apply(function, x, dtype=np.float64):
    out = np.empty(x.size, dtype)
    function(x, out)
    return out


def ulps(got, exact):
    """Distance to the longdouble *exact* in units of the last place of *got*."""
    return np.abs((got.astype(np.longdouble) - exact) / np.spacing(np.abs(got)).astype(np.longdouble))


def test_log_within_two_ulp():
    rng = np.random.default_rng(1)
    x = np.concatenate([np.exp(rng.uniform(-700, 700, 200_000)), 1 + rng.uniform(-0.5, 1, 200_000),
                        1 + np.array([-1e-15, 1e-15, 1e-9, -1e-9])])
    assert ulps(apply(each_log, x), np.log(x.astype(np.longdouble))).max() <= 2
    assert apply(each_log, np.ones(1))[0] == 0.0


def test_exp_within_two_ulp_and_its_ends():
    x = np.random.default_rng(2).uniform(-708, 709.7, 400_000)
    assert ulps(apply(each_exp, x), np.exp(x.astype(np.longdouble))).max() <= 2
    ends = apply(each_exp, np.array([0.0, -708.1, -1e9, -np.inf, 709.8, 1e9, np.inf, np.nan]))
    assert ends[0] == 1.0
    assert np.array_equal(ends[1:4], np.zeros(3))
    assert np.all(np.isposinf(ends[4:7]))
    assert np.isnan(ends[7])


def test_log32_within_two_ulp():
    rng = np.random.default_rng(3)
    x = np.concatenate([np.exp(rng.uniform(-30, 3, 200_000)), rng.uniform(0.5, 2, 200_000)])
    x = x.astype(np.float32)
    assert ulps(apply(each_log32, x, np.float32), np.log(x.astype(np.longdouble))).max() <= 2


def lower_tail(x):
    """Φ(−x), x ≥ 0, in 50 digits: power series below 6, Laplace's continued fraction above."""
    with localcontext() as context:
        context.prec = 50
        x = Decimal(float(x))
        pi = Decimal("3.14159265358979323846264338327950288419716939937510582")
        density = (-x * x / 2).exp() / (2 * pi).sqrt()
        if x < 6:
            term, total, n = x, Decimal(0), 0
            while term > Decimal("1e-48"):
                total += term
                n += 1
                term *= x * x / (2 * n + 1)
            return float(Decimal("0.5") - density * total)
        fraction = Decimal(0)
        for k in range(300, 0, -1):
            fraction = k / (x + fraction)
        return float(density / (x + fraction))


def test_normal_cdf_absolute_and_tail_accuracy():
    x = np.linspace(-37, 9, 200_001)
    got = apply(each_cdf, x)
    assert np.abs(got - ndtr(x)).max() <= 1e-15
    tail = np.linspace(0, 37.3, 374)
    exact = np.array([lower_tail(t) for t in tail])
    assert np.abs(apply(each_cdf, -tail) / exact - 1).max() <= 2e-15
    assert np.abs(got + apply(each_cdf, -x) - 1).max() <= 3e-16
    special = apply(each_cdf, np.array([0.0, -np.inf, np.inf, np.nan]))
    assert special[0] == 0.5 and special[1] < 1e-300 and special[2] == 1.0 and np.isnan(special[3])


def test_sine_and_cosine_of_a_turn():
    words = np.random.default_rng(4).integers(0, 2**32, 200_000, dtype=np.uint32)
    words[:8] = [0, 2**29 - 1, 2**29, 2**30, 2**31 - 1, 2**31, 3 * 2**30, 2**32 - 1]
    turn = np.longdouble(2) * np.pi
    exact = turn * (words.astype(np.longdouble) + np.longdouble(0.5)) / 2**32
    out = np.empty((2, words.size))
    each_turn(words, out)
    assert np.abs(out - np.array([np.sin(exact), np.cos(exact)], dtype=np.float64)).max() <= 4e-16
    out32 = np.empty((2, words.size), np.float32)
    each_turn32(words, out32)
    exact32 = turn * words.astype(np.longdouble) / 2**32
    assert np.abs(out32 - np.array([np.sin(exact32), np.cos(exact32)], dtype=np.float64)).max() <= 2e-7


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_fma_rounds_once(real):
    a = real(1) + np.finfo(real).eps
    exact = fused(a, a, real(-1) - real(2) * np.finfo(real).eps)
    assert exact == np.finfo(real).eps ** 2
    assert a * a - (real(1) + real(2) * np.finfo(real).eps) == 0
