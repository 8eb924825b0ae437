"""Which simulation the night uses: every position on every path, or the collapsed book of a night at size.

One rule decides for the whole night (``engine.at_size.budget_for``), and a night at size says so: its plan with time
and memory on stderr before each long run, in the manifest, and its errors among the remarks on data quality.
"""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass, field

from riskengine.base.errors import InputError, Problem
from riskengine.engine.at_size import SizePlan, SizePnl, budget_for, simulate_at_size
from riskengine.engine.correction import CorrectionError
from riskengine.engine.paths import PathPnl, simulate
from riskengine.result import DataQualityItem

LONG_SECONDS = 5.0
"""Runs estimated to take longer are announced."""


@dataclass(slots=True)
class Simulator:
    """Called as ``paths.simulate``.

    budget : distinct curved instruments revalued on every path, None: everything.  memory_gb : a run whose bound
    would take the process beyond it is refused before its bulk.
    """

    budget: int | None
    memory_gb: float | None = None
    remarks: list[DataQualityItem] = field(default_factory=list)
    plans: list[str] = field(default_factory=list)

    @classmethod
    def build(
        cls, full_reval: int | None, positions: int, paths: int, rows: int, memory_gb: float | None = None
    ) -> Simulator:
        """rows : scenarios and baselines of the night."""
        return cls(budget_for(full_reval, positions, paths, rows), memory_gb)

    def __call__(
        self, prepared, portfolio, world, horizon, spec, executor=None, progress=None, keep_groups=True
    ) -> PathPnl:
        if self.budget is None:
            return simulate(prepared, portfolio, world, horizon, spec, executor, progress, keep_groups)
        found = simulate_at_size(
            prepared, portfolio, world, horizon, spec, self.budget, executor, progress, self._announce, keep_groups
        )
        self.plans.append(str(found.plan))
        self.remarks.append(_remark(found, [p.scenario.name for p in prepared]))
        return found.pnl

    def _announce(self, plan: SizePlan) -> None:
        need = plan.memory_bytes / 1e9 + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        if self.memory_gb is not None and need > self.memory_gb:
            raise InputError(Problem(
                f"a night at size of {plan.paths} paths × {plan.rows} rows needs up to {need:.1f} GB",
                field="--memory", got=f"{self.memory_gb} GB", accepted="fewer paths or scenarios, or more memory",
            ))
        if plan.seconds >= LONG_SECONDS:
            print(f"at size, {plan}", file=sys.stderr, flush=True)


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
