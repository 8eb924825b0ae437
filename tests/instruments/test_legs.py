"""Legs by column: merged as one by one, whatever the groups; payments of a security at once or one after
the other."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.base.axes import FACTORS
from riskengine.base.units import Horizon
from riskengine.instruments.book import compile_book
from riskengine.instruments.ladder import no_ladder
from riskengine.instruments.legs import Legs, share_pairs
from riskengine.kernels.reprice import reprice

AMOUNT = st.floats(-1e9, 1e9, allow_subnormal=False)
TERM = st.tuples(st.integers(0, 4), st.sampled_from([-2.0, 0.0, 0.5, 1.0]))
LEG = st.tuples(st.integers(0, 5), AMOUNT, st.lists(TERM, min_size=1, max_size=3))


def gathered(given_legs):
    legs = Legs(FACTORS)
    for position, amount, terms in given_legs:
        legs.position = position
        legs.add_exponential(amount, *terms)
    return legs


def merged_one_by_one(legs, group_of):
    found = {}
    for position, rows, coefficients, amount in legs.exponential:
        key = (int(group_of[position]), rows, coefficients)
        found[key] = found.get(key, 0.0) + amount
    return sorted(found.items())


@settings(max_examples=60, deadline=None)
@given(st.lists(LEG, max_size=40), st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_columns_merge_as_legs_one_by_one(given_legs, groups):
    legs, group_of = gathered(given_legs), np.array(groups)
    found = legs.arrays(group_of, 3)
    want = merged_one_by_one(legs, group_of)
    pairs = [(k, a) for k, a in want if k[2][2] == 0.0]
    triples = [(k, a) for k, a in want if k[2][2] != 0.0]
    assert found["pair_index"].tolist() == [[g, *rows[:2]] for (g, rows, _), _ in pairs]
    assert found["pair_terms"].tolist() == [[a, *c[:2]] for (_, _, c), a in pairs]
    assert found["triple_index"].tolist() == [[g, *rows] for (g, rows, _), _ in triples]
    assert found["triple_terms"].tolist() == [[a, *c] for (_, _, c), a in triples]
    constant = [sum((a for i, a in sorted(legs.constant.items()) if group_of[i] == g), 0.0) for g in range(3)]
    np.testing.assert_allclose(found["constant"], constant, rtol=1e-15)
    for name, array in found.items():
        assert array.flags.c_contiguous
        assert array.dtype == (np.int64 if name.endswith("index") else np.float64)


@settings(max_examples=60, deadline=None)
@given(st.lists(LEG, max_size=40))
def test_shared_exponentials_are_those_of_the_pairs(given_legs):
    legs = gathered(given_legs)
    found = legs.arrays(np.arange(6), 6)
    rows, terms, place = share_pairs(legs.columns())
    assert rows[place].tolist() == found["pair_index"][:, 1:].tolist()
    assert terms[place].tolist() == found["pair_terms"][:, 1:].tolist()
    assert len({(*r, *t) for r, t in zip(rows.tolist(), terms.tolist())}) == len(rows)


def test_every_position_has_the_bits_of_its_own_legs(portfolio, snapshot, draw_moves):
    """P&L by position with shared exponentials against the kernel that takes leg after leg; whole and in
    parts."""
    book = compile_book(portfolio, snapshot, FACTORS, Horizon(26, 5))
    moves, fixing_moves = draw_moves(500, 1), draw_moves(500, 2, rows=len(book.fixings))
    assert 0 < len(book.shared_by_position.rows) < len(book.legs_by_position.pair_index)
    want = np.empty((len(book.position_ids), 500))
    reprice(book.legs_by_position, no_ladder(), moves, fixing_moves, (0, 500), want)
    assert book.pnl_by_position(moves, fixing_moves).tobytes() == want.tobytes()
    for first, last in ((0, 1), (3, 20), (20, len(want))):
        assert book.pnl_by_position(moves, fixing_moves, first, last).tobytes() == want[first:last].tobytes()


def test_a_move_that_is_no_number_spoils_its_path_only(portfolio, snapshot, draw_moves):
    book = compile_book(portfolio, snapshot, FACTORS, None)
    moves = draw_moves(3, 1)
    moves[5, 1] = np.nan
    found = book.pnl_by_position(moves)
    assert np.isnan(found[:, 1]).all() and np.isfinite(found[:, [0, 2]]).all()


def test_payments_at_once_are_payments_one_after_the_other(snapshot):
    """A bond with coupons inside the horizon: cash, legs and value as from its list of cash flows."""
    from riskengine.instruments.treasury import TreasuryBill, TreasuryCouponBond, cash_flows, lower_treasury
    from riskengine.instruments.valuation import Valuation

    from datetime import date, timedelta

    today = date.fromisoformat(snapshot.as_of)
    for deal in (
        TreasuryCouponBond(1e7, date(today.year + 6, 2, 15), 0.0375),
        TreasuryBill(5e6, today + timedelta(100)),
        TreasuryCouponBond(-3e6, today + timedelta(300), "par"), TreasuryBill(5e6, today + timedelta(900)),
    ):
        for horizon in (None, Horizon(52, 5)):
            market, found, want = Valuation(snapshot, FACTORS, horizon), Legs(FACTORS), Legs(FACTORS)
            value, face = lower_treasury(deal, market, found)
            total = 0.0
            for t, amount in cash_flows(deal, market):
                total += amount * market.discount(t)
                if market.has_passed(t):
                    want.add_constant(amount)
                else:
                    one, two, w1, w2 = market.curve_loading(t - market.h)
                    left = t - market.h
                    want.add_exponential(amount * market.discount(left), (one, -left * w1), (two, -left * w2))
            want.add_constant(-total)
            assert (value, face) == (total, deal.face)
            assert found.exponential == want.exponential and found.constant == want.constant
