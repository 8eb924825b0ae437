"""Sensitivities: the rule of prior and data, named exclusions, breaks, and nothing from after the as-of
date."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from factors.sensitivities import estimate_sensitivities
from factors.sensitivities.observations import Observations, change_over, lagged, moves
from factors.sensitivities.prior import posterior_row
from factors.sensitivities.regression import NotEstimable, regress
from factors.sensitivities.stability import (
    hac_least_squares, leave_out_most_influential, stability, sup_f,
)
from riskengine.base.sensitivity import Prior, from_plain, to_plain
from riskengine.data.local_store import ImportedSeries, open_store, write_series
from riskengine.data.parameters import load_parameters
from riskengine.data.priors import load_priors

AS_OF = "2016-12-30"
MONTHS = np.arange(np.datetime64("1990-01"), np.datetime64("2017-01"))


@pytest.fixture(scope="module")
def priors():
    return load_priors(load_parameters())


def imported(name, months, values, frequency="monthly", lag=0, unit="index"):
    ends = (months + 1).astype("datetime64[D]") - 1 if frequency == "monthly" else months
    return ImportedSeries(name, name, unit, frequency, "made up", f"{name}.csv", ends, values, lag, False)


def store_with(folder, *series):
    return write_series(list(series), folder).store


def made_up(months, seed=1):
    """A fund, an index, two yields and flows with known relations."""
    rng = np.random.default_rng(seed)
    n = len(months)
    market, two, ten = rng.normal(0, 0.04, n), rng.normal(0, 0.2, n), rng.normal(0, 0.2, n)
    fund = 1.2 * market - 0.05 * ten + rng.normal(0, 0.01, n)
    series = {"SP500": 100 * np.exp(np.cumsum(market)), "etf.IYR": 50 * np.exp(np.cumsum(fund)),
              "DGS2": 5 + np.cumsum(two) * 0.2, "DGS10": 6 + np.cumsum(ten),
              "acm.ACMY10": 6 + np.cumsum(ten), "acm.ACMRNY10": 4 + np.cumsum(two) * 0.1}
    flow = rng.normal(0, 20000, n)
    for who, scale in (("official", 0.6), ("total", 1.0)):
        for asset in ("treas", "agcy", "corp", "stk"):
            series[f"tic.flows.{who}.{asset}_net"] = flow * scale + rng.normal(0, 3000, n)
            series[f"tic.flows.{who}.{asset}_pos"] = np.full(n, 3e6) + np.arange(n) * 1e4
    return [imported(k, months, v) for k, v in series.items()]


# -- the rule ----------------------------------------------------------------------------------------------

@given(prior=st.floats(-50, 50), se_prior=st.floats(1e-3, 50), data=st.floats(-50, 50),
       se=st.floats(1e-3, 50))
@settings(max_examples=60, deadline=None)
def test_the_posterior_is_the_precision_weighted_mean(prior, se_prior, data, se):
    row = posterior_row("x", data, se, Prior(prior, se_prior, "made up", "A"), **dict.fromkeys(
        ("group", "dependent", "regressor", "dollar", "unit", "first", "last", "method"), ""), lag=0, n=1,
        r2=0.0)
    w, v = 1 / se_prior**2, 1 / se**2
    assert row.posterior == pytest.approx((w * prior + v * data) / (w + v), rel=1e-12, abs=1e-12)
    assert row.posterior_se == pytest.approx((w + v) ** -0.5, rel=1e-12)
    assert min(prior, data) - 1e-12 <= row.posterior <= max(prior, data) + 1e-12
    assert row.posterior_se <= min(se_prior, se) * (1 + 1e-12)
    assert row.conflict == pytest.approx(abs(prior - data) / np.hypot(se_prior, se))


def test_every_row_obeys_the_rule_and_says_what_the_engine_uses(priors):
    found = estimate_sensitivities("2024-09-24", priors, open_store("/nonexistent/store"))
    assert len(found.rows) > 40
    for r in found.rows:
        assert np.isfinite([r.estimate, r.se, r.posterior, r.posterior_se,
                            r.r2]).all() and r.se > 0 and r.n >= 40
        assert r.last <= "2024-08" or "Q" in r.last or len(r.last) == 10 and r.last <= "2024-09-24"
        assert r.engine in ("prior", "data", "diagnostic") and bool(r.used_as) == (r.engine != "diagnostic")
        if r.prior is None:
            assert (r.posterior, r.posterior_se) == (r.estimate, r.se)
        else:
            w, v = r.prior.se**-2, r.se**-2
            assert r.posterior == pytest.approx((w * r.prior.value + v * r.estimate) / (w + v), rel=1e-12)
    korea = found["currency_beta.KRW"]
    assert korea.prior.value == 1.28 and korea.engine == "prior" and korea.prior.overlaps
    needs = {e.id: e for e in found.exclusions}
    reason = needs["flow.premium.official"].reason
    assert reason == "needs series tic.flows.official.treas_net: riskengine data import"
    assert needs["sector.XLK"].needs == "etf.XLK"


def test_a_row_is_ones_own_regression(priors):
    """Re-estimation by hand: numpy, not the laboratory's functions."""
    found = estimate_sensitivities("2024-09-24", priors, open_store("/nonexistent/store"))
    from riskengine.data.panels import load_panel

    panel = load_panel("rates_monthly", "2024-09-24")
    months = panel.dates.astype("datetime64[M]")
    use = (months >= np.datetime64("2009-12")) & (months <= np.datetime64("2024-08"))
    y, x = (np.diff(panel.values[use, panel.axis.index(k)]) for k in ("GS30", "GS2"))
    design = np.column_stack([np.ones(len(x)), x])
    beta = np.linalg.lstsq(design, y, rcond=None)[0]
    e = y - design @ beta
    s = sum((1 - abs(j) / 4) * sum(e[t] * e[t - j] * np.outer(design[t], design[t - j])
                                   for t in range(max(j, 0), len(y) + min(j, 0))) for j in range(-3, 4))
    bread = np.linalg.inv(design.T @ design)
    row = found["path_beta.30Y"]
    assert row.n == len(y)
    assert row.estimate == pytest.approx(beta[1], rel=1e-10)
    assert row.se == pytest.approx(np.sqrt((bread @ s @ bread)[1, 1]), rel=1e-9)
    assert row.r2 == pytest.approx(1 - e @ e / ((y - y.mean()) @ (y - y.mean())), rel=1e-9)


