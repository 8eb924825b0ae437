"""Page one: what is the risk, what is the worst scenario, is a limit broken, can the data be trusted, what changed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from riskengine.reports import formats
from riskengine.reports.charts import Bar, bar_chart, figure
from riskengine.reports.html_table import Cell, Column, Table, amount, is_long, money, percent, status, text
from riskengine.result import LimitStatus, NightResult, PositionRisk, RiskResult, Tail

HEADLINE_VAR = 0.99
HEADLINE_ES = 0.975
WORST = 8
CONTRIBUTORS = 10
CHANGES_ON_PAGE_ONE = 6
CAUSES = ("positions", "market_state", "parameters", "data", "sampling")
SEVERITY = {"red": 0, "warning": 1, "info": 2}
LIMIT_ORDER = {"breach": 0, "warning": 1, "ok": 2}


def view(night: NightResult) -> dict:
    """Everything page one shows."""
    order = sorted(night.data_quality, key=lambda x: SEVERITY.get(x.severity, 1))
    return {
        "figures": _key_figures(night),
        "tails": tail_table(night.baseline),
        "worst": _worst_chart(night),
        "limits": limits_table(night.limits),
        "limit_counts": _counts([x.status for x in night.limits], ("breach", "warning", "ok")),
        "quality": [(status(x.severity), x.series, x.message) for x in order if x.severity != "info"][:5],
        "quality_counts": _counts([x.severity for x in night.data_quality], ("red", "warning", "info")),
        "changes": comparison_table(night.tables.get("comparison"), CHANGES_ON_PAGE_ONE),
        "has_previous": bool(night.tables.get("comparison")),
        "contributors": _contributors(night),
    }


def at_level(tail: Tail, level: float) -> int:
    """Position of the level nearest to *level* among the tail's levels."""
    return min(range(len(tail.levels)), key=lambda i: abs(tail.levels[i] - level))


def level_name(level: float) -> str:
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
    return Table("Value at risk and expected shortfall, losses positive", columns, tuple(rows), sortable=False,
                 groups=starts)


def limits_table(limits: Sequence[LimitStatus]) -> Table | None:
    """Limits, the broken ones first, with use of the hard limit."""
    if not limits:
        return None
    rows = []
    for x in sorted(limits, key=lambda x: LIMIT_ORDER.get(x.status, 1)):
        use = x.value / x.hard if formats.is_number(x.value) and formats.is_number(x.hard) and x.hard else math.nan
        rows.append((status(x.status), text(x.name), _limit_value(x.value, x.unit, "strong"),
                     _limit_value(x.warning, x.unit), _limit_value(x.hard, x.unit), percent(use, 0)))
    columns = (Column("Status", numeric=False), Column("Limit", numeric=False, css="words"), Column("Value"),
               Column("Warning"), Column("Hard"), Column("Use", "of hard"))
    return Table("Limits", columns, tuple(rows))


def comparison_table(comparison: object, most: int | None = None) -> Table | None:
    """Change against the previous run, split by cause; *most* keeps the totals and the largest changes."""
    rows = [r for r in comparison if isinstance(r, Mapping)] if isinstance(comparison, (list, tuple)) else []
    if not rows:
        return None

    def size(row: Mapping) -> float:
        return abs(row["change"]) if formats.is_number(row.get("change")) else 0.0

    shown = rows
    if most is not None and len(rows) > most:
        totals = [r for r in rows if str(r.get("scope", "")).casefold() == "total"][:most]
        others = sorted((r for r in rows if r not in totals), key=size, reverse=True)
        shown = totals + others[: most - len(totals)]
    unit = formats.money_unit(r.get(k) for r in shown for k in ("before", "after", "change"))
    columns = (
        Column("Metric", numeric=False, css="words"), Column("Scope", numeric=False, css="words"),
        Column("Before", unit.label), Column("After", unit.label), Column("Change", unit.label),
        *(Column(formats.name(c), unit.label) for c in CAUSES),
    )
    body = tuple(
        (text(r.get("metric")), text(formats.name(r.get("scope") or formats.MISSING)), money(r.get("before"), unit),
         money(r.get("after"), unit), money(r.get("change"), unit, css="strong", plus=True),
         *(money(r.get(c), unit, plus=True) for c in CAUSES))
        for r in shown
    )
    return Table("Change against the previous run, by cause", columns, body, is_long(len(body)))


