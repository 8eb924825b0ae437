"""From rows of cells to columns of days and numbers, with every fault named by row and column.

A publisher's table is a preamble, a line of column names, rows that begin with a date, and footnotes.
``find_frame`` separates them; ``Frame.dates`` and ``Frame.numbers`` read columns; ``clean`` sorts, drops the
missing and settles repeated dates.  Every reader of a text layout uses these three.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.data.readers.date_text import looks_like_date, parse_dates
from riskengine.data.readers.findings import Findings, name_rows
from riskengine.data.readers.number_text import MISSING, NumberStyle, find_style, parse_numbers
from riskengine.data.readers.raw_text import RawTable

DATE_NAMES = frozenset({
    "date", "dates", "observation_date", "observationdate", "month", "quarter", "period", "time",
    "time_period",
    "timestamp", "sasdate", "day", "year", "m", "datetime", "as_of", "record_date", "obs_date", "year_month",
    "datum",
})
_MONTH_WORD = re.compile(r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", re.IGNORECASE)


@dataclass(slots=True)
class Frame:
    """One table: column names, the column that holds the date, data rows of equal length with their lines."""

    header: list[str]
    date_column: int
    rows: list[list[str]]
    lines: list[int]
    preamble: list[str]
    style: NumberStyle
    findings: Findings

    def column(self, name: str) -> int:
        """Position of the column *name*, whatever its case; ValueError when there is none."""
        return [h.lower() for h in self.header].index(name.lower())

    def cells(self, j: int) -> list[str]:
        """(T,) cells of column j."""
        return [row[j] for row in self.rows]

    def dates(self) -> tuple[np.ndarray, str]:
        """(T,) days and the period their format means; see ``date_text.parse_dates``."""
        return parse_dates(self.cells(self.date_column), self.lines, self.header[self.date_column] or "date",
                           self.findings)

    def numbers(self, j: int, missing: frozenset[str] = MISSING) -> np.ndarray:
        """(T,) float64 of column j, NaN where missing."""
        return parse_numbers(self.cells(j), self.lines, self.header[j], self.style, self.findings, missing)

    def value_columns(self, leave_out: Sequence[int] = ()) -> list[int]:
        """Every named column but the date and *leave_out*; unnamed ones are checked to be empty, columns of
        the same name to be equal."""
        kept: dict[str, int] = {}
        for j, name in enumerate(self.header):
            if j == self.date_column or j in leave_out:
                continue
            if not name:
                filled = [i for i, cell in enumerate(self.cells(j)) if cell.lower() not in MISSING]
                if filled:
                    self.findings.error("a column without a name holds figures", self.lines[filled[0]],
                                        f"column {j + 1}", self.rows[filled[0]][j],
                                        "a name in the header line")
            elif name in kept:
                differs = [i for i, row in enumerate(self.rows) if row[j] != row[kept[name]]]
                if differs:
                    self.findings.error("two columns have the same name and different figures",
                                        self.lines[differs[0]], name,
                                        f"'{self.rows[differs[0]][kept[name]]}' and "
                                        f"'{self.rows[differs[0]][j]}'",
                                        "one column per series")
                else:
                    self.findings.remark("two columns have the same name and the same figures; one is read",
                                         column=name)
            else:
                kept[name] = j
        return list(kept.values())


def find_frame(table: RawTable, findings: Findings, skip_rows: Sequence[str] = ()) -> Frame:
    """The table inside *table*; InputError when there is no header line or no data row.

    skip_rows : first cells (lower case) of lines between header and data that are not observations.
    """
    at = _header_at(table, findings)
    header = list(table.rows[at])
    while header and not header[-1]:
        header.pop()
    width = len(header)
    date_column = _date_column(header, table, at)
    body = [(row, line) for row, line in zip(table.rows[at + 1:], table.lines[at + 1:], strict=True)
            if any(row) and not (skip_rows and row[0].lower().rstrip(":") in skip_rows)]
    if not body:
        raise findings.stop("only a header line, no observations", row=table.lines[at])
    body = _without_footnotes(body, date_column, width, findings)
    rows, lines = [], []
    last = table.lines[len(table.lines) - 1 - next(i for i, r in enumerate(reversed(table.rows)) if any(r))]
    for row, line in body:
        while len(row) > width and not row[-1]:
            row = row[:-1]
        truncated = line == last and not table.ends_whole
        if len(row) > width:
            findings.error("more cells than columns", line, got=f"{len(row)} cells",
                           accepted=f"{width}; figures with a thousands comma must be quoted")
        elif len(row) < width:
            findings.error("the last line is cut off" if truncated else "fewer cells than columns", line,
                           got=f"{len(row)} cells", accepted=f"{width}, blank for a missing figure")
        else:
            if truncated and (row[-1].endswith((".", ",", "-", "+")) and row[-1] not in MISSING):
                findings.error("the last line is cut off", line, header[-1], f"'{row[-1]}'", "a whole number")
            rows.append(row)
            lines.append(line)
    if not rows:
        findings.raise_errors()
        raise findings.stop("no observations", row=table.lines[at])
    with_comma = () if table.separator == "," and '"' not in table.text and table.text else (
        (line, header[j], cell) for row, line in zip(rows, lines, strict=True)
        for j, cell in enumerate(row) if j != date_column and "," in cell)
    before = len(findings.errors)
    style = find_style(with_comma, table.separator, findings)
    if len(findings.errors) > before:  # every second cell would be reported again
        findings.raise_errors()
    if not table.ends_whole and lines[-1] == last:
        _remark_last_cell(rows, lines[-1], header[-1], findings)
    preamble = [" ".join(filter(None, row)) for row in table.rows[:at] if any(row)]
    return Frame(header, date_column, rows, lines, preamble, style, findings)


def _header_at(table: RawTable, findings: Findings) -> int:
    """Index of the header row: names a date column, or stands right above a row that begins with a date."""
    filled = [i for i, row in enumerate(table.rows) if any(row)]
    named = [i for i in filled[:200] if sum(map(bool, table.rows[i])) >= 2
             and any(c.lower().replace(" ", "_") in DATE_NAMES for c in table.rows[i])]
    if named:
        following = dict(zip(filled, filled[1:], strict=False))
        at = next((i for i in named if _dated_below(table, i, following.get(i))), named[0])
        while following.get(at) in named:  # titles for people above names for programs
            at = following[at]
        return at
    for above, i in zip([None, *filled], filled[:400], strict=False):
        row = table.rows[i]
        if len(row) >= 2 and looks_like_date(row[0]):
            if above is None or not any(table.rows[above][1:]):
                raise findings.stop("no header line: the first rows are figures already", row=table.lines[i],
                                    got=", ".join(row[:4]), accepted="a line of column names")
            return above
    raise findings.stop("no table found: no column is called date and no row begins with one",
                        got=" | ".join(filter(None, table.rows[filled[0]][:6])),
                        accepted="a header line with a date column, one row per date")


def _dated_below(table: RawTable, i: int, below: int | None) -> bool:
    """True when the row under row i has a date in a column that row i calls one."""
    return below is not None and any(
        name.lower().replace(" ", "_") in DATE_NAMES and looks_like_date(cell)
        for name, cell in zip(table.rows[i], table.rows[below], strict=False))


def _date_column(header: list[str], table: RawTable, at: int) -> int:
    names = [h.lower().replace(" ", "_") for h in header]
    named = [j for j, n in enumerate(names) if n in DATE_NAMES]
    if len(named) > 1:  # 'year' or 'time' may be there beside the date: the first with date-shaped cells
        below = next((r for r in table.rows[at + 1:] if any(r)), [])
        named = [j for j in named if j < len(below) and looks_like_date(below[j])] or named
    return named[0] if named else 0


def _without_footnotes(body: list, date_column: int, width: int, findings: Findings) -> list:
    """Rows up to the last one with a date; lines of words after it are footnotes, named in a remark."""
    end = next((i + 1 for i in range(len(body) - 1, -1, -1)
                if len(body[i][0]) > date_column and looks_like_date(body[i][0][date_column])), 0)
    if not end:
        return body
    while end < len(body):
        first = next((c for c in body[end][0] if c), "")
        at_date = body[end][0][date_column] if len(body[end][0]) > date_column else first
        if re.match(r"\s*\d", at_date or first) or (len(at_date) < 20 and _MONTH_WORD.match(at_date)):
            end += 1  # meant as an observation: its fault is reported by the date reader
        elif len(body[end][0]) == width > 2 and not at_date and any(c[:1].isdigit() for c in body[end][0]):
            end += 1
        else:
            break
    if end < len(body):
        words = " ".join(filter(None, body[end][0]))
        findings.remark(f"{len(body) - end} line{'s' if len(body) - end > 1 else ''} after the last "
                        "observation left out (footnotes)", body[end][1], got=f"'{words}'")
    return body[:end]


def _remark_last_cell(rows: list, line: int, column: str, findings: Findings) -> None:
    """A file without a last line break may be cut inside its last figure: say so when it looks like it."""
    decimals = [len(row[-1].partition(".")[2]) for row in rows[-60:-1] if "." in row[-1] and row[-1] != "."]
    cell = rows[-1][-1]
    if len(decimals) >= 5 and min(decimals) > len(cell.partition(".")[2]):
        findings.remark("the file ends without a line break and its last figure is shorter than all before: "
                        "cut off?", line, column, f"'{cell}'")


@dataclass(frozen=True, slots=True)
class Observations:
    """One column cleaned: ascending (T,) days, (T,) finite values, (T,) lines they stand on."""

    days: np.ndarray
    values: np.ndarray
    lines: np.ndarray


def clean(days: np.ndarray, values: np.ndarray, lines: Sequence[int], column: str, findings: Findings
          ) -> Observations:
    """Leave out the missing, sort, and keep one of repeated dates with the same value; differing is an
    error."""
    lines = np.asarray(lines)
    keep = np.isfinite(values) & ~np.isnat(days)
    days, values, lines = days[keep], values[keep], lines[keep]
    if len(days) > 1 and not (np.diff(days).astype(np.int64) > 0).all():
        order = np.argsort(days, kind="stable")
        days, values, lines = days[order], values[order], lines[order]
        days, values, lines = _settle_repeated(days, values, lines, column, findings)
    return Observations(days, values, lines)


def _settle_repeated(days, values, lines, column, findings):
    new = np.r_[True, np.diff(days).astype(np.int64) > 0]
    if new.all():
        return days, values, lines
    same = []
    starts = np.flatnonzero(new)
    for start, end in zip(starts, [*starts[1:], len(days)], strict=True):
        if end - start < 2:
            continue
        where = sorted(lines[start:end].tolist())
        if (values[start:end] != values[start]).any():
            order = np.argsort(lines[start:end])
            shown = " and ".join(f"{v:g}" for v in values[start:end][order][:4])
            findings.error(f"one date, different values ({name_rows(where)})", where[1], column,
                           f"{days[start]}: {shown}", "one value per date")
        else:
            same += where[1:]
    if same:
        findings.remark(f"dates given more than once with the same value; one is kept ({name_rows(same)})",
                        same[0], column)
    return days[new], values[new], lines[new]


def remark_order(days: np.ndarray, lines: Sequence[int], findings: Findings) -> None:
    """Remark when the rows are neither ascending nor descending; they are sorted."""
    known = ~np.isnat(days)
    steps = np.diff(days[known]).astype(np.int64)
    if len(steps) and not (steps >= 0).all() and not (steps <= 0).all():
        direction = 1 if (steps > 0).sum() >= (steps < 0).sum() else -1
        wrong = np.flatnonzero(steps * direction < 0)
        at = np.asarray(lines)[known][wrong[0] + 1]
        findings.remark(f"{len(wrong)} row{'s' if len(wrong) > 1 else ''} out of date order; sorted", int(at))
