"""Kenneth French's data library: factors and industry portfolios, daily or monthly, returns in percent.

The file: sentences about its making, a line of column names whose first cell may be blank, rows dated
YYYYMMDD, YYYYMM (or ISO), and further blocks (equal weighted returns, annual returns) after a blank line.
Read is the first block; -99.99 and -999 stand for a missing figure.
"""

from __future__ import annotations

import re

from riskengine.data.readers.assembly import Assembly, read_wide
from riskengine.data.readers.date_text import looks_like_date
from riskengine.data.readers.findings import Findings
from riskengine.data.readers.frame import find_frame
from riskengine.data.readers.number_text import MISSING
from riskengine.data.readers.raw_text import RawTable

_FACTORS = {"Mkt-RF", "SMB", "HML"}
_INDUSTRIES = {"NoDur", "Durbl", "Manuf", "Enrgy"}
_NO_FIGURE = frozenset({"-99.99", "-999", "-999.00", "-999.0", "-99.9900", "-99.990"})


def is_fama_french(table: RawTable) -> bool:
    """True for a table whose header has the factors or the industries of the library."""
    return _header_at(table) is not None


def _header_at(table: RawTable) -> int | None:
    for i, row in enumerate(table.rows[:60]):
        names = set(row[1:])
        if _FACTORS <= names or _INDUSTRIES <= names or len(
            names & {"Mom", "ST_Rev", "LT_Rev", "UMD"}) > 0 and (
                len(row) == 2):
            return i
    return None


def read_fama_french(table: RawTable, findings: Findings, assembly: Assembly) -> str:
    """The first block as ff5.<factor>, ff3.<factor>, ff.<other factor> or ff<n>.<industry>."""
    start = _header_at(table)
    header = table.rows[start]
    end = _end_of_block(table, start, findings)
    rows = [list(header), *table.rows[start + 1:end]]
    rows[0][0] = rows[0][0] or "date"
    whole = table.ends_whole or end < len(table.rows)
    block = RawTable(rows, table.lines[start:end], table.separator, whole, table.text)
    frame = find_frame(block, findings)
    columns = [h for h in frame.header[1:] if h]
    if _INDUSTRIES <= set(columns):
        prefix = f"ff{len(columns)}"
    elif _FACTORS <= set(columns):  # SMB is not the same in the two models
        prefix = "ff5" if "RMW" in columns else "ff3"
    else:
        prefix = "ff"
    read_wide(frame, assembly, lambda n: f"{prefix}.{n.replace(' ', '_')}", missing=MISSING | _NO_FIGURE)
    return "Fama-French"


def _end_of_block(table: RawTable, start: int, findings: Findings) -> int:
    """Index after the first block; what follows it is named in a remark."""
    seen = False
    for i in range(start + 1, len(table.rows)):
        row = table.rows[i]
        if any(row):
            first = row[0]
            words = not re.match(r"[\d-]", first) and not looks_like_date(first)
            if seen and words:
                break
            seen = True
        elif seen:
            break
    else:
        return len(table.rows)
    rest = [k for k in range(i, len(table.rows)) if any(table.rows[k])]
    dated = sum(looks_like_date(table.rows[k][0]) for k in rest)
    if dated:
        title = next((" ".join(filter(None, table.rows[k])) for k in rest
                      if not looks_like_date(table.rows[k][0])), "")
        if not title:
            findings.error("a blank line inside the block of returns", table.lines[i],
                           accepted="no blank line")
        findings.remark(f"{dated} rows of later blocks (annual or equal weighted returns) left out",
                        table.lines[rest[0]], got=f"'{title}'")
    elif rest:
        findings.remark("footnotes after the block of returns left out", table.lines[rest[0]])
    return i