# -- holes in a series --------------------------------------------------------------------------------------

def autocorrelated(n=240, seed=9):
    """y on x, both AR(1), and a calendar of months."""
    rng = np.random.default_rng(seed)
    x, e = rng.normal(size=(2, n))
    for t in range(1, n):
        x[t] += 0.7 * x[t - 1]
        e[t] += 0.7 * e[t - 1]
    return 0.5 * x + e, x, np.datetime64("2000-01") + np.arange(n)


def pairwise_error(y, x, months, lag):
    """s.e. of the slope by the definition: every pair of rows, weighted by their distance in months."""
    design = np.column_stack([np.ones(len(y)), x])
    beta = np.linalg.lstsq(design, y, rcond=None)[0]
    scores = design * (y - design @ beta)[:, None]
    distance = np.abs(months[:, None] - months[None, :]).astype(int)
    weights = np.maximum(1 - distance / (lag + 1), 0)
    bread = np.linalg.inv(design.T @ design)
    return np.sqrt((bread @ scores.T @ weights @ scores @ bread)[1, 1])


@pytest.mark.parametrize("lag", [3, 13])
def test_without_a_hole_the_errors_are_those_of_statsmodels_to_the_bit(lag):
    y, x, months = autocorrelated()
    x = np.where(np.arange(len(x)) < 5, np.nan, x)  # a late start is no hole
    fit = regress(y, x, months, lag, ["y", "x"])
    theirs = sm.OLS(y[5:], sm.add_constant(x[5:])).fit(cov_type="HAC", cov_kwds={"maxlags": lag})
    assert (fit.slopes[0], fit.errors[0], fit.r2) == (theirs.params[1], theirs.bse[1], theirs.rsquared)
    assert list(fit.periods) == list(range(5, 240))


