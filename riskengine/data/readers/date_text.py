"""Date cells: which day, and which period, does a column of text mean?

One format per column.  Recognised: 2024-01-31 (also with a time of day, 2024/01/31, 20240131), 01/31/2024
and 31/01/2024 (the order found from parts above 12; month first when every row allows both), 31.01.2024,
31-Jan-2024, Jan 31, 2024, and periods: 2024-01, 202401, 2024M01, Jan 2024 · 2024Q1, 2024 Q1, Q1 2024 · 2024.
Impossible dates, mixed formats and spreadsheet serial numbers are errors with their row.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date

import numpy as np

from riskengine.data.readers.findings import Findings

_MONTHS = {m: i for i, m in enumerate(
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1)}
_NAME = r"(?P<mon>jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*\.?"
_SHAPES: tuple[tuple[str, str, re.Pattern], ...] = tuple(
    (name, period, re.compile(pattern, re.IGNORECASE | re.ASCII)) for name, period, pattern in (
        ("YYYY-MM-DD", "", r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})"),
        ("YYYYMMDD", "", r"(?P<y>1[6-9]\d\d|2[01]\d\d)(?P<m>\d{2})(?P<d>\d{2})"),
        ("n/n/YYYY", "", r"(?P<a>\d{1,2})/(?P<b>\d{1,2})/(?P<y>\d{4}|\d{2})"),
        ("YYYY-MM", "monthly", r"(?P<y>\d{4})[-/:m](?P<m>\d{1,2})"),
        ("YYYYMM", "monthly", r"(?P<y>1[6-9]\d\d|2[01]\d\d)(?P<m>\d{2})"),
        ("YYYYQn", "quarterly", r"(?P<y>\d{4})[ \-:]?q(?P<q>\d)"),
        ("Qn YYYY", "quarterly", r"q(?P<q>\d)[ \-:/]?(?P<y>\d{4})"),
        ("YYYY", "annual", r"(?P<y>1[6-9]\d\d|2[01]\d\d)"),
        ("YYYY-MM-DD time", "",
         r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})[T ]\d{1,2}:\d{2}\S*( ?[A-Z+\-:\d]+)?"),
        ("YYYY/MM/DD", "", r"(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})"),
        ("n.n.YYYY", "", r"(?P<a>\d{1,2})\.(?P<b>\d{1,2})\.(?P<y>\d{4})"),
        ("n-n-YYYY", "", r"(?P<a>\d{1,2})-(?P<b>\d{1,2})-(?P<y>\d{4})"),
        ("DD-Mon-YYYY", "", r"(?P<d>\d{1,2})[- ]" + _NAME + r"[- ,]+(?P<y>\d{4}|\d{2})"),
        ("Mon DD, YYYY", "", _NAME + r" (?P<d>\d{1,2}),? (?P<y>\d{4})"),
        ("Mon YYYY", "monthly", _NAME + r"[- ](?P<y>\d{4}|\d{2})"),
        ("YYYY Mon", "monthly", r"(?P<y>\d{4})[- ]?" + _NAME),
    ))
ACCEPTED = "YYYY-MM-DD, MM/DD/YYYY, DD.MM.YYYY, YYYYMMDD, YYYY-MM, YYYYMM, YYYYQn, Mon YYYY, YYYY"
NAT = np.datetime64("NaT", "D")


def looks_like_date(cell: str) -> bool:
    """True when *cell* has the shape of a date or period, possible or not."""
    return _match(cell)[0] != ""


def parse_dates(cells: Sequence[str], lines: Sequence[int], column: str, findings: Findings
                ) -> tuple[np.ndarray, str]:
    """(T,) datetime64[D] (NaT where an error is noted) and the period the format means ('' for days).

    A period gives its first day; ``periods.end_of_period`` moves it to the end.
    """
    days = np.full(len(cells), NAT)
    if all(len(c) == 10 and c[4] == "-" and c[7] == "-" for c in cells):
        try:
            return np.array(cells, dtype="datetime64[D]"), ""
        except ValueError:
            pass
    found = [_match(cell) for cell in cells]
    counts = Counter(name for name, _, _ in found if name)
    if not counts:
        for line, cell in zip(lines, cells, strict=True):
            findings.error(_not_a_date(cell), line, column, f"'{cell}'", ACCEPTED)
        return days, ""
    usual = counts.most_common(1)[0][0]
    day_first = _day_first(found, usual, lines, column, findings)
    period = next(p for n, p, _ in found if n == usual)
    for i, (name, _, parts) in enumerate(found):
        if name != usual:
            if not name:
                findings.error(_not_a_date(cells[i]), lines[i], column, f"'{cells[i]}'",
                               usual_name(usual, day_first))
            else:
                findings.error("mixed date formats", lines[i], column, f"'{cells[i]}'",
                               f"{usual_name(usual, day_first)}, as in {counts[usual]} rows")
            continue
        day = _day(parts, day_first)
        if day is None:
            findings.error("impossible date", lines[i], column, f"'{cells[i]}'", usual_name(usual, day_first))
        else:
            days[i] = day
    return days, period


def usual_name(name: str, day_first: bool) -> str:
    """The format as a user would write it."""
    return name.replace("n/n", "DD/MM" if day_first else "MM/DD").replace(
        "n.n", "DD.MM" if day_first else "MM.DD").replace("n-n", "DD-MM" if day_first else "MM-DD")


def _not_a_date(cell: str) -> str:
    serial = re.fullmatch(r"[2-6]\d{4}(\.\d+)?", cell)
    return "a date is expected" + (" (a spreadsheet's serial number?)" if serial else "")


def _match(cell: str) -> tuple[str, str, dict[str, str]]:
    if not 4 <= len(cell) <= 40:
        return "", "", {}
    for name, period, pattern in _SHAPES:
        match = pattern.fullmatch(cell)
        if match:
            return name, period, match.groupdict()
    return "", "", {}


def _day_first(found: list, usual: str, lines: Sequence[int], column: str, findings: Findings) -> bool:
    """Which of two numbers is the day? Points: the day; slashes and dashes: what the rows allow."""
    if not usual.startswith("n"):
        return False
    if usual == "n.n.YYYY":
        return True
    pairs = [(int(p["a"]), int(p["b"])) for n, _, p in found if n == usual]
    first, second = any(a > 12 for a, _ in pairs), any(b > 12 for _, b in pairs)
    if first == second and not first and len(pairs) > 1:
        years = {p["y"] for n, _, p in found if n == usual}
        if len({b for _, b in pairs}) == 1 and len({a for a, _ in pairs}) > 1 and len(years) > 1:
            return False  # 1/1, 2/1, 3/1 … over the years: months counted up
        findings.remark("the order of day and month is not certain; read as month/day/year", lines[0], column)
    if first and second:  # rows that fit neither order are reported as impossible under the commoner one
        return sum(a > 12 for a, _ in pairs) > sum(b > 12 for _, b in pairs)
    return first


def _day(parts: dict[str, str], day_first: bool) -> np.datetime64 | None:
    year = int(parts["y"])
    if len(parts["y"]) == 2:
        year += 1900 if year >= 50 else 2000
    month, day = 1, 1
    if parts.get("a"):
        month, day = int(parts["a"]), int(parts["b"])
        if day_first:
            month, day = day, month
    elif parts.get("mon"):
        month, day = _MONTHS[parts["mon"][:3].lower()], int(parts.get("d") or 1)
    elif parts.get("q"):
        month = 3 * int(parts["q"]) - 2 if 1 <= int(parts["q"]) <= 4 else 13
    else:
        month, day = int(parts.get("m") or 1), int(parts.get("d") or 1)
    try:
        return np.datetime64(date(year, month, day), "D")
    except ValueError:
        return None
