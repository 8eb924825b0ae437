"""Volatility factors that revert: the rate from simulated truth, the model's law, the history."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from factors.assembly import add_volatility_factors, fit_volatilities
from factors.diagnostics import coefficient_rows
from factors.history import factor_levels, weekly_anchors
from factors.loadings import Regression
from factors.mean_reversion import DECAY_BOUNDS, LONG_RUN_SHARE, REVERTING, MeanReversion, estimate_reversion
from riskengine.base.axes import CURRENCIES, FACTORS, KEY_RATES
from riskengine.base.errors import InputError

MONTHS = np.arange("1900-01", "2400-01", dtype="datetime64[M]")


def ar1(seed: int, decay: float, rows: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(rows)
    x = np.zeros(rows)
    for t in range(1, rows):
        x[t] = decay * x[t - 1] + noise[t]
    return x


@pytest.mark.parametrize("decay", [0.6, 0.9])
def test_rate_and_half_life_of_a_simulated_process(decay):
    fit = estimate_reversion(ar1(1, decay, 5000) - 4.0, MONTHS[:5000], "x")
    assert abs(fit.decay - decay) < 3 * fit.se and not fit.held
    assert abs(fit.rate + 12 * np.log(decay)) < 3 * fit.se_rate
    assert fit.half_life == pytest.approx(np.log(2) / fit.rate)
    assert fit.se_half_life / fit.half_life == pytest.approx(fit.se_rate / fit.rate)
    assert fit.decay == pytest.approx(fit.variance_decay(1) ** (260 / 24), rel=1e-12)
    assert fit.variance_decay(5) == pytest.approx(fit.variance_decay(1) ** 5)


def test_gaps_random_walks_and_short_samples():
    x = ar1(2, 0.8, 400)
    gappy, months = np.delete(x, [100, 200]), np.delete(MONTHS[:400], [100, 200])
    assert estimate_reversion(gappy, months, "x").observations == 395
    explosive = np.exp(0.02 * np.arange(200.0))
    held = estimate_reversion(explosive, MONTHS[:200], "x")
    assert held.held and held.decay == DECAY_BOUNDS[1]
    with pytest.raises(InputError, match="mean reversion of x"):
        estimate_reversion(x[:50], MONTHS[:50], "x")


@pytest.fixture(scope="module")
def levels(panels):
    plain = factor_levels(panels)
    return add_volatility_factors(plain, fit_volatilities(plain))


@pytest.mark.parametrize("label", REVERTING)
def test_horizon_law_is_that_of_the_process(models, label):
    """Variance and covariance with a random walk in closed form, at every horizon, daily and weekly."""
    i, spx = FACTORS.index(label), FACTORS.index("EQ_SP500")
    for model in models.values():
        row = next(r for r in model.diagnostics if r.get("name") == f"{label} mean reversion κ")
        kappa, dt = row["estimate"], model.step_days / 260
        assert model.vol_long_run[i] == pytest.approx(LONG_RUN_SHARE * model.vol_now[i])
        assert model.persistence[i] == pytest.approx(np.exp(-2 * kappa * dt))
        for steps in (1, 10, 20) if model.step_days == 1 else (1, 13, 52, 260):
            cov = model.horizon_covariance(steps)
            h = steps * dt
            variance = model.vol_now[i] ** 2 * np.expm1(-2 * kappa * h) / np.expm1(-2 * kappa * dt)
            assert cov[i, i] == pytest.approx(variance, rel=0.01)
            both = model.correlation[i, spx] * model.vol_now[i] * model.vol_now[spx]
            assert cov[i, spx] == pytest.approx(both * np.expm1(-kappa * h) / np.expm1(-kappa * dt), rel=0.03)


def test_daily_and_weekly_models_agree(models):
    for label in REVERTING:
        i = FACTORS.index(label)
        day, week = models["daily"].horizon_covariance(20)[i, i], models["weekly"].horizon_covariance(4)[i, i]
        assert np.sqrt(week / day) == pytest.approx(1.0, abs=0.1)


def test_response_to_a_fall_in_equities_is_that_of_the_history(models, levels):
    """Cov/Var at 2, 13 and 52 weeks against overlapping regressions of the history, which know no κ."""
    rows = weekly_anchors(levels.dates)
    x = {n: levels.values[rows, levels.labels.index(n)] for n in ("EQ_SP500", "VOL_EQUITY")}
    i, spx = FACTORS.index("VOL_EQUITY"), FACTORS.index("EQ_SP500")
    for weeks in (2, 13, 52):
        a, b = (x[n][weeks:] - x[n][:-weeks] for n in ("EQ_SP500", "VOL_EQUITY"))
        seen = np.isfinite(a) & np.isfinite(b)
        fit = sm.OLS(b[seen], sm.add_constant(a[seen])).fit(cov_type="HAC",
                                                            cov_kwds={"maxlags": int(1.5 * weeks)})
        cov = models["weekly"].horizon_covariance(weeks)
        assert abs(cov[i, spx] / cov[spx, spx] - fit.params[1]) < 2 * fit.bse[1]


def test_a_quarter_of_minus_twenty_percent(models):
    i, spx = FACTORS.index("VOL_EQUITY"), FACTORS.index("EQ_SP500")

    def follow(model, steps):
        cov = model.horizon_covariance(steps)
        return -0.2 * cov[i, spx] / cov[spx, spx]

    assert 0.4 < follow(models["weekly"], 13) < 0.9
    start = follow(models["daily"], 1)
    assert 0.9 * start < follow(models["daily"], 10) < start
    assert follow(models["weekly"], 52) < 0.5 * follow(models["weekly"], 1)


def test_spread_over_years_is_that_of_the_levels(models, levels):
    """The accumulated standard deviation saturates near that of the level itself."""
    for label in REVERTING:
        level = levels.values[:, levels.labels.index(label)]
        variance = models["weekly"].horizon_covariance(156)[(FACTORS.index(label),) * 2]
        assert np.sqrt(variance) == pytest.approx(np.nanstd(level), rel=0.2)


def test_held_rate_is_declared():
    flat = Regression(np.ones(1), np.zeros((1, 1)), 1.0, 100, "a … b")
    held = MeanReversion(0.97, 0.02, True, 0.9, 100, "a … b")
    rows = coefficient_rows([flat] * len(CURRENCIES), [flat] * len(KEY_RATES), {}, {}, {"VOL_FX": held})
    found = {r["name"]: r for r in rows}
    assert found["VOL_FX mean reversion κ"]["method"].endswith(", held")
    assert found["VOL_FX half-life"]["estimate"] == pytest.approx(-np.log(2) / (12 * np.log(0.97)))
