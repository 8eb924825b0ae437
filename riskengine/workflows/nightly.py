"""The night: configuration → world → baseline and scenarios → measures → run folder with report and tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError, Problem
from riskengine.base.units import Horizon
from riskengine.data.catalog import default_as_of
from riskengine.data.configs import config_root, load_limits, load_scenario
from riskengine.data.portfolios import load_portfolio
from riskengine.data.quality import data_quality
from riskengine.data.store import RunStore, hash_text, make_run_id
from riskengine.engine.paths import World
from riskengine.engine.results import baseline_result
from riskengine.execution import Executor, Serial, Threads
from riskengine.instruments.book import keep_priceable
from riskengine.instruments.exposures import exposures, report_units, sensitivities
from riskengine.instruments.portfolio import Portfolio, compile_book
from riskengine.measures.limits import evaluate_limits, limit_values
from riskengine.policy.night import NightlyConfig
from riskengine.policy.scenario import Scenario
from riskengine.result import DataQualityItem, NightResult, RiskResult
from riskengine.workflows.build_world import build_world, check_as_of, input_quality
from riskengine.workflows.data_version import on_one_version
from riskengine.workflows.night_scenarios import run_chains, run_scenarios
from riskengine.workflows.night_tables import night_tables
from riskengine.workflows.simulator import Simulator
from riskengine.workflows.publish import hash_inputs, publish_run
from riskengine.workflows.stages import Progress, StageClock


@dataclass(frozen=True, slots=True)
class NightOutcome:
    """Where the run lies, what it found, and whether a hard limit is breached (exit code 2)."""

    folder: Path
    result: NightResult
    hard_breach: bool


@on_one_version
def run_night(
    config: NightlyConfig,
    *,
    out: Path,
    as_of: str | None = None,
    accounts: str | None = None,
    portfolio: Path | None = None,
    threads: int | None = None,
    dask: str | None = None,
    memory_gb: float | None = None,
    keep: int | None = None,
    full_reval: int | None = None,
    skip_bad_rows: bool = False,
    progress: Progress | None = None,
) -> NightOutcome:
    """Run the night and publish its folder ``out/<as_of>/<run_id>/`` atomically.

    Two more keywords, ``data`` and ``data_version``, choose the data store and an earlier version of it
    (``on_one_version``).

    Raises
    ------
    InputError : every problem of portfolio, scenarios, limits or data at once; nothing is written.
    """
    clock = StageClock(progress)
    clock("inputs")
    day = as_of or config.as_of or default_as_of()
    which = accounts or config.accounts
    check_as_of(day)
    book_file = Path(portfolio or config.portfolio)
    problems: list[Problem] = []
    positions, skipped = _collect(problems, lambda: load_portfolio(book_file, day, skip_bad_rows=skip_bad_rows), (None, ()))
    scenarios = [s for f in config.scenarios if (s := _collect(problems, lambda f=f: load_scenario(f), None))]
    limits = _collect(problems, lambda: load_limits(config.limits), ())
    if problems:
        raise InputError(problems)
    assert isinstance(positions, Portfolio)
    store = RunStore(out)
    spec = config.run
    _check_memory(spec.paths, len(scenarios), memory_gb)
    world = build_world(day, which, step=clock)
    hashes = hash_inputs(config, book_file, world)
    started = datetime.now(UTC)
    run_id = make_run_id(started, hash_text(repr(sorted(hashes.items())) + repr(spec) + day + which))
    if skip_bad_rows:
        positions, unpriced = keep_priceable(positions, world.snapshot)
        skipped = (*skipped, *unpriced)
    applicable, quality = _applicable(scenarios, world)
    rows = len(applicable) + len(config.horizons_days)
    simulator = Simulator.build(
        config.full_reval if full_reval is None else full_reval, len(positions.positions), spec.paths, rows,
        memory_gb, config.position_level)
    from riskengine.workflows.attribution import compare_with_previous, count_rebuilds

    previous = store.previous_run(run_id)
    simulator.rebuilds = 0 if previous is None else count_rebuilds(previous, world, hashes, which)
    with _executor(threads if threads is not None else config.threads, dask) as executor:
        night, tables = _compute(
            config, positions, applicable, limits, (*quality, *_skipped_rows(skipped)), world, run_id, executor, clock,
            simulator
        )
        clock("comparison")
        tables["comparison"] = (
            None if previous is None
            else compare_with_previous(previous, night, world, positions, applicable, spec, hashes, which, executor,
                                       book_file, simulator.budget)
        )
    night = replace(night, tables=tables)
    clock("report")
    folder = publish_run(store, night, clock, hashes, spec, world, book_file, which, started,
                         simulator.plans)
    if (keep or config.keep) is not None:
        store.prune(keep or config.keep)
    return NightOutcome(folder, night, any(limit.status == "breach" for limit in night.limits))


def _compute(
    config: NightlyConfig, positions: Portfolio, scenarios: list[Scenario], limits, remarks, world: World,
    run_id: str, executor: Executor, clock: StageClock, simulator: Simulator,
) -> tuple[NightResult, dict[str, object]]:
    """Baseline, scenarios, exposures and limits of the night, and the tables of its report."""
    spec = config.run
    chains = run_chains(scenarios, world, spec, executor, clock)
    clock("preparation")
    batches = [*(((), Horizon(days, 1), True) for days in config.horizons_days),
               *((batch, horizon, False) for horizon, batch in chains.by_horizon.items())]
    simulator.prepare(batches, positions, world, spec, executor,
                      lambda done: clock.report("preparation", done, len(batches)))
    baseline = tuple(
        _baseline(days, positions, world, config, executor, simulator, clock) for days in config.horizons_days
    )
    results = run_scenarios(scenarios, positions, world, spec, executor, clock, simulator, chains)
    clock("measures")
    instant = compile_book(positions, world.snapshot, FACTORS, None)
    exposure = exposures(positions, instant, world.snapshot)
    baseline = _with_sensitivities(baseline, sensitivities(instant), report_units(instant))
    night = NightResult(
        as_of=world.as_of, accounts_as_of=world.accounts.accounts_as_of, run_id=run_id, seed=spec.seed,
        paths=spec.paths, draws=spec.draws, nav_usd=float(instant.base_value.sum()), baseline=baseline,
        scenarios=results, exposures=exposure,
        limits=evaluate_limits(limits, limit_values(baseline, results, exposure)),
        data_quality=(*simulator.remarks, *remarks, *input_quality(world), *data_quality(world.as_of)),
    )
    clock("tables")
    return night, night_tables(night, world, positions)


def render_again(run: Path) -> Path:
    """Render ``report.html`` of an old run from its ``result.json``; returns the file."""
    import json

    from riskengine.reports.archive import load_night
    from riskengine.reports.nightly import render_night

    source = Path(run) / "result.json"
    if not source.is_file():
        raise InputError(Problem("not a run folder: result.json is missing", file=str(run)))
    target = Path(run) / "report.html"
    target.write_text(render_night(load_night(json.loads(source.read_text(encoding="utf-8")))), encoding="utf-8")
    return target


def warm_up(progress: Progress | None = None) -> None:
    """Compile and cache every kernel by running the smallest possible night in memory."""
    from riskengine.base.sampling import RunSpec
    from riskengine.data.configs import load_nightly_config

    config = load_nightly_config(config_root() / "nightly.toml")
    clock = StageClock(progress)
    world = build_world(config.as_of or default_as_of(), config.accounts, step=clock)
    positions, _ = load_portfolio(config.portfolio, world.as_of)
    spec = RunSpec(paths=1024, draws=512)
    clock("kernels")
    _baseline(10, positions, world, replace(config, run=spec, far_paths=1024), Serial(), Simulator(None),
              clock)
    run_scenarios([load_scenario(config.scenarios[0])], positions, world, spec, Serial(), clock,
                  Simulator(0))
    clock("")


def _collect(problems: list[Problem], call: Callable, otherwise):
    """Result of *call*, or *otherwise* with its problems added to the list: all doors are tried before we stop."""
    try:
        return call()
    except InputError as error:
        problems.extend(error.problems)
        return otherwise


def _baseline(
    days: int, positions: Portfolio, world: World, config: NightlyConfig, executor: Executor, simulator: Simulator,
    clock: StageClock,
) -> RiskResult:
    spec = config.run
    clock("simulation")
    pnl = simulator((), positions, world, Horizon(days, 1), spec, executor)
    clock("measures")
    risk = baseline_result(pnl, positions, world, spec, config.position_level, spec.noise, executor)
    if not config.far_levels:
        return risk
    from riskengine.engine.far_tail import measure_far_tail

    clock("far tail")
    far = measure_far_tail(pnl.book, world, spec, config.far_levels, config.far_paths, executor)
    return replace(risk, far_tail=far)


def _executor(threads: int | None, dask: str | None) -> Executor:
    if dask is not None:
        from riskengine.execution import Dask

        return Dask(None if dask == "local" else dask)
    return Threads(threads) if threads != 1 else Serial()


def _applicable(scenarios: list[Scenario], world: World) -> tuple[list[Scenario], list[DataQualityItem]]:
    """Scenarios that can be run with what is known at the as-of date; the others are named, never dropped silently."""
    from riskengine.policy.shocks import HistoricalReplay

    run, items = [], []
    for scenario in scenarios:
        late = [s for s in scenario.shocks if isinstance(s, HistoricalReplay) and s.end > world.as_of]
        if late:
            items.append(DataQualityItem(
                "warning", scenario.name,
                f"not run: it replays moves up to {late[0].end}, after the as-of date {world.as_of}",
            ))
        else:
            run.append(scenario)
    return run, items


def _skipped_rows(problems) -> list[DataQualityItem]:
    return [DataQualityItem("red", "portfolio", f"row left out: {p}") for p in problems]


def _with_sensitivities(
    baseline: tuple[RiskResult, ...], table: np.ndarray, units: np.ndarray
) -> tuple[RiskResult, ...]:
    """Attach USD per +1% (log factors) or per +1 bp (absolute factors) to every position."""
    found: list[dict[str, float]] = [{} for _ in table]
    rows, columns = np.nonzero(table)
    values = (table * units)[rows, columns]
    for i, k, usd in zip(rows.tolist(), columns.tolist(), values.tolist(), strict=True):
        found[i][FACTORS.labels[k]] = usd
    return tuple(
        replace(r, positions=tuple(
            replace(p, sensitivities=own) for p, own in zip(r.positions, found, strict=True)))
        for r in baseline
    )


def _check_memory(paths: int, scenarios: int, memory_gb: float | None) -> None:
    """Refuse before the run what cannot fit: totals by scenario (float64), groups of the baseline (float32, about 40)."""
    need = paths * ((scenarios + 1) * 8 + 40 * 4) / 1e9 + 0.8
    if memory_gb is not None and need > memory_gb:
        raise InputError(Problem(
            f"{paths} paths × {scenarios} scenarios need about {need:.1f} GB", field="--memory",
            got=f"{memory_gb} GB", accepted="fewer paths or scenarios, or more memory",
        ))
