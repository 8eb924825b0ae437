"""A table of the report: columns with units, cells with the text people read and the value a sort uses.

Numbers are right-aligned and share one unit and one count of decimals per column; a standard error stands
beside its number; a long table may be shortened to COLLAPSED rows on the screen, never on paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from riskengine.reports import formats
from riskengine.reports.formats import name


WORDS = 26
"""Longer text wraps inside its column."""
COLLAPSED = 12
"""Rows a collapsed table shows; the same number stands in report.css."""


@dataclass(frozen=True, slots=True)
class Column:
    """Heading, unit printed under it, and whether its cells are numbers (right-aligned)."""

    heading: str
    unit: str = ""
    numeric: bool = True
    css: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """text as printed; sort: the raw value; note: standard error or interval; css: classes of the cell."""

    text: str
    sort: float | str | None = None
    note: str = ""
    css: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """What the table macro of the templates draws. caption is read by screen readers and printed above."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    collapse: bool = False
    """True: the screen shows the first COLLAPSED rows and a button for the rest."""
    foot: tuple[tuple[Cell, ...], ...] = ()
    note: str = ""
    sortable: bool = True
    groups: tuple[int, ...] = field(default=())
    """Row numbers that begin a new group (a rule above them)."""

    @property
    def wide(self) -> bool:
        """More columns than fit on paper at the usual size."""
        return len(self.columns) > 10


def is_long(rows: int) -> bool:
    """Whether a table of so many rows is worth collapsing on the screen."""
    return rows > COLLAPSED + 3


def text(words: object, css: str = "", link: str = "") -> Cell:
    """A cell of words; missing words are '–'."""
    missing = words is None or words == "" or (isinstance(words, float) and not math.isfinite(words))
    shown = formats.MISSING if missing else str(words)
    return Cell(shown, shown.casefold(), css=css, link=link)


def amount(
    value: object, decimals: int = 1, note: str = "", css: str = "", plus: bool = False, scale: float = 1.0
) -> Cell:
    """A numeric cell: value / scale with *decimals*; negative values carry the class 'neg'."""
    if not formats.is_number(value):
        return Cell(formats.MISSING, None, css=css)
    x = float(value) / scale
    shown = formats.number(x, decimals, plus)
    return Cell(shown, x, note, _tone(shown, css))


def money(
    value: object, unit: formats.MoneyUnit, se: object = None, css: str = "", plus: bool = False
) -> Cell:
    """An amount in the column's money unit, with '± standard error' when *se* is given."""
    note = f"±{formats.THIN}{unit.text(se, extra=0)}" if formats.is_number(se) else ""
    return amount(value, unit.decimals, note, css, plus, unit.divisor)


def percent(value: object, decimals: int = 1, css: str = "", plus: bool = False) -> Cell:
    """A share as per cent."""
    if not formats.is_number(value):
        return Cell(formats.MISSING, None, css=css)
    shown = formats.percent(value, decimals, plus)
    return Cell(shown, float(value), css=_tone(shown, css))


STATUS = {
    "ok": ("●", "OK", "status-ok", 2), "warning": ("▲", "Warning", "status-warning", 1),
    "breach": ("■", "Breach", "status-breach", 0), "info": ("●", "Info", "status-info", 2),
    "red": ("■", "Red", "status-breach", 0), "pass": ("●", "Pass", "status-ok", 2),
    "fail": ("■", "Fail", "status-breach", 0), "green": ("●", "Green", "status-ok", 2),
    "yellow": ("▲", "Yellow", "status-warning", 1), "amber": ("▲", "Amber", "status-warning", 1),
}
"""status → symbol, word, class, order of severity: never colour alone."""


def status(word: object) -> Cell:
    """A status light: symbol, colour and word; unknown words are shown as they are."""
    key = ("pass" if word else "fail") if isinstance(word, bool) else str(word).casefold()
    if key not in STATUS:
        return text(word)
    symbol, shown, css, order = STATUS[key]
    return Cell(f"{symbol}\u00a0{shown}", float(order), css=f"status {css}")


HEADINGS = {
    "n": "Obs.", "se": "s.e.", "r2": "R²", "nu": "ν", "alpha": "α", "beta": "β", "gamma": "γ",
    "se_alpha": "s.e. α",
    "se_beta": "s.e. β", "ljung_box_z_p": "Ljung–Box z, p", "ljung_box_z2_p": "Ljung–Box z², p",
    "z_max": "Max |z|",
    "dof": "ν", "id": "Id", "lo": "p16", "hi": "p84",
}
"""Headings of record keys that are symbols or terms of the field."""


