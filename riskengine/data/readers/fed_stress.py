"""Federal Reserve stress test: history and scenarios, domestic and international, quarterly.

    Scenario Name, Date, Real GDP growth, …    the Board's tables; 'Actual' is the history
    quarter, bbb_corporate_yield_pct, …        the same with short names

History → fed_stress.<column>; a scenario → fed_stress.<scenario>_<first year>.<column>, whose whole path
counts as known at the end of February of its first year (the Board prints in the first half of the month).
Exchange rates keep the Board's quoting and say it in their unit: euro and pound in USD per unit, yen and
developing Asia per USD.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace

import numpy as np

from riskengine.data.readers.assembly import Assembly, slug
from riskengine.data.readers.frame import Frame
from riskengine.data.readers.known_series import STRESS, Description

_EARLY = {"rate": 0, "survey": 15, "accounts": 60, "prices": 90}


def _of(title: str, unit: str, group: str, kind: str) -> Description:
    lag = _EARLY[group]
    return Description(title, unit, STRESS, "quarterly", lag, group != "rate", kind,
                       90 if group == "accounts" else None)


_LABELS: dict[str, Description] = {
    "unemployment_rate": _of("unemployment rate", "percent", "survey", "rate"),
    "cpi_inflation_rate": _of("CPI inflation", "percent, annual rate", "survey", "return"),
    "3_month_treasury_rate": _of("3-month Treasury rate, quarterly average", "percent", "rate", "rate"),
    "5_year_treasury_yield": _of("5-year Treasury yield, quarterly average", "percent", "rate", "rate"),
    "10_year_treasury_yield": _of("10-year Treasury yield, quarterly average", "percent", "rate", "rate"),
    "bbb_corporate_yield": _of("BBB corporate bond yield, quarterly average", "percent", "rate", "rate"),
    "mortgage_rate": _of("30-year mortgage rate, quarterly average", "percent", "rate", "rate"),
    "prime_rate": _of("prime rate, quarterly average", "percent", "rate", "rate"),
    "equity_total_market_index": _of("US total stock market index, end of quarter", "index points", "rate",
                                     "price"),
    "house_price_index": _of("national house price index", "index points", "prices", "price"),
    "commercial_real_estate_price_index": _of("commercial real-estate price index", "index points", "prices",
                                              "price"),
    "vix_quarter_max": _of("VIX, largest value of the quarter", "percent", "rate", "price"),
    "usd_per_eur": _of("euro", "USD per EUR", "rate", "price"),
    "usd_per_gbp": _of("pound sterling", "USD per GBP", "rate", "price"),
    "jpy_per_usd": _of("Japanese yen", "JPY per USD", "rate", "price"),
    "developing_asia_per_usd_index": _of("currencies of developing Asia", "foreign units per USD, index",
                                         "rate",
                                         "price"),
}
_GROWTH = re.compile(r"(.*_)?(gdp_growth|disposable_income_growth|inflation)")
_QUOTES = {("usd", "euro"): "usd_per_eur", ("usd", "pound"): "usd_per_gbp", ("yen", "usd"): "jpy_per_usd",
           ("f", "usd"): "developing_asia_per_usd_index"}


def label_of(column: str) -> str | None:
    """Short name of a column of the Board's tables; None when it is not one of them."""
    quote = re.search(r"\(\s*(\w+)\s*/\s*(\w+)", column)
    if "exchange rate" in column.lower():
        return _QUOTES.get((quote[1].lower(), quote[2].lower())) if quote else None
    name = slug(re.sub(r"\(.*?\)", " ", column)).removesuffix("_pct")
    if "stock_market_index" in name:
        return "equity_total_market_index"
    if "volatility_index" in name:
        return "vix_quarter_max"
    if name in _LABELS or _GROWTH.fullmatch(name):
        return name
    return None


def _describe(label: str) -> Description:
    known = _LABELS.get(label)
    if known:
        return known
    words = label.replace("_", " ")
    group = "accounts" if "growth" in label else "survey"
    return _of(words, "percent, annual rate", group, "return")


def is_stress(names: list[str]) -> bool:
    """True for the Board's header, or short names of it only."""
    lower = [n.lower() for n in names]
    if "scenario name" in lower and "date" in lower:
        return True
    rest = [n for n in names if n and n.lower() != "quarter"]
    return "quarter" in lower and bool(rest) and all(label_of(n) for n in rest)


def read_stress(frame: Frame, assembly: Assembly) -> str:
    """History and scenario paths of one table."""
    named = [j for j, h in enumerate(frame.header) if h.lower() == "scenario name"]
    groups: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(frame.rows):
        scenario = row[named[0]] if named else "Actual"
        if not slug(scenario):
            frame.findings.error("a row names no scenario", frame.lines[i], frame.header[named[0]],
                                 accepted="Actual, or the name of a scenario")
        groups[scenario].append(i)
    columns = frame.value_columns(leave_out=named)
    labels = {}
    for j in columns:
        label = label_of(frame.header[j])
        if label is None:
            frame.findings.error("a column the stress-test tables do not have, or an exchange rate without "
                                 "its quoting", frame.lines[0] - 1, frame.header[j],
                                 accepted="(USD/euro), (USD/pound), (yen/USD), (F/USD, index)")
        labels[j] = label
    days, period = frame.dates()
    frame.findings.raise_errors()
    values = {j: frame.numbers(j) for j in columns}
    lines = np.array(frame.lines)
    for scenario, rows in groups.items():
        first = int(days[rows].min().astype("datetime64[Y]").astype(int)) + 1970
        short = slug(scenario).removeprefix("supervisory_")
        actual = short in ("actual", "historical", "history")
        prefix = "fed_stress" if actual else f"fed_stress.{short}_{first}"
        for j in columns:
            known = _describe(labels[j])
            if not actual:
                known = replace(known, title=f"{known.title}; {scenario.lower()} scenario {first}",
                                note="a scenario, not observations; known as a whole when printed")
            assembly.add(f"{prefix}.{labels[j]}", days[rows], values[j][rows], lines[rows], frame.header[j],
                         period or "quarterly", known, "" if actual else f"{first}-02-28")
    return "Federal Reserve stress test"
