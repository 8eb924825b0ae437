"""What the book is exposed to: rates by tenor, currencies, equity, volatility, property; the same by desk."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from riskengine.reports import formats
from riskengine.reports.charts import Bar, bar_chart, columns, figure
from riskengine.reports.html_table import Column, Table, money, text
from riskengine.result import NightResult

DESK_COLUMNS = {
    "rates_dv01": ("Rates", "per +1 bp"), "fx_delta": ("FX delta", "equivalent"),
    "equity_delta": ("Equity delta", "equivalent"), "property_value": ("Property", "value"),
    "vega": ("Vega", "per +1% of vol"),
}


def view(night: NightResult) -> dict:
    """Charts that have data, and the table by desk."""
    e = night.exposures
    charts = [
        _ladder(e.key_rate_dv01),
        _bars(e.fx_delta, "FX by currency", "equivalent, delta × spot; long the currency positive"),
        _bars(e.equity_delta, "Equity by index or basket", "equivalent"),
        _bars(e.property_value, "Property by type and metro", "value"),
        _bars(e.cap_rate_dv01, "Property: cap-rate sensitivity", "for +1 bp"),
        _bars(e.vega, "Vega", "for +1% (relative) of implied volatility"),
    ]
    return {"charts": [c for c in charts if c is not None], "by_desk": _by_desk(e.by_desk)}


def _ladder(values: Mapping[str, float]) -> Markup | None:
    if not values:
        return None
    unit = formats.money_unit(values.values())
    title = "Key-rate ladder"
    total = sum(v for v in values.values() if formats.is_number(v))
    bars = [Bar(tenor, unit.scale(v)) for tenor, v in values.items()]
    return figure(title, f"{unit.label} for +1 bp at each tenor; all tenors {formats.money(total)}",
                  columns(bars, title, unit.label, unit.decimals))


def _bars(values: Mapping[str, float], title: str, what: str) -> Markup | None:
    items = sorted((kv for kv in values.items() if formats.is_number(kv[1])), key=lambda kv: -kv[1])
    if not items:
        return None
    unit = formats.money_unit(v for _, v in items)
    total = sum(v for _, v in items)
    bars = [Bar(_label(k), unit.scale(v)) for k, v in items]
    return figure(title, f"{unit.label} {what}; sum {formats.money(total)}",
                  bar_chart(bars, title, unit.label, unit.decimals))


def _by_desk(by_desk: Mapping[str, Mapping[str, float]]) -> Table | None:
    keys = list(dict.fromkeys(k for values in by_desk.values() for k in values))
    if not keys:
        return None
    units = {k: formats.money_unit(values.get(k) for values in by_desk.values()) for k in keys}
    heads = [Column("Desk", numeric=False)]
    for k in keys:
        heading, what = DESK_COLUMNS.get(k, (formats.name(k), ""))
        heads.append(Column(heading, f"{units[k].label} {what}".strip()))
    rows = tuple(
        (text(formats.name(desk)), *(money(values.get(k), units[k]) for k in keys)) for desk,
        values in by_desk.items()
    )
    total = tuple(
        money(sum(v[k] for v in by_desk.values() if formats.is_number(v.get(k))), units[k], css="strong")
        for k in keys
    )
    return Table("Exposures by desk", tuple(heads), rows, foot=((text("Total", "strong"), *total),))


def _label(key: str) -> str:
    """Factor and type labels for people: 'VOL_EQUITY' → 'Equity', 'NEW_YORK' → 'New York', 'SP500' stays."""
    bare = key.removeprefix("VOL_")
    if bare in ("FX", "SP500", "NASDAQ") or len(bare) <= 3:
        return bare
    return bare.replace("_", " ").title() if bare.isupper() else bare
