"""The Parquet tables of a run: risk, scenarios, ledger, exposures, in long (tidy) form.

Every table carries ``schema_version, run_id, as_of``; amounts USD unless the column or ``unit`` says
otherwise; VaR and ES positive = loss, P&L positive = gain.  Row order is that of the result, so equal nights
give equal files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import polars as pl

from riskengine.base.axes import factor_unit
from riskengine.reports.summary import CHAIN_KEYS
from riskengine.result import SCHEMA_VERSION, Exposures, NightResult, PositionRisk, ScenarioResult, Tail

SENSITIVITY = pl.List(pl.Struct({"factor": pl.String, "usd": pl.Float64}))
RISK_SCHEMA = {
    "schema_version": pl.String, "run_id": pl.String, "as_of": pl.String, "horizon_days": pl.Int64,
    "node_type": pl.String, "node": pl.String, "type": pl.String, "desk": pl.String, "book": pl.String,
    "asset_class": pl.String, "description": pl.String, "value_usd": pl.Float64, "notional_usd": pl.Float64,
    "level": pl.Float64, "var_usd": pl.Float64, "se_var_usd": pl.Float64, "standalone_es_usd": pl.Float64,
    "se_es_usd": pl.Float64, "component_es_usd": pl.Float64, "se_component_es_usd": pl.Float64,
    "sensitivities": SENSITIVITY, "assumed_inputs": pl.List(pl.String),
}
SCENARIO_SCHEMA = {
    "schema_version": pl.String, "run_id": pl.String, "as_of": pl.String, "scenario": pl.String,
    "horizon_days": pl.Int64, "measure": pl.String, "dimension": pl.String, "name": pl.String,
    "value": pl.Float64, "standard_error": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    "interval": pl.String, "unit": pl.String,
}
LEDGER_SCHEMA = {
    "schema_version": pl.String, "run_id": pl.String, "as_of": pl.String, "scenario": pl.String,
    "horizon_days": pl.Int64, "line_number": pl.Int64, "identity": pl.String, "line": pl.String,
    "median_usd_bn": pl.Float64, "p16_usd_bn": pl.Float64, "p84_usd_bn": pl.Float64,
    "max_imbalance_usd_bn": pl.Float64,
}
EXPOSURE_SCHEMA = {
    "schema_version": pl.String, "run_id": pl.String, "as_of": pl.String, "desk": pl.String,
    "kind": pl.String, "name": pl.String, "value": pl.Float64, "unit": pl.String,
}

POSITION_FIELDS = (
    ("node", "position_id"), ("type", "type"), ("desk", "desk"), ("book", "book"),
    ("asset_class", "asset_class"), ("description", "description"),
    ("value_usd", "value_usd"), ("notional_usd", "notional_usd"),
    ("standalone_es_usd", "standalone_es"), ("component_es_usd", "component_es"),
    ("se_component_es_usd", "se_component_es"),
)
"""Column of the risk table, field of PositionRisk."""
Part = dict[str, object]
"""Rows with some columns in common: a column is a value for all of them, or a list or Series with one
for each; without any list it is one row."""


def risk_frame(night: NightResult) -> pl.DataFrame:
    """Rows: horizon × group × level, then horizon × position at the allocation level (position_level)."""
    rows: list[Part] = []
    for risk in night.baseline:
        head = {**_head(night), "horizon_days": risk.horizon_days}
        rows += _tail_rows(head, "total", "total", night.nav_usd, risk.total, risk.total.es)
        for group in risk.groups:
            if group.dimension != "total":
                rows += _tail_rows(head, group.dimension, group.name, group.nav_usd, group.tail,
                                   group.component_es)
        rows.append({
            **head, "node_type": "position", "level": risk.position_level,
            **{column: [getattr(p, field) for p in risk.positions] for column, field in POSITION_FIELDS},
            "sensitivities": _sensitivities(risk.positions),
            "assumed_inputs": [list(p.assumed_inputs) for p in risk.positions],
        })
    return _frame(rows, RISK_SCHEMA)


def scenarios_frame(night: NightResult) -> pl.DataFrame:
    """Rows: scenario × measure (expected_pnl, var, es, pnl by dimension, move, chain, variance_share,
    plausibility)."""
    rows: list[Part] = []
    for s in night.scenarios:
        rows += [{**_head(night), "scenario": s.name, "horizon_days": s.horizon_days, **r}
                 for r in _measures(s)]
    return _frame(rows, SCENARIO_SCHEMA)


def ledger_frame(night: NightResult) -> pl.DataFrame:
    """Rows: scenario × ledger line, USD bn cumulated to the horizon, median and 16th and 84th percentile."""
    rows = [
        {
            **_head(night), "scenario": s.name, "horizon_days": s.horizon_days, "line_number": i,
            "identity": identity, "line": line, "median_usd_bn": median, "p16_usd_bn": p16, "p84_usd_bn": p84,
            "max_imbalance_usd_bn": s.ledger.max_imbalance_usd_bn,
        }
        for s in night.scenarios
        if s.ledger is not None
        for i, (line, identity, median, p16, p84) in enumerate(s.ledger.rows)
    ]
    return _frame(rows, LEDGER_SCHEMA)


def exposures_frame(night: NightResult) -> pl.DataFrame:
    """Rows: kind × name for the whole book (desk 'total') and kind by desk."""
    e: Exposures = night.exposures
    kinds = (
        ("key_rate_dv01", e.key_rate_dv01, "USD per +1 bp"),
        ("fx_delta", e.fx_delta, "USD equivalent"),
        ("equity_delta", e.equity_delta, "USD equivalent"),
        ("vega", e.vega, "USD per +1% of implied volatility"),
        ("property_value", e.property_value, "USD"),
        ("cap_rate_dv01", e.cap_rate_dv01, "USD per +1 bp"),
    )
    units = {kind: unit for kind, _, unit in kinds} | {"rates_dv01": "USD per +1 bp"}
    head = _head(night)
    rows = [
        {**head, "desk": "total", "kind": kind, "name": label, "value": value, "unit": unit}
        for kind, values, unit in kinds
        for label, value in values.items()
    ] + [
        {**head, "desk": desk, "kind": kind, "name": "total", "value": value, "unit": units.get(kind, "USD")}
        for desk, values in e.by_desk.items()
        for kind, value in values.items()
    ]
    return _frame(rows, EXPOSURE_SCHEMA)


def _head(night: NightResult) -> dict:
    return {"schema_version": SCHEMA_VERSION, "run_id": night.run_id, "as_of": night.as_of}


def _tail_rows(
    head: dict, node_type: str, node: str, nav_usd: float, tail: Tail, component: tuple[float, ...]
) -> list[dict]:
    own = {node_type: node} if node_type in ("desk", "book", "asset_class") else {}
    return [
        {
            **head, "node_type": node_type, "node": node, **own, "value_usd": nav_usd, "level": level,
            "var_usd": tail.var[i], "se_var_usd": tail.se_var[i], "standalone_es_usd": tail.es[i],
            "se_es_usd": tail.se_es[i], "component_es_usd": component[i],
        }
        for i, level in enumerate(tail.levels)
    ]


def _measures(s: ScenarioResult) -> list[Part]:
    rows: list[Part] = [
        {
            "measure": "expected_pnl", "dimension": "total", "name": "total", "value": s.expected_pnl_usd,
            "standard_error": s.se_expected_pnl_usd, "low": s.interval_usd[0], "high": s.interval_usd[1],
            "interval": "p10-p90 over parameter draws", "unit": "USD",
        },
        {
            "measure": "pnl", "dimension": "total", "name": "total", "value": s.tail.mean,
            "standard_error": s.tail.se_mean, "low": s.pnl_interval_usd[0], "high": s.pnl_interval_usd[1],
            "interval": "p10-p90 with markets", "unit": "USD",
        },
    ]
    for i, level in enumerate(s.tail.levels):
        rows.append({"measure": "var", "dimension": "total", "name": f"{level:g}", "value": s.tail.var[i],
                     "standard_error": s.tail.se_var[i], "unit": "USD"})
        rows.append({"measure": "es", "dimension": "total", "name": f"{level:g}", "value": s.tail.es[i],
                     "standard_error": s.tail.se_es[i], "unit": "USD"})
    splits = (("asset_class", s.by_asset_class), ("desk", s.by_desk), ("book", s.by_book),
              ("channel", s.channels), ("position", s.by_position))
    for dimension, values in splits:
        rows.append({"measure": "expected_pnl", "dimension": dimension, "name": list(values),
                     "value": list(values.values()), "unit": "USD"})
    rows += [{"measure": "move", "dimension": "factor", "name": k, "value": v, "unit": factor_unit(k)}
             for k, v in s.moves.items()]
    if s.chain is not None:
        for key in CHAIN_KEYS:
            median, p16, p84 = getattr(s.chain, key)
            rows.append({"measure": "chain", "dimension": "chain", "name": key, "value": median, "low": p16,
                         "high": p84, "interval": "p16-p84 over parameter draws", "unit": _chain_unit(key)})
    rows += [{"measure": "variance_share", "dimension": "source", "name": k, "value": v, "unit": "share"}
             for k, v in s.variance_share.items()]
    rows.append({"measure": "mahalanobis", "dimension": "total", "name": "total", "value": s.mahalanobis,
                 "unit": "standard deviations"})
    rows.append({"measure": "plausibility", "dimension": "total", "name": "total", "value": s.plausibility,
                 "unit": "probability"})
    return rows


def _chain_unit(key: str) -> str:
    if key.endswith("_bp"):
        return "bp"
    if key.endswith("per_year"):
        return "USD bn per year"
    return "USD bn" if key.endswith("usd_bn") else "log"


def _sensitivities(positions: Sequence[PositionRisk]) -> pl.Series:
    """One list of (factor, usd) for each position, empty without any."""
    flat = pl.DataFrame({
        "row": [i for i, p in enumerate(positions) for _ in p.sensitivities],
        "factor": [f for p in positions for f in p.sensitivities],
        "usd": [float(v) for p in positions for v in p.sensitivities.values()],
    }, schema={"row": pl.Int64, "factor": pl.String, "usd": pl.Float64})
    lists = flat.group_by("row", maintain_order=True).agg(pl.struct("factor", "usd").alias("list"))
    rows = pl.DataFrame({"row": range(len(positions))}, schema={"row": pl.Int64})
    empty = pl.lit([], dtype=SENSITIVITY)
    joined = rows.join(lists, on="row", how="left", maintain_order="left")
    return joined.select(pl.col("list").fill_null(empty))["list"]


def _frame(parts: Iterable[Part], schema: dict) -> pl.DataFrame:
    """The rows of all parts; neighbours that are one row each are put together first."""
    frames, single = [pl.DataFrame(schema=schema)], []

    def flush() -> None:
        if single:
            frames.append(pl.DataFrame([{k: row.get(k) for k in schema} for row in single], schema=schema,
                                       orient="row"))
            single.clear()

    for part in parts:
        lists = {k: v for k, v in part.items() if isinstance(v, (list, pl.Series))}
        if not lists:
            single.append(part)
            continue
        flush()
        columns = pl.DataFrame([pl.Series(k, v, dtype=schema[k]) for k, v in lists.items()])
        frames.append(columns.select(*(
            pl.col(k) if k in lists else pl.lit(part.get(k), dtype=of).alias(k) for k, of in schema.items())))
    flush()
    return pl.concat(frames)


TABLES: dict[str, Callable[[NightResult], pl.DataFrame]] = {
    "risk": risk_frame, "scenarios": scenarios_frame, "ledger": ledger_frame, "exposures": exposures_frame,
}
"""File stem → what builds the table."""
