"""Panels show what was known at the as-of date, in the engine's units; the zero curve reprices its bonds."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.base.axes import CURRENCIES, KEY_RATES
from riskengine.base.errors import InputError
from riskengine.data.catalog import DEFAULT_AS_OF, PANELS, TENOR_YEARS
from riskengine.data.panels import load_panel
from riskengine.market import bootstrap_zero_rates

PAR = load_panel("treasury_par_daily", DEFAULT_AS_OF)
TENORS = np.array([TENOR_YEARS[t] for t in PAR.axis.labels])
KEYS = np.array(list(KEY_RATES.values()))
GRID = np.arange(1, 61) / 2


def at(panel, label, day):
    row = np.flatnonzero(panel.dates == np.datetime64(day))
    return panel.values[row[0], panel.axis.index(label)] if len(row) else None


# ---------------------------------------------------------------- units

def test_currencies_are_dollars_per_unit():
    fx = load_panel("fx_daily", DEFAULT_AS_OF)
    assert fx.axis.labels == CURRENCIES and fx.units[CURRENCIES.index("EUR")] == "USD per EUR"
    assert at(fx, "EUR", "1999-01-04") == pytest.approx(1.1812, abs=5e-5)    # H.10 of that day: 1.1812
    assert at(fx, "JPY", "2024-09-24") == pytest.approx(1 / 143.5, rel=0.02)
    assert at(fx, "GBP", "2016-06-24") / at(fx, "GBP", "2016-06-23") < 0.93  # the pound fell
    monthly = load_panel("fx_monthly", DEFAULT_AS_OF)
    inside = (fx.dates >= np.datetime64("2024-08-01")) & (fx.dates <= np.datetime64("2024-08-31"))
    assert np.allclose(monthly.values[-1], np.nanmean(fx.values[inside], axis=0), rtol=2e-3)


def test_yields_are_decimals():
    assert at(PAR, "10Y", "2024-09-24") == pytest.approx(0.0374)
    assert at(load_panel("rates_monthly", DEFAULT_AS_OF), "FEDFUNDS", "1981-06-30") == pytest.approx(0.191)
    assert at(load_panel("treasury_cmt_daily", DEFAULT_AS_OF), "10Y", "1981-09-30") == pytest.approx(0.1584)
    assert load_panel("treasury_cmt_daily", "1962-01-02").axis.labels == ("1Y", "3Y", "5Y", "10Y")


def test_saving_accounts_are_billions_and_close():
    accounts = load_panel("external_saving_quarterly", DEFAULT_AS_OF)
    column = {c: accounts.values[:, accounts.axis.index(c)] for c in accounts.axis.labels}
    assert np.nanmax(np.abs(column["GPSAVE"] + column["GGSAVE"] - column["GSAVE"])) < 0.02  # rounded figures
    assert np.nanmax(np.abs(column["EXPGS"] - column["IMPGS"] - column["NETEXP"])) < 0.02


# ---------------------------------------------------------------- point in time

@pytest.mark.parametrize("name", PANELS)
@pytest.mark.parametrize("as_of", [DEFAULT_AS_OF, "2008-09-15", "1999-12-31"])
def test_nothing_is_seen_before_it_was_published(name, as_of):
    panel, series = load_panel(name, as_of), PANELS[name].series
    for j, s in enumerate(series):
        seen = panel.dates[np.isfinite(panel.values[:, j])]
        if not len(seen):
            continue
        last = seen[-1].astype(date)
        lag = s.lag_fourth_quarter if s.lag_fourth_quarter and last.month == 12 else s.lag_days
        assert last + timedelta(days=lag) <= date.fromisoformat(as_of), s.id
    assert np.isfinite(panel.values).any(axis=1).all()
    assert (np.diff(panel.dates) > np.timedelta64(0)).all()


@pytest.mark.parametrize("day, quarter", [
    ("2024-08-28", "2024-03-31"), ("2024-08-29", "2024-06-30"),     # second estimate: 29 August 2024
    ("2024-03-29", "2023-09-30"), ("2024-03-30", "2023-12-31"),     # third estimate: 28 March 2024
])
def test_national_accounts_wait_for_their_release(day, quarter):
    assert str(load_panel("external_saving_quarterly", day).dates[-1]) == quarter


def test_quarterly_market_quotes_come_before_property_prices():
    panel = load_panel("stress_history_quarterly", DEFAULT_AS_OF)
    seen = np.isfinite(panel.values)
    last = {label: str(panel.dates[seen[:, j]][-1]) for j, label in enumerate(panel.axis.labels)}
    assert last["equity_total_market_index"] == last["vix_quarter_max"] == "2024-06-30"
    assert last["house_price_index"] == last["commercial_real_estate_price_index"] == "2024-03-31"


def test_the_default_day_has_currencies_and_treasuries():
    for name in ("fx_daily", "treasury_par_daily", "zero_rates_daily"):
        panel = load_panel(name, DEFAULT_AS_OF)
        assert str(panel.dates[-1]) == DEFAULT_AS_OF and np.isfinite(panel.values[-1]).all()


def test_an_earlier_panel_is_the_beginning_of_a_later_one():
    early, late = load_panel("fx_daily", "2010-06-01"), load_panel("fx_daily", DEFAULT_AS_OF)
    n = len(early.dates)
    assert np.array_equal(early.dates, late.dates[:n])
    assert np.array_equal(early.values, late.values[:n], equal_nan=True)
    assert not early.values.flags.writeable and early.values.flags.c_contiguous


@pytest.mark.parametrize("name, as_of, text", [
    ("fx_daily", "1970-12-31", "1971-01-04 or later"), ("equity_daily", "1998-12-31", "1999-01-04 or later"),
    ("fx_daily", "2024-9-24", "YYYY-MM-DD"), ("fx_daily", "yesterday", "YYYY-MM-DD"),
    ("nothing", "2024-09-24", "unknown panel"),
])
def test_impossible_requests_are_refused(name, as_of, text):
    with pytest.raises(InputError, match=text):
        load_panel(name, as_of)


# ---------------------------------------------------------------- zero rates

def par_by_hand(row, t):
    """Par yield at t, an independent scalar version: linear between quoted tenors, flat before the first."""
    known = [(x, y) for x, y in zip(TENORS, row, strict=True) if np.isfinite(y)]
    return float(np.interp(t, *zip(*known, strict=True)))


def test_par_bonds_are_worth_100_on_every_node_of_the_curve():
    full = np.isfinite(PAR.values[:, TENORS.searchsorted(KEYS)]).all(axis=1)
    rows = PAR.values[full][::60]
    assert len(rows) > 100
    discount = np.exp(-bootstrap_zero_rates(TENORS, rows, GRID) * GRID)
    for row, p in zip(rows, discount, strict=True):
        for n in range(1, 61):
            coupon = par_by_hand(row, n / 2) / 2
            assert abs(100 * (coupon * p[:n].sum() + p[n - 1]) - 100) < 1e-8


def test_panel_of_zero_rates_is_the_bootstrap_at_the_key_rates():
    zero = load_panel("zero_rates_daily", DEFAULT_AS_OF)
    assert zero.axis.labels == tuple(KEY_RATES)
    again = bootstrap_zero_rates(TENORS, PAR.values[-1], KEYS)
    assert np.array_equal(zero.values[-1], again)
    three_months = at(PAR, "3M", DEFAULT_AS_OF)
    assert at(zero, "3M", DEFAULT_AS_OF) == pytest.approx(np.log(1 + three_months / 4) * 4, abs=1e-15)


def test_unquoted_tenors_are_missing_not_invented():
    zero = load_panel("zero_rates_daily", DEFAULT_AS_OF)
    gap = (zero.dates > np.datetime64("2002-02-15")) & (zero.dates < np.datetime64("2006-02-09"))
    assert gap.sum() > 900 and np.isnan(zero.values[gap, zero.axis.index("30Y")]).all()
    assert np.isfinite(zero.values[gap, zero.axis.index("20Y")]).all()
    before = zero.dates < np.datetime64("1993-10-01")
    assert np.isnan(zero.values[before, zero.axis.index("20Y")]).all()
    assert np.isfinite(zero.values[before, zero.axis.index("30Y")]).all()
    assert np.isnan(at(zero, "3M", "2008-12-10")) and np.isfinite(at(zero, "6M", "2008-12-10"))


def test_zero_rates_against_quantlib():
    ql = pytest.importorskip("QuantLib")
    today = ql.Date(15, 1, 2024)
    ql.Settings.instance().evaluationDate = today
    count, none = ql.Thirty360(ql.Thirty360.BondBasis), ql.NullCalendar()
    row = PAR.values[-1]
    helpers = []
    for n in range(1, 61):
        schedule = ql.Schedule(today, today + ql.Period(6 * n, ql.Months), ql.Period(ql.Semiannual), none,
                               ql.Unadjusted, ql.Unadjusted, ql.DateGeneration.Backward, False)
        helpers.append(ql.FixedRateBondHelper(ql.QuoteHandle(ql.SimpleQuote(100.0)), 0, 100.0, schedule,
                                              [par_by_hand(row, n / 2)], count, ql.Unadjusted))
    curve = ql.PiecewiseLogLinearDiscount(today, helpers, count)
    oracle = np.array([curve.zeroRate(today + ql.Period(6 * n, ql.Months), count, ql.Continuous).rate()
                       for n in range(1, 61)])
    assert np.abs(bootstrap_zero_rates(TENORS, row, GRID) - oracle).max() < 1e-10


def test_a_flat_curve_is_flat():
    zero = bootstrap_zero_rates(TENORS, np.full(len(TENORS), 0.05), np.append(KEYS[1:], 12.5))
    assert np.allclose(zero, 2 * np.log(1.025), atol=1e-14)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-0.01, 0.15), min_size=13, max_size=13), st.sets(st.integers(0, 12), max_size=12))
def test_any_curve_with_holes_reprices(yields, holes):
    row = np.array(yields)
    row[list(holes)] = np.nan
    zero = bootstrap_zero_rates(TENORS, np.vstack([row, PAR.values[-1], row]), GRID)
    assert np.array_equal(zero[0], zero[2], equal_nan=True)
    alone = bootstrap_zero_rates(TENORS, PAR.values[-1], GRID)
    assert np.array_equal(zero[1], alone)  # rows do not disturb each other
    last = TENORS[np.isfinite(row)].max()
    half_years = int(last * 2 + 1e-9)
    par = np.array([par_by_hand(row, t) for t in GRID[:half_years]])
    quoted = np.isfinite(zero[0])
    assert not quoted[half_years:].any()
    discount = []
    for coupon in par / 2:  # the recursion written out once more
        discount.append((1 - coupon * sum(discount)) / (1 + coupon))
    ours = zero[0, :half_years][quoted[:half_years]]
    positive = np.array(discount) > 0  # a steeply inverted curve can have no positive discount factors
    with np.errstate(invalid="ignore", divide="ignore"):
        wanted = -np.log(np.array(discount)) / GRID[:half_years]
    both = quoted[:half_years] & positive
    assert np.allclose(zero[0, :half_years][both], wanted[both], rtol=1e-9, atol=1e-12)
    assert np.isfinite(ours).all()


@pytest.mark.parametrize("tenors, yields, zeros", [
    ([1, 2], [0.05], [1]), ([2, 1], [0.05, 0.05], [1]), ([1, 2], [5.0, 5.0], [1]),
    ([1, 2], [0.05, 0.05], [1.3]),
])
def test_impossible_curves_are_refused(tenors, yields, zeros):
    with pytest.raises(InputError):
        bootstrap_zero_rates(np.array(tenors, float), np.array(yields), np.array(zeros, float))
