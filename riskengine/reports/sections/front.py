"""Page one: what is the risk, what is the worst scenario, is a limit broken, can the data be trusted, what
changed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from riskengine.reports import formats
from riskengine.reports.charts import Bar, bar_chart, figure
from riskengine.reports.html_table import Cell, Column, Table, amount, is_long, money, percent, status, text
from riskengine.reports.shown import position_count
from riskengine.result import LimitStatus, NightResult, PositionRisk, RiskResult, Tail

HEADLINE_VAR = 0.99
HEADLINE_ES = 0.975
WORST = 8
CONTRIBUTORS = 10
CHANGES_ON_PAGE_ONE = 8
LIMITS_ON_PAGE_ONE = 9
CAUSES = {"positions": "Positions", "market_state": "Market", "parameters": "Param.", "data": "Data",
          "sampling": "Sampling"}
"""Key of a comparison row → heading."""
SEVERITY = {"red": 0, "warning": 1, "info": 2}
LIMIT_ORDER = {"breach": 0, "warning": 1, "ok": 2}


def view(night: NightResult) -> dict:
    """Everything page one shows."""
    order = sorted(night.data_quality, key=lambda x: SEVERITY.get(x.severity, 1))
    return {
        "figures": _key_figures(night),
        "noise": sorted({formats.name(r.noise) for r in night.baseline}),
        "tails": tail_table(night.baseline),
        "worst": _worst_chart(night),
        "limits": limits_table(night.limits, LIMITS_ON_PAGE_ONE),
        "limit_count": len(night.limits),
        "limit_counts": _counts([x.status for x in night.limits], ("breach", "warning", "ok")),
        "quality": [(status(x.severity), x.series, x.message) for x in order if x.severity != "info"][:5],
        "quality_counts": _counts([x.severity for x in night.data_quality], ("red", "warning", "info")),
        "changes": comparison_table(night, CHANGES_ON_PAGE_ONE),
        "contributors": _contributors(night),
    }


def at_level(tail: Tail, level: float) -> int:
    """Position of the level nearest to *level* among the tail's levels."""
    return min(range(len(tail.levels)), key=lambda i: abs(tail.levels[i] - level))


def level_name(level: float) -> str:
    """0.99 → '99%', 0.975 → '97.5%'."""
    return formats.percent(level, 1).replace(".0%", "%")


def tail_table(risks: Sequence[RiskResult]) -> Table | None:
    """VaR and ES by horizon and level, each with both standard errors."""
    if not risks:
        return None
    unit = formats.money_unit(v for r in risks for v in (*r.total.var, *r.total.es))
    columns = (
        Column("Horizon", numeric=False), Column("Level", numeric=False),
        Column("VaR", unit.label), Column("s.e.", "clustered"), Column("s.e.", "given draws"),
        Column("ES", unit.label), Column("s.e.", "clustered"), Column("s.e.", "given draws"),
    )
    rows = [
        (
            text(formats.horizon(r.horizon_days)), text(level_name(level)),
            money(r.total.var[i], unit, css="strong"), money(r.total.se_var[i], unit, css="muted"),
            money(r.total.se_var_given_draws[i], unit, css="muted"),
            money(r.total.es[i], unit, css="strong"), money(r.total.se_es[i], unit, css="muted"),
            money(r.total.se_es_given_draws[i], unit, css="muted"),
        )
        for r in risks
        for i, level in enumerate(r.total.levels)
    ]
    starts = tuple(sum(len(r.total.levels) for r in risks[:k]) for k in range(1, len(risks)))
    return Table("Value at risk and expected shortfall, losses positive", columns, tuple(rows),
                 sortable=False,
                 groups=starts)


