"""GARCH on simulated truth, its failures declared, degrees of freedom, Ljung–Box."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import t as student
from statsmodels.stats.diagnostic import acorr_ljungbox

from factors.diagnostics import ljung_box
from factors.garch_likelihood import log_likelihood, maximise
from factors.tails import profile_dof
from factors.volatility import carry_on, ewma, fit_garch, garch_filter, mean_forecast


def simulate_garch(seed: int, n: int, alpha: float, beta: float, nu: float) -> np.ndarray:
    level = 1e-4
    rng = np.random.default_rng(seed)
    noise = rng.standard_t(nu, n) * np.sqrt((nu - 2) / nu)
    x, h = np.empty(n), level
    for t in range(n):
        x[t] = np.sqrt(h) * noise[t]
        h = level * (1 - alpha - beta) + alpha * x[t] ** 2 + beta * h
    return x


def test_garch_recovers_the_truth():
    x = simulate_garch(1, 6000, 0.06, 0.92, 7.0)
    fit = fit_garch(x)
    assert fit.method == "GARCH(1,1)-t"
    assert abs(fit.alpha - 0.06) < 3 * fit.se_alpha and fit.se_alpha < 0.02
    assert abs(fit.beta - 0.92) < 3 * fit.se_beta
    assert fit.persistence == pytest.approx(0.98, abs=0.015)
    assert np.std(x / np.sqrt(fit.variance[:-1])) == pytest.approx(1.0, abs=0.02)
    assert np.mean((x / np.sqrt(fit.variance[:-1])) ** 2) == pytest.approx(1.0, abs=1e-9)
    assert fit.nu == pytest.approx(7.0, rel=0.25)


def test_likelihood_is_that_of_the_recursion_and_newton_finds_its_maximum():
    y = simulate_garch(12, 2500, 0.08, 0.88, 6.0)
    y = y / np.sqrt(np.mean(y * y))
    h = garch_filter(y, 0.07, 0.03, 0.85)[:-1]
    scale = np.sqrt(h * (7.0 - 2) / 7.0)
    expected = student.logpdf(y, 7.0, scale=scale).sum()
    assert log_likelihood(y, 0.07, 0.03, 0.85, 7.0) == pytest.approx(expected, rel=1e-12)
    best = maximise(y, (0.05, 0.0, 0.9, 8.0), (True, False, True))
    other = maximise(y, (0.15, 0.0, 0.7, 5.0), (True, False, True))
    np.testing.assert_allclose(best, other, rtol=1e-7)
    top = log_likelihood(y, *best)
    for i in (0, 2, 3):
        for size in (1.001, 0.999):
            moved = np.array(best)
            moved[i] *= size
            assert log_likelihood(y, *moved) < top
    held = maximise(y, (0.05, 0.0, 0.9, 8.0), (True, False, False), cap=0.99)
    assert held[0] + held[2] == pytest.approx(0.99) and log_likelihood(y, *held) < top


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_parameters_that_give_a_negative_variance_are_inadmissible():
    y = np.r_[simulate_garch(12, 500, 0.08, 0.88, 6.0) * 100, 9.0, np.full(20, 0.1)]
    assert (garch_filter(y, -0.02, 0.05, 0.95)[:-1] < 0).any()
    assert log_likelihood(y, -0.02, 0.05, 0.95, 5.0) == -np.inf
    assert log_likelihood(y, -0.02, 0.05, 0.95 + 1e-20j, 5.0) == -np.inf, "not a complex logarithm"
    assert maximise(y, (-0.02, 0.05, 0.95, 5.0), (True, True, True)) is None
    mild = np.clip(y, -1.5, 1.5)
    assert np.isfinite(log_likelihood(mild, -0.02, 0.05, 0.95, 5.0)), "a negative α alone is admissible"
    assert log_likelihood(y, 0.05, 0.0, 0.9, 1.9) == -np.inf, "no variance"


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(("seed", "start"), [(23, (0.30, 0.00, 0.60, 4.0)), (28, (0.22, 0.03, 0.76, 3.4)),
                                             (37, (0.20, 0.00, 0.79, 3.0))])
def test_newton_turns_back_from_negative_variances_and_reaches_the_maximum(seed, start):
    """From these starts the first Newton steps lead to α < 0 and h < 0; the maximum is where another
    optimiser, without derivatives, finds it."""
    y = simulate_garch(seed, 1500, 0.12, 0.8, 3.6)
    y = y / np.sqrt(np.mean(y * y))
    found = maximise(y, start, (True, True, True))

    def loss(p):
        outside = min(p[0], p[0] + p[1], p[2], 1 - p[0] - 0.5 * p[1] - p[2], p[3] - 2.01) < 0
        return 1e9 if outside else -log_likelihood(y, *p)

    other = minimize(loss, (0.1, 0.02, 0.8, 4.0), method="Nelder-Mead",
                     options={"maxiter": 4000, "xatol": 1e-7, "fatol": 1e-9})
    assert found is not None
    np.testing.assert_allclose(found, other.x, rtol=1e-3, atol=1e-4)
    assert log_likelihood(y, *found) >= -other.fun - 1e-7


def test_last_years_fit_is_only_a_start():
    x = simulate_garch(5, 3000, 0.06, 0.91, 8.0)
    fresh, warm = fit_garch(x), fit_garch(x, near=fit_garch(x[:2500], errors=False))
    assert warm.alpha == pytest.approx(fresh.alpha, rel=1e-7) and warm.nu == pytest.approx(fresh.nu, rel=1e-7)


def test_filter_is_the_recursion():
    x = np.random.default_rng(2).standard_normal(50)
    h = [1.5]
    for v in x:
        h.append(1.5 * (1 - 0.1 - 0.025 - 0.8) + (0.1 + 0.05 * (v < 0)) * v * v + 0.8 * h[-1])
    np.testing.assert_allclose(garch_filter(x, 0.1, 0.05, 0.8, 1.5), h, rtol=1e-12)


def test_carry_on_continues_the_fit_and_sees_no_future():
    x = simulate_garch(3, 1500, 0.05, 0.93, 8.0)
    fit = fit_garch(x[:1000], errors=False)
    longer = carry_on(fit, x)
    np.testing.assert_allclose(longer[:1001], fit.variance, rtol=1e-12)
    changed = x.copy()
    changed[1200:] *= 10
    np.testing.assert_array_equal(carry_on(fit, changed)[:1201], longer[:1201])


def test_unit_root_is_capped_and_declared():
    rng = np.random.default_rng(4)
    x = rng.standard_t(8, 4000) * np.where(np.arange(4000) < 2000, 1.0, 6.0)
    fit = fit_garch(x)
    assert fit.method.endswith("capped") and fit.persistence == pytest.approx(0.998, abs=1e-12)
    assert fit.now > 1.5 * fit.long_run
    assert ewma(x).method == "EWMA 0.94"


def test_mean_forecast_is_the_average_of_the_decay():
    path = 2.0 + (5.0 - 2.0) * 0.9 ** np.arange(5)
    assert mean_forecast(np.array(5.0), 2.0, 0.9, 5) == pytest.approx(path.mean())


@pytest.mark.parametrize("nu", [5.0, 12.0])
def test_degrees_of_freedom_of_a_multivariate_t(nu):
    rng = np.random.default_rng(6)
    root = np.linalg.cholesky(np.array([[1, 0.7, 0.2], [0.7, 1, 0.1], [0.2, 0.1, 1.0]]))
    z = rng.standard_normal((6000, 3)) @ root.T * np.sqrt((nu - 2) / rng.chisquare(nu, 6000))[:, None]
    estimate, se = profile_dof(z)
    assert abs(estimate - nu) < 3 * se and se < 0.2 * nu


def test_ljung_box_equals_statsmodels():
    x = np.random.default_rng(8).standard_normal(700)
    x[1:] += 0.1 * x[:-1]
    assert ljung_box(x) == pytest.approx(float(acorr_ljungbox(x, lags=[10])["lb_pvalue"].iloc[0]), rel=1e-9)
