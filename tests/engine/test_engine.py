"""The engine on the embedded world: identities that must hold to the bit or to rounding, whatever the numbers are."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from riskengine.base.axes import FACTORS
from riskengine.base.estimate import Distribution
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.data.configs import load_scenario
from riskengine.engine import run, run_all
from riskengine.engine import paths as engine_paths
from riskengine.engine.paths import draw_pnl, mean_by_position, prepare, simulate
from riskengine.engine.results import baseline_result, scenario_results
from riskengine.execution import Serial, Threads
from riskengine.instruments.portfolio import compile_book
from riskengine.policy.scenario import Scenario
from riskengine.policy.shocks import ForeignSelling, Schedule

SPEC = RunSpec(paths=2048, draws=64)
YEAR = Horizon(52, 5)


def scenario(*shocks, name="test", **kwargs) -> Scenario:
    return Scenario(name, "Test", "A test.", "tests", kwargs.pop("horizon", YEAR), tuple(shocks), **kwargs)


def selling(amount: float) -> ForeignSelling:
    return ForeignSelling(
        amount=Distribution(amount), classes=("treasury",), holders=("Japan",), schedule=Schedule("linear", 1.0)
    )


def digest(pnl) -> str:
    return hashlib.sha256(pnl.groups.tobytes() + pnl.total.tobytes() + pnl.gains.tobytes()).hexdigest()


def test_a_scenario_without_shocks_is_the_baseline_to_the_bit(world, book):
    item = prepare(scenario(), world, SPEC)
    pnl = simulate([item], book, world, YEAR, SPEC)
    assert np.array_equal(pnl.total[0], pnl.total[1])
    assert pnl.total[0].std() > 0
    result = run(scenario(), book, world, SPEC)
    assert result.expected_pnl_usd == 0.0
    assert all(move == 0.0 for move in result.moves.values())
    assert result.ledger.max_imbalance_usd_bn == 0.0


def test_same_bits_on_any_threads_and_chunks(world, book, monkeypatch):
    items = [prepare(load_scenario("china_sells_treasuries"), world, SPEC)]
    want = digest(simulate(items, book, world, YEAR, SPEC, Serial()))
    for threads, chunk in ((1, 2048), (2, 3072), (2, 1024)):
        monkeypatch.setattr(engine_paths, "CHUNK_PATHS", chunk)
        with Threads(threads) as pool:
            assert digest(simulate(items, book, world, YEAR, SPEC, pool)) == want
    monkeypatch.undo()
    other = replace(SPEC, seed=SPEC.seed + 1)
    assert digest(simulate([prepare(load_scenario("china_sells_treasuries"), world, other)], book, world, YEAR, other)) != want


def test_doubling_an_order_doubles_its_linear_impact(world):
    one = prepare(scenario(selling(50.0)), world, SPEC).policy.chain
    two = prepare(scenario(selling(100.0)), world, SPEC).policy.chain
    for name in ("gross_orders", "net_outflow", "dollars_out", "treasury_flow", "broad_dollar"):
        single, double = getattr(one, name), getattr(two, name)
        assert np.abs(single).max() > 0, name
        np.testing.assert_allclose(double, 2 * single, rtol=1e-9, atol=1e-15, err_msg=name)


def test_ledger_balances_for_every_draw_and_step_of_every_scenario(world):
    for name in ("withholding_tax_30_no_exemptions", "mar_a_lago_accord", "tariffs", "exodus_10pct"):
        ledger = prepare(load_scenario(name), world, SPEC).policy.ledger
        assert np.abs(ledger.lines).max() > 1.0
        for identity in set(ledger.identity) - {"memo"}:
            pick = [i for i, n in enumerate(ledger.identity) if n == identity]
            assert np.abs(ledger.lines[:, :, pick].sum(axis=2)).max() <= 1e-9, (name, identity)


def test_parts_add_up(world, book):
    names = ("exodus_10pct", "china_sells_treasuries")
    for result in run_all([load_scenario(n) for n in names], book, world, SPEC):
        scale = max(abs(result.expected_pnl_usd), 1e6)
        for parts in (result.channels, result.by_asset_class, result.by_desk, result.by_book):
            assert abs(sum(parts.values()) - result.expected_pnl_usd) < 1e-6 * scale
        assert abs(sum(result.variance_share.values()) - 1.0) < 1e-12
        for var, es in zip(result.tail.var, result.tail.es, strict=True):
            assert es >= var


def test_channels_sum_to_the_response_pnl_in_every_draw(world, book):
    item = prepare(load_scenario("unilateral_restrictions"), world, SPEC)
    pnl = simulate([item], book, world, item.scenario.horizon, SPEC)
    total, channels, positions = draw_pnl(item, pnl.book, by_position=True)
    np.testing.assert_allclose(sum(channels.values()), total, rtol=0, atol=1e-3)
    np.testing.assert_allclose(positions.sum(axis=0), total, rtol=0, atol=1.0)
    assert len([c for c, v in channels.items() if np.abs(v).max() > 0]) >= 4
    assert mean_by_position(item, pnl.book).tobytes() == positions.mean(axis=1).tobytes()


def test_means_by_position_do_not_hang_on_the_blocks(world, book, monkeypatch):
    item = prepare(load_scenario("exodus_10pct"), world, SPEC)
    compiled = compile_book(book, world.snapshot, FACTORS, item.scenario.horizon)
    want = mean_by_position(item, compiled)
    monkeypatch.setattr(engine_paths, "POSITIONS_AT_ONCE", 7)
    assert mean_by_position(item, compiled).tobytes() == want.tobytes()


def test_results_are_the_same_on_threads(world, book):
    items = [prepare(load_scenario(n), world, SPEC) for n in ("exodus_10pct", "china_sells_treasuries")]
    pnl = simulate(items, book, world, items[0].scenario.horizon, SPEC)
    alone = scenario_results(items, pnl, world, SPEC)
    risk = baseline_result(pnl, book, world, SPEC, 0.975, "x")
    with Threads(3) as threads:
        for found, want in zip(scenario_results(items, pnl, world, SPEC, threads), alone, strict=True):
            assert found.expected_pnl_usd == want.expected_pnl_usd and found.by_position == want.by_position
            assert found.tail == want.tail and found.channels == want.channels
        found = baseline_result(pnl, book, world, SPEC, 0.975, "x", threads)
        assert found.groups == risk.groups and found.positions == risk.positions


def test_no_channel_is_larger_than_the_moves_it_carries(world, book):
    """Fixings inside the horizon must not blow a channel up when channels of one factor nearly cancel."""
    for name in ("inflow_slowdown", "dollar_minus_10"):
        result = run(load_scenario(name), book, world, SPEC)
        assert max(abs(v) for v in result.channels.values()) < 0.08 * 10e9, (name, result.channels)


def test_contributions_add_up_to_the_expected_shortfall(world, book):
    pnl = simulate((), book, world, Horizon(10, 1), SPEC)
    risk = baseline_result(pnl, book, world, SPEC, 0.975, "student_t")
    at = risk.total.levels.index(0.975)
    for dimension in ("desk", "book", "asset_class", "strategy"):
        parts = sum(g.component_es[at] for g in risk.groups if g.dimension == dimension)
        assert parts == pytest.approx(risk.total.es[at], rel=1e-6)
    assert sum(p.component_es for p in risk.positions) == pytest.approx(risk.total.es[at], rel=1e-5)
    assert sum(p.value_usd for p in risk.positions) == pytest.approx(pnl.book.nav)


def test_ten_day_risk_exceeds_one_day_risk(world, book):
    one, ten = (simulate((), book, world, Horizon(d, 1), SPEC).total[0] for d in (1, 10))
    assert 2.0 < ten.std() / one.std() < 4.5


def test_parameter_uncertainty_off_makes_draws_equal(world):
    spec = replace(SPEC, parameter_uncertainty=False)
    item = prepare(load_scenario("exodus_10pct"), world, spec)
    assert np.ptp(item.shocks.path, axis=0).max() < 1e-12
    drawn = prepare(load_scenario("exodus_10pct"), world, SPEC)
    assert np.ptp(drawn.shocks.path[:, -1], axis=0).max() > 1e-3
