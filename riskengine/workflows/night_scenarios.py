"""The scenarios of a night: chains first, then one simulation per horizon, then what each path says.

    chain        policy → flows → dollar → prices for all parameter draws; independent, so on the run's threads
    simulation   baseline and all scenarios of one horizon on the same paths
    measures     tails, channels, ledger; and the 10-year once more with the flow channel off
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from riskengine.base.sampling import RunSpec
from riskengine.base.units import BASIS_POINT, Horizon
from riskengine.engine.feedback import simulate_feedback, with_feedback
from riskengine.engine.paths import PreparedScenario, World, policy_draws, prepare
from riskengine.engine.results import scenario_results
from riskengine.execution import Executor
from riskengine.flows.draws import ParameterDraws
from riskengine.impact.chain import ten_year_at_horizon
from riskengine.instruments.portfolio import Portfolio
from riskengine.policy.scenario import Scenario
from riskengine.result import DataQualityItem, ScenarioResult
from riskengine.workflows.simulator import Simulator
from riskengine.workflows.stages import StageClock


@dataclass(frozen=True, slots=True)
class Chains:
    """Draws of every parameter, and the chains of all scenarios by horizon, in the order of the scenarios."""

    draws: ParameterDraws
    by_horizon: dict[Horizon, list[PreparedScenario]]


def run_chains(
    scenarios: Sequence[Scenario], world: World, spec: RunSpec, executor: Executor, clock: StageClock
) -> Chains:
    """Every chain of the night, before any path."""
    clock("chain")
    draws = policy_draws(world, spec)
    by_horizon: dict[Horizon, list[PreparedScenario]] = {}
    for item in prepare_all(scenarios, world, spec, draws, executor,
                            lambda done: clock.report("chain", done, len(scenarios))):
        by_horizon.setdefault(item.scenario.horizon, []).append(item)
    return Chains(draws, by_horizon)


def run_scenarios(
    scenarios: Sequence[Scenario], positions: Portfolio, world: World, spec: RunSpec, executor: Executor,
    clock: StageClock, simulator: Simulator, chains: Chains | None = None,
) -> tuple[ScenarioResult, ...]:
    """All scenarios, batched by horizon so that each batch shares its paths; order of *scenarios* is kept.

    chains : of ``run_chains``, when the caller has them.
    """
    chains = run_chains(scenarios, world, spec, executor, clock) if chains is None else chains
    found: dict[str, ScenarioResult] = {}
    for horizon, batch in chains.by_horizon.items():
        clock("simulation")
        pnl = simulator(
            batch, positions, world, horizon, spec, executor,
            progress=lambda done: clock.report("simulation", done, spec.paths), keep_groups=False,
        )
        clock("measures")
        for item, result in zip(batch, scenario_results(batch, pnl, world, spec, executor), strict=True):
            found[result.name] = _add_feedback(result, item, positions, world, spec, executor, clock, simulator)
        del pnl  # the next horizon's paths take its memory
    clock("chain")
    results = tuple(found[s.name] for s in scenarios)
    without = executor.here.map(
        lambda pair: ten_year_without_flows(*pair, world, chains.draws),
        list(zip(scenarios, results, strict=True)))
    return tuple(replace(r, flow_channel_off_10y_bp=x) for r, x in zip(results, without, strict=True))


def _add_feedback(
    result: ScenarioResult, item: PreparedScenario, positions: Portfolio, world: World, spec: RunSpec,
    executor: Executor, clock: StageClock, simulator: Simulator,
) -> ScenarioResult:
    """With holders' selling after losses when the scenario carries it; a night at size leaves it out and says so."""
    if item.scenario.feedback is None:
        return result
    if simulator.budget is not None:
        message = "a night at size simulates no feedback selling: the result is the scenario without it"
        simulator.remarks.append(DataQualityItem("warning", result.name, message))
        return replace(result, flags=(*result.flags, message))
    clock("feedback")
    selling = simulate_feedback(item, positions, world, spec, executor)
    clock("measures")
    return with_feedback(result, item, selling, world, spec)


def prepare_all(
    scenarios: Sequence[Scenario], world: World, spec: RunSpec, draws: ParameterDraws, executor: Executor,
    progress: Callable[[int], None] | None = None,
) -> list[PreparedScenario]:
    """Chains of all scenarios in their order, on threads of this machine (a cluster would only move data)."""
    done = count(1)

    def one(scenario: Scenario) -> PreparedScenario:
        item = prepare(scenario, world, spec, draws)
        if progress is not None:
            progress(next(done))
        return item

    return executor.here.map(one, scenarios)


def ten_year_without_flows(
    scenario: Scenario, result: ScenarioResult, world: World, draws: ParameterDraws
) -> float | None:
    """Median 10-year move, bp, with the flow channel off; None when no flow reaches yields anyway."""
    if result.chain.treasury_10y_flow_bp == (0.0, 0.0, 0.0):
        return None
    flow, path = ten_year_at_horizon(
        replace(scenario, flow_channel=False), world.accounts, draws, world.model(scenario.horizon),
        scenario.horizon)
    return float(_median_bp(flow) + _median_bp(path))


def _median_bp(values: np.ndarray) -> float:
    return float(np.percentile(values / BASIS_POINT, 50)) + 0.0
