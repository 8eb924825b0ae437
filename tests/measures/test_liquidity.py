"""Cost of liquidation: the published example, degree 1.5, one order book, the Basel cascade."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from riskengine.base.errors import InputError, ModelError
from riskengine.base.estimate import Estimate
from riskengine.measures.contributions import allocate_aumann_shapley
from riskengine.measures.liquidity import (
    ImpactCoefficients,
    OrderBook,
    almgren_concession,
    cascade_es,
    days_to_liquidate,
    liquidation_cost,
    square_root_concession,
    stressed_loss,
)

EQUITY = OrderBook("equity", 1e-4, 0.0113, 450e9, 45e12)
REITS = OrderBook("listed real estate", 5e-4, 0.0128, 8e9, 1.2e12)

# Example table of Almgren, Thum, Hauptmann and Li (2005), rounded basis points: buying 10% of a day's volume.
# Daily volume and shares outstanding in million shares, daily volatility; permanent impact I, then
# (days, temporary impact K, total J = I/2 + K).
PUBLISHED = [
    ("IBM", 6.561, 1728.0, 0.0157, 20, [(0.1, 22, 32), (0.2, 15, 25), (0.5, 8, 18)]),
    ("DRI", 1.929, 168.0, 0.0226, 22, [(0.1, 32, 43), (0.2, 21, 32), (0.5, 12, 23)]),
]


@pytest.mark.parametrize(("name", "volume", "outstanding", "volatility", "permanent", "rows"), PUBLISHED)
def test_published_example_of_almgren_et_al(name, volume, outstanding, volatility, permanent, rows):
    book = OrderBook(name, 0.0, volatility, volume, outstanding)
    for days, temporary, total in rows:
        i, k = almgren_concession(0.1 * volume, book, days)
        assert (1e4 * i, 1e4 * k, 1e4 * (i / 2 + k)) == pytest.approx((permanent, temporary, total), abs=0.51)
        sold = almgren_concession(-0.1 * volume, book, days)
        assert sold == (-i, -k)


def test_square_root_law_in_its_units():
    # one day's volume moves the price by Y daily volatilities, a quarter of it by half as much
    assert square_root_concession(-8e9, REITS) == pytest.approx(-0.75 * 0.0128)
    assert square_root_concession(2e9, REITS) == pytest.approx(0.75 * 0.0128 / 2)


def test_selling_and_buying_cost_the_same_and_spread_is_paid_on_the_gross():
    for sign in (1, -1):
        cost = liquidation_cost(np.array([sign * 2e9]), np.array([0]), [REITS])
        assert cost.spread[0] == pytest.approx(5e-4 * 2e9)
        assert cost.impact[0] == pytest.approx(2e9 * 0.75 * 0.0128 / 2)
    crossed = liquidation_cost(np.array([1e9, -1e9]), np.array([0, 0]), [REITS])
    assert crossed.impact.sum() == 0.0 and crossed.spread.sum() == pytest.approx(1e6)


def test_cost_is_of_degree_one_and_a_half_and_shares_are_aumann_shapley():
    trades, index, books = np.array([-3e8, -1e8, 5e7, -2e9]), np.array([0, 0, 0, 1]), [REITS, EQUITY]
    cost = liquidation_cost(trades, index, books)
    assert liquidation_cost(4 * trades, index, books).impact.sum() == pytest.approx(8 * cost.impact.sum())

    def gradient(x):
        flow = np.bincount(index, weights=x, minlength=2)
        return 1.5 * np.array([square_root_concession(f, b) for f, b in zip(flow, books, strict=True)])[index]

    assert cost.impact == pytest.approx(allocate_aumann_shapley(trades, gradient), rel=1e-12)
    assert cost.impact[2] < 0, "the buyer inside one's own selling earns the concession"


def test_foreign_selling_is_in_the_same_book():
    trade, index = np.array([-1e9]), np.array([0])
    alone = liquidation_cost(trade, index, [REITS])
    crowded = liquidation_cost(trade, index, [REITS], np.array([-3e9]))
    assert crowded.impact[0] == pytest.approx(2 * alone.impact[0]), "4× the flow, 2× the concession"
    assert crowded.foreign_impact[0] == pytest.approx(np.sqrt(3) * alone.impact[0])
    assert crowded.own_impact[0] == pytest.approx((2 - np.sqrt(3)) * alone.impact[0])
    assert crowded.participation[0] == pytest.approx(0.5)
    against = liquidation_cost(-trade, index, [REITS], np.array([-3e9]))
    assert against.impact[0] < 0, "buying from foreign sellers earns"


@pytest.mark.parametrize("law", ["square_root", "almgren"])
def test_horizon(law):
    trade, index = np.array([-2e9]), np.array([0])
    fast, slow = (liquidation_cost(trade, index, [REITS], days=d, law=law) for d in (1.0, 10.0))
    assert slow.participation[0] == pytest.approx(fast.participation[0] / 10)
    if law == "square_root":
        assert slow.impact[0] == fast.impact[0]
    else:
        permanent, temporary = almgren_concession(-2e9, REITS, 1.0)
        assert fast.impact[0] == pytest.approx(-2e9 * (permanent / 2 + temporary))
        assert fast.impact[0] - slow.impact[0] == pytest.approx(-2e9 * temporary * (1 - 10**-0.6))


def test_standard_error_follows_the_coefficients():
    trades, index = np.array([-2e9, -1e10]), np.array([0, 1])
    cost = liquidation_cost(trades, index, [REITS, EQUITY])
    assert cost.se_impact == pytest.approx(cost.impact.sum() / 3)
    sure = replace(ImpactCoefficients(), square_root=Estimate(0.75, None, "-", "fixed"))
    assert liquidation_cost(trades, index, [REITS, EQUITY], coefficients=sure).se_impact == 0.0
    h, base = 1e-4, ImpactCoefficients()
    expected = 0.0
    for name in ("permanent", "temporary"):
        e = getattr(base, name)
        up = replace(base, **{name: replace(e, value=e.value + h)})
        cost_up, cost_0 = (liquidation_cost(trades, index, [REITS, EQUITY], law="almgren", coefficients=c)
                           for c in (up, base))
        expected += ((cost_up.impact.sum() - cost_0.impact.sum()) / h * e.se) ** 2
    assert cost_0.se_impact == pytest.approx(expected**0.5, rel=1e-6)


def test_cascade_reduces_to_the_square_root_of_time_and_to_the_base():
    # all factors with horizon 120: ES scales by sqrt(120/10); none beyond 10: ES itself
    assert cascade_es([5.0] * 5) == pytest.approx(5.0 * np.sqrt(12.0))
    assert cascade_es([5.0, 0, 0, 0, 0]) == 5.0
    assert cascade_es([10.0, 6.0], [10, 20]) == pytest.approx(np.sqrt(136.0))
    cost = liquidation_cost(np.array([-2e9]), np.array([0]), [REITS])
    expected = 5e6 * np.sqrt(12.0) + cost.spread[0] + cost.impact[0]
    assert stressed_loss([5e6] * 5, cost) == pytest.approx(expected)


def test_days_to_liquidate():
    assert days_to_liquidate(np.array([-2e9, 4e8]), np.array([8e9, 8e9]), 0.1) == pytest.approx([2.5, 0.5])
    with pytest.raises(InputError, match="participation"):
        days_to_liquidate(np.array([1.0]), np.array([1.0]), 0.0)


def test_bad_input_is_refused():
    with pytest.raises(InputError) as caught:
        OrderBook("x", -1.0, float("nan"), 0.0, -5.0)
    assert [p.field for p in caught.value.problems] == [
        "half_spread", "daily_volatility", "adv_usd", "outstanding_usd"]
    one, zero = np.array([1.0]), np.array([0])
    with pytest.raises(InputError, match="square_root, almgren"):
        liquidation_cost(one, zero, [REITS], law="linear")
    with pytest.raises(InputError, match="market size"):
        liquidation_cost(one, zero, [replace(REITS, outstanding_usd=None)], law="almgren")
    with pytest.raises(InputError, match="days"):
        liquidation_cost(one, zero, [REITS], days=0.0)
    with pytest.raises(ModelError, match="do not fit"):
        liquidation_cost(one, zero, [REITS], np.zeros(2))
    with pytest.raises(ModelError, match="integers in 0 … 0"):
        liquidation_cost(one, np.array([1]), [REITS])
    with pytest.raises(ModelError, match="ascending"):
        cascade_es([1.0, 1.0], [20, 10])
