"""Can the numbers be trusted: remarks on the data, every series with its coverage, positions on assumed
inputs."""

from __future__ import annotations

from collections.abc import Mapping

from riskengine.reports import formats
from riskengine.reports.html_table import Column, Table, from_records, is_long, money, status, text
from riskengine.reports.sections.front import SEVERITY
from riskengine.reports.shown import left_out
from riskengine.result import NightResult


SERIES_HEADINGS = {"missing": "Missing", "stale_days": "Stale", "lag_days": "Lag",
                   "longest_gap_days": "Longest gap"}
SERIES_HIDDEN = ("panel", "gaps", "licence", "revised", "transformation")
"""Columns that `data status` prints and the report leaves out."""


def view(night: NightResult) -> dict:
    """Remarks (red first), series, assumed inputs and the positions priced off them."""
    return {
        "items": _items(night),
        "series": from_records(night.tables.get("series"), "Series, their coverage and source",
                               SERIES_HEADINGS,
                               SERIES_HIDDEN),
        "assumed_positions": _assumed(night),
        "market_inputs": _inputs(night.tables.get("market_inputs")),
    }


def _items(night: NightResult) -> Table | None:
    if not night.data_quality:
        return None
    columns = (Column("Severity", numeric=False), Column("Series", numeric=False),
               Column("Remark", numeric=False, css="words"))
    ordered = sorted(night.data_quality, key=lambda x: SEVERITY.get(x.severity, 1))
    return Table("Remarks on the data", columns,
                 tuple((status(x.severity), text(x.series), text(x.message)) for x in ordered),
                 is_long(len(ordered)))


def _assumed(night: NightResult) -> Table | None:
    marked = [p for r in night.baseline[:1] for p in r.positions if p.assumed_inputs]
    if not marked:
        return None
    unit = formats.money_unit(x for p in marked for x in (p.value_usd, p.notional_usd))
    columns = (Column("Position", numeric=False), Column("Description", numeric=False, css="words"),
               Column("Desk", numeric=False), Column("Value", unit.label), Column("Notional", unit.label),
               Column("Assumed inputs", numeric=False, css="words"))
    rows = tuple((text(p.position_id), text(p.description or p.type), text(formats.name(p.desk)),
                  money(p.value_usd, unit),
                  money(p.notional_usd, unit), text(", ".join(p.assumed_inputs))) for p in marked)
    return Table("Positions priced off assumed inputs", columns, rows, is_long(len(rows)),
                 note=left_out(night))


def _inputs(rows: object) -> Table | None:
    records = [dict(r) for r in rows if isinstance(r, Mapping)] if isinstance(rows, (list, tuple)) else []
    for r in records:
        if isinstance(r.get("assumed"), bool):
            r["assumed"] = "assumed" if r["assumed"] else "observed"
    return from_records(records, "Market inputs without an embedded series",
                        {"assumed": "Kind", "se": "s.e."})
