"""Why the numbers changed since the previous run: positions, market state, parameters, data, sampling.

The previous run is rebuilt (its portfolio copy, its as-of date, its factor models) and its ingredients are replaced one
after the other on the same streams at ATTRIBUTION_PATHS paths::

    data        old book, old world under today's data and configuration, against what was reported
    positions   today's book in the old world
    market      today's prices, curves and volatilities behind option prices; old models and accounts
    parameters  today's factor models, impact parameters and accounts

What fewer paths (and another seed or path count) cannot explain is the line 'sampling'; the five add up to the change.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from riskengine.base.errors import RiskEngineError
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.data.artefacts import load_model
from riskengine.data.portfolios import load_portfolio
from riskengine.engine import run_all
from riskengine.engine.paths import World, simulate
from riskengine.execution import Executor
from riskengine.instruments.portfolio import Portfolio
from riskengine.measures.tail_risk import measure_tail
from riskengine.policy.scenario import Scenario
from riskengine.result import NightResult
from riskengine.workflows.build_world import build_world
from riskengine.workflows.night_scenarios import run_chains
from riskengine.workflows.simulator import Simulator
from riskengine.workflows.stages import StageClock

ATTRIBUTION_PATHS = 16_384
MODELS = ("daily", "weekly")
RISK_METRICS = (("var", 0.99, 1), ("es", 0.975, 10))
"""(measure, level, horizon in days) that are followed from day to day."""

Values = dict[tuple[str, str], float]


def compare_with_previous(
    previous: Path, night: NightResult, world: World, positions: Portfolio, scenarios: list[Scenario],
    spec: RunSpec, hashes: dict[str, str], accounts: str, executor: Executor, book_file: Path,
    budget: int | None = None,
) -> dict:
    """{'previous_run_id', 'note', 'rows'}: one row per metric with the split; the parts add up to ``change``.

    budget : of a night at size (``Simulator.budget``): the books are then valued as it values them.
    """
    manifest = json.loads((previous / "manifest.json").read_text(encoding="utf-8"))
    before = reported_values(json.loads((previous / "summary.json").read_text(encoding="utf-8")))
    after = night_values(night)
    small = replace(spec, paths=max(spec.draws, ATTRIBUTION_PATHS // spec.draws * spec.draws))
    if small.paths > spec.paths:
        small = spec
    note = ""
    try:
        stages = _stages(previous, manifest, world, positions, scenarios, small, hashes, accounts, executor, after,
                         book_file, budget)
    except RiskEngineError as error:
        stages, note = None, f"the previous run cannot be rebuilt: {error}"
    rows = []
    for key in after:
        if key not in before:
            continue
        change = after[key] - before[key]
        row = {"metric": key[0], "scope": key[1], "before": before[key], "after": after[key], "change": change}
        if stages is None or any(key not in s for s in stages):
            row |= dict.fromkeys(("positions", "market_state", "parameters", "data", "sampling"))
        else:
            old, book, market, new = (s[key] for s in stages)
            same_sampling = all(manifest.get(k) == getattr(spec, k) for k in ("seed", "paths", "draws", "noise"))
            changed_data = any(manifest["hashes"].get(k) != hashes[k] for k in ("data", "config"))
            row |= {"positions": book - old, "market_state": market - book, "parameters": new - market}
            rest = change - (new - old)
            row |= {"data": rest, "sampling": 0.0} if changed_data and same_sampling else {"data": 0.0, "sampling": rest}
        rows.append(row)
    return {"previous_run_id": manifest["run_id"], "note": note, "rows": rows}


def _stages(
    previous: Path, manifest: dict, world: World, positions: Portfolio, scenarios: list[Scenario], spec: RunSpec,
    hashes: dict[str, str], accounts: str, executor: Executor, after: Values,
    book_file: Path, budget: int | None,
) -> tuple[Values, Values, Values, Values]:
    """Values of: everything old · today's book · today's market · everything of today."""
    same_book, same_day, same_world = _unchanged(manifest, world, hashes, accounts)
    inputs = previous / "inputs"

    def value(book: Portfolio, known: World) -> Values:
        return _values(book, known, scenarios, spec, executor, budget)

    if same_book and same_world:
        return after, after, after, after
    new = value(positions, world)
    old_book = positions
    if not (same_book and same_day):
        copy = next(inputs.glob("portfolio.*"))
        old_book, _ = load_portfolio(copy, manifest["as_of"], skip_bad_rows=True)
    if same_world:
        old = value(old_book, world)
        return old, new, new, new
    old_models = {n: load_model(inputs / f"factor_model_{n}") for n in MODELS}
    old_world = build_world(manifest["as_of"], manifest["accounts"])
    old_world = replace(old_world, daily=old_models["daily"], weekly=old_models["weekly"])
    book_then = positions if same_day else load_portfolio(book_file, manifest["as_of"], skip_bad_rows=True)[0]
    old = value(old_book, old_world)
    book = old if same_book else value(book_then, old_world)
    market_world = replace(old_world, as_of=world.as_of, snapshot=world.snapshot, history=world.history)
    market = value(positions, market_world) if not same_day else book
    return old, book, market, new


def count_rebuilds(previous: Path, world: World, hashes: dict[str, str], accounts: str) -> int:
    """How often ``compare_with_previous`` values a book: what changed decides."""
    manifest = json.loads((previous / "manifest.json").read_text(encoding="utf-8"))
    same_book, same_day, same_world = _unchanged(manifest, world, hashes, accounts)
    if same_world:
        return 0 if same_book else 2
    return 2 + (not same_book) + (not same_day)


def _unchanged(
    manifest: dict, world: World, hashes: dict[str, str], accounts: str
) -> tuple[bool, bool, bool]:
    """Is the book, the day, the world that of the previous run?"""
    before = manifest["hashes"]
    same_day = manifest["as_of"] == world.as_of
    same_models = all(before.get(f"factor_model_{n}") == hashes[f"factor_model_{n}"] for n in MODELS)
    return (before.get("portfolio") == hashes["portfolio"], same_day,
            same_day and same_models and manifest.get("accounts") == accounts)


def _values(
    positions: Portfolio, world: World, scenarios: list[Scenario], spec: RunSpec, executor: Executor,
    budget: int | None,
) -> Values:
    values: Values = {}
    if budget is not None:
        return _values_at_size(positions, world, scenarios, spec, executor, Simulator(budget))
    for measure, level, days in RISK_METRICS:
        pnl = simulate((), positions, world, Horizon(days, 1), spec, executor)
        tail = measure_tail(pnl.total[0], pnl.draw, spec.draws, (level,))
        values[_name(measure, level, days), "total"] = getattr(tail, measure)[0]
    for result in run_all(scenarios, positions, world, spec, executor):
        values["expected_pnl", result.name] = result.expected_pnl_usd
    return values


def _values_at_size(
    positions: Portfolio, world: World, scenarios: list[Scenario], spec: RunSpec, executor: Executor,
    simulator: Simulator,
) -> Values:
    """The same from the collapsed book; its remarks are not those of the night."""
    values: Values = {}
    for measure, level, days in RISK_METRICS:
        pnl = simulator((), positions, world, Horizon(days, 1), spec, executor, keep_groups=False)
        tail = measure_tail(pnl.total[0], pnl.draw, spec.draws, (level,))
        values[_name(measure, level, days), "total"] = getattr(tail, measure)[0]
    for horizon, batch in run_chains(scenarios, world, spec, executor, StageClock()).by_horizon.items():
        pnl = simulator(batch, positions, world, horizon, spec, executor, keep_groups=False)
        for row, item in enumerate(batch, start=1):
            gain = pnl.total[row].astype(np.float64) - pnl.total[0]
            values["expected_pnl", item.scenario.name] = float(gain.mean())
    return values


def _name(measure: str, level: float, days: int) -> str:
    return f"{measure}_{level * 100:g}_{days}d"


def night_values(night: NightResult) -> Values:
    """The followed metrics of a night that has just been computed."""
    values: Values = {}
    for measure, level, days in RISK_METRICS:
        for risk in night.baseline:
            if risk.horizon_days == days and level in risk.total.levels:
                at = risk.total.levels.index(level)
                values[_name(measure, level, days), "total"] = getattr(risk.total, measure)[at]
    return values | {("expected_pnl", s.name): s.expected_pnl_usd for s in night.scenarios}


def reported_values(summary: dict) -> Values:
    """The same metrics out of an older run's ``summary.json``."""
    values: Values = {}
    for risk in summary["baseline"].get("by_horizon", [summary["baseline"]]):
        for measure, level, days in RISK_METRICS:
            if risk["horizon_days"] == days:
                found = {float(k): v for k, v in risk[measure].items()}
                if level in found:
                    values[_name(measure, level, days), "total"] = found[level]
    return values | {("expected_pnl", s["name"]): s["expected_pnl_usd"] for s in summary["scenarios"]}
