"""The scenarios of a night: the same on threads, the 10-year without flows, feedback at night and at size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from riskengine.base.sampling import RunSpec
from riskengine.data.configs import load_scenario
from riskengine.engine import run
from riskengine.engine.paths import policy_draws, prepare
from riskengine.engine.results import summarize_chain
from riskengine.execution import Serial, Threads
from riskengine.workflows.night_scenarios import prepare_all, run_scenarios
from riskengine.workflows.simulator import Simulator
from riskengine.workflows.stages import StageClock

SPEC = RunSpec(paths=1024, draws=64)
NAMES = ("china_sells_treasuries", "exodus_with_feedback", "lehman_2008")


@pytest.fixture(scope="module")
def scenarios():
    return [load_scenario(name) for name in NAMES]


def test_chains_are_the_same_on_threads_and_alone(world, scenarios):
    draws = policy_draws(world, SPEC)
    seen: list[int] = []
    with Threads(2) as threads:
        mine = prepare_all(scenarios, world, SPEC, draws, threads, seen.append)
    for item, scenario in zip(mine, scenarios, strict=True):
        alone = prepare(scenario, world, SPEC)
        assert item.scenario is scenario and np.array_equal(item.shocks.path, alone.shocks.path)
        assert np.array_equal(item.policy.ledger.lines, alone.policy.ledger.lines)
    assert sorted(seen) == [1, 2, 3]


def test_a_night_of_three(world, book, scenarios):
    clock = StageClock()
    results = run_scenarios(scenarios, book, world, SPEC, Serial(), clock, Simulator(None))
    assert [r.name for r in results] == list(NAMES)
    assert {"chain", "simulation", "measures", "feedback"} <= set(clock.finish())
    for scenario, result in zip(scenarios, results, strict=True):
        assert result.expected_pnl_usd == run(scenario, book, world, SPEC).expected_pnl_usd
        assert (result.feedback is not None) == (scenario.feedback is not None)
    off = prepare(replace(scenarios[0], flow_channel=False), world, SPEC).policy.chain
    chain = summarize_chain(off)
    assert results[0].flow_channel_off_10y_bp == chain.treasury_10y_flow_bp[0] + chain.treasury_10y_path_bp[0]
    assert results[2].flow_channel_off_10y_bp is None  # it imposes prices: no flow to switch off


def test_at_size_feedback_is_left_out_aloud(world, book):
    scenario = load_scenario("exodus_with_feedback")
    spec = replace(SPEC, draws=512)
    simulator = Simulator(10_000)
    result, = run_scenarios([scenario], book, world, spec, Serial(), StageClock(), simulator)
    assert result.feedback is None
    assert any("no feedback selling" in x for x in result.flags)
    assert any(x.severity == "warning" and x.series == scenario.name for x in simulator.remarks)
