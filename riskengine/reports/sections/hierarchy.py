"""Risk by hierarchy: which desk, book, strategy or asset class makes the tail, and which position."""

from __future__ import annotations

import math

from riskengine.reports import formats
from riskengine.reports.charts import Bar, bar_chart, distribution, figure
from riskengine.reports.html_table import Column, Table, is_long, money, percent, text
from riskengine.reports.sections.far_tail import far_tail_table
from riskengine.reports.sections.front import (
    HEADLINE_ES, HEADLINE_VAR, at_level, comparison_table, level_name, limits_table,
)
from riskengine.reports.shown import left_out
from riskengine.result import NightResult, RiskResult

FIRST_DIMENSIONS = ("desk", "asset_class", "book", "strategy")


def view(night: NightResult) -> dict:
    """Distributions per horizon, a table and a chart per dimension, all positions, the full day-on-day
    table."""
    return {
        "distributions": [_distribution(risk) for risk in night.baseline],
        "dimensions": [_dimension(night, d) for d in _dimensions(night)],
        "far_tail": far_tail_table(night.baseline),
        "positions": _positions(night),
        "changes": comparison_table(night),
        "limits": limits_table(night.limits),
        "noise": sorted({formats.name(r.noise) for r in night.baseline}),
    }


def _dimensions(night: NightResult) -> list[str]:
    found = dict.fromkeys(g.dimension for r in night.baseline for g in r.groups if g.dimension != "total")
    first = [d for d in FIRST_DIMENSIONS if d in found]
    return first + [d for d in found if d not in first]


def _distribution(risk: RiskResult):
    tail = risk.total
    v, e = at_level(tail, HEADLINE_VAR), at_level(tail, HEADLINE_ES)
    unit = formats.money_unit([*risk.pnl_quantiles[[1, -2]], *tail.var])
    marks = sorted([
        (-unit.scale(tail.var[v]), f"VaR {level_name(tail.levels[v])}"),
        (-unit.scale(tail.es[e]), f"ES {level_name(tail.levels[e])}"),
    ])
    marks = [m for m in marks if m[1].startswith("VaR")] + [m for m in marks if not m[1].startswith("VaR")]
    title = f"P&L over {formats.horizon(risk.horizon_days)}"
    return figure(title, f"{unit.label}, share of paths; orange beyond VaR {level_name(tail.levels[v])}",
                  distribution(risk.pnl_quantiles / unit.divisor, marks, title, unit.label),
                  f"Worst path {formats.money(risk.pnl_quantiles[0])}, "
                  f"best {formats.money(risk.pnl_quantiles[-1])}.")


def _dimension(night: NightResult, dimension: str) -> dict:
    """Table over all horizons and the chart of components at the first horizon."""
    by_horizon = [{g.name: g for g in r.groups if g.dimension == dimension} for r in night.baseline]
    names = list(dict.fromkeys(name for groups in by_horizon for name in groups))
    risk = night.baseline[0]
    v, e = at_level(risk.total, HEADLINE_VAR), at_level(risk.total, HEADLINE_ES)
    var_name, es_name = level_name(risk.total.levels[v]), level_name(risk.total.levels[e])
    everything = [g for groups in by_horizon for g in groups.values()]
    unit = formats.money_unit([x for g in everything
                               for x in (g.tail.var[v], g.tail.es[e], g.component_es[e])])
    nav_unit = formats.money_unit(g.nav_usd for g in everything)
    columns = [Column(formats.name(dimension), numeric=False), Column("Value", nav_unit.label)]
    for r in night.baseline:
        days = formats.horizon(r.horizon_days)
        columns += [Column(f"VaR {var_name}, {days}", f"{unit.label} ± s.e."),
                    Column(f"ES {es_name}, {days}", f"{unit.label} ± s.e."),
                    Column(f"Component ES, {days}", unit.label), Column("Share", "of total ES")]
    rows = []
    for name in names:
        first = next(groups[name] for groups in by_horizon if name in groups)
        cells = [text(formats.name(name)), money(first.nav_usd, nav_unit)]
        for r, groups in zip(night.baseline, by_horizon, strict=True):
            g = groups.get(name)
            total = r.total.es[e]
            cells += [
                money(g.tail.var[v] if g else None, unit, g.tail.se_var[v] if g else None),
                money(g.tail.es[e] if g else None, unit, g.tail.se_es[e] if g else None),
                money(g.component_es[e] if g else None, unit, css="strong"),
                percent(g.component_es[e] / total if g and total else math.nan),
            ]
        rows.append(tuple(cells))
    foot = [text("Total", "strong"), money(night.nav_usd, nav_unit)]
    for r, groups in zip(night.baseline, by_horizon, strict=True):
        total = r.total
        component = sum(g.component_es[e] for g in groups.values())
        foot += [money(total.var[v], unit, total.se_var[v], "strong"),
                 money(total.es[e], unit, total.se_es[e], "strong"),
                 money(component, unit, css="strong"),
                 percent(component / total.es[e] if total.es[e] else math.nan)]
    return {
        "name": formats.name(dimension),
        "table": Table(f"Risk by {formats.name(dimension).lower()}", tuple(columns), tuple(rows),
                       is_long(len(rows)),
                       (tuple(foot),)),
        "charts": [_components(r, dimension, e, es_name) for r in night.baseline],
    }


