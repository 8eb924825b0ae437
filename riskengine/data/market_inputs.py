"""Which market figures come from a table rather than from an embedded series?

``configs/market_inputs.csv``: one row per figure, columns ``id, value, se, unit, date, source, assumed``.
The family of an id (the part before the first dot) fixes its meaning and the values it may take::

    short_rate.<CCY>                     decimal per year, continuously compounded
    dividend_yield.<EQ>                  decimal per year, continuous
    level.<EQ>                           index points
    implied_vol.<CCY or EQ>              decimal per year; overrides the model's forecast
    vol_premium.equity, vol_premium.fx   added to the model's forecast, decimal per year
    half_spread.<type or factor>         decimal of price
    adv_usd.<type or factor>             traded volume, USD per day
    loading.<NAME>.<FACTOR>              per unit move of the factor
    residual_vol.<FACTOR>                per year, in the factor's unit
    cap_rate.<TYPE>                      decimal per year
    foreign_revenue_share.<EQ>, imported_cost_share.<EQ>, metro_exposure.<METRO>   shares, ratio

A row with ``assumed = true`` has no observed series behind it; positions priced off it are marked.

An id may have several rows with different dates: the newest one dated on or before the as-of date is taken.
Where all are later, the earliest is taken, its source says so and it counts as assumed: the engine cannot run
without it, and no reader should take it for what was known at the time.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from datetime import date
from pathlib import Path

from riskengine.base.axes import CURRENCIES, EQUITIES, METROS, PROPERTY_TYPES
from riskengine.base.errors import InputError, Problem, suggest
from riskengine.market import MarketInput

COLUMNS = ("id", "value", "se", "unit", "date", "source", "assumed")

FAMILIES: dict[str, tuple[float, float]] = {
    "short_rate": (-0.05, 1.0),
    "dividend_yield": (0.0, 0.5),
    "level": (1e-9, 1e9),
    "implied_vol": (1e-4, 5.0),
    "vol_premium": (-0.2, 0.5),
    "half_spread": (0.0, 0.5),
    "adv_usd": (1.0, 1e15),
    "loading": (-100.0, 100.0),
    "residual_vol": (0.0, 5.0),
    "foreign_revenue_share": (0.0, 1.0),
    "imported_cost_share": (0.0, 1.0),
    "cap_rate": (1e-3, 0.5),
    "metro_exposure": (0.0, 10.0),
}
"""Family → accepted range of the value, in the family's unit (catches per cent written for decimals)."""

_MEMBERS: dict[str, tuple[str, ...]] = {
    "short_rate": CURRENCIES,
    "dividend_yield": EQUITIES,
    "level": EQUITIES,
    "implied_vol": CURRENCIES + EQUITIES,
    "vol_premium": ("equity", "fx"),
    "foreign_revenue_share": EQUITIES,
    "imported_cost_share": EQUITIES,
    "cap_rate": PROPERTY_TYPES,
    "metro_exposure": METROS,
}


def load_market_inputs(path: Path | str, as_of: str | None = None) -> dict[str, MarketInput]:
    """Read and check the table; id → MarketInput, in the file's order.

    as_of : ISO date at which the figures are needed; None takes the newest row of every id.

    Raises
    ------
    InputError
        With every bad row at once (row, field, rule, what came, what is accepted).
    """
    path = Path(path)
    name = path.name
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(Problem("the table of market inputs does not exist", file=name)) from None
    except UnicodeDecodeError:
        raise InputError(Problem("the file must be UTF-8 text", file=name)) from None
    reader = csv.reader(io.StringIO(text))
    header = [h.strip() for h in next(reader, [])]
    missing = [c for c in COLUMNS if c not in header]
    if missing:
        raise InputError(
            Problem("missing columns", file=name, row=1, got=", ".join(missing), accepted=", ".join(COLUMNS))
        )
    found_rows: list[MarketInput] = []
    seen: set[tuple[str, str]] = set()
    problems: list[Problem] = []
    for cells in reader:
        if not any(c.strip() for c in cells):
            continue
        row = reader.line_num
        values = {h: c.strip() for h, c in zip(header, cells, strict=False)}
        found = _check_row(values, name, row)
        key = (values.get("id", ""), values.get("date", ""))
        if key in seen:
            problems.append(Problem("an id has one row per date", name, row, "id", f"{key[0]!r} on {key[1]}"))
        seen.add(key)
        if isinstance(found, MarketInput):
            found_rows.append(found)
        else:
            problems += found
    if not found_rows and not problems:
        problems.append(Problem("the table has no rows", file=name))
    if problems:
        raise InputError(problems)
    by_id: dict[str, list[MarketInput]] = {}
    for found in found_rows:
        by_id.setdefault(found.id, []).append(found)
    return {identifier: _known_at(rows, as_of) for identifier, rows in by_id.items()}


def _known_at(rows: list[MarketInput], as_of: str | None) -> MarketInput:
    rows = sorted(rows, key=lambda r: r.date)
    known = [r for r in rows if as_of is None or r.date <= as_of]
    if known:
        return known[-1]
    first = rows[0]
    source = f"dated after the as-of date {as_of}: {first.source}"
    return dataclasses.replace(first, assumed=True, source=source)


def _check_row(values: dict, file: str, row: int) -> MarketInput | list[Problem]:
    problems: list[Problem] = []

    def bad(field: str, rule: str, accepted: str = "") -> None:
        problems.append(Problem(rule, file, row, field, repr(values.get(field, "")), accepted))

    identifier = values.get("id", "")
    family, _, member = identifier.partition(".")
    if family not in FAMILIES:
        bad("id", "unknown family of market inputs", suggest(family, tuple(FAMILIES)))
    elif not member:
        bad("id", "an id reads family.name", f"{family}.<NAME>")
    elif family in _MEMBERS and member not in _MEMBERS[family]:
        bad("id", f"unknown name in family {family}", suggest(member, _MEMBERS[family]))
    value = _number(values.get("value", ""))
    if value is None:
        bad("value", "must be a finite number")
    elif family in FAMILIES:
        lo, hi = FAMILIES[family]
        if not lo <= value <= hi:
            bad("value", f"out of range for {family}", f"{lo:g} … {hi:g}")
    se: float | None = None
    if values.get("se", ""):
        se = _number(values["se"])
        if se is None or se < 0:
            bad("se", "must be empty or a finite number ≥ 0")
    try:
        date.fromisoformat(values.get("date", ""))
    except ValueError:
        bad("date", "must be an ISO date", "YYYY-MM-DD")
    if values.get("assumed", "").lower() not in ("true", "false"):
        bad("assumed", "must be true or false", "true, false")
    for needed in ("unit", "source"):
        if not values.get(needed, ""):
            bad(needed, "must not be empty")
    if problems:
        return problems
    assert value is not None
    return MarketInput(identifier, value, se, values["unit"], values["date"], values["source"],
                       values["assumed"].lower() == "true")


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