def from_records(
    records: object, caption: str, headings: Mapping[str, str] | None = None, hide: Iterable[str] = (),
    note: str = "",
) -> Table | None:
    """A table of plain records (dicts): the columns are their keys in order of appearance.

    Numbers keep about four significant digits; keys that end in a unit (…_usd_bn, …_bp, …_pct) show it.
    Returns None when there are no records, so that the page can say 'not available in this run'.
    """
    rows = [dict(r) for r in records if isinstance(r, Mapping)] if isinstance(records, (list, tuple)) else []
    if not rows:
        return None
    hidden = set(hide)
    keys = [k for k in dict.fromkeys(k for r in rows for k in r) if k not in hidden]
    named = {**HEADINGS, **(headings or {})}
    columns = []
    for key in keys:
        heading, unit = _split_unit(str(key))
        numeric = _is_numeric(r.get(key) for r in rows)
        long = not numeric and max(len(str(r.get(key, ""))) for r in rows) > WORDS
        columns.append(Column(named.get(key, heading), unit, numeric, "words" if long else ""))
    decimals = [
        _decimals([r.get(k) for r in rows]) if c.numeric else None for k, c in zip(keys, columns, strict=True)
    ]
    body = tuple(
        tuple(_record_cell(r.get(k), c, d) for k, c, d in zip(keys, columns, decimals, strict=True))
        for r in rows
    )
    return Table(caption, tuple(columns), body, is_long(len(body)), note=note)


CHECKS = ("Check", "Ok", "Holds", "Pass")
"""Headings of columns whose truth is a passed check; other truths are yes or no."""


def from_mixed_records(records: object, caption: str) -> list[Table]:
    """Records of several kinds: one table for each set of keys, in order of appearance; empty without
    records.

    A column that says the same in every row goes into the note (a 'kind' into the caption).
    """
    kinds: dict[tuple[str, ...], list[Mapping]] = {}
    for r in records if isinstance(records, (list, tuple)) else []:
        if isinstance(r, Mapping) and r:
            kinds.setdefault(tuple(sorted(map(str, r))), []).append(r)
    tables = []
    for rows in kinds.values():
        same = {k: rows[0][k] for k in rows[0] if len(rows) > 1 and all(r[k] == rows[0][k] for r in rows)}
        kind = same.get("kind")
        said = [f"{name(k)}: {formats.significant(v) if isinstance(v, float) else v}"
                for k, v in same.items() if k != "kind" and v not in (None, "")]
        title = f"{caption}: {kind}" if kind else caption
        table = from_records(rows, title, hide=same, note=" · ".join(said))
        tables += [table] if table is not None else []
    return tables


def _tone(shown: str, css: str) -> str:
    """The cell's classes: what prints with a minus sign is marked as negative, a rounded zero is not."""
    return f"{css} neg".strip() if shown.startswith(formats.MINUS) else css


def _record_cell(value: object, column: Column, decimals: int | None) -> Cell:
    if isinstance(value, bool):
        return status(value) if column.heading in CHECKS else text("yes" if value else "no")
    if column.numeric:
        if decimals is None:
            cell = amount(value, 0)
            return Cell(formats.significant(value), cell.sort, css=cell.css)
        return amount(value, decimals)
    if isinstance(value, (list, tuple)):
        value = ", ".join(str(v) for v in value)
    elif isinstance(value, Mapping):
        value = ", ".join(f"{k}: {formats.significant(v) if formats.is_number(v) else v}" for k,
                          v in value.items())
    elif formats.is_number(value):
        value = formats.significant(value)
    if str(value).casefold() in STATUS:
        return status(str(value))
    return text(value)


def _is_numeric(values: Iterable[object]) -> bool:
    seen = [v for v in values if v is not None and not isinstance(v, bool)]
    return bool(seen) and all(isinstance(v, (int, float)) or hasattr(v, "dtype") for v in seen)


def _decimals(values: Sequence[object]) -> int | None:
    """Decimals that suit a whole column; None when its values differ too much in size (then significant
    digits)."""
    sizes = [abs(float(v)) for v in values if formats.is_number(v) and float(v) != 0]
    if not sizes or all(s == int(s) for s in sizes):
        return 0
    largest, typical = max(sizes), sorted(sizes)[len(sizes) // 2]
    if typical < largest * 1e-3 or largest < 1e-3 or min(sizes) < 1e-6:
        return None
    steps = ((1000, 0), (20, 1), (1, 2), (0.1, 3))
    decimals = next((d for size, d in steps if typical >= size), 4)
    vanishes = min(sizes) < 0.5 * 10.0**-decimals
    return None if vanishes and len(values) <= COLLAPSED else decimals


UNITS = {
    "usd_bn": "USD bn", "usd_m": "USD m", "usd": "USD", "bp": "bp", "pct": "%", "percent": "%",
    "days": "days",
    "years": "years",
}


def _split_unit(key: str) -> tuple[str, str]:
    for suffix, unit in UNITS.items():
        if key.endswith("_" + suffix):
            return name(key[: -len(suffix) - 1]), unit
    return name(key), ""
