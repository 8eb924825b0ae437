"""What traders type, right and wrong: the position that comes of it to the last term, or the reason why not."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError
from riskengine.instruments.equity import EquityFuture, EquityHolding, EquityOption
from riskengine.instruments.fx import FxForward, FxOption, FxSpot
from riskengine.instruments.options import Strike
from riskengine.instruments.portfolio import Portfolio, compile_book
from riskengine.instruments.real_estate import Property, Residential
from riskengine.instruments.trade_text import TradeDefaults, parse_trade
from riskengine.instruments.treasury import PAR, TreasuryBill, TreasuryCouponBond
from riskengine.instruments.valuation import Valuation

TEN = date(2034, 9, 24)
NEW_10Y = TreasuryCouponBond(250e6, TEN, PAR)


@pytest.fixture(scope="module")
def snapshot(world):
    return world.snapshot


def position(sentence, snapshot):
    return parse_trade(sentence, snapshot).position


@pytest.mark.parametrize(("sentence", "instrument"), [
    ("buy 250m UST 10Y", NEW_10Y),
    ("BUY 250MM US TREASURY 10 YR", NEW_10Y),
    ("long 250mio ust 10yr", NEW_10Y),
    ("bot 0.25bn T 10y", NEW_10Y),
    ("+250m UST 10y", NEW_10Y),
    ("buy $250m 10y treasury note", NEW_10Y),
    ("UST 10Y buy 250,000,000", NEW_10Y),
    ("go long 250 million Treasuries 10 years please", NEW_10Y),
    ("-250m UST 10Y", replace(NEW_10Y, face=-250e6)),
    ("short 250m UST 10-year", replace(NEW_10Y, face=-250e6)),
    ("sell 100m UST 4.25% 2034-08-15", TreasuryCouponBond(-100e6, date(2034, 8, 15), 0.0425)),
    ("buy 100m T 4 1/4 15 Aug 2034", TreasuryCouponBond(100e6, date(2034, 8, 15), 0.0425)),
    ("buy 1.5bn t-bill 6m", TreasuryBill(1.5e9, date(2025, 3, 24))),
    ("buy 3m UST 3m", TreasuryBill(3e6, date(2024, 12, 24))),
    ("buy 10k UST 30y", TreasuryCouponBond(10e3, date(2054, 9, 24), PAR)),
    ("buy 100m EUR", FxSpot("EUR", 100e6)),
    ("sell 100m eur/usd spot", FxSpot("EUR", -100e6)),
    ("buy EUR 100m 3m forward vs USD", FxForward("EUR", 100e6, date(2024, 12, 24), Strike(1.0, "forward"))),
    ("sell 10bn JPY 6m fwd", FxForward("JPY", -10e9, date(2025, 3, 24), Strike(1.0, "forward"))),
    ("buy 100m EURUSD 2025-01-15 @ 1.13", FxForward("EUR", 100e6, date(2025, 1, 15), Strike(1.13))),
    ("buy 100m EURUSD 1.25 call 6M", FxOption("EUR", 100e6, date(2025, 3, 24), Strike(1.25), 1.0)),
    ("sell EURUSD 6m 1.05 put 100mm", FxOption("EUR", -100e6, date(2025, 3, 24), Strike(1.05), -1.0)),
    ("buy 100m cable 1.35p 2025-03-20", FxOption("GBP", 100e6, date(2025, 3, 20), Strike(1.35), -1.0)),
    ("short 2000 ES", EquityFuture("SP500", -2000.0, 50.0, date(2024, 12, 20))),
    ("sell 300 ES Mar 2025", EquityFuture("SP500", -300.0, 50.0, date(2025, 3, 21))),
    ("long 100 ESZ4", EquityFuture("SP500", 100.0, 50.0, date(2024, 12, 20))),
    ("buy 50 NQ Dec", EquityFuture("NASDAQ", 50.0, 20.0, date(2024, 12, 20))),
    ("buy 100m SPX cash", EquityHolding("SP500", value=100e6)),
    ("sell 40m S&P 500", EquityHolding("SP500", value=-40e6)),
    ("buy 500 SPX put 5500 3M", EquityOption("SP500", 500.0, 100.0, date(2024, 12, 24), Strike(5500.0), -1.0)),
    ("sell 200 SPX 6000c 3M", EquityOption("SP500", -200.0, 100.0, date(2024, 12, 24), Strike(6000.0), 1.0)),
    ("listed real estate 20m buy", EquityHolding("LISTED_REAL_ESTATE", value=20e6)),
    ("short 30m REITs", EquityHolding("LISTED_REAL_ESTATE", value=-30e6)),
    ("buy 20m exporters basket", EquityHolding("EXPORTERS", value=20e6)),
    ("buy 50m office NY cap 6.5%", Property("OFFICE", 3.25e6, 0.065)),
    ("buy 80m multifamily cap 5% ltv 50% loan 5.5%", Property("MULTIFAMILY", 4e6, 0.05, ltv=0.5, loan_rate=0.055)),
    ("buy 50m homes miami", Residential("MIAMI", 50e6)),
    ("buy 10m residential New York", Residential("NEW_YORK", 10e6)),
])
def test_a_sentence_gives_this_position(sentence, instrument, snapshot):
    assert position(sentence, snapshot).instrument == instrument


@pytest.mark.parametrize(("sentence", "sign"), [
    ("sell 500m USDJPY 3M fwd", 1), ("buy 500m usd/jpy 3m fwd", -1), ("sell usd 500m against jpy 3m", 1),
    ("sell 500 m\tUSDJPY\n3M  fwd", 1),
])
def test_the_side_and_the_size_are_those_of_the_first_currency(sentence, sign, snapshot):
    deal = position(sentence, snapshot).instrument
    market = Valuation(snapshot, FACTORS, None)
    t = market.years_to(deal.maturity)
    forward = snapshot.spot["JPY"] * math.exp(-market.short_rate("JPY") * t) / market.discount(t)
    assert (deal.currency, deal.maturity, deal.rate) == ("JPY", date(2024, 12, 24), Strike(1.0, "forward"))
    assert deal.notional * forward == pytest.approx(sign * 500e6, rel=1e-12)


def test_a_call_on_the_dollar_is_a_put_on_the_yen_worth_the_same_at_expiry(snapshot):
    deal = position("buy 100m USDJPY 150 call 6M", snapshot).instrument
    assert (deal.currency, deal.sign) == ("JPY", -1.0)
    strike = deal.strike.resolve(snapshot.spot["JPY"], snapshot.spot["JPY"])
    for rate in (120.0, 149.9, 160.0, 200.0):  # yen per dollar at expiry
        in_dollars = 100e6 * max(rate - 150.0, 0.0) / rate
        assert deal.notional * max(strike - 1.0 / rate, 0.0) == pytest.approx(in_dollars, rel=1e-12, abs=1e-6)


@pytest.mark.parametrize("kind", ["call", "put"])
def test_a_strike_by_delta_has_that_delta(kind, snapshot):
    deal = position(f"buy 100m EURUSD 25 delta {kind} 3m", snapshot).instrument
    market = Valuation(snapshot, FACTORS, None)
    t = market.years_to(deal.expiry)
    forward = snapshot.spot["EUR"] * math.exp(-market.short_rate("EUR") * t) / market.discount(t)
    deviation = market.implied_volatility("FX_EUR", "EUR", "fx", t) * math.sqrt(t)
    d1 = math.log(forward / deal.strike.value) / deviation + deviation / 2
    delta = 0.5 * math.erfc(-d1 / math.sqrt(2)) - (kind == "put")
    assert abs(delta) == pytest.approx(0.25, abs=1e-9)
    assert (deal.strike.value > forward) == (kind == "call")


def test_a_size_in_dv01_gives_a_book_with_that_dv01(snapshot):
    found = parse_trade("10k dv01 UST 5y short", snapshot)
    book = compile_book(Portfolio(snapshot.as_of, (found.position,)), snapshot)
    moves = np.zeros((len(FACTORS), 1))
    moves[[i for i, f in enumerate(FACTORS.labels) if f.startswith("UST_")]] = 1e-6
    assert book.pnl(moves).sum() * 100 == pytest.approx(10_000, rel=1e-4)
    assert "10,000 USD per bp" in found.understood


@pytest.mark.parametrize(("sentence", "words"), [
    ("sell 500m USDJPY 3M fwd", ("sell USD 500m against JPY", "2024-12-24", "today's forward", "buy JPY 71")),
    ("buy 250m UST 10Y", ("USD 250m face", "2034-09-24", "par coupon", "DV01")),
    ("buy 100m EURUSD 1.25 call 6M", ("call on EUR 100m", "strike 1.25", "2025-03-24", "spot 1.115")),
    ("short 2000 ES", ("sell 2,000 ES", "USD 50", "2024-12-20", "5,732.93", "573.29")),
    ("buy 50m office NY cap 6.5%", ("office", "New York", "USD 50m", "6.5%", "USD 3.25m a year")),
])
def test_what_was_understood_is_said_precisely(sentence, words, snapshot):
    understood = parse_trade(sentence, snapshot).understood
    assert [w for w in words if w not in understood] == []


@pytest.mark.parametrize(("sentence", "reason"), [
    ("", "empty"), ("   ", "empty"), (None, "a trade is a sentence"), (7, "a trade is a sentence"),
    ("buy UST 10Y", "size is missing"), ("250m UST 10Y", "side is missing"), ("buy 250m", "instrument is missing"),
    ("buy 250m 10Y", "instrument is missing"), ("buy 250m UST", "date is missing"),
    ("buy 250 UST 10y", "250 of what"), ("buy 0m UST 10Y", "must be positive"), ("buy 900tn UST 10y", "out of range"),
    ("buy 100m EURJPY 3m fwd", "cross"), ("buy EUR 100m vs JPY", "cross"), ("buy 100m USDTRY", "unknown currency TRY"),
    ("buy 100m EUREUR", "two different"), ("buy 100m USDJPY 1.25 call 6M", "makes no sense for USDJPY"),
    ("buy 100m EURUSD 125 call 6m", "makes no sense for EURUSD"), ("buy 500 spx 55 put 3m", "makes no sense for SP500"),
    ("buy 100m JPYUSD 150 call 6m", "inverse quote"), ("buy 100m EURUSD call 6M", "strike is missing"),
    ("buy 100m EURUSD 1.10 ATM call 6M", "more than one strike"), ("buy 100m EURUSD 1.25 call", "date is missing"),
    ("sell -250m UST 10Y", "two meanings"), ("buy 100m EURUSD 1.25 call 2020-01-01", "has expired"),
    ("sell 250m UST 4.25% 2024-08-15", "has expired"), ("sell 100m EURUSD 9/12/24 fwd", "two ways"),
    ("buy 100m EURUSD 2025-02-30 fwd", "no such date"), ("buy 250m UST 10Y and sell 500m USDJPY 3M fwd", "two trades"),
    ("buy 250m UST 10Y 500m USDJPY", "more than one size"), ("buy 250m UST 10Y 5Y", "more than one maturity"),
    ("long short 5m UST 2y", "two trades"), ("buy buy 5m UST 2y", "given twice"), ("buy 100m EUR UST 10y", "in USD"),
    ("buy EURUSD 3m fwd 10m", "million"), ("buy 250m TIPS 10Y", "TIPS"), ("buy 100 TY", "Treasury futures"),
    ("buy 50m bund 10y", "foreign government"), ("pay 50m IRS 10y", "swaps"), ("buy 100m EURUSD straddle 6M", "legs"),
    ("buy 100m gold", "risk factors"), ("sell 50m office NY cap 6.5%", "sold short"),
    ("buy 50m office cap 65%", "between 1% and 30%"), ("buy 50m office ltv 50%", "interest rate"),
    ("buy 50m homes", "where"), ("buy 50m homes chicago", "'chicago'"), ("short 2000m ES", "contracts"),
    ("buy 250m UST 45Y", "30 years"), ("buy 1.5 banana", "'banana'"), ("buy nan UST 10Y", "'nan'"),
    ("'; DROP TABLE positions; --", "characters"), ("<script>alert(1)</script>", "characters"),
    ("__import__('os').system('ls')", "not understood"), ("buy " + "9" * 10_000, "10,004 characters"),
    ("buy 250m UST 10Y\x1b[31m", "characters"), ("buy 100m EURUSD 1.25", "not clear"), ("buy 5 eggs", "'eggs'"),
])
def test_a_sentence_is_refused_with_its_reason(sentence, reason, snapshot):
    with pytest.raises(InputError) as refused:
        parse_trade(sentence, snapshot)
    text = str(refused.value)
    assert reason in text
    assert refused.value.problems[0].accepted, "a refusal says what would be accepted"
    assert len(text) < 700 and "\x1b" not in text


def test_labels_and_defaults(snapshot):
    told = parse_trade("BUY 250M UST 10Y desk=rates book=curve", snapshot, TradeDefaults("d", "b", "s"), "N-1").position
    assert (told.position_id, told.desk, told.book, told.strategy) == ("N-1", "rates", "curve", "s")
    assert position("buy 250m UST 10Y", snapshot).desk == "what_if"


def test_a_cross_is_answered_with_the_two_trades_that_make_it(snapshot):
    with pytest.raises(InputError) as refused:
        parse_trade("buy 100m EURJPY 3m fwd", snapshot)
    accepted = refused.value.problems[0].accepted
    assert "buy 100m EURUSD" in accepted and f"buy {100 * snapshot.spot['EUR']:.4g}m USDJPY" in accepted


WORDS = ["buy", "sell", "250m", "3m", "10Y", "UST", "EURUSD", "1.25", "call", "fwd", "ES", "2000", "-", "+", "atm", "25d",
         "office", "NY", "cap", "6.5%", "dec", "2034-08-15", "vs", "JPY", "dv01", "@", "/", "4 1/4", "k", "bn"]


@settings(max_examples=300, deadline=None)
@given(sentence=st.one_of(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join), st.text(max_size=60)))
def test_any_text_is_a_position_or_a_reason(sentence, snapshot):
    try:
        found = parse_trade(sentence, snapshot)
    except InputError as refused:
        assert all(p.rule for p in refused.problems)
    else:
        compile_book(Portfolio(snapshot.as_of, (found.position,)), snapshot)
        assert found.understood.startswith(("buy ", "sell "))
