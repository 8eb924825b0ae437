"""Every statistic against a slow implementation of its definition, and its size by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import chi2, norm
from scipy.stats import t as student

from backtests.es_tests import acerbi_szekely, diebold_mariano, fz0, simulate_null, z1, z2
from backtests.scoring import christoffersen, kupiec, traffic_light, transitions
from backtests.var_tests import (berkowitz, duration_test, durations, dynamic_quantile, pit_counts,
                                 pit_kolmogorov, pit_uniform, rolling_counts, zone_limits, zone_shares)
from riskengine.base.errors import InputError

hits = st.lists(st.booleans(), min_size=5, max_size=200).map(lambda x: np.array(x, dtype=bool))


def bernoulli(x: int, n: int, p: float) -> float:
    """ln of p^x (1 − p)^(n − x) with 0 ln 0 = 0."""
    return (x * math.log(p) if x else 0.0) + ((n - x) * math.log(1 - p) if n - x else 0.0)


@given(hits, st.floats(0.001, 0.2))
def test_kupiec_and_markov_follow_their_definition(hit, p):
    n, x = len(hit), int(hit.sum())
    assert kupiec(n, x, p).lr == pytest.approx(-2 * (bernoulli(x, n, p) - bernoulli(x, n, x / n)), abs=1e-8)
    n00 = n01 = n10 = n11 = 0
    for a, b in zip(hit[:-1], hit[1:], strict=True):
        n00, n01 = n00 + (not a and not b), n01 + (not a and b)
        n10, n11 = n10 + (a and not b), n11 + (a and b)
    assert transitions(hit) == (n00, n01, n10, n11)
    both = (n01 + n11) / (n - 1)
    free = (bernoulli(n01, n00 + n01, n01 / (n00 + n01)) if n00 + n01 else 0.0) + (
        bernoulli(n11, n10 + n11, n11 / (n10 + n11)) if n10 + n11 else 0.0)
    lr = -2 * (bernoulli(n01 + n11, n - 1, both) - free)
    assert christoffersen(n00, n01, n10, n11).lr == pytest.approx(max(lr, 0.0), abs=1e-8)


@given(hits)
def test_durations_walked_day_by_day(hit):
    spells, censored, count, seen = [], [], 0, False
    for h in hit:
        count += 1
        if h:
            if seen or count > 1:
                spells.append(count)
                censored.append(not seen)
            seen, count = True, 0
    if count:
        spells.append(count)
        censored.append(True)
    got, mask = durations(hit)
    assert got.tolist() == spells and mask.tolist() == censored
    assert got.sum() == len(hit) - (1 if hit[0] else 0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.02, 0.15))
def test_weibull_likelihood_in_two_parameters(seed, p):
    hit = np.random.default_rng(seed).random(400) < p
    if hit.sum() < 4:
        return
    spells, censored = durations(hit)
    spells = spells - 0.5

    def negative(theta):
        a, b = np.exp(theta)
        density = np.log(b) + b * np.log(a) + (b - 1) * np.log(spells)
        return -((~censored) * density - (a * spells) ** b).sum()

    free = minimize(negative, [np.log(p), 0.0], method="Nelder-Mead",
                    options={"xatol": 1e-9, "fatol": 1e-10, "maxiter": 4000})
    null = minimize(lambda t: negative([t[0], 0.0]), [np.log(p)], method="Nelder-Mead",
                    options={"xatol": 1e-9, "fatol": 1e-10})
    found = duration_test(hit)
    if 0.06 < found.shape < 4.9:
        assert found.lr == pytest.approx(2 * (null.fun - free.fun), abs=1e-5)
        assert found.shape == pytest.approx(np.exp(free.x[1]), rel=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_dynamic_quantile_is_a_regression_of_hits(seed):
    rng = np.random.default_rng(seed)
    hit, var = rng.random(300) < 0.05, -np.exp(0.1 * np.cumsum(rng.standard_normal(300)) / 4)
    y = hit[4:] - 0.05
    x = np.column_stack([np.ones(296), hit[3:-1] - .05, hit[2:-2] - .05, hit[1:-3] - .05, hit[:-4] - .05,
                         var[4:]])
    if np.linalg.matrix_rank(x) < 6:
        return
    beta = sm.OLS(y, x).fit().params
    statistic = beta @ x.T @ x @ beta / (0.05 * 0.95)
    got = dynamic_quantile(hit, var, 0.05)
    assert got.lr == pytest.approx(statistic, rel=1e-6)
    assert got.p_value == pytest.approx(chi2.sf(statistic, 6), rel=1e-6, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 12))
def test_diebold_mariano_is_the_hac_t_of_a_constant(seed, lags):
    rng = np.random.default_rng(seed)
    a, b = np.cumsum(rng.standard_normal((2, 200)), axis=1) * 0.1 + rng.standard_normal((2, 200))
    fit = sm.OLS(a - b, np.ones(200)).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    got = diebold_mariano(a, b, lags)
    assert got.difference == pytest.approx(fit.params[0])
    assert got.t == pytest.approx(fit.tvalues[0], rel=1e-9) and got.p_value == pytest.approx(fit.pvalues[0])
    back = diebold_mariano(b, a, lags)
    assert back.t == pytest.approx(-got.t) and math.isnan(diebold_mariano(a, a).t)


def test_berkowitz_is_the_likelihood_of_an_ar1():
    z = np.random.default_rng(3).standard_normal(500)
    z = 0.2 + 1.1 * np.convolve(z, [1, 0.3])[:500]

    def negative(theta):
        mean, slope, sd = theta[0], theta[1], np.exp(theta[2])
        return -norm.logpdf(z[1:], mean + slope * z[:-1], sd).sum()

    free = minimize(negative, [0, 0, 0], method="BFGS").fun
    assert berkowitz(norm.cdf(z)).lr == pytest.approx(2 * (negative([0, 0, 0]) - free), abs=1e-4)


def test_fz0_is_lowest_at_the_truth_and_z_are_zero_there():
    x = student.rvs(6, size=400_000, random_state=5)
    q = student.ppf(0.025, 6)
    e = x[x <= q].mean()
    base = fz0(x, np.full_like(x, q), np.full_like(x, e), 0.025).mean()
    for v, s in ((1.1, 1.0), (0.9, 1.0), (1.0, 1.1), (1.0, 0.92), (1.1, 1.1), (0.9, 0.9)):
        assert fz0(x, np.full_like(x, q * v), np.full_like(x, min(e * s, q * v)), 0.025).mean() > base
    assert z1(x, np.full_like(x, q), np.full_like(x, e)) == pytest.approx(0, abs=1e-9)
    assert z2(x, np.full_like(x, q), np.full_like(x, e), 0.025) == pytest.approx(0, abs=0.02)
    assert fz0(np.array([-3.0]), np.array([-2.0]), np.array([-2.5]), 0.025)[0] == pytest.approx(
        1 / (0.025 * 2.5) * (-2 + 3) + 2 / 2.5 + math.log(2.5) - 1)
    with pytest.raises(InputError):
        fz0(x[:3], np.ones(3), -np.ones(3), 0.025)


def test_simulated_null_is_that_of_drawn_pnl():
    """Against P&L drawn day by day from the forecast and put through the definitions."""
    rng = np.random.default_rng(11)
    days, runs, alpha, nu = 250, 4000, 0.025, 5.0
    q = student.ppf(alpha, nu)
    e = -student.pdf(q, nu) / alpha * (nu + q * q) / (nu - 1)
    x = student.rvs(nu, size=(runs, days), random_state=rng)
    hit = x <= q
    drawn = 1 - (np.where(hit, x, 0).sum(axis=1) / e) / (days * alpha)
    u = alpha * (np.arange(400) + 0.5) / 400
    first, second = simulate_null(np.tile(student.ppf(u, nu) / e, (days, 1)), alpha, runs, seed=2)
    for p in (0.05, 0.5, 0.95):
        assert np.quantile(second, p) == pytest.approx(np.quantile(drawn, p), abs=0.06)
    sizes = 1 - np.where(hit, x, 0).sum(axis=1)[hit.any(axis=1)] / e / hit.sum(axis=1)[hit.any(axis=1)]
    assert np.nanquantile(first, 0.05) == pytest.approx(np.quantile(sizes, 0.05), abs=0.06)


def test_size_is_five_percent_under_a_correct_model():
    rng = np.random.default_rng(20)
    runs, n, p = 500, 2500, 0.025
    rejected = dict.fromkeys(("kupiec", "markov", "duration", "dq", "berkowitz", "uniform", "ks"), 0)
    for _ in range(runs):
        u = rng.random(n)
        hit = u < p
        var = -np.exp(0.3 * np.sin(np.arange(n) / 50))
        got = {"kupiec": kupiec(n, int(hit.sum()), p).p_value,
               "markov": christoffersen(*transitions(hit)).p_value, "duration": duration_test(hit).p_value,
               "dq": dynamic_quantile(hit, var, p).p_value, "berkowitz": berkowitz(u).p_value,
               "uniform": pit_uniform(u).p_value, "ks": pit_kolmogorov(u)}
        for name, value in got.items():
            rejected[name] += value < 0.05
    share = {name: count / runs for name, count in rejected.items()}
    for name, value in share.items():
        assert 0.025 < value < 0.09, share  # 5% ± 2 s.e., and Markov's known excess with few pairs


def test_size_and_power_of_the_shortfall_tests():
    rng = np.random.default_rng(21)
    n, alpha, runs = 500, 0.025, 200
    q, e = norm.ppf(alpha), -norm.pdf(norm.ppf(alpha)) / alpha
    tail = np.tile(norm.ppf(alpha * (np.arange(12) + 0.5) / 12) / e, (n, 1))
    var, es = np.full(n, q), np.full(n, e)
    right, wrong = [], []
    for _ in range(runs):
        x = rng.standard_normal(n)
        right.append([t.p_value < 0.05 for t in acerbi_szekely(x, var, es, tail, alpha, 1000)])
        wrong.append([t.p_value < 0.05 for t in acerbi_szekely(
            rng.standard_t(3, n), var, es, tail, alpha, 1000)])
    assert (np.abs(np.mean(right, axis=0) - 0.05) < 0.045).all()
    assert (np.mean(wrong, axis=0) > 0.9).all()


def test_clustered_exceptions_are_seen():
    rng = np.random.default_rng(1)
    hit = np.zeros(2500, dtype=bool)
    for start in rng.integers(0, 2480, 10):
        hit[start:start + 12] = rng.random(12) < 0.5
    found = duration_test(hit)
    assert found.shape < 0.7 and found.p_value < 1e-4
    assert christoffersen(*transitions(hit)).p_value < 1e-4
    assert dynamic_quantile(hit, -np.ones(2500), 0.02).p_value < 1e-4


def test_too_few_exceptions_give_no_verdict():
    assert math.isnan(duration_test(np.zeros(300, dtype=bool)).p_value)
    assert math.isnan(duration_test(np.eye(1, 300, dtype=bool)[0]).p_value)
    assert math.isnan(z1(np.ones(5), -np.ones(5), -np.ones(5)))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(251, 600))
def test_rolling_windows_counted_one_by_one(seed, days):
    rng = np.random.default_rng(seed)
    hit = rng.random(days) < rng.uniform(0, 0.06)
    counts = rolling_counts(hit, 250)
    slow = [int(hit[i:i + 250].sum()) for i in range(len(hit) - 249)]
    assert counts.tolist() == slow
    zones = [traffic_light(250, c, 0.01)[0] for c in slow]
    shares = zone_shares(hit, 0.01)
    assert shares["maximum"] == max(slow)
    for zone in ("green", "yellow", "red"):
        assert shares[zone] == pytest.approx(zones.count(zone) / len(zones))
    assert pit_counts(np.array([0.0, 0.04, 0.5, 1.0])).tolist()[0] == 2


def test_zone_limits_of_other_levels():
    yellow, red = zone_limits(250, 0.025)
    assert traffic_light(250, yellow, 0.025)[0] == "yellow"
    assert traffic_light(250, yellow - 1, 0.025)[0] == "green"
    assert traffic_light(250, red, 0.025)[0] == "red" and traffic_light(250, red - 1, 0.025)[0] == "yellow"
    with pytest.raises(InputError):
        zone_limits(0, 0.01)