def limits_table(limits: Sequence[LimitStatus], most: int | None = None) -> Table | None:
    """Limits, the broken ones first, then by use of the hard limit; at most *most*."""
    if not limits:
        return None

    def use(x: LimitStatus) -> float:
        known = formats.is_number(x.value) and formats.is_number(x.hard) and x.hard
        return abs(x.value) / abs(x.hard) if known else math.nan

    ordered = sorted(limits, key=lambda x: (LIMIT_ORDER.get(x.status, 1), -_or(use(x), 0.0)))[:most]
    rows = [
        (status(x.status), text(_limit_name(x)), _limit_value(x.value, x.unit, "strong"),
         _limit_value(x.warning, x.unit), _limit_value(x.hard, x.unit), percent(use(x), 0),
         text(x.unit, "muted"))
        for x in ordered
    ]
    columns = (Column("Status", numeric=False), Column("Limit", numeric=False, css="words"), Column("Value"),
               Column("Warning"), Column("Hard"), Column("Use", "of hard"), Column("Unit", numeric=False))
    return Table("Limits", columns, tuple(rows), most is None and is_long(len(rows)))


def comparison_rows(comparison: object) -> tuple[list[Mapping], str]:
    """Rows of the comparison and a note on it; the rows may come bare or as {'previous_run_id', 'note',
    'rows'}."""
    note = ""
    if isinstance(comparison, Mapping):
        previous, remark = comparison.get("previous_run_id"), comparison.get("note")
        note = " · ".join(str(x) for x in (f"previous run {previous}" if previous else "", remark) if x)
        comparison = comparison.get("rows")
    rows = [r for r in comparison if isinstance(r, Mapping)] if isinstance(comparison, (list, tuple)) else []
    return rows, note


def comparison_table(night: NightResult, most: int | None = None) -> Table | None:
    """Change against the previous run, split by cause; *most* keeps the totals and the largest changes."""
    rows, note = comparison_rows(night.tables.get("comparison"))
    if not rows:
        return None
    titles = {s.name: s.title for s in night.scenarios}

    def size(row: Mapping) -> float:
        return abs(row["change"]) if formats.is_number(row.get("change")) else 0.0

    shown = rows
    if most is not None and len(rows) > most:
        totals = [r for r in rows if str(r.get("scope", "")).casefold() == "total"][:most]
        others = sorted((r for r in rows if r not in totals), key=size, reverse=True)
        shown = totals + others[: most - len(totals)]
    unit = formats.money_unit(r.get(k) for r in shown for k in ("before", "after", "change"))
    columns = (
        Column("Risk, or scenario (expected P&L)", numeric=False, css="words"),
        *([Column("Before")] if most is None else []), Column("Now"), Column("Change"),
        *(Column(words) for words in CAUSES.values()),
    )
    body = []
    for r in shown:
        scope = str(r.get("scope") or "")
        label = formats.metric(r.get("metric") or formats.MISSING)
        if scope.casefold() not in ("", "total"):
            where = titles.get(scope, formats.name(scope))
            label = where if r.get("metric") == "expected_pnl" else f"{label}: {where}"
        body.append((text(label), *([money(r.get("before"), unit)] if most is None else []),
                     money(r.get("after"), unit), money(r.get("change"), unit, css="strong", plus=True),
                     *(money(r.get(c), unit, plus=True) for c in CAUSES)))
    return Table(f"Change against the previous run by cause, {unit.label}", columns, tuple(body),
                 is_long(len(body)),
                 note=note)


def contributor_cells(p: PositionRisk, unit: formats.MoneyUnit, total: float) -> tuple[Cell, ...]:
    """id, description, desk, component ES ± s.e., share of the total."""
    mark = " *" if p.assumed_inputs else ""
    share = p.component_es / total if total else math.nan
    return (text(p.position_id + mark), text(p.description or p.type), text(formats.name(p.desk)),
            money(p.component_es, unit, p.se_component_es), percent(share, 1))


