"""QuantLib as oracle, live: dated Treasuries, currency and index options, before and after moves."""

from __future__ import annotations

import dataclasses
from datetime import date

import numpy as np
import pytest

from riskengine.base.axes import FACTORS, KEY_RATES
from riskengine.instruments.portfolio import Portfolio, compile_book, parse_position
from riskengine.market import MarketInput

ql = pytest.importorskip("QuantLib", reason="QuantLib is not installed: no oracle")

AS_OF = date(2024, 9, 24)
NODES = {"3M": 91, "6M": 183, "1Y": 365, "2Y": 730, "3Y": 1095, "5Y": 1825, "7Y": 2555, "10Y": 3650, "20Y": 7300,
         "30Y": 10950}
"""Days to the curve's nodes; 91 and 183 days are not 0.25 and 0.5 years, so moves up to 1Y are equal."""


@pytest.fixture(scope="module")
def market(snapshot):
    tenors = np.array([d / 365 for d in NODES.values()])
    flat = {f"implied_vol.{n}": MarketInput(f"implied_vol.{n}", v, None, "", "2024-09-24", "test", False)
            for n, v in (("EUR", 0.07), ("JPY", 0.11), ("SP500", 0.17), ("NASDAQ", 0.22))}
    return dataclasses.replace(snapshot, zero_tenors=tenors, inputs=snapshot.inputs | flat)


def book_of(market, *rows):
    rows = [{"position_id": f"p{i}", "desk": "d", "book": "b", "strategy": "s", **row} for i, row in enumerate(rows)]
    return compile_book(Portfolio(market.as_of, tuple(parse_position(r, market.as_of) for r in rows)), market)


def ql_date(day):
    return ql.Date(day.day, day.month, day.year)


def ql_curve(market, moves):
    """Zero curve with the key-rate moves added at its nodes (flat before the first)."""
    ql.Settings.instance().evaluationDate = ql_date(AS_OF)
    shocked = market.zero_rates + [moves[FACTORS.index(f"UST_{k}")] for k in KEY_RATES]
    dates = [ql_date(AS_OF)] + [ql_date(AS_OF) + d for d in NODES.values()]
    curve = ql.ZeroCurve(dates, [shocked[0], *shocked], ql.Actual365Fixed(), ql.NullCalendar(), ql.Linear(),
                         ql.Continuous)
    curve.enableExtrapolation()
    return ql.YieldTermStructureHandle(curve)


def some_moves():
    rng = np.random.default_rng(4)
    columns = [np.zeros(len(FACTORS))]
    for scale in (1.0, 3.0):
        x = rng.normal(size=len(FACTORS)) * scale * 0.03
        for k, label in enumerate(KEY_RATES):
            x[FACTORS.index(f"UST_{label}")] = rng.normal() * scale * 0.004 if k > 2 else 0.002 * scale
        columns.append(x)
    return np.array(columns).T


@pytest.mark.parametrize("maturity, coupon", [
    ("2026-08-31", 0.0375), ("2029-02-28", 0.0425), ("2031-08-31", 0.03625), ("2034-08-15", 0.03875),
    ("2044-08-15", 0.04125), ("2054-05-15", 0.04625), ("2049-11-15", 0.0),
])
def test_treasuries(market, maturity, coupon):
    book = book_of(market, {"type": "treasury_bond", "quantity": "1e6", "maturity": maturity, "coupon": str(coupon)})
    moves = some_moves()
    day = date.fromisoformat(maturity)
    for column in range(moves.shape[1]):
        schedule = ql.Schedule(ql.Date(24, 9, 2020), ql_date(day), ql.Period(ql.Semiannual), ql.NullCalendar(),
                               ql.Unadjusted, ql.Unadjusted, ql.DateGeneration.Backward, True)
        bond = ql.FixedRateBond(0, 1e6, schedule, [coupon], ql.ActualActual(ql.ActualActual.ISMA))
        bond.setPricingEngine(ql.DiscountingBondEngine(ql_curve(market, moves[:, column])))
        got = book.base_value[0] + book.pnl(moves[:, [column]])[0, 0]
        assert got == pytest.approx(bond.NPV(), rel=2e-9)


@pytest.mark.parametrize("kind, name, strike, put_call, expiry", [
    ("fx_option", "EUR", 1.10, "call", "2024-12-24"), ("fx_option", "EUR", 1.16, "put", "2025-09-24"),
    ("fx_option", "JPY", 0.0072, "call", "2026-03-24"), ("fx_option", "JPY", 0.0065, "put", "2024-10-08"),
    ("equity_option", "SP500", 5200.0, "put", "2024-12-20"), ("equity_option", "SP500", 6000.0, "call", "2025-06-20"),
    ("equity_option", "NASDAQ", 18000.0, "put", "2026-09-18"),
])
def test_options(market, kind, name, strike, put_call, expiry):
    is_fx = kind == "fx_option"
    row = {"type": kind, "expiry": expiry, "strike": repr(strike), "put_call": put_call}
    row |= {"currency": name, "notional": "1e6"} if is_fx else {"underlying": name, "quantity": "1", "multiplier": "1"}
    size = 1e6 if is_fx else 1.0
    book = book_of(market, row)
    moves = some_moves()
    spot = market.spot[name] if is_fx else market.inputs[f"level.{name}"].value
    income = market.inputs[f"short_rate.{name}" if is_fx else f"dividend_yield.{name}"].value
    for column in range(moves.shape[1]):
        x = moves[:, column]
        vol = market.inputs[f"implied_vol.{name}"].value * np.exp(x[FACTORS.index("VOL_FX" if is_fx else "VOL_EQUITY")])
        shocked = spot * np.exp(x[FACTORS.index(f"FX_{name}" if is_fx else f"EQ_{name}")])
        curve = ql_curve(market, x)
        today = ql_date(AS_OF)
        flat = ql.YieldTermStructureHandle(ql.FlatForward(today, income, ql.Actual365Fixed()))
        surface = ql.BlackVolTermStructureHandle(
            ql.BlackConstantVol(today, ql.NullCalendar(), float(vol), ql.Actual365Fixed()))
        quote = ql.QuoteHandle(ql.SimpleQuote(float(shocked)))
        process = (ql.GarmanKohlagenProcess if is_fx else ql.BlackScholesMertonProcess)(quote, flat, curve, surface)
        option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call if put_call == "call" else ql.Option.Put, strike),
                                  ql.EuropeanExercise(ql_date(date.fromisoformat(expiry))))
        option.setPricingEngine(ql.AnalyticEuropeanEngine(process))
        got = (book.base_value[0] + book.pnl(moves[:, [column]])[0, 0]) / size
        assert got == pytest.approx(option.NPV(), rel=1e-8, abs=1e-9 * shocked)