@pytest.mark.parametrize("lag", [3, 13])
def test_autocovariances_do_not_reach_across_a_hole(lag):
    y, x, months = autocorrelated()
    x = np.where((np.arange(len(x)) % 40 >= 25) | (np.arange(len(x)) == 7), np.nan, x)
    there = np.isfinite(x)
    fit = regress(y, x, months, lag, ["y", "x"])
    assert fit.errors[0] == pytest.approx(pairwise_error(y[there], x[there], months[there], lag), rel=1e-10)
    theirs = sm.OLS(y[there], sm.add_constant(x[there])).fit(cov_type="HAC", cov_kwds={"maxlags": lag})
    assert fit.slopes[0] == pytest.approx(theirs.params[1], rel=1e-12)
    assert fit.r2 == pytest.approx(theirs.rsquared, rel=1e-12)
    assert abs(fit.errors[0] / theirs.bse[1] - 1) > 0.005, "as if the years after the hole followed at once"
    assert fit.residuals @ fit.x[:, 0] == pytest.approx(0, abs=1e-9) and len(fit.residuals) == fit.n
    design = np.column_stack([np.ones(fit.n), fit.x])
    _, covariance = hac_least_squares(fit.y, design, lag, fit.periods)
    assert np.sqrt(covariance[1, 1]) == pytest.approx(fit.errors[0], rel=1e-10)
    assert np.linalg.eigvalsh(covariance).min() > 0
    _, consecutive = hac_least_squares(fit.y, design, lag)
    assert np.sqrt(consecutive[1, 1]) == pytest.approx(theirs.bse[1], rel=1e-10)


def test_breaks_count_time_through_a_hole():
    y, x, months = autocorrelated()
    x = np.where(np.arange(len(x)) % 40 >= 25, np.nan, x)
    fit = regress(y, x, months, 6, ["y", "x"])
    closed = dataclasses.replace(fit, periods=np.arange(fit.n))
    assert sup_f(fit)[0] != sup_f(closed)[0]
    assert stability(fit, window=30).rolling == stability(closed, window=30).rolling
    assert stability(fit, window=30).rolling_se != stability(closed, window=30).rolling_se


# -- series that have no answer ----------------------------------------------------------------------------

def test_short_constant_broken_and_collinear_series_are_named():
    rng = np.random.default_rng(3)
    x, noise = rng.normal(size=200), rng.normal(size=200)
    when = np.arange(200)
    with pytest.raises(NotEstimable, match="too short: 30 complete observations of a, b"):
        regress(np.where(when < 30, noise, np.nan), x, when, 3, ["a", "b"])
    with pytest.raises(NotEstimable, match="constant: b does not move"):
        regress(noise, np.full(200, 2.0), when, 3, ["a", "b"])
    with pytest.raises(NotEstimable, match="constant: a does not move"):
        regress(np.zeros(200), x, when, 3, ["a", "b"])
    with pytest.raises(NotEstimable, match="collinear: b, c"):
        regress(noise, np.column_stack([x, 3 * x + 1e-9 * noise]), when, 3, ["a", "b", "c"])
    with pytest.raises(NotEstimable, match="broken: infinite values .* in b"):
        regress(noise, np.where(when == 5, np.inf, x), when, 3, ["a", "b"])


