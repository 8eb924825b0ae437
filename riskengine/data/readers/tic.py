"""US Treasury, Treasury International Capital: who holds and who buys US securities, monthly.

    SLT Table 1 (slt_table1.txt)   tab separated: country, country_code, date, for_lt_<class>_<pos|net|valchg>;
                                   USD mn → tic.slt.<area>.<class>_<pos|net|valchg>, classes total, treas,
                                   agcy, corp, eqty (other SLT tables of this shape are read alike)
    monthly flows                  month, who, source, <class>_<net|valchg|pos>; USD mn →
                                   tic.flows.<official|total>.<class>_<…>
    Major Foreign Holders          blocks of months over years (mfhhis01, mfh, slt_table5; tabs, commas or
                                   spaces), or country, month, usd_bn; USD bn → tic.holders.<country>

Where two sources of the flows table report the same month, the record without blanks counts, else the one of
the source that reaches further.  'Of Which: Foreign Official' and 'For. Official' both become
``foreign_official``.
"""

from __future__ import annotations

import re
from collections import defaultdict

import numpy as np

from riskengine.data.readers.assembly import Assembly, slug
from riskengine.data.readers.date_text import parse_dates
from riskengine.data.readers.findings import Findings
from riskengine.data.readers.frame import Frame
from riskengine.data.readers.number_text import MISSING, NumberStyle, parse_numbers
from riskengine.data.readers.raw_text import RawTable

