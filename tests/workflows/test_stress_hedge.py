"""Hedges of the embedded book: instruments in words, costs from the market inputs, sizes that a what-if confirms."""

from __future__ import annotations

import json

import numpy as np
import pytest

from riskengine.base.errors import InputError
from riskengine.base.sampling import RunSpec
from riskengine.data.configs.scenario_edits import edit_scenario
from riskengine.hedging.trading_cost import cost_of
from riskengine.instruments.portfolio import Portfolio
from riskengine.instruments.trade_text import parse_trade
from riskengine.measures.liquidity import OrderBook, square_root_concession
from riskengine.resident.request import WhatIfRequest
from riskengine.resident.session import Session
from riskengine.workflows.hedge import read_instruments, suggest_hedge
from riskengine.workflows.views import reweigh_by_views

SPEC = RunSpec(paths=8192, draws=64)
WITH = "UST 10Y, USDJPY fwd, ES"


@pytest.fixture(scope="module")
def session(world, book):
    return Session(world, book, SPEC, load_scenario=edit_scenario, reweigh=reweigh_by_views)


def test_the_hedge_lowers_the_tail_also_on_another_seed_and_a_what_if_agrees(session):
    found = suggest_hedge(session, WITH)
    assert json.loads(json.dumps(found)) == found
    for sample in ("in_sample", "out_of_sample"):
        change = found[sample]["change"]["es"]["0.975"]
        assert change["high"] < 0, "less tail, beyond its interval"
    trades = tuple(h["trade"] for h in found["hedges"] if h["trade"])
    assert trades
    asked = session.answer(WhatIfRequest(trades=trades))
    paid = found["in_sample"]["after"]["es"]["0.975"]["value"] - found["cost_usd"]
    assert asked["after"]["es"]["0.975"]["value"] == pytest.approx(paid, rel=1e-4), "the sentences are the sizes"


def test_under_a_scenario_with_limits_sides_and_a_budget(session):
    found = suggest_hedge(session, "UST 10Y max 100m, ES short only", WhatIfRequest("china_sells_treasuries"),
                          budget="500k", check=False)
    sizes = {h["instrument"]: h for h in found["hedges"]}
    assert abs(sizes["UST 10Y max 100m"]["size"]) <= 100.0 and sizes["ES short only"]["size"] <= 0.0
    assert found["cost_usd"] <= 500_000 and found["out_of_sample"] is None
    assert found["risk_after_usd"] < found["risk_before_usd"]


def test_the_same_position_is_found_as_its_own_hedge(world):
    whole = parse_trade("buy 500m UST 10Y", world.snapshot).position
    session = Session(world, Portfolio(world.as_of, (whole,)), SPEC, load_scenario=edit_scenario)
    found = suggest_hedge(session, "UST 10Y", check=False)
    assert found["hedges"][0]["size"] == pytest.approx(-500.0, rel=0.03), "but for the last units, not worth their cost"
    assert found["risk_after_usd"] < 0.05 * found["risk_before_usd"]


def test_costs_are_those_of_the_liquidity_laws(world):
    position = parse_trade("buy 1m USDJPY 3M fwd", world.snapshot).position
    cost = cost_of([position], world)
    inputs = world.snapshot.inputs
    sigma = float(np.sqrt(world.daily.horizon_covariance(1)[10, 10]))
    book = OrderBook("JPY", inputs["half_spread.FX_JPY"].value, sigma, inputs["adv_usd.FX_JPY"].value)
    size = 800e6
    expected = book.half_spread * size + size * square_root_concession(size, book)
    assert cost.total(np.array([800.0])) == pytest.approx(expected, rel=0.02)
    assert cost.names == ("FX_JPY",)


@pytest.mark.parametrize(("text", "words"), [
    ("", "instruments to hedge with"), ("banana", "not understood"), ("office NY cap 6.5%", "no hedge"),
    ("ES, ES", "same instrument twice"), ("UST 10Y max banana", "an amount of USD"),
])
def test_what_is_no_instrument(session, text, words):
    with pytest.raises(InputError, match=words):
        read_instruments(session, text)


def test_a_scenario_with_feedback_is_refused_or_asked_without_it(session):
    with pytest.raises(InputError, match="feedback=off"):
        suggest_hedge(session, "ES", WhatIfRequest("exodus_with_feedback"), check=False)
    off = WhatIfRequest("exodus_with_feedback", sets=("feedback=off",))
    found = suggest_hedge(session, "ES", off, check=False)
    assert found["risk_after_usd"] < found["risk_before_usd"]


def test_every_wrong_instrument_is_named_at_once(session):
    with pytest.raises(InputError) as error:
        read_instruments(session, "banana, UST 10Y, UST 99Q")
    assert len(error.value.problems) == 2


def test_views_of_the_session_are_entropy_pooling(session):
    plain = session.answer(WhatIfRequest(horizon="10d", detail=False))
    viewed = session.answer(WhatIfRequest(horizon="10d", views=("mean(BOOK) = -50m",), detail=False))
    assert viewed["after"]["expected_pnl"]["value"] - viewed["before"]["expected_pnl"]["value"] != 0
    assert viewed["views"]["effective_scenarios"] < SPEC.paths == plain["paths"]
    with pytest.raises(InputError) as error:
        session.answer(WhatIfRequest(horizon="10d", views=("mean(FX_JPI) = 1%", "nonsense")))
    assert len(error.value.problems) == 2
