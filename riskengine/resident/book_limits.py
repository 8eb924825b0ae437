"""The limits of the book before and after a what-if: the values of the night, for a book that is only asked
about.

VaR and ES are those of the ordinary night at the limit's own horizon, exposures those of the book; the worst
scenario is the scenario asked about (the night judges all of them).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.engine.paths import World
from riskengine.instruments.exposures import exposures
from riskengine.instruments.portfolio import Portfolio, compile_book
from riskengine.measures.limits import LimitKey, evaluate_limits, limit_values
from riskengine.policy.night import Limit
from riskengine.resident.what_if import Resident
from riskengine.result import GroupRisk, RiskResult


def book_values(world: World, portfolio: Portfolio, held: Mapping[int, Resident]) -> dict[LimitKey, float]:
    """Every value a limit may refer to; held : horizon in days → the book at that horizon."""
    results = []
    for days, state in held.items():
        desks = tuple(GroupRisk("desk", name, tail, (), 0.0) for name, tail in state.risk_by("desk").items())
        results.append(RiskResult(days, state.tail(), desks, (), 0.975, np.empty(0),
                                  state.setting.spec.noise))
    book = compile_book(portfolio, world.snapshot, FACTORS, None)
    return limit_values(results, (), exposures(portfolio, book, world.snapshot))


def with_scenario_loss(values: Mapping[LimitKey, float], loss: float | None) -> dict[LimitKey, float]:
    """*values* with the expected loss of the scenario asked about; without one that limit is not judged."""
    return dict(values) if loss is None else {**values, LimitKey("scenario_loss"): max(0.0, loss)}


def compare_limits(
    limits: Sequence[Limit], before: Mapping[LimitKey, float], after: Mapping[LimitKey, float]
) -> list[dict]:
    """One row per limit and scope, as plain JSON; a desk that came or went counts as 0 where it is absent."""
    rows = []
    for limit in limits:
        if limit.metric == "scenario_loss" and LimitKey("scenario_loss") not in {**before, **after}:
            continue
        keys = {**before, **after}
        old, new = ({k: float(values.get(k, 0.0)) for k in keys} for values in (before, after))
        for a, b in zip(evaluate_limits([limit], old), evaluate_limits([limit], new), strict=True):
            rows.append({"name": a.name, "metric": a.metric, "scope": a.scope, "unit": a.unit,
                         "warning": a.warning, "hard": a.hard, "before": a.value, "after": b.value,
                         "change": b.value - a.value, "status_before": a.status, "status_after": b.status})
    return rows
