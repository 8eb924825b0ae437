"""A session's answers: the engine's own bits, intervals of differences, knobs, errors, independence of history."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from riskengine.base.errors import InputError
from riskengine.base.sampling import RunSpec
from riskengine.data.configs import config_root, load_limits
from riskengine.data.configs.scenario_edits import edit_scenario
from riskengine.engine import run
from riskengine.engine.paths import simulate
from riskengine.execution import Serial, Threads
from riskengine.instruments.trade_text import parse_trade
from riskengine.measures.tail_change import estimate_tail
from riskengine.measures.tail_risk import measure_tail
from riskengine.resident.positions import resize_position
from riskengine.resident.request import WhatIfRequest
from riskengine.resident.session import Session, read_horizon

SPEC = RunSpec(paths=2048, draws=64)
SELLING = "china_sells_treasuries"
KNOB = "foreign_selling.amount_usd_bn=300"
TRADES = ("buy 250m UST 10Y", "sell 500m USDJPY 3M fwd", "buy 100m EURUSD 1.25 call 6M")


def make(world, book, spec=SPEC, executor=None, **more):
    return Session(world, book, spec, load_scenario=edit_scenario, executor=executor or Serial(), **more)


@pytest.fixture(scope="module")
def session(world, book):
    return make(world, book, limits=load_limits(config_root() / "limits.toml"))


def positions(world, texts, tags=("region",)):
    return tuple(parse_trade(t, world.snapshot, position_id=f"TRADE-{n}", tag_names=tags).position
                 for n, t in enumerate(texts, 1))


def assert_equals_engine(part, plausibility, result):
    """Every number of before or after against a run of the engine from nothing, to the last bit."""
    levels = [f"{x:g}" for x in SPEC.levels]
    assert part["expected_pnl"]["value"] == result.expected_pnl_usd
    assert part["expected_pnl"]["se"] == pytest.approx(result.se_expected_pnl_usd, rel=1e-9)
    assert [part["var"][x]["value"] for x in levels] == list(result.tail.var)
    assert [part["es"][x]["value"] for x in levels] == list(result.tail.es)
    assert [part["es"][x]["se"] for x in levels] == pytest.approx(list(result.tail.se_es), rel=1e-9)
    assert {k: v["value"] for k, v in part["channels"].items()} == result.channels
    assert {k: v["expected_pnl"]["value"] for k, v in part["by_asset_class"].items()} == result.by_asset_class
    assert {k: v["expected_pnl"]["value"] for k, v in part["by_desk"].items()} == result.by_desk
    assert (part["expected_pnl"]["p10_over_parameters"], part["expected_pnl"]["p90_over_parameters"]) == (
        result.interval_usd)
    assert (plausibility["mahalanobis"], plausibility["probability"]) == (result.mahalanobis, result.plausibility)


def test_before_and_after_equal_a_full_recompute_to_the_last_bit(session, world, book):
    answer = session.answer(WhatIfRequest(SELLING, sets=(KNOB,), trades=TRADES, scale={"UST-N6": 0.5},
                                          remove=("FX-EUR-2",)))
    assert_equals_engine(answer["before"], answer["plausibility"]["before"],
                         run(edit_scenario(SELLING), book, world, SPEC))
    kept = tuple(resize_position(p, 0.5) if p.position_id == "UST-N6" else p for p in book.positions
                 if p.position_id != "FX-EUR-2")
    changed = replace(book, positions=(*kept, *positions(world, TRADES)))
    assert_equals_engine(answer["after"], answer["plausibility"]["after"],
                         run(edit_scenario(SELLING, (KNOB,)), changed, world, SPEC))


def test_the_ordinary_night_equals_the_engine_to_the_last_bit(session, world, book):
    answer = session.answer(WhatIfRequest(trades=("short 2000 ES",), horizon="10d"))
    changed = replace(book, positions=(*book.positions, *positions(world, ("short 2000 ES",))))
    pnl = simulate([], changed, world, read_horizon("10d"), SPEC)
    want = measure_tail(pnl.total[0], pnl.draw, SPEC.draws, SPEC.levels)
    assert [answer["after"]["es"][f"{x:g}"]["value"] for x in SPEC.levels] == list(want.es)
    assert answer["after"]["expected_pnl"]["value"] == want.mean
    assert answer["scenario"] is None and answer["after"]["channels"] == {}


def test_answers_do_not_depend_on_history_threads_or_company(session, world, book):
    asked = WhatIfRequest(SELLING, sets=(KNOB,), trades=TRADES[:2])

    def bare(answer):
        return {k: v for k, v in answer.items() if k not in ("seconds", "limits")}

    first = bare(session.answer(asked))
    session.answer(WhatIfRequest("fed_response", trades=("buy 1bn UST 2Y", "buy 100m USDMXN 5m fwd")))
    session.answer(WhatIfRequest(SELLING, trades=("sell 80m GBPUSD 7m fwd",), remove=("UST-N6",)))
    assert bare(session.answer(asked)) == first
    with Threads(2) as threads:
        assert bare(make(world, book, executor=threads).answer(asked)) == first


def test_fewer_paths_are_the_first_of_the_same_streams(session, world, book):
    few = make(world, book, replace(SPEC, paths=1024))
    asked = WhatIfRequest(SELLING, detail=False)
    few.answer(asked)
    session.answer(asked)
    (a, _), (b, _) = next(iter(few._before.values())), session._before[next(reversed(session._before))]
    assert np.array_equal(a.rows.total, b.rows.total[:1024])


def test_the_interval_of_a_change_is_that_of_the_difference(session):
    answer = session.answer(WhatIfRequest(SELLING, trades=("buy 10m UST 10Y",)))
    level = "0.975"
    change, before, after = (answer[k]["es"][level] for k in ("change", "before", "after"))
    assert change["value"] == after["value"] - before["value"]
    assert 0 < change["se"] < 0.2 * (before["se"] ** 2 + after["se"] ** 2) ** 0.5
    assert change["high"] - change["value"] == pytest.approx(1.96 * change["se"], rel=1e-4)


def test_the_error_of_a_change_covers_the_truth_as_often_as_it_says(world):
    """Two normal books on common draws, of known ES: 95% intervals of the change over 300 repetitions."""
    rng = np.random.default_rng(7)
    draws, per = 64, 32
    draw = np.tile(np.arange(draws, dtype=np.int32), per)
    counts = np.bincount(draw)
    # ES of a normal at 95% is 2.0627 standard deviations below the mean; x has sd √(0.25 + 1), y √(0.36 + 1.21)
    truth = 2.062713 * (np.sqrt(0.36 + 1.21) - np.sqrt(0.25 + 1.0))
    inside = 0
    for _ in range(300):
        centre = rng.standard_normal(draws)[draw]
        noise = rng.standard_normal(draw.size)
        a = estimate_tail(0.5 * centre + noise, draw, counts, (0.95,))
        b = estimate_tail(0.6 * centre + 1.1 * noise, draw, counts, (0.95,))
        change = b.minus(a).es[0]
        inside += abs(change.value - truth) <= 1.96 * change.se
    assert 0.88 <= inside / 300 <= 0.99


def test_incremental_alone_and_together(session):
    answer = session.answer(WhatIfRequest(SELLING, trades=TRADES[:2]))
    alone = [session.answer(WhatIfRequest(SELLING, trades=(t,)))["trades"][0]["incremental"] for t in TRADES[:2]]
    rows = answer["trades"]
    assert [r["trade"] for r in rows] == [*TRADES[:2], "all together"]
    assert [r["incremental"]["es"]["0.975"]["value"] for r in rows[:2]] == [
        a["es"]["0.975"]["value"] for a in alone]
    assert rows[2]["incremental"]["es"] == answer["change"]["es"]
    means = [r["incremental"]["expected_pnl"]["value"] for r in rows]
    assert means[2] == pytest.approx(means[0] + means[1], rel=1e-6), "expected P&L adds up; ES does not"


def test_two_trades_that_cancel_change_nothing(session):
    answer = session.answer(WhatIfRequest(SELLING, trades=("buy 250m UST 10Y", "sell 250m UST 10Y")))
    assert answer["change"]["es"]["0.975"]["value"] == pytest.approx(0.0, abs=1.0)
    assert abs(answer["trades"][0]["incremental"]["expected_pnl"]["value"]) > 1e5


def test_nothing_asked_changes_nothing(session):
    change = session.answer(WhatIfRequest(SELLING))["change"]
    assert (change["es"]["0.99"]["value"], change["es"]["0.99"]["se"]) == (0.0, 0.0)
    assert all(x["value"] == 0.0 for x in change["channels"].values())


def test_another_horizon_is_a_knob(session):
    answer = session.answer(WhatIfRequest(SELLING, sets=("horizon=26w",)))
    assert answer["horizon_days"] == {"before": 260, "after": 130}
    assert answer["change"]["es"]["0.975"]["value"] < 0 and len(answer["chain"]["after"]["weeks"]) == 26


def test_the_whole_answer_is_plain_json_with_stable_keys(session):
    answer = session.answer(WhatIfRequest(SELLING, sets=(KNOB,), trades=TRADES[:1]))
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    assert {"schema_version", "as_of", "accounts_as_of", "data_version", "paths", "draws", "seed", "noise", "levels",
            "portfolio", "scenario", "horizon_days", "positions", "before", "after", "change", "baseline", "trades",
            "pnl_histogram", "plausibility", "chain", "flags", "limits", "seconds"} <= set(answer)
    for key in ("before", "after", "change"):
        assert set(answer[key]) == {"expected_pnl", "var", "es", "by_asset_class", "by_desk", "channels"}
    for side in ("before", "after"):
        assert sum(answer["pnl_histogram"][side]) == SPEC.paths
        assert answer["chain"][side]["ledger_max_imbalance_usd_bn"] < 1e-9


def test_limits_before_and_after(session):
    rows = session.answer(WhatIfRequest(SELLING, trades=("sell 2bn USDJPY 3M fwd",)))["limits"]
    by_name = {(r["name"], r["scope"]): r for r in rows}
    single = by_name["Largest single currency", "total"]
    assert single["before"] < single["warning"] < single["hard"] < single["after"]
    assert (single["status_before"], single["status_after"]) == ("ok", "breach")
    assert any(r["metric"] == "scenario_loss" for r in rows)
    assert not any(r["metric"] == "scenario_loss" for r in session.answer(WhatIfRequest())["limits"])


@pytest.mark.parametrize(("asked", "wanted"), [
    ({"scenario": "chna_sells"}, ["unknown scenario", "china_sells_treasuries"]),
    ({"scenario": SELLING, "sets": ("foreign_selling.amount=3",)}, ["unknown key", "amount_usd_bn"]),
    ({"scenario": SELLING, "trades": ("buy 5 eggs", "sell TIPS 5m 3y")}, ["'eggs'", "TIPS"]),
    ({"scenario": SELLING, "remove": ("NOPE",), "scale": {"UST-N9": 2.0}}, ["no such position", "UST-N7"]),
    ({"sets": ("horizon=3w",)}, ["need a scenario"]),
    ({"horizon": "soon"}, ["not a tenor"]), ({"horizon": "90d"}, ["20 days"]),
    ({"scale": {"UST-N6": float("nan")}}, ["finite"]), ({"scenario": SELLING, "horizon": "3w"}, ["--set horizon=3w"]),
    ({"trades": ("x" * 3000,)}, ["too long"]), ({"trades": ("buy 5m UST 2y",) * 51}, ["too many"]),
])
def test_every_mistake_is_named_with_what_would_be_accepted(session, asked, wanted):
    with pytest.raises(InputError) as refused:
        session.answer(WhatIfRequest(**asked))
    assert [w for w in wanted if w not in str(refused.value)] == []


def test_a_request_travels_as_json():
    asked = WhatIfRequest(SELLING, sets=(KNOB,), trades=TRADES, scale={"A": 2.0}, remove=("B",), detail=False)
    assert WhatIfRequest.from_json(json.loads(json.dumps(asked.to_json()))) == asked
    for bad in ({"scenari": "x"}, [], {"sets": 5}, {"trades": [5]}, {"scale": [1]}):
        with pytest.raises(InputError):
            WhatIfRequest.from_json(bad)


def test_a_scenario_with_selling_after_losses_equals_the_engine_to_the_last_bit(session, world, book):
    name, trade = "exodus_with_feedback", "buy 250m UST 10Y"
    answer = session.answer(WhatIfRequest(name, trades=(trade,)))
    changed = replace(book, positions=(*book.positions, *positions(world, (trade,))))
    for side, held in (("before", book), ("after", changed)):
        result = run(edit_scenario(name), held, world, SPEC)
        assert_equals_engine(answer[side], answer["plausibility"][side], result)
        assert answer[side]["channels"]["holders_feedback"]["value"] == result.channels["holders_feedback"] != 0.0
        assert answer["feedback"][side]["orders_usd_bn"]["median"] == result.feedback.orders_usd_bn[0] < 0.0
        assert answer["flags"][side][-1] == result.flags[-1]
    assert answer["trades"][0]["incremental"]["es"] == answer["change"]["es"]
    assert session.answer(WhatIfRequest(name, trades=(trade,)))["after"] == answer["after"]


def test_selling_after_losses_can_be_left_out_and_takes_no_views(session):
    off = session.answer(WhatIfRequest("exodus_with_feedback", sets=("feedback=off",), detail=False))
    assert off["change"]["es"]["0.975"]["value"] == 0.0, "off before and after"
    with pytest.raises(InputError, match="feedback=off"):
        session.answer(WhatIfRequest("exodus_with_feedback", views=("mean(FX_JPY) = 5%",)))
