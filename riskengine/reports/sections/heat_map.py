"""All scenarios on one sheet: scenario × asset class, with intervals and plausibility."""

from __future__ import annotations

import math
from dataclasses import replace

from riskengine.base.axes import REPORT_CLASSES
from riskengine.reports import formats
from riskengine.reports.html_table import Cell, Column, Table, amount, money, text
from riskengine.reports.sections.front import HEADLINE_ES, at_level, level_name
from riskengine.result import NightResult

HEAT_STEPS = 5


def view(night: NightResult) -> dict:
    """The heat map as a sortable table, and the scale of its colours."""
    if not night.scenarios:
        return {"table": None, "scale": [], "unit": ""}
    classes = list(dict.fromkeys([*REPORT_CLASSES, *(k for s in night.scenarios for k in s.by_asset_class)]))
    values = [v for s in night.scenarios for v in (s.expected_pnl_usd, *s.by_asset_class.values())]
    unit = formats.money_unit([*values, *(x for s in night.scenarios for x in s.pnl_interval_usd)])
    unit = replace(unit, decimals=0) if unit.decimals <= 1 else unit
    largest = max((abs(v) for v in values if formats.is_number(v)), default=0.0)
    tail = night.scenarios[0].tail
    level = level_name(tail.levels[at_level(tail, HEADLINE_ES)])
    columns = (
        Column("Scenario", numeric=False, css="words"), Column("Horizon", "days"),
        *(Column(formats.name(c), unit.label) for c in classes), Column("Expected P&L", unit.label),
        Column("p10 … p90", "parameters"), Column("p10 … p90", "with markets"),
        Column(f"ES {level}", unit.label),
        Column("Distance", "Mahal."), Column("Plausibility", "prob."), Column("Enactment", "prob."),
    )
    rows = []
    for s in sorted(night.scenarios,
                    key=lambda s: s.expected_pnl_usd if formats.is_number(s.expected_pnl_usd) else 0):
        flag = " ⚑" if s.flags else ""
        rows.append((
            text(s.title + flag, link=f"#scenario-{s.name}"), amount(s.horizon_days, 0),
            *(heat_cell(s.by_asset_class.get(c), unit, largest) for c in classes),
            heat_cell(s.expected_pnl_usd, unit, largest, "strong"),
            interval_cell(s.interval_usd, unit), interval_cell(s.pnl_interval_usd, unit),
            money(s.tail.es[at_level(s.tail, HEADLINE_ES)], unit),
            amount(s.mahalanobis, 1), _probability(s.plausibility), _probability(s.probability),
        ))
    note = ("Expected P&L is the difference to the baseline at the same horizon, gains positive. "
            "Plausibility: chance of a core move at least as far out in the ordinary night at the horizon "
            "(Mahalanobis distance, chi-square). Parameters: p10 … p90 of the expected P&L over parameter "
            "draws (–: nothing is uncertain). With markets and ES: of the total P&L, carry "
            "and ageing included. "
            "⚑ flagged: see its page.")
    scale = [(f"h{i}" if i >= 0 else f"hm{-i}", unit.text(_edge(i, largest), plus=True))
             for i in range(-HEAT_STEPS, HEAT_STEPS + 1)]
    return {"unit": unit.label,
            "table": Table("Expected P&L, scenario × asset class", columns, tuple(rows), note=note),
            "scale": scale}


def heat_cell(value: object, unit: formats.MoneyUnit, largest: float, css: str = "") -> Cell:
    """An amount on a diverging background: orange for losses, blue for gains, by the square root of its
    size."""
    cell = money(value, unit, css=css)
    return Cell(cell.text, cell.sort, css=f"heat {_heat(value, largest)} {css}".strip())


def interval_cell(interval: tuple[float, float], unit: formats.MoneyUnit) -> Cell:
    """'low … high' in the table's unit, sorted by its lower end; '–' when nothing varies."""
    low, high = interval
    if not (formats.is_number(low) and formats.is_number(high)) or is_point(low, high):
        return Cell(formats.MISSING)
    return Cell(f"{unit.text(low)} … {unit.text(high)}", float(low))


def is_point(low: float, high: float) -> bool:
    """True when an interval has no width: no uncertain parameter behind it."""
    return high - low <= 1e-9 * max(abs(low), abs(high), 1.0)


def _heat(value: object, largest: float) -> str:
    if not formats.is_number(value) or largest <= 0:
        return "h0"
    step = round(HEAT_STEPS * math.sqrt(abs(float(value)) / largest))
    return f"hm{step}" if step and float(value) < 0 else f"h{step}"


def _edge(step: int, largest: float) -> float:
    return math.copysign(largest * (step / HEAT_STEPS) ** 2, step)


def _probability(value: object) -> Cell:
    return Cell(formats.probability(value), float(value) if formats.is_number(value) else None)
