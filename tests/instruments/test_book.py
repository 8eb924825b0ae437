"""The compiled book: bits that do not depend on the chunk, sums, carry, settlement inside the horizon."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError
from riskengine.base.units import Horizon
from riskengine.instruments.book import keep_priceable
from riskengine.instruments.portfolio import Portfolio, compile_book, parse_position

TEN_DAYS = Horizon(10, 1)
LABELS = {"desk": "d", "book": "b", "strategy": "s"}


def make(snapshot, *rows, horizon=None):
    """Book of rows given as dicts of text."""
    positions = [
        parse_position({"position_id": f"p{i}", **LABELS, **row}, snapshot.as_of) for i, row in enumerate(rows)
    ]
    return compile_book(Portfolio(snapshot.as_of, tuple(positions)), snapshot, horizon=horizon)


def still(book, n=1):
    return np.zeros((len(FACTORS), n)), np.zeros((len(book.fixings), n))


def test_bits_do_not_depend_on_where_a_path_sits(portfolio, snapshot, draw_moves):
    book = compile_book(portfolio, snapshot, horizon=Horizon(26, 5))
    n = 1_777
    moves, fixing_moves = draw_moves(n, 1), draw_moves(n, 2, rows=len(book.fixings))
    whole = book.pnl(moves, fixing_moves)
    for lo, hi in ((0, 1), (5, 6), (239, 241), (3, 1_000), (1_000, n)):
        part = book.pnl(moves[:, lo:hi], fixing_moves[:, lo:hi])
        assert part.tobytes() == np.ascontiguousarray(whole[:, lo:hi]).tobytes()


def test_parts_written_in_place_are_the_whole(portfolio, snapshot, draw_moves):
    book = compile_book(portfolio, snapshot, horizon=Horizon(26, 5))
    n = 1_000
    moves, fixing_moves = draw_moves(n, 1), draw_moves(n, 2, rows=len(book.fixings))
    whole = book.pnl(moves, fixing_moves)
    out = np.full_like(whole, -1.0)
    for first, last in ((700, 1_000), (0, 333), (333, 333), (333, 690)):
        book.pnl_into(out, moves, first, last, fixing_moves)
    assert out[:, :690].tobytes() == whole[:, :690].tobytes()
    assert out[:, 700:].tobytes() == whole[:, 700:].tobytes()
    assert np.all(out[:, 690:700] == -1.0), "nothing outside the part is touched"


@pytest.mark.parametrize("spoil", [
    lambda out: (out[:, ::2], 0, 5), lambda out: (out.astype(np.float32), 0, 5), lambda out: (out[1:], 0, 5),
    lambda out: (out, -1, 5), lambda out: (out, 5, 4), lambda out: (out, 0, 11),
])
def test_a_part_that_does_not_fit_is_refused(portfolio, snapshot, draw_moves, spoil):
    book = compile_book(portfolio, snapshot)
    out, first, last = spoil(np.zeros((len(book.group_labels), 10)))
    with pytest.raises(InputError, match="out must be|inside the paths"):
        book.pnl_into(out, draw_moves(10, 1), first, last)


def test_read_only_and_float32_inputs_give_the_same_numbers(portfolio, snapshot, draw_moves):
    book = compile_book(portfolio, snapshot)
    moves = draw_moves(10, 1).astype(np.float32).astype(np.float64)
    frozen = moves.copy()
    frozen.setflags(write=False)
    assert np.array_equal(book.pnl(frozen), book.pnl(moves))
    assert np.array_equal(book.pnl(moves.astype(np.float32)), book.pnl(moves))


def test_leaf_groups_are_sums_of_their_positions(portfolio, snapshot, draw_moves):
    book = compile_book(portfolio, snapshot, horizon=TEN_DAYS)
    moves, fixing_moves = draw_moves(50, 3), draw_moves(50, 4, rows=len(book.fixings))
    groups, positions = book.pnl(moves, fixing_moves), book.pnl_by_position(moves, fixing_moves)
    summed = np.zeros_like(groups)
    np.add.at(summed, book.group_of, positions)
    assert np.allclose(groups, summed, rtol=0, atol=1e-5)  # USD, on values of 1e9
    assert book.group_dimensions == ("desk", "book", "strategy", "asset_class", "region")
    assert len(book.group_labels) == len(set(book.group_labels)) == groups.shape[0]
    for i, position in enumerate(portfolio.positions):
        label = dict(zip(book.group_dimensions, book.group_labels[book.group_of[i]], strict=True))
        assert (label["desk"], label["asset_class"]) == (position.desk, position.asset_class)


def test_the_shipped_book_has_the_promised_size_and_breadth(portfolio, snapshot):
    book = compile_book(portfolio, snapshot)
    currencies = {p.instrument.currency for p in portfolio.positions if p.asset_class == "fx"}
    assert 55 <= len(book.position_ids) <= 70
    assert 9e9 < book.nav < 11.5e9
    assert len(currencies) >= 10
    assert {"JPY", "CNY", "KRW", "TWD", "SGD", "INR", "THB"} <= currencies
    assert {"fx", "treasury", "equity", "real_estate"} == set(book.asset_class)
    assert len({p.desk for p in portfolio.positions}) == 6


def test_no_move_and_no_time_is_no_profit(portfolio, snapshot):
    book = compile_book(portfolio, snapshot)
    moves, fixings = still(book)
    assert np.abs(book.pnl_by_position(moves, fixings)).max() < 1e-4  # USD
    assert book.fixings == ()


def test_long_and_short_cancel(snapshot, draw_moves):
    option = {"type": "fx_option", "currency": "EUR", "expiry": "6M", "strike": "102%F", "put_call": "call"}
    book = make(snapshot, option | {"notional": "1e8"}, option | {"notional": "-1e8"}, horizon=TEN_DAYS)
    pnl = book.pnl_by_position(draw_moves(20, 5))
    assert np.array_equal(pnl[0], -pnl[1])
    assert book.notional[0] == -book.notional[1] > 0


def test_put_call_parity(snapshot, draw_moves):
    option = {"type": "fx_option", "currency": "JPY", "expiry": "6M", "strike": "98%", "notional": "1e10"}
    spot = snapshot.spot["JPY"]
    book = make(snapshot, option | {"put_call": "call"}, option | {"put_call": "put", "notional": "-1e10"},
                {"type": "fx_forward", "currency": "JPY", "notional": "-1e10", "maturity": "6M",
                 "forward_rate": repr(0.98 * spot)}, horizon=TEN_DAYS)
    assert abs(book.base_value.sum()) < 1e-3
    assert np.abs(book.pnl_by_position(draw_moves(20, 6)).sum(axis=0)).max() < 1e-3


def test_a_bill_earns_its_yield_and_is_held_as_cash_after_redemption(snapshot):
    row = {"type": "treasury_bill", "quantity": "1e6", "maturity": "3M"}
    t, h = 91 / 365, TEN_DAYS.years
    z = np.interp([t, t - h], snapshot.zero_tenors, snapshot.zero_rates)
    book = make(snapshot, row, horizon=TEN_DAYS)
    moves, fixings = still(book)
    wanted = 1e6 * (math.exp(-z[1] * (t - h)) - math.exp(-z[0] * t))
    assert book.pnl(moves, fixings)[0, 0] == pytest.approx(wanted, rel=1e-9)
    redeemed = make(snapshot, row, horizon=Horizon(26, 5))
    moves, fixings = still(redeemed)
    moves[FACTORS.index("UST_3M")] = 0.05
    assert redeemed.pnl(moves, fixings)[0, 0] == pytest.approx(1e6 * (1 - math.exp(-z[0] * t)), rel=1e-9)


def test_a_coupon_inside_the_horizon_is_received(snapshot):
    row = {"type": "treasury_note", "quantity": "1e6", "maturity": "2029-10-01", "coupon": "0.06"}
    book = make(snapshot, row, horizon=TEN_DAYS)
    carry = book.pnl(*still(book))[0, 0]
    assert 0 < carry < 4_000  # the coupon of 30,000 is part of today's dirty price
    assert book.base_value[0] == pytest.approx(1e6 * (0.06 / 2 + 1 + 0.024 * 4.6), rel=0.02)


def test_an_option_that_expires_inside_pays_at_its_fixing_not_at_the_horizon(snapshot):
    row = {"type": "fx_option", "currency": "EUR", "notional": "1e6", "expiry": "1W", "strike": "ATM",
           "put_call": "call"}
    book = make(snapshot, row, horizon=TEN_DAYS)
    assert book.fixings == ((FACTORS.index("FX_EUR"), 4),)
    moves, fixings = still(book, 2)
    moves[FACTORS.index("FX_EUR")] = 0.2
    fixings[0] = [0.05, -0.05]
    spot = snapshot.spot["EUR"]
    wanted = np.array([1e6 * spot * math.expm1(0.05), 0.0]) - book.base_value[0]
    assert book.pnl(moves, fixings)[0] == pytest.approx(wanted, rel=1e-12)


def test_covered_parity(snapshot):
    book = make(snapshot, {"type": "fx_forward", "currency": "MXN", "notional": "1e9", "maturity": "1Y"})
    assert book.base_value[0] == pytest.approx(0.0, abs=1e-6)
    t, spot, r = 365 / 365, snapshot.spot["MXN"], snapshot.inputs["short_rate.MXN"].value
    forward = spot * math.exp((np.interp(t, snapshot.zero_tenors, snapshot.zero_rates) - r) * t)
    fixed = make(snapshot, {"type": "fx_forward", "currency": "MXN", "notional": "1e9", "maturity": "1Y",
                            "forward_rate": repr(forward)})
    assert fixed.base_value[0] == pytest.approx(0.0, abs=1e-6)


def test_fx_spot_earns_the_foreign_rate_and_the_dollar_value_rises_with_the_factor(snapshot):
    book = make(snapshot, {"type": "fx_spot", "currency": "BRL", "notional": "1e6"}, horizon=Horizon(52, 5))
    moves, fixings = still(book)
    moves[FACTORS.index("FX_BRL")] = 0.1
    rate, spot = snapshot.inputs["short_rate.BRL"].value, snapshot.spot["BRL"]
    assert book.pnl(moves, fixings)[0, 0] == pytest.approx(1e6 * spot * math.expm1(0.1 + rate), rel=1e-12)


def test_property_equity_cannot_fall_below_zero_and_debt_levers(snapshot):
    row = {"type": "property", "property_type": "OFFICE", "noi": "7e6", "cap_rate": "0.07"}
    book = make(snapshot, row, row | {"ltv": "0.5", "loan_rate": "0.05"}, row | {"debt": "9e7", "loan_rate": "0.05"})
    assert book.base_value == pytest.approx([1e8, 5e7, 1e7])
    moves, fixings = still(book)
    moves[FACTORS.index("CAP_OFFICE")] = 0.01
    loss = 1e8 - 7e6 / 0.08
    assert book.pnl_by_position(moves, fixings)[:, 0] == pytest.approx([-loss, -loss, -1e7])
    moves[FACTORS.index("CAP_OFFICE")] = -0.2  # floor of the cap rate
    assert book.pnl_by_position(moves, fixings)[0, 0] == pytest.approx(7e6 / 0.01 - 1e8)


def test_rents_less_interest_accrue(snapshot):
    row = {"type": "property", "property_type": "RETAIL", "noi": "6e6", "cap_rate": "0.06", "debt": "5e7",
           "loan_rate": "0.05", "quantity": "0.5"}
    book = make(snapshot, row, {"type": "residential", "metro": "MIAMI", "notional": "1e8", "noi": "4e6"},
                horizon=Horizon(52, 5))
    assert book.pnl_by_position(*still(book))[:, 0] == pytest.approx([0.5 * (6e6 - 2.5e6), 4e6])


def test_volatility_moves_only_options_and_vega_is_positive_for_the_buyer(portfolio, snapshot):
    book = compile_book(portfolio, snapshot)
    moves, fixings = still(book)
    moves[[FACTORS.index("VOL_FX"), FACTORS.index("VOL_EQUITY")]] = 0.1
    pnl = book.pnl_by_position(moves, fixings)[:, 0]
    for i, position in enumerate(portfolio.positions):
        if position.type in ("fx_option", "equity_option"):
            assert pnl[i] * book.notional[i] > 0, position.position_id
        else:
            assert abs(pnl[i]) < 1e-4, position.position_id


def test_implied_volatility_override_wins(snapshot):
    from riskengine.market import MarketInput

    row = {"type": "fx_option", "currency": "KRW", "notional": "1e11", "expiry": "1Y", "strike": "ATMF",
           "put_call": "call"}
    quoted = MarketInput("implied_vol.KRW", 0.2, None, "decimal", "2024-09-24", "quote", False)
    market = dataclasses.replace(snapshot, inputs=snapshot.inputs | {quoted.id: quoted})
    book = make(market, row)
    spot, r = market.spot["KRW"], market.inputs["short_rate.KRW"].value
    atm = 1e11 * spot * math.exp(-r) * math.erf(0.2 / 2 / math.sqrt(2))  # A (2 N(s/2) − 1)
    assert book.base_value[0] == pytest.approx(atm, rel=1e-12)
    assert book.assumed_inputs == ((),)


def test_positions_priced_off_assumed_inputs_say_so(portfolio, snapshot):
    book = compile_book(portfolio, snapshot)
    assumed = dict(zip(book.position_ids, book.assumed_inputs, strict=True))
    assert assumed["FX-EUR-1"] == ()
    assert assumed["FX-SGD-1"] == ("short_rate.SGD",)
    assert assumed["FX-EUR-3"] == ("vol_premium.fx",)
    assert "cap_rate.INDUSTRIAL" in assumed["RE-IND-2"]
    assert "cap_rate.INDUSTRIAL" not in assumed["RE-IND-1"]
    assert {"dividend_yield.EXPORTERS", "loading.EXPORTERS.SP500"} <= set(assumed["EQ-EXP-1"])
    assert assumed["UST-N1"] == ()


def test_everything_that_cannot_be_priced_is_reported_at_once(snapshot):
    poor = dataclasses.replace(
        snapshot, spot={k: v for k, v in snapshot.spot.items() if k != "THB"},
        inputs={k: v for k, v in snapshot.inputs.items() if k not in ("short_rate.EUR", "vol_now.FX_GBP")},
    )
    with pytest.raises(InputError) as caught:
        make(poor, {"type": "fx_spot", "currency": "THB", "notional": "1"},
             {"type": "fx_forward", "currency": "EUR", "notional": "1", "maturity": "1Y"},
             {"type": "fx_option", "currency": "GBP", "notional": "1", "expiry": "1Y", "strike": "ATM",
              "put_call": "put"},
             {"type": "fx_option", "currency": "JPY", "notional": "1", "expiry": "1Y", "strike": "143.77",
              "put_call": "put"},
             {"type": "property", "property_type": "OFFICE", "noi": "1e6", "debt": "1e9", "loan_rate": "0.05"})
    text = str(caught.value)
    assert len(caught.value.problems) == 5
    for word in ("p0", "p1", "p2", "p3", "p4", "short_rate.EUR", "vol_now.FX_GBP", "143.77", "debt exceeds"):
        assert word in text


def test_what_can_be_priced_is_kept_and_the_rest_is_named(portfolio, snapshot):
    poor = dataclasses.replace(snapshot, spot={k: v for k, v in snapshot.spot.items() if k not in ("THB", "EUR")})
    kept, problems = keep_priceable(portfolio, poor)
    gone = {p.position_id for p in portfolio.positions} - {p.position_id for p in kept.positions}
    assert gone == {"FX-THB-1", "FX-EUR-1", "FX-EUR-2", "FX-EUR-3", "OV-EUR-P1"}
    assert len(problems) == len(gone) and all(p.row for p in problems)
    compile_book(kept, poor)
    with pytest.raises(InputError, match="FX-EUR-1"):
        keep_priceable(dataclasses.replace(portfolio, positions=portfolio.positions[:3]), poor)


def test_wrong_shapes_and_dates_are_refused(portfolio, snapshot):
    book = compile_book(portfolio, snapshot, horizon=TEN_DAYS)
    with pytest.raises(InputError, match="moves"):
        book.pnl(np.zeros((3, 5)), np.zeros((1, 5)))
    with pytest.raises(InputError, match="fixing_moves"):
        book.pnl(np.zeros((len(FACTORS), 5)))
    with pytest.raises(InputError, match="as-of"):
        compile_book(dataclasses.replace(portfolio, as_of="2024-09-23"), snapshot)
    with pytest.raises(InputError, match="unique"):
        dataclasses.replace(portfolio, positions=(portfolio.positions[0],) * 2)


def test_an_empty_portfolio_has_no_groups(snapshot):
    book = compile_book(Portfolio(snapshot.as_of, ()), snapshot)
    assert book.pnl(np.zeros((len(FACTORS), 3))).shape == (0, 3)
    assert book.nav == 0.0