def test_faulty_imports_become_exclusion_rows(tmp_path, priors):
    good = {s.id: s for s in made_up(MONTHS)}
    zero = np.array(good["etf.IYR"].values)
    zero[10] = 0.0
    short = MONTHS[-20:]
    store = store_with(tmp_path, *(s for k, s in good.items() if k != "etf.IYR"),
                       imported("etf.IYR", MONTHS, zero),
                       imported("etf.XLK", MONTHS, np.full(len(MONTHS), 7.0)),
                       imported("etf.XLE", short, np.linspace(1, 2, 20)),
                       imported("etf.XLF", MONTHS, np.asarray(good["SP500"].values) * 2))
    found = estimate_sensitivities(AS_OF, priors, store)
    reasons = {e.id: e.reason for e in found.exclusions}
    assert reasons["reit.IYR"] == "broken: 1 prices of IYR are not positive"
    assert reasons["sector.XLK"].startswith("constant: XLK does not move")
    assert reasons["sector.XLE"].startswith("too short: 18 complete observations")  # December has not ended
    assert "exact fit" in reasons["sector.XLF"]
    ids = {r.id for r in found.rows} | set(reasons) | {q.id
                                                       for q in found.quantiles} | {p.id
                                                           for p in found.projections}
    for asked in ("sector.XLB", "flow.premium.official", "currency_beta.KRW", "path_beta.10Y",
                  "homes_on_10y"):
        assert asked in ids  # never silently dropped
    plain = json.dumps(to_plain(found), allow_nan=False)  # no NaN anywhere
    assert from_plain(json.loads(plain)) == found


# -- nothing from after the as-of date ---------------------------------------------------------------------

def test_garbage_after_the_as_of_date_changes_no_bit(tmp_path, priors, monkeypatch):
    from riskengine.data import panels

    later = np.arange(np.datetime64("2017-01"), np.datetime64("2019-01"))
    clean = store_with(tmp_path / "clean", *made_up(MONTHS))
    rng = np.random.default_rng(9)
    poisoned = store_with(tmp_path / "poisoned", *(
        imported(s.id, np.r_[MONTHS, later], np.r_[s.values, rng.uniform(1e3, 1e9, len(later))])
        for s in made_up(MONTHS)))
    expected = estimate_sensitivities(AS_OF, priors, clean)
    honest = panels.full_history

    def poison(name):
        dates, values = honest(name)
        late = dates > np.datetime64(AS_OF)
        return dates, np.where(late[:, None] & np.isfinite(values), 1e6 * (1 + np.arange(values.shape[1])),
                               values)

    with monkeypatch.context() as patch:
        patch.setattr(panels, "full_history", poison)
        got = estimate_sensitivities(AS_OF, priors, poisoned)
    assert dataclasses.replace(got, data_version="") == dataclasses.replace(expected, data_version="")
    assert any(p.id == "flow.premium.private" for p in got.projections)


def test_a_figure_not_yet_published_is_not_used(tmp_path, priors):
    """The same flow with a lag of 49 days ends two months earlier."""
    at_once = store_with(tmp_path / "a", *made_up(MONTHS))
    late = store_with(tmp_path / "b", *(dataclasses.replace(s, lag_days=49) if s.id.startswith("tic") else s
                                        for s in made_up(MONTHS)))
    last = [next(p.last for p in estimate_sensitivities(AS_OF, priors, s).projections
                 if p.id == "flow.yield.total")
            for s in (at_once, late)]
    assert last == ["2016-11", "2016-10"]


def test_a_month_counts_only_when_it_has_ended(tmp_path):
    days = np.arange(np.datetime64("2015-01-01"), np.datetime64("2016-02-18"))
    store = store_with(tmp_path, imported("X", days, np.arange(len(days), dtype=float) + 1, "daily"))
    seen = Observations("2016-02-17", store)
    assert str(seen.months[-1]) == "2016-01"
    assert seen.month_end("X")[-1] == np.flatnonzero(days == np.datetime64("2016-01-31"))[0] + 1
    ended = Observations("2016-02-29", store)  # the month has ended, but the series stops twelve days before
    assert str(ended.months[-1]) == "2016-02" and not np.isfinite(ended.average("X")[-1])
    assert np.isfinite(ended.average("X")[-2])