def _key_figures(night: NightResult) -> list[tuple[str, str, str, str]]:
    """(heading, value, small print, tone) of the strip at the top."""
    count = position_count(night)
    figures = [("Net asset value", formats.money(night.nav_usd), f"{count:,} positions", "")]
    for risk in night.baseline:
        tail = risk.total
        for words, values, errors, level in (
            ("VaR", tail.var, tail.se_var, HEADLINE_VAR), ("ES", tail.es, tail.se_es, HEADLINE_ES)
        ):
            i = at_level(tail, level)
            figures.append((
                f"{words} {level_name(tail.levels[i])}, {formats.horizon(risk.horizon_days)}",
                formats.money(values[i]),
                f"± {formats.money(errors[i])} s.e. · {_share(values[i], night.nav_usd)} of NAV", "",
            ))
    worst = min(night.scenarios, key=lambda s: _or(s.expected_pnl_usd, math.inf), default=None)
    if worst is not None:
        figures.append(("Worst scenario, expected", formats.money(worst.expected_pnl_usd),
                        f"{worst.title}, {formats.horizon(worst.horizon_days)}",
                        "bad" if _or(worst.expected_pnl_usd, 0.0) < 0 else ""))
    return figures


def _worst_chart(night: NightResult):
    ordered = sorted((s for s in night.scenarios if formats.is_number(s.expected_pnl_usd)),
                     key=lambda s: s.expected_pnl_usd)[:WORST]
    if not ordered:
        return None
    unit = formats.money_unit(v for s in ordered for v in (s.expected_pnl_usd, *s.interval_usd))
    bars = [
        Bar(f"{s.title}", unit.scale(s.expected_pnl_usd), unit.scale(s.interval_usd[0]),
            unit.scale(s.interval_usd[1]),
            note=formats.horizon(s.horizon_days))
        for s in ordered
    ]
    title = "Worst scenarios: expected P&L"
    return figure(title, f"{unit.label}, whiskers p10–p90 over parameter draws",
                  bar_chart(bars, title, unit.label, unit.decimals, width=560, row=22, label_share=0.55))


def _contributors(night: NightResult) -> Table | None:
    if not night.baseline or not night.baseline[0].positions:
        return None
    risk = night.baseline[0]
    if position_count(night) > len(risk.positions):  # components add up to the total, also of those not shown
        total = risk.total.es[at_level(risk.total, risk.position_level)]
    else:
        total = sum(p.component_es for p in risk.positions if formats.is_number(p.component_es))
    ordered = sorted(risk.positions, key=lambda p: -abs(_or(p.component_es, 0.0)))[:CONTRIBUTORS]
    unit = formats.money_unit(p.component_es for p in ordered)
    columns = (Column("Position", numeric=False), Column("Description", numeric=False, css="words"),
               Column("Desk", numeric=False), Column("Component ES", f"{unit.label} ± s.e."),
               Column("Share", "of ES"))
    note = "* priced off an assumed market input" if any(p.assumed_inputs for p in ordered) else ""
    caption = (f"Ten largest contributors to ES {level_name(risk.position_level)}, "
               f"{formats.horizon(risk.horizon_days)} (negative: hedges)")
    return Table(caption, columns, tuple(contributor_cells(p, unit, total) for p in ordered), note=note)


def _limit_value(value: float, unit: str, css: str = "") -> Cell:
    if unit.upper().startswith("USD"):
        return Cell(formats.money(value).removeprefix("USD "), _or(value, None), css=css)
    if unit in ("share", "fraction"):
        return percent(value, 1, css)
    return Cell(formats.significant(value, 4), _or(value, None), css=css)


def _limit_name(x: LimitStatus) -> str:
    """The limit's name and, when the name does not say it, where it holds: 'ES 97.5% 10 days · FX'."""
    where = x.scope.split(":", 1)[-1]
    if where == "total" or where.casefold() in x.name.casefold():
        return x.name
    return f"{x.name} · {formats.name(where)}"


def _counts(words: Sequence[str], order: Sequence[str]) -> list[tuple[Cell, int]]:
    return [(status(w), words.count(w)) for w in order]


def _share(value: float, whole: float) -> str:
    return formats.percent(value / whole, 2) if formats.is_number(whole) and whole else formats.MISSING


def _or(value: object, other):
    return float(value) if formats.is_number(value) else other
