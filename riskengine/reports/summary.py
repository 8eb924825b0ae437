"""``summary.json``: the night in one small file of stable keys, for machines.

Keys are those of DESIGN 8; further keys may be added, none is renamed or removed within a schema version.
Values are plain JSON (no NaN: a missing number is null); amounts USD unless the key names another unit; VaR
and ES positive = loss, P&L positive = gain; holders' orders and net outflow negative = sales by
non-residents.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import numpy as np

from riskengine.base.errors import InputError, Problem
from riskengine.result import SCHEMA_VERSION, ChainSummary, FarTail, NightResult, RiskResult, ScenarioResult, Tail

CHAIN_KEYS = (
    "gross_orders_usd_bn", "net_outflow_usd_bn", "dollars_out_usd_bn", "broad_dollar", "treasury_10y_flow_bp",
    "treasury_10y_path_bp", "current_account_change_usd_bn_per_year",
)
TOP_KEYS = (
    "schema_version", "as_of", "accounts_as_of", "run_id", "seed", "paths", "nav_usd", "baseline",
    "scenarios",
    "limits", "data_quality",
)
BASELINE_KEYS = ("horizon_days", "var", "es", "standard_error")
SCENARIO_KEYS = (
    "name", "horizon_days", "expected_pnl_usd", "var", "es", "by_asset_class", "channels", "moves", "chain",
    "ledger_max_imbalance_usd_bn", "variance_share", "plausibility", "flags",
)
NUMBERS_OR_NULL = ("expected_pnl_usd", "ledger_max_imbalance_usd_bn")


def summarize(night: NightResult) -> dict:
    """The contents of ``summary.json``: plain dicts, lists, text, numbers and None."""
    baseline = [_risk(risk) for risk in night.baseline]
    summary = {
        "schema_version": SCHEMA_VERSION,
        "as_of": night.as_of,
        "accounts_as_of": night.accounts_as_of,
        "run_id": night.run_id,
        "seed": night.seed,
        "paths": night.paths,
        "draws": night.draws,
        "nav_usd": night.nav_usd,
        "baseline": {
            **(baseline[0] if baseline else {"horizon_days": None, **_tail(None)}),
            "by_horizon": baseline,
        },
        "scenarios": [_scenario(s) for s in night.scenarios],
        "limits": [
            {
                "name": x.name, "metric": x.metric, "scope": x.scope, "value": x.value, "warning": x.warning,
                "hard": x.hard, "unit": x.unit, "status": x.status,
            }
            for x in night.limits
        ],
        "data_quality": [
            {"severity": x.severity, "series": x.series, "message": x.message} for x in night.data_quality
        ],
        "comparison": night.tables.get("comparison"),
    }
    return plain(summary)


def parse_summary(text: str) -> dict:
    """Read and validate ``summary.json``; InputError listing every missing or malformed key."""
    try:
        summary = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise InputError(Problem("summary is not valid JSON", file="summary.json", got=str(error))) from None
    problems = validate_summary(summary)
    if problems:
        raise InputError(problems)
    return summary


def validate_summary(summary: object) -> list[Problem]:
    """Every key of DESIGN 8 that is missing or has the wrong shape; empty when the summary keeps the
    promise."""
    if not isinstance(summary, Mapping):
        return [Problem("summary must be an object", got=type(summary).__name__)]
    problems = _missing(summary, TOP_KEYS, "")
    version = str(summary.get("schema_version", ""))
    if version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        problems.append(Problem("schema_version", field="schema_version", got=version,
                                accepted=SCHEMA_VERSION))
    baseline = summary.get("baseline")
    if isinstance(baseline, Mapping):
        problems += _missing(baseline, BASELINE_KEYS, "baseline.")
        problems += _check_levels(baseline, "baseline.")
        problems += _missing(baseline.get("standard_error") or {}, ("sampling", "given_draws"),
                             "baseline.standard_error.")
    elif "baseline" in summary:
        problems.append(Problem("must be an object", field="baseline"))
    for key in ("scenarios", "limits", "data_quality"):
        if not isinstance(summary.get(key, []), list):
            problems.append(Problem("must be a list", field=key))
    for i, scenario in enumerate(summary.get("scenarios") or ()):
        problems += _check_scenario(scenario, f"scenarios[{i}].")
    return problems


def plain(value: object) -> object:
    """*value* as JSON types: NumPy scalars and arrays unpacked, tuples to lists, NaN and infinities to
    None."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, Sequence):
        return [plain(v) for v in value]
    return str(value)


def _risk(risk: RiskResult) -> dict:
    return {"horizon_days": risk.horizon_days, **_tail(risk.total), "noise": risk.noise,
            "far_tail": _far_tail(risk.far_tail)}


