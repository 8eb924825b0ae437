"""De-smoothing and lagged loadings on simulated appraisals with known truth."""

from __future__ import annotations

import numpy as np
import pytest

from factors.real_estate import desmooth, dimson_sums
from factors.shrinkage import combine
from riskengine.base.errors import InputError


def smooth(true: np.ndarray, a: float) -> np.ndarray:
    out = np.empty_like(true)
    out[0] = true[0]
    for t in range(1, len(true)):
        out[t] = (1 - a) * true[t] + a * out[t - 1]
    return out


@pytest.mark.parametrize("a", [0.4, 0.8])
def test_geltner_recovers_smoothing_and_volatility(a):
    true = 0.05 * np.random.default_rng(1).standard_normal(4000)
    found = desmooth(smooth(true, a))
    assert abs(found.coefficient - a) < 3 * found.se and found.se < 0.03
    assert found.raw_vol < 0.75 * found.vol
    assert found.vol == pytest.approx(0.05, rel=0.06)
    assert np.corrcoef(found.returns, true[1:])[0, 1] > 0.99


def test_negative_autocorrelation_is_not_smoothing():
    x = np.random.default_rng(2).standard_normal(500)
    x[1:] -= 0.4 * x[:-1].copy()
    found = desmooth(x)
    assert found.coefficient == 0.0
    np.testing.assert_array_equal(found.returns, x[1:])


def test_unit_root_is_refused():
    with pytest.raises(ValueError, match="unit root"):
        desmooth(np.cumsum(np.random.default_rng(3).standard_normal(4000)))


def test_dimson_sums_the_lags():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((3000, 2))
    y = 0.1 * rng.standard_normal(3000)
    for lag, (b, c) in enumerate([(0.5, -1.0), (0.2, -0.5), (0.1, 0.0)]):
        y[lag:] += b * x[: 3000 - lag, 0] + c * x[: 3000 - lag, 1]
    y[:10] = np.nan
    sums, se, r2, n = dimson_sums(y, x, 3)
    assert np.abs(sums - [0.8, -1.5]).max() < 0.02 and (np.abs(sums - [0.8, -1.5]) < 3.5 * se).all()
    assert r2 > 0.9 and n == 2990


def test_normal_normal_rule():
    post = combine(0.7, 0.2, 0.1, 0.1)
    assert post.value == pytest.approx((0.7 / 0.04 + 0.1 / 0.01) / (1 / 0.04 + 1 / 0.01))
    assert post.se == pytest.approx((25 + 100) ** -0.5)
    with pytest.raises(InputError):
        combine(0.7, 0.0, 0.1, 0.1)
