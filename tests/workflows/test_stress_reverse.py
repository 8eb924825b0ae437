"""Reverse stress of the embedded book: amounts are lost to a thousandth, in order, and what cannot says so."""

from __future__ import annotations

import json

import numpy as np
import pytest

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.data.configs.scenario_edits import edit_scenario
from riskengine.engine.paths import draw_pnl, policy_draws, prepare
from riskengine.engine.results import CORE_MOVE
from riskengine.instruments.portfolio import compile_book
from riskengine.resident.request import WhatIfRequest
from riskengine.resident.session import Session
from riskengine.reverse_stress.factor_moves import BookLoss, distinct, search_factor_moves
from riskengine.reverse_stress.policies import PolicySearch, policy_knobs, search_policies
from riskengine.workflows.stress import changed_book, of_desk, read_money, reverse_stress

SPEC = RunSpec(paths=2048, draws=64)
MONTH = Horizon(13, 5)


@pytest.fixture(scope="module")
def session(world, book):
    return Session(world, book, SPEC, load_scenario=edit_scenario)


@pytest.fixture(scope="module")
def answer(session):
    return reverse_stress(session, "60m", horizon="13w", top=4)


def test_every_answer_loses_the_amount_and_stands_in_order(answer):
    moves = [a for a in answer["factor_moves"] if a["reached"]]
    policies = [a for a in answer["policies"] if a["reached"]]
    assert len(moves) >= 2 and len(policies) >= 1
    for a in (*moves, *policies):
        assert a["loss_usd"] == pytest.approx(60e6, rel=1e-3)
        assert sum(a["by_asset_class"].values()) == pytest.approx(-a["loss_usd"], rel=1e-3 if a in moves else 1e-2)
    for rows, key in ((moves, "distance"), (policies, "core_distance")):
        assert [a[key] for a in rows] == sorted(a[key] for a in rows)
        assert [a["rank"] for a in rows] == list(range(1, len(rows) + 1))
    assert moves[0]["led_by"] == "all factors", "no block is nearer than all factors together"
    for a in answer["policies"]:
        if not a["reached"]:
            assert a["loss_usd"] < 60e6 and a["rank"] is None
    assert json.loads(json.dumps(answer)) == answer


def test_the_engine_loses_what_the_search_says(world, book):
    loss = BookLoss(compile_book(book, world.snapshot, FACTORS, MONTH))
    search = PolicySearch(loss, world, MONTH, SPEC, policy_draws(world, SPEC), CORE_MOVE)
    knob = next(k for k in policy_knobs(world.accounts, MONTH) if k.name == "fed_hikes")
    (found, *_), remarks = search_policies(search, 60e6, [knob], combine=1)
    assert found.reached and not remarks
    response, _, _ = draw_pnl(prepare(found.scenario, world, SPEC), loss.book)
    assert -response.mean() == pytest.approx(60e6, rel=1e-3)
    assert -response.mean() == pytest.approx(found.loss, rel=1e-9)
    larger = search.answer([(knob, found.parts[0][1] * 1.5)], True)
    assert larger.loss > found.loss and larger.plausibility.distance > found.plausibility.distance


def test_a_combination_lies_between_or_beats_its_parts(world, book):
    loss = BookLoss(compile_book(book, world.snapshot, FACTORS, MONTH))
    search = PolicySearch(loss, world, MONTH, SPEC, policy_draws(world, SPEC), CORE_MOVE)
    knobs = [k for k in policy_knobs(world.accounts, MONTH) if k.name in ("fed_hikes", "private_treasuries")]
    found, _ = search_policies(search, 20e6, knobs)
    joint = [a for a in found if len(a.parts) == 2]
    alone = [a.plausibility.distance for a in found if len(a.parts) == 1 and a.reached]
    assert len(alone) == 2 and len(joint) == 1
    assert joint[0].loss == pytest.approx(20e6, rel=1e-3)
    assert joint[0].plausibility.distance <= max(alone)


def test_distinct_answers_point_elsewhere(world, book):
    loss = BookLoss(compile_book(book, world.snapshot, FACTORS, MONTH))
    found = search_factor_moves(loss, world, MONTH, 60e6)
    sd = np.sqrt(np.diag(world.model(MONTH).horizon_covariance(MONTH.steps)))
    unit = [a.move / sd / np.linalg.norm(a.move / sd) for a in found if a.reached]
    assert all(unit[i] @ unit[j] <= 0.95 for i in range(len(unit)) for j in range(i))
    assert distinct([*found, *found], sd) [: len(unit)] == found[: len(unit)]
    nearest = found[0]
    assert nearest.linear_distance == pytest.approx(nearest.distance, rel=0.1), "a month is nearly linear"
    assert float(loss(nearest.move[:, None])[0]) == pytest.approx(60e6, rel=1e-6)


def test_desks_trades_and_amounts(session, book):
    desk = of_desk(book, "rates")
    assert {p.desk for p in desk.positions} == {"rates"}
    with pytest.raises(InputError, match="no such desk .*rates"):
        of_desk(book, "ratse")
    request = WhatIfRequest(trades=("buy 250m UST 10Y",), scale={book.positions[0].position_id: 2},
                            remove=(book.positions[1].position_id,))
    changed = changed_book(session, request)
    assert len(changed.positions) == len(book.positions)
    assert [read_money(t, "x") for t in ("500m", "1.2bn", "USD 250,000", "$3k")] == [5e8, 1.2e9, 250_000, 3_000]
    for wrong in ("banana", "-5m", "0", ""):
        with pytest.raises(InputError, match="an amount of USD"):
            reverse_stress(session, wrong)
    for fields, words in (({"top": 0}, "how many"), ({"quantile": 1.5}, "quantile"), ({"horizon": "x"}, "tenor")):
        with pytest.raises(InputError, match=words):
            reverse_stress(session, "5m", **fields)
