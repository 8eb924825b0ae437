"""De-smoothing and lagged loadings on simulated appraisals with known truth."""

from __future__ import annotations

import numpy as np
import pytest

from factors.property_volatility import (MAX_SMOOTHING, choose_volatility, desmooth, long_horizon_volatility,
                                         share_passed_on)
from factors.real_estate import dimson_sums, estimate_national
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


def test_a_unit_root_is_held_below_one_and_the_long_horizon_is_used():
    walk = np.cumsum(np.random.default_rng(3).standard_normal(400))
    held = desmooth(walk)
    assert held.coefficient == MAX_SMOOTHING and np.isfinite(held.returns).all()
    assert choose_volatility(walk, held).method == "long horizon"


@pytest.mark.parametrize("a", [0.0, 0.5, 0.8])
def test_smoothed_random_walk_is_recovered_by_both(a):
    """True annual volatility 10%; the long horizon lacks exactly what smoothing still holds back."""
    r = smooth(0.05 * np.random.default_rng(5).standard_normal(12000), a)
    found, relative = long_horizon_volatility(r)
    assert abs(np.log(found / (0.1 * share_passed_on(a, 20)))) < 3 * relative < 0.08
    assert share_passed_on(0.0, 20) == 1.0 and share_passed_on(0.8, 20) == pytest.approx(0.88, abs=0.01)
    chosen = choose_volatility(r, desmooth(r))
    assert abs(np.log(chosen.geltner / 0.1)) < 3 * chosen.se_geltner / chosen.geltner < 0.1
    if a < 0.7:
        assert chosen.method == "Geltner" and abs(chosen.contrast) < 2 and chosen.value == chosen.geltner
    else:
        assert chosen.method == "long horizon" and np.isnan(chosen.contrast) and chosen.value == found


def hump(seed: int, rows: int) -> np.ndarray:
    """Momentum that reverts: AR(2) with complex roots, as in house prices; no smoothing anywhere."""
    rng = np.random.default_rng(seed)
    r = np.zeros(rows + 200)
    for t in range(2, len(r)):
        r[t] = 1.78 * r[t - 1] - 0.86 * r[t - 2] + 0.002 * rng.standard_normal()
    return r[200:]


def test_momentum_that_reverts_is_not_taken_for_permanent():
    permanent = 2 * 0.002 / (1 - 1.78 + 0.86)
    for seed in range(4):
        r = hump(seed, 140)
        chosen = choose_volatility(r, desmooth(r))
        assert chosen.geltner > 2.5 * permanent
        assert chosen.method == "long horizon" and chosen.value < 2 * permanent
    long = hump(9, 20000)
    assert long_horizon_volatility(long, 80)[0] == pytest.approx(permanent, rel=0.1)


def test_contradicted_geltner_gives_way_to_the_long_horizon():
    """Precise but wrong: a little autocorrelation, then reversion within five years."""
    x = 0.05 * np.random.default_rng(6).standard_normal(3000)
    r = x[8:] + 0.3 * x[7:-1] - 1.1 * x[:-8]
    chosen = choose_volatility(r, desmooth(r))
    assert chosen.se_geltner / chosen.geltner < chosen.se_long_horizon / chosen.long_horizon
    assert chosen.contrast < -2 and chosen.method == "long horizon" and "contradicted" in chosen.reason
    over_five_years = 0.1 * np.sqrt((8 * 1.3**2 + 12 * 0.2**2 + 8 * 1.1**2) / 20)
    assert chosen.value == chosen.long_horizon == pytest.approx(over_five_years, rel=0.1)
    assert chosen.value < 0.7 * chosen.geltner


@pytest.mark.parametrize("a", [0.0, 0.6])
def test_standard_errors_of_both_volatilities(a):
    """Over samples of 140 quarters the stated errors are the scatter of the estimates."""
    rng = np.random.default_rng(7)
    logs, stated = [], []
    for _ in range(400):
        r = smooth(0.05 * rng.standard_normal(240), a)[100:]
        chosen = choose_volatility(r, desmooth(r))
        logs.append([np.log(chosen.geltner), np.log(chosen.long_horizon)])
        stated.append([chosen.se_geltner / chosen.geltner, chosen.se_long_horizon / chosen.long_horizon])
    ratio = np.std(logs, axis=0) / np.mean(stated, axis=0)
    assert (0.7 < ratio).all() and (ratio < 1.3).all()


def test_short_history_has_no_long_horizon():
    with pytest.raises(ValueError, match="too few"):
        long_horizon_volatility(np.ones(39))


def test_national_property(panels):
    found = estimate_national(panels)
    home, commercial = found["home"], found["commercial"]
    assert home.volatility.method == "long horizon" and home.volatility.geltner > 0.14
    assert home.raw_vol < home.total_vol < home.volatility.geltner and 0.08 < home.total_vol < 0.13
    assert home.volatility.se < home.volatility.se_geltner
    assert commercial.volatility.method == "Geltner" and 0.08 < commercial.total_vol < 0.13
    assert abs(commercial.volatility.contrast) < 2
    for item in found.values():
        shown = {lags: (slope, se) for lags, slope, se, _, _ in item.rate_by_lags}
        assert shown[item.lags] == (item.rate_loading, item.se_rate)
    # six lags cover the published phasing and are honest about what is known
    se = {lags: se for lags, _, se, _, _ in commercial.rate_by_lags}
    assert commercial.lags == 6 and se[6] > 1.5 * se[4]


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
    assert post.conflict == pytest.approx(0.6 / np.hypot(0.2, 0.1))
    with pytest.raises(InputError):
        combine(0.7, 0.0, 0.1, 0.1)