def contributor_cells(p: PositionRisk, unit: formats.MoneyUnit, total: float) -> tuple[Cell, ...]:
    """id, description, desk, component ES ± s.e., share of the total."""
    mark = " *" if p.assumed_inputs else ""
    share = p.component_es / total if total else math.nan
    return (text(p.position_id + mark), text(p.description or p.type), text(p.desk),
            money(p.component_es, unit, p.se_component_es), percent(share, 1))


def _key_figures(night: NightResult) -> list[tuple[str, str, str, str]]:
    """(heading, value, small print, tone) of the strip at the top."""
    figures = [("Net asset value", formats.money(night.nav_usd), f"{_position_count(night)} positions", "")]
    for risk in night.baseline:
        tail = risk.total
        for words, values, errors, level in (
            ("VaR", tail.var, tail.se_var, HEADLINE_VAR), ("ES", tail.es, tail.se_es, HEADLINE_ES)
        ):
            i = at_level(tail, level)
            figures.append((
                f"{words} {level_name(tail.levels[i])}, {formats.horizon(risk.horizon_days)}", formats.money(values[i]),
                f"± {formats.money(errors[i])} s.e. · {_share(values[i], night.nav_usd)} of NAV", "",
            ))
    worst = min(night.scenarios, key=lambda s: _or(s.expected_pnl_usd, math.inf), default=None)
    if worst is not None:
        figures.append(("Worst scenario (expected)", formats.money(worst.expected_pnl_usd),
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
        Bar(f"{s.title}", unit.scale(s.expected_pnl_usd), unit.scale(s.interval_usd[0]), unit.scale(s.interval_usd[1]),
            note=formats.horizon(s.horizon_days))
        for s in ordered
    ]
    title = "Worst scenarios: expected P&L"
    return figure(title, f"{unit.label}, whiskers p10–p90 over parameter draws",
                  bar_chart(bars, title, unit.label, unit.decimals, width=560, row=22, label_share=0.46))


def _contributors(night: NightResult) -> Table | None:
    if not night.baseline or not night.baseline[0].positions:
        return None
    risk = night.baseline[0]
    total = sum(p.component_es for p in risk.positions if formats.is_number(p.component_es))
    ordered = sorted(risk.positions, key=lambda p: -abs(_or(p.component_es, 0.0)))[:CONTRIBUTORS]
    unit = formats.money_unit(p.component_es for p in ordered)
    columns = (Column("Position", numeric=False), Column("Description", numeric=False, css="words"),
               Column("Desk", numeric=False), Column("Component ES ± s.e.", unit.label), Column("Share", "of ES"))
    note = "* priced off an assumed market input" if any(p.assumed_inputs for p in ordered) else ""
    caption = (f"Ten largest contributors to ES {level_name(risk.position_level)}, "
               f"{formats.horizon(risk.horizon_days)} (negative: hedges)")
    return Table(caption, columns, tuple(contributor_cells(p, unit, total) for p in ordered), note=note)


def _limit_value(value: float, unit: str, css: str = "") -> Cell:
    if unit.upper().startswith("USD") and formats.is_number(value):
        rest = unit[3:].strip()
        return Cell(formats.money(value) + (f" {rest}" if rest else ""), float(value), css=css)
    if unit in ("share", "fraction"):
        return percent(value, 1, css)
    shown = formats.significant(value, 4)
    return Cell(f"{shown} {unit}".strip() if shown != formats.MISSING else shown, _or(value, None), css=css)


def _counts(words: Sequence[str], order: Sequence[str]) -> list[tuple[Cell, int]]:
    return [(status(w), words.count(w)) for w in order]


def _position_count(night: NightResult) -> int:
    return len(night.baseline[0].positions) if night.baseline else 0


def _share(value: float, whole: float) -> str:
    return formats.percent(value / whole, 2) if formats.is_number(whole) and whole else formats.MISSING


def _or(value: object, other):
    return float(value) if formats.is_number(value) else other