def _components(risk: RiskResult, dimension: str, e: int, es_name: str):
    """Bars of component ES at one horizon, largest first."""
    groups = sorted((g for g in risk.groups if g.dimension == dimension),
                    key=lambda g: -g.component_es[e])[:14]
    unit = formats.money_unit(g.component_es[e] for g in groups)
    bars = [Bar(formats.name(g.name), unit.scale(g.component_es[e]),
                css="c1" if g.component_es[e] >= 0 else "c3",
                note="hedge" if g.component_es[e] < 0 else "") for g in groups]
    days = formats.horizon(risk.horizon_days)
    title = f"Component ES {es_name} by {formats.name(dimension).lower()}, {days}"
    return figure(title, f"{unit.label}; adds up to the total, negative reduces it",
                  bar_chart(bars, title, unit.label, unit.decimals))


def _positions(night: NightResult) -> Table | None:
    """Every position, of a large book the largest: value, standalone and component ES at each horizon,
    largest sensitivities."""
    if not night.baseline or not night.baseline[0].positions:
        return None
    later = [{p.position_id: p for p in r.positions} for r in night.baseline]
    first = sorted(night.baseline[0].positions,
                   key=lambda p: -abs(p.component_es) if formats.is_number(p.component_es) else 0)
    unit = formats.money_unit(x for by_id in later for p in by_id.values()
                              for x in (p.standalone_es, p.component_es))
    value_unit = formats.money_unit(x for p in first for x in (p.value_usd, p.notional_usd))
    columns = [Column("Position", numeric=False), Column("Description", numeric=False, css="words"),
               Column("Book", numeric=False), Column("Value", value_unit.label),
               Column("Notional", value_unit.label)]
    for r in night.baseline:
        days = formats.horizon(r.horizon_days)
        columns += [Column(f"Standalone ES, {days}", unit.label),
                    Column(f"Component ES, {days}", f"{unit.label} ± s.e.")]
    columns.append(Column("Largest sensitivities", "USD per +1% or +1 bp", numeric=False, css="words"))
    rows = []
    for p in first:
        cells = [text(p.position_id + (" *" if p.assumed_inputs else "")), text(p.description or p.type),
                 text(formats.name(p.book)),
                 money(p.value_usd, value_unit), money(p.notional_usd, value_unit)]
        for by_id in later:
            q = by_id.get(p.position_id)
            cells += [money(q.standalone_es if q else None, unit),
                      money(q.component_es if q else None, unit, q.se_component_es if q else None, "strong")]
        largest = sorted((s for s in p.sensitivities.items() if formats.is_number(s[1]) and s[1]),
                         key=lambda s: -abs(s[1]))
        cells.append(text(" · ".join(f"{factor} {formats.money(usd)}" for factor, usd in largest[:3]),
                          "small"))
        rows.append(tuple(cells))
    level = level_name(night.baseline[0].position_level)
    marked = any(p.assumed_inputs for p in first)
    notes = ["* priced off an assumed market input (section Data quality)"] if marked else []
    missing = left_out(night)
    notes += [missing] if missing else []
    caption = f"{'Largest' if missing else 'All'} positions, ES at {level}"
    return Table(caption, tuple(columns), tuple(rows), is_long(len(rows)), note=". ".join(notes))