def test_differences_and_lags_do_not_jump_over_gaps():
    x = np.array([1.0, 2.0, np.nan, 5.0, 7.0])
    np.testing.assert_array_equal(moves(x), [np.nan, 1, np.nan, np.nan, 2])
    np.testing.assert_array_equal(change_over(x, 3), [np.nan, np.nan, np.nan, 4, 5])
    np.testing.assert_array_equal(lagged(x, 2), [np.nan, np.nan, 1, 2, np.nan])


# -- stability ---------------------------------------------------------------------------------------------

def test_a_break_is_found_where_it_is_and_a_stable_slope_has_none():
    rng = np.random.default_rng(5)
    x, e = rng.normal(size=300), rng.normal(size=300) * 0.5
    when = np.datetime64("2000-01", "M") + np.arange(300)
    broken = regress(np.where(np.arange(300) < 180, 0.5, 1.5) * x + e, x, when, 3, ["y", "x"])
    steady = regress(0.8 * x + e, x, when, 3, ["y", "x"])
    found = stability(broken)
    assert found.breaks and abs(np.datetime64(found.break_date, "M") - when[179]) <= np.timedelta64(6, "M")
    assert found.rolling[0] == pytest.approx(0.5, abs=0.25) and found.rolling[-1] == pytest.approx(1.5,
        abs=0.25)
    assert sup_f(steady)[0] < 8.68 and not stability(steady).breaks
    assert stability(steady).rolling_dates[-1] == str(when[-1])


def test_the_most_influential_observation_is_left_out_exactly():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(120, 2))
    y = x @ [1.0, -0.5] + rng.normal(size=120) * 0.1
    x[40], y[40] = (6.0, 0.0), -10.0
    when = np.arange(120)
    fit = regress(y, x, when, 3, ["y", "a", "b"])
    without, row = leave_out_most_influential(fit)
    assert row == 40
    keep = when != 40
    again = regress(y[keep], x[keep], when[keep], 3, ["y", "a", "b"])
    assert without == pytest.approx(again.slopes[0], rel=1e-9)


def test_a_known_flow_effect_is_recovered(tmp_path, priors):
    """Yields made to fall by 30 bp per 1% of outstanding bought, on impact and for good."""
    from riskengine.data.market_stocks import stock_outstanding

    rng = np.random.default_rng(11)
    series = {s.id: s for s in made_up(MONTHS)}
    ends, stock = stock_outstanding("treasury", AS_OF)
    days = (MONTHS + 1).astype("datetime64[D]") - 1
    level = np.exp(np.interp(days.astype(int), ends.astype(int), np.log(stock)))
    share = rng.normal(0, 0.4, len(MONTHS))
    premium = 2.0 + np.cumsum(-0.30 * share + rng.normal(0, 0.05, len(MONTHS)))
    path = np.asarray(series["acm.ACMRNY10"].values)
    series["tic.flows.official.treas_net"] = imported("tic.flows.official.treas_net", MONTHS,
                                                      share / 100 * level * 1000)
    series["acm.ACMY10"] = imported("acm.ACMY10", MONTHS, path + premium)
    found = estimate_sensitivities(AS_OF, priors, store_with(tmp_path, *series.values()))
    impact = found["ust_impact.official"]
    assert impact.estimate == pytest.approx(30.0, abs=3 * impact.se) and impact.se < 2
    shape = next(p for p in found.projections if p.id == "flow.premium.official")
    assert np.array(shape.beta) == pytest.approx(-30.0, abs=12)
    assert all(lag >= h for h, lag in zip(shape.horizons, shape.lags, strict=True))