def _far_tail(far: FarTail | None) -> dict | None:
    """Importance sampling beside as many plain paths, by level; None when the night did not ask for it."""
    if far is None:
        return None

    def by_level(name: str) -> dict[str, float]:
        return {f"{level:g}": value for level, value in zip(far.levels, getattr(far, name), strict=True)}

    return {
        "paths": far.paths,
        "var": by_level("var"), "es": by_level("es"),
        "standard_error": {"var": by_level("se_var"), "es": by_level("se_es")},
        "plain": {
            "var": by_level("plain_var"), "es": by_level("plain_es"),
            "standard_error": {"var": by_level("plain_se_var"), "es": by_level("plain_se_es")},
        },
        "variance_reduction": {"var": by_level("variance_reduction_var"), "es": by_level("variance_reduction_es")},
        "effective_paths": by_level("effective_paths"),
        "mean_weight": far.mean_weight,
        "mean_weight_standard_error": far.se_mean_weight,
        "historical_days": far.historical_days,
    }


def _tail(tail: Tail | None) -> dict:
    if tail is None:
        return {"var": {}, "es": {}, "standard_error": {"sampling": {}, "given_draws": {}}}

    def by_level(values: Sequence[float]) -> dict[str, float]:
        return {f"{level:g}": value for level, value in zip(tail.levels, values, strict=True)}

    return {
        "var": by_level(tail.var),
        "es": by_level(tail.es),
        "standard_error": {
            "sampling": {"var": by_level(tail.se_var), "es": by_level(tail.se_es)},
            "given_draws": {"var": by_level(tail.se_var_given_draws), "es": by_level(tail.se_es_given_draws)},
        },
        "mean_usd": tail.mean,
        "sd_usd": tail.sd,
    }


def _scenario(s: ScenarioResult) -> dict:
    return {
        "name": s.name,
        "title": s.title,
        "horizon_days": s.horizon_days,
        "expected_pnl_usd": s.expected_pnl_usd,
        "expected_pnl_standard_error_usd": s.se_expected_pnl_usd,
        "expected_pnl_p10_p90_usd": s.interval_usd,
        "pnl_p10_p90_usd": s.pnl_interval_usd,
        **_tail(s.tail),
        "by_asset_class": s.by_asset_class,
        "by_desk": s.by_desk,
        "by_book": s.by_book,
        "channels": s.channels,
        "moves": s.moves,
        "chain": _chain(s.chain),
        "ledger_max_imbalance_usd_bn": s.ledger.max_imbalance_usd_bn if s.ledger else None,
        "variance_share": s.variance_share,
        "plausibility": {"mahalanobis": s.mahalanobis, "probability": s.plausibility},
        "probability_of_enactment": s.probability,
        "flow_channel_off_10y_bp": s.flow_channel_off_10y_bp,
        "feedback": _feedback(s),
        "flags": s.flags,
    }


def _feedback(s: ScenarioResult) -> dict | None:
    """Holders' selling after losses; None when the scenario carries none."""
    if s.feedback is None:
        return None
    f = s.feedback
    band = ("median", "p16", "p84")
    return {
        "case": f.case,
        "orders_usd_bn": dict(zip(band, f.orders_usd_bn, strict=True)),
        "base_run_orders_usd_bn": dict(zip(band, f.base_orders_usd_bn, strict=True)),
        "expected_pnl_usd": f.expected_pnl_usd,
        "expected_pnl_without_usd": f.expected_pnl_without_usd,
        "es_without": {f"{level:g}": v for level, v in zip(s.tail.levels, f.es_without, strict=True)},
        "loop_gain": f.loop_gain,
    }


def _chain(chain: ChainSummary | None) -> dict | None:
    """Each link as {median, p16, p84}; None when the scenario sets prices itself (no flows)."""
    if chain is None:
        return None
    return {
        key: dict(zip(("median", "p16", "p84"), getattr(chain, key), strict=True)) for key in CHAIN_KEYS
    }


def _missing(mapping: Mapping, keys: Sequence[str], place: str) -> list[Problem]:
    return [Problem("key is missing", field=place + key) for key in keys if key not in mapping]


def _check_levels(mapping: Mapping, place: str) -> list[Problem]:
    problems = []
    for key in ("var", "es"):
        levels = mapping.get(key)
        if not isinstance(levels, Mapping):
            problems.append(Problem("must be an object by level", field=place + key))
            continue
        problems += [
            Problem("must be a number or null", field=f"{place}{key}.{level}", got=str(value))
            for level, value in levels.items()
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)))
        ]
    return problems


def _check_scenario(scenario: object, place: str) -> list[Problem]:
    if not isinstance(scenario, Mapping):
        return [Problem("must be an object", field=place.rstrip("."))]
    problems = _missing(scenario, SCENARIO_KEYS, place) + _check_levels(scenario, place)
    for key in NUMBERS_OR_NULL:
        value = scenario.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            problems.append(Problem("must be a number or null", field=place + key, got=str(value)))
    chain = scenario.get("chain")
    if chain is not None:
        if not isinstance(chain, Mapping):
            return [*problems, Problem("must be an object or null", field=place + "chain")]
        problems += _missing(chain, CHAIN_KEYS, place + "chain.")
        for key in CHAIN_KEYS:
            if isinstance(chain.get(key), Mapping):
                problems += _missing(chain[key], ("median", "p16", "p84"), f"{place}chain.{key}.")
            elif key in chain:
                problems.append(Problem("must be {median, p16, p84}", field=f"{place}chain.{key}"))
    return problems


def _refuse_constant(token: str) -> None:
    raise ValueError(f"{token} is not JSON")