_MONTH = re.compile(r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?", re.IGNORECASE)
_WHEN = re.compile(r"\d{4}-\d{2}|[A-Za-z]{3}[ -]\d{2,4}")
_GROUPS = ("official", "private", "total")
_CLASSES = ("total", "treas", "agcy", "corp", "stk", "eqty")
_FLOW = re.compile(rf"({'|'.join(_CLASSES)})_(net|valchg|pos)")
_OFFICIAL = {"for_official": "foreign_official", "foreign_official_institutions": "foreign_official"}


def area_id(name: str) -> str:
    """Id of an area: markers of footnotes and 'Of Which:', 'Memo:' dropped."""
    plain = re.sub(r"(\s*\d+/)+$", "", name.strip().rstrip("*").strip())
    plain = re.sub(r"^(of which|memo)\s*:\s*", "", plain, flags=re.IGNORECASE)
    key = slug(plain)
    return _OFFICIAL.get(key, key)


# ------------------------------------------------------------------------------------------- SLT tables


def is_slt(names: list[str]) -> bool:
    """True for the header of an SLT table by country."""
    return {"country", "country_code", "date"} <= {n.lower() for n in names}


def read_slt(frame: Frame, assembly: Assembly) -> str:
    """Every area and column of an SLT table."""
    area, code = frame.column("country"), frame.column("country_code")
    columns = frame.value_columns(leave_out=(area, code))
    days, period = frame.dates()
    groups: dict[str, list[int]] = defaultdict(list)
    codes: dict[str, set[str]] = defaultdict(set)
    for i, row in enumerate(frame.rows):
        groups[area_id(row[area])].append(i)
        codes[area_id(row[area])].add(row[code])
    for name, numbers in codes.items():
        if len(numbers) > 1 or not name:
            frame.findings.error("one area with two country codes", frame.lines[groups[name][0]], "country",
                                 f"{name}: {', '.join(sorted(numbers))}", "one code per area")
    values = {j: frame.numbers(j) for j in columns}
    lines = np.array(frame.lines)
    for name, members in groups.items():
        for j in columns:
            label = frame.header[j].lower().removeprefix("for_lt_")
            if np.isfinite(values[j][members]).any():
                assembly.add(f"tic.slt.{name}.{slug(label)}", days[members], values[j][members],
                             lines[members], f"{frame.rows[members[0]][area]}, {frame.header[j]}", period)
    return "TIC SLT table"


# ------------------------------------------------------------------------------------------- monthly flows


def is_flows(names: list[str]) -> bool:
    """True for the header month, who, source, <class>_net …"""
    return {"month", "who", "source"} <= {n.lower() for n in names}


def read_flows(frame: Frame, assembly: Assembly) -> str:
    """Flows, valuation changes and positions by class, official and total."""
    who, source = frame.column("who"), frame.column("source")
    columns = frame.value_columns(leave_out=(who, source))
    days, period = frame.dates()
    values = np.column_stack([frame.numbers(j) for j in columns])
    for row, line in zip(frame.rows, frame.lines, strict=True):
        if slug(row[who]) not in _GROUPS:
            frame.findings.error("a group of holders the flows table does not have", line, frame.header[who],
                                 f"'{row[who]}'", ", ".join(_GROUPS))
    odd = [frame.header[j] for j in columns if not _FLOW.fullmatch(slug(frame.header[j]))]
    if odd:
        frame.findings.error("columns the flows table does not have", frame.lines[0] - 1, "header",
                             ", ".join(odd[:6]),
                             "<class>_net, _valchg or _pos; classes " + ", ".join(_CLASSES))
    frame.findings.raise_errors()
    ends: dict[str, np.datetime64] = {}
    for day, row in zip(days, frame.rows, strict=True):
        ends[row[source]] = max(day, ends.get(row[source], day))
    chosen: dict[tuple[str, np.datetime64], int] = {}
    dropped: dict[str, int] = defaultdict(int)
    for i, row in enumerate(frame.rows):
        key = (slug(row[who]), days[i])
        before = chosen.get(key)
        if before is None:
            chosen[key] = i
            continue
        if frame.rows[before][source] == row[source]:
            if not np.array_equal(values[before], values[i], equal_nan=True):
                frame.findings.error("one month, different figures of one source", frame.lines[i], "month",
                                     f"{row[who]}, {days[i]}, {row[source]} (also row {frame.lines[before]})")
            continue
        here, there = ((int(np.isfinite(values[k]).sum()), ends[frame.rows[k][source]]) for k in (i, before))
        loser = before if here >= there else i
        chosen[key] = before if loser == i else i
        dropped[frame.rows[loser][source]] += 1
    if dropped:
        frame.findings.remark("months that two sources report: the record without blanks counts, else the "
                              "source that reaches further; left out: "
                              + ", ".join(f"{n} months of {s}" for s, n in dropped.items()))
    for group in dict.fromkeys(k[0] for k in chosen):
        rows = sorted(i for (g, _), i in chosen.items() if g == group)
        for j, column in enumerate(columns):
            assembly.add(f"tic.flows.{group}.{slug(frame.header[column])}", days[rows], values[rows, j],
                         [frame.lines[i] for i in rows], f"{group}, {frame.header[column]}", period)
    return "TIC monthly flows"


# ------------------------------------------------------------------------------------------- major holders


def is_tidy_holders(names: list[str]) -> bool:
    """True for the header country, month, usd_bn."""
    return {n.lower() for n in names} == {"country", "month", "usd_bn"}


def read_tidy_holders(frame: Frame, assembly: Assembly) -> str:
    """One row per country and month."""
    area, value = frame.column("country"), frame.column("usd_bn")
    days, period = frame.dates()
    values, lines = frame.numbers(value), np.array(frame.lines)
    groups: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(frame.rows):
        groups[area_id(row[area])].append(i)
    for name, members in groups.items():
        assembly.add(f"tic.holders.{name}", days[members], values[members], lines[members],
                     frame.rows[members[0]][area], period)
    return "TIC Major Foreign Holders"


def is_holders_blocks(text: str) -> bool:
    """True for the Treasury's own text of the Major Foreign Holders table."""
    return "MAJOR FOREIGN HOLDERS" in text[:6000].upper()


def read_holders_blocks(text: str, table: RawTable, findings: Findings, assembly: Assembly) -> str:
    """Blocks of twelve or thirteen months: months over years, one row per country, USD bn."""
    months: list[str] = []
    when: list[str] = []
    found: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    names: dict[str, str] = {}
    for number, row in _split(text, table):
        cells = [c for c in row if c]
        if not cells or all(set(c) <= set("-=_ ") for c in cells):
            continue
        if all(_MONTH.fullmatch(c) for c in cells):
            months, when = cells, []
        elif cells[0].lower().startswith("country"):
            when = _columns(cells[1:], months, number, findings)
        elif when and _holds_figures(cells[1:], len(when)):
            values = cells[1:]
            if len(values) != len(when):
                findings.error("as many figures as months are expected", number, cells[0],
                               f"{len(values)} figures", f"{len(when)}")
                continue
            names.setdefault(area_id(cells[0]), cells[0])
            found[area_id(cells[0])] += [(w, v, number) for w, v in zip(when, values, strict=True)]
    if not found:
        findings.raise_errors()
        raise findings.stop("the Major Foreign Holders table has no rows that can be read",
                            accepted="a line of months, a line 'Country' with years, one row per country")
    for name, cells in found.items():
        lines = [n for _, _, n in cells]
        days, period = parse_dates([w for w, _, _ in cells], lines, names[name], findings)
        values = parse_numbers([v for _, v, _ in cells], lines, names[name], NumberStyle(), findings,
                               MISSING | {"------", "*"})
        assembly.add(f"tic.holders.{name}", days, values, lines, names[name], period or "monthly")
    return "TIC Major Foreign Holders"


def _split(text: str, table: RawTable):
    if table.separator in "\t," and any(r[0].lower().startswith("country") and any(r[1:])
                                        for r in table.rows):
        yield from zip(table.lines, table.rows, strict=True)
    else:
        for number, line in enumerate(text.split("\n"), 1):
            name, *rest = re.split(r"\s{2,}|\t", line.strip(), maxsplit=1)
            yield number, [name, *(rest[0].split() if rest else [])]


def _columns(cells: list[str], months: list[str], number: int, findings: Findings) -> list[str]:
    """Months of a block as 'Mon YYYY' or 'YYYY-MM'."""
    if cells and all(_WHEN.fullmatch(c) for c in cells):
        return cells
    years = [y for c in cells for y in c.split()]
    if len(years) != len(months) or not all(re.fullmatch(r"\d{4}", y) for y in years):
        findings.error("a year for every month is expected", number, "Country",
                       f"{len(months)} months, {len(years)} years: {' '.join(years[:14])}")
        return []
    return [f"{m[:3]} {y}" for m, y in zip(months, years, strict=True)]


def _holds_figures(cells: list[str], months: int) -> bool:
    """A row of figures, faulty ones too; not a footnote with a number in it."""
    figures = sum(_is_number(c) or c.lower() in MISSING for c in cells)
    return 2 * figures > len(cells) or (len(cells) == months and any(c[:1].isdigit() for c in cells))


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"[+-]?[\d,]+(\.\d*)?|[+-]?\.\d+", cell))
