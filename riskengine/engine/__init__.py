"""The engine: a scenario, a portfolio, a world, a specification and an executor in; a result out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from riskengine.base.sampling import RunSpec
    from riskengine.engine.paths import World
    from riskengine.execution import Executor
    from riskengine.instruments.portfolio import Portfolio
    from riskengine.policy.scenario import Scenario
    from riskengine.result import ScenarioResult


def run(
    scenario: Scenario,
    portfolio: Portfolio,
    world: World,
    spec: RunSpec,
    executor: Executor | None = None,
) -> ScenarioResult:
    """One scenario, end to end: policy → flows → balance of payments → prices → Monte Carlo → P&L → risk."""
    return run_all([scenario], portfolio, world, spec, executor)[0]


def run_all(
    scenarios: Sequence[Scenario],
    portfolio: Portfolio,
    world: World,
    spec: RunSpec,
    executor: Executor | None = None,
) -> tuple[ScenarioResult, ...]:
    """Several scenarios; those of one horizon share their paths. Results come in the order of *scenarios*."""
    from riskengine.engine.feedback import simulate_feedback, with_feedback
    from riskengine.engine.paths import policy_draws, prepare, simulate
    from riskengine.engine.results import scenario_results

    draws = policy_draws(world, spec)
    prepared = [prepare(s, world, spec, draws) for s in scenarios]
    results: dict[str, ScenarioResult] = {}
    for horizon in dict.fromkeys(p.scenario.horizon for p in prepared):
        batch = [p for p in prepared if p.scenario.horizon == horizon]
        pnl = simulate(batch, portfolio, world, horizon, spec, executor, keep_groups=False)
        for item, result in zip(batch, scenario_results(batch, pnl, world, spec, executor), strict=True):
            if item.scenario.feedback is not None:
                selling = simulate_feedback(item, portfolio, world, spec, executor)
                result = with_feedback(result, item, selling, world, spec)
            results[result.name] = result
    return tuple(results[s.name] for s in scenarios)
