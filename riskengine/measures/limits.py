"""Where do we stand against the limits? Values of the limited metrics, and one status per limit.

A value at or above ``warning`` is a warning, at or above ``hard`` a breach.  Losses are positive and
exposures are taken as absolute amounts, so every metric of :data:`riskengine.policy.night.LIMIT_METRICS` is
worse when larger.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from riskengine.base.errors import InputError, Problem, suggest
from riskengine.policy.night import LIMIT_METRICS, Limit
from riskengine.result import Exposures, LimitStatus, RiskResult, ScenarioResult

_DESK_EXPOSURES = {"dv01": "rates_dv01", "fx_net": "fx_delta", "equity_delta": "equity_delta",
                   "property_value": "property_value"}
"""Limit metric → key of ``Exposures.by_desk``."""


class LimitKey(NamedTuple):
    """What a value is: metric, scope 'total' or 'desk:<name>', and the level and horizon of var and es."""

    metric: str
    scope: str = "total"
    level: float | None = None
    horizon_days: int | None = None

    def __str__(self) -> str:
        return f"{metric_name(self.metric, self.level, self.horizon_days)} {self.scope}"


def limit_values(
    baseline: Sequence[RiskResult], scenarios: Sequence[ScenarioResult], exposures: Exposures
) -> dict[LimitKey, float]:
    """Every value a limit may refer to, in the unit of LIMIT_METRICS.

    VaR and ES by level and horizon for the total and each desk; the worst expected scenario loss (0 when
    every scenario gains); exposures of the book, and of each desk where ``Exposures.by_desk`` has them.
    """
    values: dict[LimitKey, float] = {}
    for result in baseline:
        tails = {"total": result.total}
        tails |= {f"desk:{g.name}": g.tail for g in result.groups if g.dimension == "desk"}
        for scope, tail in tails.items():
            for level, var, es in zip(tail.levels, tail.var, tail.es, strict=True):
                values[LimitKey("var", scope, level, result.horizon_days)] = var
                values[LimitKey("es", scope, level, result.horizon_days)] = es
    if scenarios:
        values[LimitKey("scenario_loss")] = max(0.0, *(-s.expected_pnl_usd for s in scenarios))
    values[LimitKey("dv01")] = abs(math.fsum(exposures.key_rate_dv01.values()))
    values[LimitKey("key_rate_dv01")] = _largest(exposures.key_rate_dv01.values())
    values[LimitKey("fx_net")] = abs(math.fsum(exposures.fx_delta.values()))
    values[LimitKey("fx_single")] = _largest(exposures.fx_delta.values())
    values[LimitKey("equity_delta")] = abs(math.fsum(exposures.equity_delta.values()))
    values[LimitKey("property_value")] = abs(math.fsum(exposures.property_value.values()))
    values[LimitKey("vega")] = _largest(exposures.vega.values())
    for desk, by_kind in exposures.by_desk.items():
        for metric, kind in _DESK_EXPOSURES.items():
            if kind in by_kind:
                values[LimitKey(metric, f"desk:{desk}")] = abs(by_kind[kind])
    return values


def evaluate_limits(limits: Iterable[Limit], values: Mapping[LimitKey, float]) -> tuple[LimitStatus, ...]:
    """One status per limit, in the order of *limits*; scope 'desk' gives one per desk that has a value.

    Raises
    ------
    InputError : every limit whose metric is unknown, whose value was not computed (level, horizon, desk) or
        is not finite, or whose hard level lies below its warning; all at once, with what is accepted.
    """
    statuses: list[LimitStatus] = []
    problems: list[Problem] = []
    for limit in limits:
        problem = _broken_rule(limit)
        if problem is not None:
            problems.append(problem)
            continue
        level = limit.level if limit.metric in ("var", "es") else None
        horizon = limit.horizon_days if limit.metric in ("var", "es") else None
        wanted = LimitKey(limit.metric, limit.scope, level, horizon)
        keys = [k for k in values if k._replace(scope="desk") == wanted and k.scope.startswith("desk:")]
        if limit.scope != "desk":
            keys = [wanted] if wanted in values else []
        if not keys:
            offered = sorted(str(k) for k in values if k.metric == limit.metric)
            accepted = ", ".join(offered) or "no value of this metric"
            problems.append(Problem("this night has no value for the limit", field=limit.name,
                                    got=str(wanted), accepted=accepted))
        for key in keys:
            value = float(values[key])
            if not math.isfinite(value):
                problems.append(Problem(f"value of {key} is not finite", field=limit.name, got=str(value)))
                continue
            status = "breach" if value >= limit.hard else "warning" if value >= limit.warning else "ok"
            statuses.append(LimitStatus(limit.name, metric_name(*key[:1], *key[2:]), key.scope, value,
                                        limit.warning, limit.hard, limit.unit, status))
    if problems:
        raise InputError(problems)
    return tuple(statuses)


def metric_name(metric: str, level: float | None = None, horizon_days: int | None = None) -> str:
    """'var_99_1d', 'es_975_10d' for VaR and ES; the metric itself otherwise."""
    if level is None or horizon_days is None:
        return metric
    return f"{metric}_{f'{100 * level:.6g}'.replace('.', '')}_{horizon_days}d"


def _broken_rule(limit: Limit) -> Problem | None:
    if limit.metric not in LIMIT_METRICS:
        return Problem("unknown limit metric", field=limit.name, got=limit.metric,
                       accepted=suggest(limit.metric, tuple(LIMIT_METRICS)))
    if not (math.isfinite(limit.warning) and math.isfinite(limit.hard) and limit.warning <= limit.hard):
        return Problem("a limit needs finite warning ≤ hard", field=limit.name,
                       got=f"{limit.warning}, {limit.hard}")
    return None


def _largest(amounts: Iterable[float]) -> float:
    return max((abs(a) for a in amounts), default=0.0)
