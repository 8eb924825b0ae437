"""The market at the close of a day: last observations, their dates, and where equity levels come from."""

import numpy as np
import pytest

from riskengine.base.axes import CURRENCIES, EQUITIES, KEY_RATES
from riskengine.base.errors import InputError
from riskengine.data.catalog import DEFAULT_AS_OF, TENOR_YEARS
from riskengine.data.panels import load_panel
from riskengine.data.snapshot import covered_range, equity_level, load_snapshot
from riskengine.market import MarketInput, bootstrap_zero_rates


def level(value: float, date: str, name: str = "SP500") -> MarketInput:
    return MarketInput(f"level.{name}", value, 0.0, "index points", date, "entered by hand", False)


def test_default_day_is_complete_and_of_that_day():
    market = load_snapshot(DEFAULT_AS_OF, {})
    assert tuple(market.spot) == CURRENCIES and market.spot["EUR"] == pytest.approx(1.115)
    assert market.zero_tenors.tolist() == list(KEY_RATES.values())
    assert np.array_equal(market.zero_rates, load_panel("zero_rates_daily", DEFAULT_AS_OF).values[-1])
    assert market.par_yields["10Y"] == pytest.approx(0.0374) and set(KEY_RATES) < set(market.par_yields)
    daily = {d for key, d in market.dates.items() if key.startswith(("fx_daily", "treasury_par_daily"))}
    assert daily == {DEFAULT_AS_OF} and len(market.dates) == 21 + 13 + 2


def test_weekend_takes_friday():
    sunday, friday = load_snapshot("2024-09-22", {}), load_snapshot("2024-09-20", {})
    assert sunday.as_of == "2024-09-22" and sunday.spot == friday.spot
    assert sunday.dates["fx_daily.JPY"] == "2024-09-20"
    assert np.array_equal(sunday.zero_rates, friday.zero_rates)


def test_a_few_days_after_the_data_end_the_last_curve_serves_with_its_date():
    market = load_snapshot("2024-10-02", {})
    assert market.dates["treasury_par_daily.10Y"] == "2024-09-24"
    assert market.dates["fx_daily.EUR"] == "2024-10-02"


@pytest.mark.parametrize("as_of", ["1989-12-29", "1960-01-04", "2024-10-05", "2031-01-02"])
def test_outside_the_data_is_refused_with_the_range(as_of):
    with pytest.raises(InputError, match="1990-01-02 … 2024-09-24"):
        load_snapshot(as_of, {})


def test_covered_range():
    assert tuple(map(str, covered_range())) == ("1990-01-02", "2024-09-24")


def test_malformed_date():
    with pytest.raises(InputError, match="YYYY-MM-DD"):
        load_snapshot("24 Sep 2024", {})


# ---------------------------------------------------------------- equity levels

def test_daily_close_while_the_daily_history_lasts():
    market = load_snapshot("2015-03-02", {"level.SP500": level(5732.93, "2024-09-24")})
    assert market.equity_levels == {"SP500": 2117.389893, "NASDAQ": 5008.100098}
    used = market.inputs["level.SP500"]
    assert used.value == 2117.389893 and not used.assumed and market.dates["level.SP500"] == "2015-03-02"


def test_entered_level_when_it_is_known_and_newer():
    market = load_snapshot(DEFAULT_AS_OF, {"level.SP500": level(5732.93, "2024-09-24")})
    assert market.equity_levels["SP500"] == 5732.93 and market.dates["level.SP500"] == "2024-09-24"
    assert not market.inputs["level.SP500"].assumed
    assert market.inputs["level.NASDAQ"].assumed  # nothing entered: the quarterly index, marked


def test_quarterly_index_otherwise_and_never_a_later_level():
    market = load_snapshot("2023-06-30", {"level.SP500": level(5732.93, "2024-09-24")})
    history = load_panel("stress_history_quarterly", "2023-06-30")
    index = history.values[:, history.axis.index("equity_total_market_index")]
    growth = index[-1] / index[list(map(str, history.dates)).index("2018-12-31")]
    used = market.inputs["level.SP500"]
    assert used.value == pytest.approx(2506.850098 * growth, rel=1e-12)
    assert used.date == market.dates["level.SP500"] == "2023-06-30"
    assert used.assumed and "2018-12-31" in used.source
    assert abs(used.value / 4450.38 - 1) < 0.05  # the close of that day: the total market is near, not equal


def test_an_old_entered_level_yields_to_a_newer_quarter():
    used = equity_level("SP500", "2023-06-30", level(3000.0, "2020-03-31"))
    assert used.date == "2023-06-30" and used.assumed
    assert equity_level("SP500", "2023-06-30", level(4400.0, "2023-06-01")).value == 4400.0


def test_before_the_first_close_and_baskets_have_no_level_of_their_own():
    assert load_snapshot("1992-05-04", {}).equity_levels == {}
    market = load_snapshot(DEFAULT_AS_OF, {"level.EXPORTERS": level(100.0, "2024-09-01", "EXPORTERS")})
    assert market.equity_levels["EXPORTERS"] == 100.0
    assert set(market.equity_levels) == {"SP500", "NASDAQ", "EXPORTERS"}
    assert set(market.equity_levels) < set(EQUITIES)


# ---------------------------------------------------------------- what is not quoted

def test_currencies_not_yet_quoted_are_absent():
    market = load_snapshot("1992-05-04", {})
    assert {"EUR", "BRL", "MXN"}.isdisjoint(market.spot) and "JPY" in market.spot


def test_unquoted_key_rates_are_filled_and_marked():
    market = load_snapshot("2004-05-05", {})
    assert "30Y" not in market.par_yields and market.inputs["par_yield.30Y"].assumed
    assert market.inputs["par_yield.30Y"].value == market.par_yields["20Y"]
    early = load_snapshot("1992-05-04", {})
    assert early.inputs["par_yield.20Y"].value == pytest.approx(
        (early.par_yields["10Y"] + early.par_yields["30Y"]) / 2, abs=1e-12)
    for m in (market, early):
        assert np.isfinite(m.zero_rates).all()
        quoted = sorted(m.par_yields, key=TENOR_YEARS.get)
        direct = bootstrap_zero_rates(np.array([TENOR_YEARS[t] for t in quoted]),
                                      np.array([m.par_yields[t] for t in quoted]), m.zero_tenors)
        same = np.isfinite(direct)
        assert same.sum() >= 8 and np.allclose(m.zero_rates[same], direct[same], atol=1e-12)


def test_other_inputs_pass_through_untouched():
    row = MarketInput("short_rate.EUR", 0.035, 0.001, "decimal", "2024-09-18", "ECB", False)
    given = {"short_rate.EUR": row, "level.SP500": level(1.0, "2030-01-01")}
    market = load_snapshot(DEFAULT_AS_OF, given)
    assert market.inputs["short_rate.EUR"] is row and market.equity_levels["SP500"] > 1000
    assert set(given) == {"short_rate.EUR", "level.SP500"}  # the caller's table is left alone
