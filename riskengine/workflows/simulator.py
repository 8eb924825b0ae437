"""Which simulation the night uses: every position on every path, or the collapsed book of a night at size.

One rule decides for the whole night (``engine.at_size.budget_for``), and a night at size says so: before
its first path its time and memory on stderr, run by run in the manifest, and its errors among the remarks on
data quality.

    time = Σ_runs blocks · (seconds of a block, measured) / workers  +  what follows, by size (MEASURED_*)
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from riskengine.base.errors import InputError, Problem
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.engine.at_size import (
    SizePlan, SizePnl, SizeRun, budget_for, prepare_at_size, run_at_size,
)
from riskengine.engine.correction import CorrectionError
from riskengine.engine.paths import PathPnl, PreparedScenario, World, simulate
from riskengine.engine.results import STANDALONE_PATHS
from riskengine.execution import Executor
from riskengine.instruments.portfolio import Portfolio
from riskengine.result import DataQualityItem

LONG_SECONDS = 5.0
"""Nights estimated to take longer are announced."""
MEASURED_PATH_ROW = 7e-7
"""Seconds of one core by path and row: corrections and tails.  Measured on the machine of the README, as
the others."""
MEASURED_SCENARIO_POSITION = 2.2e-5
"""Seconds of one core by scenario and position: channels, means by position."""
MEASURED_POSITION_PATH = 2.6e-8
"""Seconds of one core by baseline, position and path of its tables (the tail, and STANDALONE_PATHS)."""
MEASURED_POSITION = 2.7e-4
"""Seconds by position of what runs in one thread: exposures, tables, report."""
Batch = tuple[Sequence[PreparedScenario], Horizon, bool]
"""Scenarios of one horizon, and whether groups are kept (a baseline)."""


@dataclass(slots=True)
class Simulator:
    """Called as ``paths.simulate``.

    budget : distinct curved instruments revalued on every path, None: everything.  memory_gb : a night whose
    bound would take the process beyond it is refused before its paths.
    """

    budget: int | None
    memory_gb: float | None = None
    position_level: float = 0.975
    """Of the tables by position."""
    rebuilds: int = 0
    """How often the comparison with the previous run will value a book: each costs as much as the preparation."""
    remarks: list[DataQualityItem] = field(default_factory=list)
    plans: list[str] = field(default_factory=list)
    _ready: dict[tuple, SizeRun] = field(default_factory=dict)

    @classmethod
    def build(
        cls, full_reval: int | None, positions: int, paths: int, rows: int, memory_gb: float | None = None,
        position_level: float = 0.975,
    ) -> Simulator:
        """rows : scenarios and baselines of the night."""
        return cls(budget_for(full_reval, positions, paths, rows), memory_gb, position_level)

    def prepare(
        self, batches: Sequence[Batch], portfolio: Portfolio, world: World, spec: RunSpec, executor: Executor,
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        """Make every run of a night at size ready and announce what the night will cost.

        InputError when it needs more memory than allowed.  Nothing to do in a night that revalues everything.
        """
        if self.budget is None:
            return
        began = time.perf_counter()
        for done, (prepared, horizon, keep_groups) in enumerate(batches, start=1):
            self._ready[_key(prepared, horizon, keep_groups)] = prepare_at_size(
                prepared, portfolio, world, horizon, spec, self.budget, executor, keep_groups)
            progress(done)
        again = self.rebuilds * (time.perf_counter() - began)
        self._announce(list(self._ready.values()), spec, executor, again)

    def __call__(
        self, prepared, portfolio, world, horizon, spec, executor=None, progress=None, keep_groups=True
    ) -> PathPnl:
        if self.budget is None:
            return simulate(prepared, portfolio, world, horizon, spec, executor, progress, keep_groups)
        ready = self._ready.pop(_key(prepared, horizon, keep_groups), None)
        if ready is None:
            ready = prepare_at_size(prepared, portfolio, world, horizon, spec, self.budget, executor,
                                    keep_groups)
        found = run_at_size(ready, executor, progress)
        self.plans.append(str(found.plan))
        self.remarks.append(_remark(found, [p.scenario.name for p in prepared]))
        return found.pnl

    def _announce(self, runs: list[SizeRun], spec: RunSpec, executor: Executor, again: float) -> None:
        """again : seconds of the comparison with the previous run."""
        plans = [run.plan for run in runs]
        more = max(plan.memory_bytes - plan.held_bytes for plan in plans)
        need = more / 1e9 + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        rows = sum(plan.rows for plan in plans)
        if self.memory_gb is not None and need > self.memory_gb:
            raise InputError(Problem(
                f"a night at size of {spec.paths} paths × {rows} rows needs up to {need:.1f} GB",
                field="--memory", got=f"{self.memory_gb} GB", accepted="fewer paths or scenarios, or more memory",
            ))
        paths = sum(plan.seconds for plan in plans)
        after = seconds_after(plans, sum(bool(run.names) for run in runs), self.position_level, executor)
        text = (
            f"{plans[0].positions:,} positions × {spec.paths:,} paths × {rows} rows in {len(plans)} runs: "
            f"about {paths:,.0f} s for the paths and {after:,.0f} s for measures and tables, "
            f"{f'{again:,.0f} s for the comparison with the previous run, ' if again else ''}"
            f"at most {need:.1f} GB"
        )
        self.plans.append(text)
        if paths + after + again >= LONG_SECONDS:
            print(f"at size, {text}", file=sys.stderr, flush=True)


def seconds_after(plans: Sequence[SizePlan], baselines: int, level: float, executor: Executor) -> float:
    """Wall seconds of what follows the paths, from the MEASURED_* costs and the executor's workers.

    baselines : runs with tables by position, whose tail is that of *level*.
    """
    positions, paths, rows = plans[0].positions, plans[0].paths, sum(plan.rows for plan in plans)
    here = MEASURED_PATH_ROW * rows * paths + MEASURED_SCENARIO_POSITION * (rows - len(plans)) * positions
    replayed = (1.0 - level) * paths + min(STANDALONE_PATHS, paths)
    table = MEASURED_POSITION_PATH * baselines * positions * replayed
    return here / executor.here.count + table / executor.count + MEASURED_POSITION * positions


def _key(prepared: Sequence[PreparedScenario], horizon: Horizon, keep_groups: bool) -> tuple:
    return horizon, keep_groups, *(item.scenario.name for item in prepared)


def _remark(found: SizePnl, names: list[str]) -> DataQualityItem:
    """The largest error that delta-gamma leaves, over the rows of one run."""
    plan = found.plan
    where = f"at size, {plan.horizon_days} days"
    shape = (
        f"{plan.positions:,} positions × {plan.paths:,} paths × {plan.rows} rows: cash flows as a ladder, "
        f"{plan.full:,} curved instruments revalued on every path"
    )
    if not plan.approximated:
        return DataQualityItem("info", where, f"{shape}, none approximated")
    worst: tuple[float, str, CorrectionError] = max(
        ((errors[0].bound_es, name, errors[0]) for errors, name in
         zip(found.errors, ["baseline", *names], strict=True)), key=lambda x: x[0])
    error = worst[2]
    return DataQualityItem(
        "info", where,
        f"{shape}; {plan.approximated:,} by delta-gamma, corrected by full revaluation of the worst "
        f"{plan.tail_share:.1%} of the paths and of a random {plan.sample_share:.0%}. Least certain row: {worst[1]}, ES {error.level:.1%}: "
        f"standard error of the correction {error.se_es / 1e6:,.2f} mn, mean P&L ± {error.se_mean / 1e6:,.3f} mn; "
        f"{error.missed:,.0f} tail paths found outside the candidates among {error.sampled:,} sampled, with 95% "
        f"confidence fewer than {error.bound:,.0f} (VaR + {error.bound_var / 1e6:,.1f} mn, "
        f"ES + {error.bound_es / 1e6:,.1f} mn at most)",
    )
