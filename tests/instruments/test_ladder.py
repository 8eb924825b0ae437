"""Payments on the nodes of a segment: accuracy for large moves, and bits that hang on the own legs only."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from riskengine.base.axes import FACTORS, KEY_RATES
from riskengine.instruments.book import compile_book
from riskengine.instruments.ladder import (
    SEGMENT_NODES,
    TENORS,
    curve_weights,
    first_key_rate,
    interpolate_chebyshev,
    lay_ladder,
)
from riskengine.instruments.portfolio import Portfolio, Position
from riskengine.instruments.treasury import TreasuryCouponBond
from riskengine.kernels.reprice import PANEL


def bonds(as_of, books, seed):
    rng = np.random.default_rng(seed)
    today = date.fromisoformat(as_of)
    return tuple(
        Position(f"{book}{i}", "treasury_bond", TreasuryCouponBond(
            float(rng.normal(1e7, 5e6)), today + timedelta(days=int(rng.integers(9_500, 10_900))), 0.04, 2),
            "d", book, "s")
        for book in books for i in range(12)
    )


@pytest.mark.parametrize("segment", range(len(SEGMENT_NODES)))
def test_every_payment_within_1e12_when_the_curve_moves_ten_points(segment):
    lo, hi = (0.0 if segment == 0 else TENORS[segment - 1]), TENORS[segment]
    dates = np.linspace(lo, hi, 403)[1:]
    nodes, share = interpolate_chebyshev(dates, lo, hi, SEGMENT_NODES[segment])
    worst = 0.0
    for x1 in (-0.1, -0.03, 0.0, 0.05, 0.1):
        for x2 in (-0.1, -0.04, 0.0, 0.06, 0.1):
            moves = np.zeros(len(TENORS))
            moves[max(segment - 1, 0)], moves[segment] = x1, x2
            exact = np.exp(-dates * (curve_weights(dates) @ moves))
            found = share @ np.exp(-nodes * (curve_weights(nodes) @ moves))
            worst = max(worst, (np.abs(found - exact) / np.maximum(1.0, exact)).max())
    assert worst < 1e-12
    assert SEGMENT_NODES[segment] % PANEL == 0


def test_weights_of_the_key_rates_are_those_of_linear_interpolation():
    ends = np.concatenate([TENORS, np.nextafter(TENORS, 0.0), np.nextafter(TENORS, 99.0)])
    years = np.concatenate([np.random.default_rng(0).random(5_000) * 40, ends, [0.0, 1e-9, 50.0]])
    for j, weights in enumerate(curve_weights(years).T):
        assert np.array_equal(weights, np.interp(years, TENORS, np.eye(len(TENORS))[j]))


def test_a_book_of_many_dates_keeps_the_value_of_its_cash_flows(snapshot):
    book = compile_book(Portfolio(snapshot.as_of, bonds(snapshot.as_of, ("a", "b"), 1)), snapshot)
    assert len(book.rest_by_group.pair_index) < len(book.legs_by_group.pair_index) / 4
    n = 300
    moves = np.zeros((len(FACTORS), n))
    first = first_key_rate(FACTORS)
    moves[first : first + len(KEY_RATES)] = np.random.default_rng(2).uniform(-0.1, 0.1, (len(KEY_RATES), n))
    groups, positions = book.pnl(moves), book.pnl_by_position(moves)
    summed = np.zeros_like(groups)
    np.add.at(summed, book.group_of, positions)
    gross = np.zeros_like(groups)
    today = np.abs(book.base_value)[:, None]
    np.add.at(gross, book.group_of, np.abs(positions + book.base_value[:, None]) + today)
    assert (np.abs(groups - summed) / gross).max() < 1e-12
    assert np.abs(groups).max() > 1e7


def test_bits_of_a_group_hang_on_its_own_legs_only(snapshot):
    def value(books):
        book = compile_book(Portfolio(snapshot.as_of, tuple(
            p for p in bonds(snapshot.as_of, ("a", "b", "c"), 3) if p.book in books)), snapshot)
        moves = 0.01 * np.random.default_rng(4).standard_normal((len(FACTORS), 500))
        return dict(zip((label[1] for label in book.group_labels), book.pnl(moves), strict=True))

    every = value("abc")
    for books in ("b", "ab", "bc"):
        assert value(books)["b"].tobytes() == every["b"].tobytes()


def test_few_dates_stay_as_they_are(snapshot):
    note = TreasuryCouponBond(1e6, date.fromisoformat(snapshot.as_of) + timedelta(days=3_600), 0.04, 2)
    portfolio = Portfolio(snapshot.as_of, (Position("p", "treasury_note", note, "d", "b", "s"),))
    legs = compile_book(portfolio, snapshot).legs_by_group
    rest, nodes = lay_ladder(legs, FACTORS)
    assert len(nodes.rows) == len(nodes.panels) == 0
    assert all(np.array_equal(one, other) for one, other in zip(rest, legs, strict=True))
