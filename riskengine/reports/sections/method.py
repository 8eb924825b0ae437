"""How the numbers are made: parameters with sources, factor diagnostics, coverage of the model, what is not
modelled."""

from __future__ import annotations

from collections.abc import Mapping

from riskengine.reports import formats
from riskengine.reports.html_table import (
    Cell, Column, Table, amount, from_mixed_records, is_long, percent, status, text,
)
from riskengine.result import NightResult

TAGS = {"C": "confirmed", "O": "own computation", "D": "derived", "R": "recalled", "A": "assumption"}


def view(night: NightResult) -> dict:
    """Tables of the method page; its words are in the template."""
    return {
        "parameters": _parameters(night.tables.get("parameters")),
        "diagnostics": from_mixed_records(night.tables.get("factor_diagnostics"),
                                          "Factor model: diagnostics"),
        "coverage": _coverage(night.tables.get("coverage")),
        "tags": TAGS, "paths": f"{night.paths:,}", "draws": f"{night.draws:,}", "seed": night.seed,
        "noise": sorted({formats.name(r.noise) for r in night.baseline}),
        "noise_rows": _noise_rows(night),
    }


def _noise_rows(night: NightResult) -> list[tuple[str, str]]:
    """(model, what its rows of filtered historical simulation are); empty when the night drew other noise."""
    if all(r.noise != "filtered_historical" for r in night.baseline):
        return []
    return [(r["model"], f"{r['estimate']:,.0f} rows, {r['method']}; {0.01 * r['estimate']:.0f} of them are "
                         "beyond a 1% quantile of one step, which standard errors over paths do not count")
            for r in night.tables.get("factor_diagnostics") or ()
            if r.get("name") == "filtered historical rows"]


def _parameters(rows: object) -> Table | None:
    records = [r for r in rows if isinstance(r, Mapping)] if isinstance(rows, (list, tuple)) else []
    if not records:
        return None
    columns = (Column("Parameter", numeric=False), Column("Default"), Column("p16"), Column("p84"),
               Column("Unit", numeric=False), Column("Distribution", numeric=False),
               Column("Mark", numeric=False), Column("Source", numeric=False, css="words"))
    body = tuple(
        (text(r.get("name")), _significant(r.get("default"), "strong"), _significant(r.get("lo")),
         _significant(r.get("hi")),
         text(r.get("unit")), text(r.get("dist")), text(r.get("tag")), text(r.get("source")))
        for r in records
    )
    return Table("Parameters and their distributions", columns, body, is_long(len(body)))


def _coverage(rows: object) -> Table | None:
    """VaR exceptions against their expected count: Kupiec's test and the Basel traffic light."""
    records = [r for r in rows if isinstance(r, Mapping)] if isinstance(rows, (list, tuple)) else []
    if not records:
        return None
    columns = (Column("Series", numeric=False), Column("Model", numeric=False), Column("Level"),
               Column("Observations", "days"),
               Column("Exceptions"), Column("Expected"), Column("Kupiec LR"), Column("p-value"),
               Column("Traffic light", numeric=False))
    body = []
    for r in records:
        level, count = r.get("level"), r.get("observations")
        known = formats.is_number(level) and formats.is_number(count)
        body.append((
            text(r.get("series")), text(formats.name(r.get("model") or formats.MISSING)), percent(level, 1),
            amount(count, 0),
            amount(r.get("exceptions"), 0, css="strong"), amount((1 - level) * count if known else None, 1),
            amount(r.get("kupiec_lr"), 2), amount(r.get("kupiec_p"), 3),
            status(str(r.get("traffic_light") or "")),
        ))
    return Table("Coverage of the default model (sanity check)", columns, tuple(body), is_long(len(body)))


def _significant(value: object, css: str = "") -> Cell:
    if not formats.is_number(value):
        return text(None if value in (None, "") or isinstance(value, float) else value)
    return Cell(formats.significant(value), float(value), css=css)
