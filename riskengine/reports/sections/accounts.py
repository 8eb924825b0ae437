"""The external accounts: who holds US assets, which identities were checked, and where US saving comes
from."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from markupsafe import Markup

from riskengine.base.axes import ASSET_CLASSES
from riskengine.reports import formats
from riskengine.reports.charts import Line, figure, line_chart, stacked_bars
from riskengine.reports.html_table import Table, from_records
from riskengine.result import NightResult

CLASS_COLOURS = {"treasury": "c1", "agency": "c2", "corporate": "c4", "equity": "c3", "real_estate": "c5"}
NAME_KEYS = ("holder", "area", "name", "country")
TOP_HOLDERS = 12


def view(night: NightResult) -> dict:
    """Holdings (chart and table), identities, the two savings charts."""
    rows = night.tables.get("saving_quarterly")
    return {
        "holdings_chart": _holdings_chart(night.tables.get("accounts")),
        "holdings": _holdings(night.tables.get("accounts"),
                              f"Foreign holdings of US securities, {night.accounts_as_of}"),
        "identities": _identities(night.tables.get("identities")),
        "gap": saving_chart(_with_gap(rows), "Saving, investment and the gap", (
            ("gross_saving", "Saving", "c1"), ("investment", "Investment", "c3"),
            ("gap", "S − I", "c5"), ("net_foreign_lending", "Net lending", "c4")),
            "Investment is private. Government investment, the statistical discrepancy and capital transfers "
            "are the difference between S − I and net lending abroad (national accounts, not the balance "
            "of payments)."),
        "sectors": saving_chart(rows, "Saving by sector", (
            ("household_saving", "Household", "c1"), ("business_saving", "Business", "c3"),
            ("government_saving", "Government", "c4"))),
    }


def saving_chart(
    rows: object, title: str, wanted: tuple[tuple[str, str, str], ...], note: str = ""
) -> Markup | None:
    """Quarterly series as per cent of GDP; None when a needed column is missing altogether."""
    records = [r for r in rows if isinstance(r, Mapping)] if isinstance(rows, (list, tuple)) else []
    records = [r for r in records if formats.is_number(r.get("gdp")) and _year(r.get("quarter")) is not None]
    if not records:
        return None
    x = [_year(r["quarter"]) for r in records]
    gdp = np.array([float(r["gdp"]) for r in records])
    lines = []
    for key, label, css in wanted:
        values = np.array([float(r[key]) if formats.is_number(r.get(key)) else np.nan for r in records])
        if np.isfinite(values).any():
            lines.append(Line(label, 100 * values / gdp, css=css))
    if not lines:
        return None
    first, last = int(min(x)), int(max(x))
    step = next(s for s in (1, 2, 5, 10, 20, 50) if (last - first) / s <= 9)
    ticks = [(float(y), str(y)) for y in range(-(-first // step) * step, last + 2, step)]
    latest = str(records[-1]["quarter"])
    return figure(title, f"% of GDP, quarterly, latest {latest}",
                  line_chart(x, lines, title, "% of GDP", ticks, decimals=1, height=250), note)


def _with_gap(rows: object) -> list[dict]:
    """The rows with 'gap' = gross saving − investment."""
    records = [dict(r) for r in rows if isinstance(r, Mapping)] if isinstance(rows, (list, tuple)) else []
    for r in records:
        if formats.is_number(r.get("gross_saving")) and formats.is_number(r.get("investment")):
            r["gap"] = float(r["gross_saving"]) - float(r["investment"])
    return records


def _holdings_chart(rows: object) -> Markup | None:
    records = [r for r in rows if isinstance(r, Mapping)] if isinstance(rows, (list, tuple)) else []
    if not records:
        return None
    name_key = next((k for k in NAME_KEYS if k in records[0]), None)
    keys = {c: k for c in (*ASSET_CLASSES, "real_estate") for k in records[0]
            if str(k) in (c, f"{c}_usd_bn") and formats.is_number(records[0][k])}
    if name_key is None or not keys:
        return None

    def holdings(record: Mapping) -> list[float]:
        return [float(record[k]) if formats.is_number(record.get(k)) else 0.0 for k in keys.values()]

    ordered = sorted(records, key=lambda r: -sum(holdings(r)))[:TOP_HOLDERS]
    title = "Largest foreign holders"
    series = [(formats.name(c), CLASS_COLOURS[c]) for c in keys]
    return figure(title, "long-term securities, USD bn",
                  stacked_bars([(str(r[name_key]), holdings(r)) for r in ordered], series, title, "USD bn"))


def _holdings(rows: object, caption: str) -> Table | None:
    """Every holder; columns of an asset class without a unit of their own are USD bn."""
    records = [dict(r) for r in rows if isinstance(r, Mapping)] if isinstance(rows, (list, tuple)) else []
    bare = (*ASSET_CLASSES, "real_estate", "total")
    renamed = [{(f"{k}_usd_bn" if k in bare else k): v for k, v in r.items()} for r in records]
    return from_records(renamed, caption)


def _identities(rows: object) -> Table | None:
    return from_records(rows, "Identities checked", {"ok": "Check", "holds": "Check"})


def _year(quarter: object) -> float | None:
    """'2024Q3' → 2024.5; ISO dates and years are read too."""
    match = re.fullmatch(r"(\d{4})(?:-?Q([1-4])|-(\d{2})(?:-\d{2})?)?", str(quarter).strip())
    if not match:
        return None
    year, q, month = match.groups()
    return int(year) + ((int(q) - 1) / 4 if q else (int(month) - 1) / 12 if month else 0.0)
