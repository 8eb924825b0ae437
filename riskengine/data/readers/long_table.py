"""Long tables: one row per series and date, in columns such as date, series, value.

The ECB's data portal (KEY, CURRENCY, CURRENCY_DENOM, TIME_PERIOD, OBS_VALUE) is one of them; its exchange
rates against the euro become ``ecb.<CCY>``.
"""

from __future__ import annotations

import re
from collections import defaultdict

import numpy as np

from riskengine.data.readers.assembly import Assembly, slug
from riskengine.data.readers.families import VALUE_NAMES
from riskengine.data.readers.frame import Frame

KEY_NAMES = ("series", "series_id", "seriesid", "id", "ticker", "symbol", "variable", "indicator", "key",
             "name",
             "code", "series_code", "mnemonic", "currency")
_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.^=&+\-]*$")


def is_long(frame: Frame) -> bool:
    """True when a column names the series and another holds the value."""
    names = {h.lower() for j, h in enumerate(frame.header) if j != frame.date_column}
    return bool(names & set(KEY_NAMES)) and bool(names & VALUE_NAMES)


def read_long(frame: Frame, assembly: Assembly) -> str:
    """Every series of the table; other columns (titles, status flags) are named in a remark."""
    lower = [h.lower() for h in frame.header]
    key = lower.index(next(n for n in KEY_NAMES if n in lower))
    value = next(j for j, n in enumerate(lower) if n in VALUE_NAMES and j not in (key, frame.date_column))
    euro = {"currency", "currency_denom"} <= set(lower)
    used = {key, value, frame.date_column} | ({lower.index("currency"), lower.index("currency_denom")}
                                              if euro else set())
    others = [h for j, h in enumerate(frame.header) if j not in used and h]
    if others:
        frame.findings.remark(f"columns left out: {', '.join(others[:12])}")
    days, period = frame.dates()
    values, lines = frame.numbers(value), np.array(frame.lines)
    groups: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(frame.rows):
        name = row[key]
        if euro and row[lower.index("currency_denom")] == "EUR":
            currency = row[lower.index("currency")]
            name = f"ecb.{currency}" if currency else ""
        if not name:
            frame.findings.error("a row names no series", frame.lines[i], frame.header[key])
            continue
        groups[name if _ID.match(name) else slug(name)].append(i)
    for name, members in groups.items():
        assembly.add(name, days[members], values[members], lines[members], name, period)
    return "ECB data portal" if euro else "long table"
