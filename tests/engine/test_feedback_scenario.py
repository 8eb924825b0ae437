"""A scenario with holders' feedback: nothing sold is the plain path, gain below its limit, same bits, its own line."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from riskengine.base.errors import InputError, ModelError
from riskengine.base.estimate import Distribution
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.data.configs import check_scenario, load_scenario
from riskengine.data.configs.scenario_text import write_scenario
from riskengine.engine import feedback as engine_feedback
from riskengine.engine import run
from riskengine.engine.feedback import CHANNEL, feedback_of, simulate_feedback
from riskengine.engine.paths import prepare, simulate
from riskengine.execution import Serial, Threads
from riskengine.policy.scenario import HolderFeedback

SPEC = RunSpec(paths=2048, draws=64)


@pytest.fixture(scope="module")
def shipped():
    return load_scenario("exodus_with_feedback")


@pytest.fixture(scope="module")
def item(world, shipped):
    return prepare(shipped, world, SPEC)


def digest(found) -> str:
    parts = (found.pnl.total, found.pnl.gains, found.orders, found.by_cell, found.moves)
    return hashlib.sha256(b"".join(np.ascontiguousarray(x).tobytes() for x in parts)).hexdigest()


def test_nothing_sold_is_the_plain_path(world, book, shipped, item):
    plain = simulate([item], book, world, shipped.horizon, SPEC)
    idle = replace(feedback_of(item, world), share=np.zeros_like(feedback_of(item, world).share))
    found = simulate_feedback(item, book, world, SPEC, feedback=idle)
    assert not found.orders.any()
    scale = plain.total.std()
    assert np.abs(found.pnl.total - plain.total).max() < 1e-4 * scale  # the walk's state is float32
    assert found.pnl.gains[1] == pytest.approx(plain.gains[1], abs=1e-5 * scale)
    assert found.moves == pytest.approx(item.shocks.path[:, -1].mean(axis=0), abs=1e-5)


def test_sales_depend_on_the_path_and_the_base_run_carries_them(world, book, item):
    found = simulate_feedback(item, book, world, SPEC)
    assert (found.orders <= 0).all() and (found.orders < 0).any(axis=1).all()
    assert found.by_cell.sum(axis=1) == pytest.approx(found.orders.mean(axis=1), rel=1e-9)
    assert found.orders[1].mean() < found.orders[0].mean()  # the exodus makes those who stay lose more
    assert np.unique(found.orders[1]).size > SPEC.paths / 2


@pytest.mark.parametrize("case", ["lo", "default", "hi"])
def test_loop_gain_stays_below_one_half(world, item, case):
    scenario = replace(item.scenario, feedback=HolderFeedback(case))
    feedback = feedback_of(replace(item, scenario=scenario), world)
    assert 0 < feedback.loop_gain < 0.5


def test_a_loop_that_feeds_itself_is_refused(world, book, item):
    wild = HolderFeedback(overrides=(("share_private", Distribution(1.0, source="test")),
                                     ("share_official", Distribution(1.0, source="test"))))
    with pytest.raises(ModelError, match="loop gain"):
        simulate_feedback(replace(item, scenario=replace(item.scenario, feedback=wild)), book, world, SPEC)


def test_same_bits_on_any_threads_and_chunks(world, book, item, monkeypatch):
    want = digest(simulate_feedback(item, book, world, SPEC, Serial()))
    for threads, chunk in ((1, 2048), (2, 1024)):
        monkeypatch.setattr(engine_feedback, "CHUNK_PATHS", chunk)
        with Threads(threads) as pool:
            assert digest(simulate_feedback(item, book, world, SPEC, pool)) == want


def test_the_result_holds_both_and_its_own_line(world, book, shipped):
    with_it = run(shipped, book, world, SPEC)
    without = run(replace(shipped, feedback=None), book, world, SPEC)
    f = with_it.feedback
    assert without.feedback is None and CHANNEL not in without.channels
    assert f.expected_pnl_without_usd == without.expected_pnl_usd and f.es_without == without.tail.es
    assert with_it.expected_pnl_usd == pytest.approx(without.expected_pnl_usd + f.expected_pnl_usd)
    assert sum(with_it.channels.values()) == pytest.approx(with_it.expected_pnl_usd, rel=1e-9)
    assert sum(with_it.by_asset_class.values()) == pytest.approx(with_it.expected_pnl_usd, rel=1e-6)
    line = next(row for row in with_it.ledger.rows if row[0].startswith("holders' orders after losses"))
    assert line[1] == "memo" and line[2:] == f.orders_usd_bn and line[3] <= line[2] <= line[4] <= 0
    assert len(with_it.ledger.rows) == len(without.ledger.rows) + 2
    assert any("holders sell after losses" in x for x in with_it.flags)
    assert f.es_without != with_it.tail.es
    assert len(f.sources) == 4 and all("assumption" in x for x in f.sources)


def test_pinned_factors_refuse_feedback(world, book):
    pinned = load_scenario("triple_red_conditional")
    item = prepare(replace(pinned, feedback=HolderFeedback()), world, SPEC)
    with pytest.raises(InputError, match="pins"):
        simulate_feedback(item, book, world, SPEC)


HEAD = """
title = "Test"
narrative = "A test."
source = "tests"
horizon = { months = 6 }
"""


def test_the_table_of_a_scenario_file(tmp_path):
    def read(table: str):
        file = tmp_path / "some_case.toml"
        file.write_text(HEAD + table, encoding="utf-8")
        return check_scenario(file)

    assert read("")[0].feedback is None
    assert read("[feedback]\nenabled = false\n")[0].feedback is None
    assert read("[feedback]\n")[0].feedback == HolderFeedback()
    given = 'share_private = { default = 0.3, lo = 0.1, hi = 0.6, dist = "uniform", source = "assumption: test" }'
    scenario, problems = read(f'[feedback]\ncase = "hi"\n{given}\n')
    assert not problems and scenario.horizon == Horizon(26, 5)
    assert scenario.feedback.case == "hi"
    (name, number), = scenario.feedback.overrides
    assert (name, number.default, number.hi) == ("share_private", 0.3, 0.6)
    for wrong, words in (("share_private = 30", "share"), ("share_private = 0.3", "source"),
                         ('case = "worst"', "case"), ("share = 0.1", "share")):
        scenario, problems = read(f"[feedback]\n{wrong}\n")
        assert scenario is None and len(problems) == 1 and words in str(problems[0])


def test_overrides_reach_the_cells(world, item):
    more = HolderFeedback(overrides=(("share_private", Distribution(0.3, source="assumption: test")),))
    base = feedback_of(item, world)
    changed = feedback_of(replace(item, scenario=replace(item.scenario, feedback=more)), world)
    private = np.array([group.startswith("private") for group, _ in base.cells])
    assert changed.share[private] == pytest.approx(0.3) and np.array_equal(changed.share[~private], base.share[~private])
    assert any("0.3" in x and "assumption: test" in x for x in changed.sources)


def test_written_and_read_again(tmp_path, shipped):
    number = Distribution(0.3, 0.1, 0.6, "uniform", "share of holdings sold per unit of loss beyond the threshold",
                          "assumption: test")
    scenario = replace(shipped, feedback=HolderFeedback("lo", (("share_private", number),)))
    file = tmp_path / f"{shipped.name}.toml"
    file.write_text(write_scenario(scenario), encoding="utf-8")
    assert load_scenario(file).feedback == scenario.feedback
