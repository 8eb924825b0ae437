"""Tile products against NumPy, for every padding."""

import numpy as np
import pytest

from riskengine.kernels import products


@pytest.mark.parametrize("factors", [1, 5, 6, 7, 40, 48])
@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("width", [16, 240])
def test_triangular_product(factors, real, width):
    rng = np.random.default_rng(factors)
    lower = np.tril(rng.standard_normal((factors, factors)))
    z = rng.standard_normal((-(-factors // 4) * 4, width)).astype(real)
    x = np.full((-(-factors // 6) * 6, width), np.nan, real)
    products.multiply_triangular(products.pack_rows(lower, real), factors, z, x)
    exact = lower.astype(real).astype(float) @ z[:factors].astype(float)
    scale = np.abs(lower) @ np.abs(z[:factors].astype(float))
    assert np.all(np.abs(x[:factors] - exact) <= factors * np.finfo(real).eps * scale)
    assert np.all(x[factors:] == 0), "rows of the padding"


def test_full_product():
    rng = np.random.default_rng(1)
    a, z = rng.standard_normal((21, 48)), rng.standard_normal((48, 240))
    x = np.empty((24, 240))
    products.multiply(products.pack_rows(a, np.float64), 48, z, x)
    assert np.allclose(x[:21], a @ z, rtol=0, atol=1e-13)


def test_an_entry_does_not_depend_on_its_place_in_the_tile():
    rng = np.random.default_rng(2)
    lower = products.pack_rows(np.tril(rng.standard_normal((48, 48))), np.float32)
    z = rng.standard_normal((48, 240)).astype(np.float32)
    x, y = np.empty((48, 240), np.float32), np.empty((48, 240), np.float32)
    products.multiply_triangular(lower, 48, z, x)
    order = rng.permutation(240)
    products.multiply_triangular(lower, 48, np.ascontiguousarray(z[:, order]), y)
    assert np.array_equal(x[:, order], y)
