"""Coefficients of claims: HAC errors as statsmodels prints them, bootstrap intervals, influence, left-out
rows."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from factors.claims.regressions import (
    TooShort, bootstrap_statistic, influential_row, newey_west_lags, regress,
)


def sample(n: int = 300, slope: float = -0.7, noise: float = 1.0, seed: int = 3):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n)
    return slope * x + noise * rng.standard_normal(n), x


def test_estimate_and_error_are_those_of_statsmodels():
    y, x = sample()
    ours = regress(y, [x], np.arange(len(y)), 4, ["x"], "test").fit()
    theirs = sm.OLS(y, sm.add_constant(x)).fit(cov_type="HAC",
                                               cov_kwds={"maxlags": 4, "use_correction": True})
    assert ours.value == pytest.approx(theirs.params[1], rel=1e-12)
    assert ours.se == pytest.approx(theirs.bse[1], rel=1e-12)


def test_bootstrap_interval_is_near_the_classical_one_for_independent_errors():
    y, x = sample(n=600)
    ours = regress(y, [x], np.arange(len(y)), 1, ["x"], "test").fit()
    low, high = sm.OLS(y, sm.add_constant(x)).fit().conf_int()[1]
    assert ours.low == pytest.approx(low, abs=0.02)
    assert ours.high == pytest.approx(high, abs=0.02)


def test_interval_covers_the_truth_as_often_as_it_says():
    """200 samples with autocorrelated errors; 95% ± three binomial standard errors, a little short
    allowed."""
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(200):
        x, e = np.zeros(120), np.zeros(120)
        for t in range(1, 120):
            x[t] = 0.5 * x[t - 1] + rng.standard_normal()
            e[t] = 0.5 * e[t - 1] + rng.standard_normal()
        fit = regress(0.3 * x + e, [x], np.arange(120), 5, ["x"], "cover").fit(draws=199)
        hits += fit.low <= 0.3 <= fit.high
    assert 0.88 <= hits / 200 <= 0.995


def test_p_values_agree_with_the_interval():
    y, x = sample(n=200, slope=0.1)
    fit = regress(y, [x], np.arange(200), 2, ["x"], "p").fit()
    inside, outside = fit.value - 0.9 * (fit.value - fit.low), fit.low - 0.1 * (fit.value - fit.low)
    assert fit.p_above(outside) < 0.025 < fit.p_above(inside)
    assert fit.p_above(fit.value) == pytest.approx(0.5)
    assert fit.p_above(inside) + fit.p_below(inside) == pytest.approx(1.0)


def test_a_row_left_out_is_as_good_as_a_dummy_for_it():
    y, x = sample(n=80)
    y[17] += 25
    dummy = (np.arange(80) == 17).astype(float)
    keep = dummy == 0
    plain = regress(y, [x], np.arange(80), 3, ["x"], "out").fit(keep)
    with_dummy = regress(y, [x, dummy], np.arange(80), 3, ["x", "dummy"], "out").fit()
    assert plain.value == pytest.approx(with_dummy.value, rel=1e-10)
    assert plain.n == 79


def test_the_influential_observation_is_found_and_its_influence_is_exact():
    y, x = sample(n=100)
    x[42], y[42] = 6.0, 30.0
    regression = regress(y, [x], np.arange(100), 2, ["x"], "influence")
    row, without = regression.most_influential()
    assert row == 42
    again = sm.OLS(np.delete(y, 42), sm.add_constant(np.delete(x, 42))).fit().params[1]
    assert without == pytest.approx(again, rel=1e-10)


def test_too_short_and_collinear_samples_are_named():
    y, x = sample(n=9)
    with pytest.raises(TooShort, match="9 observations"):
        regress(y, [x], np.arange(9), 1, ["x"], "short").fit()
    y, x = sample(n=50)
    with pytest.raises(TooShort, match="collinear"):
        regress(y, [x, 2 * x], np.arange(50), 1, ["x", "2x"], "collinear").fit()


def test_missing_values_are_left_out_but_time_goes_on():
    y, x = sample(n=60)
    y[20:30] = np.nan
    regression = regress(y, [x], np.arange(60), 2, ["x"], "gap")
    good = np.isfinite(y)
    assert regression.fit().n == 50
    assert regression.fit().value == pytest.approx(sm.OLS(y[good], sm.add_constant(x[good])).fit().params[1])


def test_the_same_claim_gives_the_same_draws():
    y, x = sample()
    fits = [regress(y, [x], np.arange(len(y)), 2, ["x"], name).fit() for name in ("a", "a", "b")]
    assert fits[0].low == fits[1].low != fits[2].low


def test_statistics_get_a_block_bootstrap_and_an_influential_row():
    rng = np.random.default_rng(5)
    values = rng.standard_normal(200) + 2.0
    values[7] = 60.0
    measured = bootstrap_statistic(lambda rows: float(np.mean(values[rows])), 200, 1, "mean")
    assert measured.se == pytest.approx(values.std() / np.sqrt(200), rel=0.15)
    row, without = influential_row(lambda rows: float(np.mean(values[rows])), 200)
    assert row == 7 and without == pytest.approx(np.delete(values, 7).mean())
    assert newey_west_lags(100) == 4
