"""Limits: boundaries, desks, every metric has a value, unknown ones are refused together."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from riskengine.base.errors import InputError
from riskengine.measures.limits import LimitKey, evaluate_limits, limit_values, metric_name
from riskengine.policy.night import DESK_METRICS, LIMIT_METRICS, Limit
from riskengine.result import Exposures, GroupRisk, RiskResult, Tail


def _tail(scale: float) -> Tail:
    zero = (0.0, 0.0)
    var, es = (2 * scale, 3 * scale), (2.5 * scale, 4 * scale)
    return Tail((0.975, 0.99), var, es, zero, zero, zero, zero, 0.0, 0.0, 1.0)


def _values():
    groups = (GroupRisk("desk", "macro", _tail(1.0), (0.0, 0.0), 0.0),
              GroupRisk("book", "macro", _tail(99.0), (0.0, 0.0), 0.0),
              GroupRisk("desk", "rates", _tail(2.0), (0.0, 0.0), 0.0))
    baseline = [RiskResult(days, _tail(2.5 * days), groups, (), 0.975, None, "student_t") for days in (1, 10)]
    scenarios = [SimpleNamespace(expected_pnl_usd=pnl) for pnl in (5.0, -40.0, -7.0)]
    desk = {"rates_dv01": -3.0, "fx_delta": 10.0, "equity_delta": -4.0, "property_value": 0.0, "vega": 1.0}
    exposures = Exposures({"2Y": -4.0, "10Y": -9.0}, {"EUR": 30.0, "JPY": -50.0},
                          {"SP500": -8.0, "NASDAQ": 2.0}, {"VOL_FX": -2.0, "VOL_EQUITY": 1.0},
                          {"OFFICE": 7.0, "RETAIL": 5.0}, {"OFFICE": -1.0}, {"macro": desk, "rates": desk})
    return limit_values(baseline, scenarios, exposures)


def _limit(metric, warning, hard, **more):
    unit = LIMIT_METRICS.get(metric, ("?",))[0]
    return Limit(more.pop("name", metric), metric, warning, hard, unit, **more)


def test_every_metric_of_the_policy_has_a_value_with_its_sign():
    values = _values()
    assert {k.metric for k in values} == set(LIMIT_METRICS)
    assert {k.metric for k in values if k.scope == "desk:macro"} == set(DESK_METRICS)
    total = {k.metric: v for k, v in values.items() if k.scope == "total" and k.level is None}
    assert total == {"scenario_loss": 40.0, "dv01": 13.0, "key_rate_dv01": 9.0, "fx_net": 20.0,
                     "fx_single": 50.0, "equity_delta": 6.0, "property_value": 12.0, "vega": 2.0}
    assert values[LimitKey("es", "total", 0.99, 10)] == 100.0
    assert values[LimitKey("var", "desk:rates", 0.975, 1)] == 4.0
    assert values[LimitKey("dv01", "desk:rates")] == 3.0


def test_no_scenario_loses():
    values = limit_values([], [SimpleNamespace(expected_pnl_usd=3.0)], Exposures({}, {}, {}, {}, {}, {}, {}))
    assert values[LimitKey("scenario_loss")] == 0.0 and values[LimitKey("fx_single")] == 0.0


@pytest.mark.parametrize(
    ("value", "status"), [(9.99, "ok"), (10.0, "warning"), (19.99, "warning"), (20.0, "breach")]
)
def test_reaching_a_level_counts(value, status):
    result = evaluate_limits([_limit("fx_net", 10.0, 20.0)], {LimitKey("fx_net"): value})
    assert [(s.status, s.value, s.scope, s.unit) for s in result] == [(status, value, "total", "USD")]


def test_scope_desk_gives_one_status_per_desk_and_a_named_desk_one():
    limits = [_limit("var", 1.5, 3.5, scope="desk", level=0.975, horizon_days=10, name="desk VaR"),
              _limit("equity_delta", 1.0, 5.0, scope="desk:rates"),
              _limit("es", 1.0, 500.0, level=0.99, horizon_days=1)]
    result = evaluate_limits(limits, _values())
    assert [(s.name, s.metric, s.scope, s.status) for s in result] == [
        ("desk VaR", "var_975_10d", "desk:macro", "warning"),
        ("desk VaR", "var_975_10d", "desk:rates", "breach"),
        ("equity_delta", "equity_delta", "desk:rates", "warning"),
        ("es", "es_99_1d", "total", "warning"),
    ]


def test_all_problems_come_at_once_with_what_is_accepted():
    limits = [
        _limit("fx_nett", 1.0, 2.0),
        _limit("var", 1.0, 2.0, level=0.95, horizon_days=1),
        _limit("dv01", 1.0, 2.0, scope="desk:credit"),
        _limit("vega", 3.0, 2.0),
        _limit("fx_single", 1.0, 2.0),
    ]
    values = _values() | {LimitKey("fx_single"): float("nan")}
    with pytest.raises(InputError) as caught:
        evaluate_limits(limits, values)
    texts = [str(p) for p in caught.value.problems]
    assert len(texts) == 5
    parts = ("fx_net,", "var_99_1d total", "dv01 desk:macro", "warning ≤ hard", "not finite")
    for text, part in zip(texts, parts, strict=True):
        assert part in text


def test_metric_names():
    assert metric_name("var", 0.99, 1) == "var_99_1d"
    assert metric_name("es", 0.975, 10) == "es_975_10d"
    assert metric_name("dv01") == "dv01"
