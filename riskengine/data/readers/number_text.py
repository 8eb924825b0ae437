"""Number cells: plain, with thousands separators, decimal comma or percent sign; missing markers; the rest
is an error with its place.

The style is one per file: a cell such as ``1.234,5`` or ``4,25`` makes comma the decimal mark, ``1,234.5``
or ``1,234,567`` makes it the thousands mark; both in one file is an error.  A file whose commas could be
either (``1,234``) is read by its separator: semicolon-separated tables write a decimal comma.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.data.readers.findings import Findings, name_rows

MISSING = frozenset({
    "", ".", "..", "...", "-", "--", "---", ":", "*", "na", "n/a", "n.a.", "n.a", "#n/a", "nan", "null",
    "none",
    "nd", "nc", "ne", "missing", "not available", "(na)", "(d)",
})
"""What publishers write for 'no figure' (lower case). Not in here: zero."""
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?\d{1,3}(\.\d{3})*,\d+|[+-]?\d+,\d+", re.ASCII)
_SPACED = re.compile(r"[+-]?\d{1,3}([ \u00a0\u2009\u202f'’]\d{3})+([.,]\d+)?", re.ASCII)
_FAST = frozenset("0123456789.-+\n")


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How a file writes numbers."""

    decimal_comma: bool = False


def find_style(cells: Iterable[tuple[int, str, str]], separator: str, findings: Findings) -> NumberStyle:
    """Style of a file from its (line, column, cell) with a comma; mixed styles are noted as an error."""
    thousands, decimal, either = [], [], []
    for line, column, cell in cells:
        body = cell.rstrip("%").strip()
        if (_THOUSANDS.fullmatch(body) and (body.count(",") > 1 or "." in body)):
            thousands.append((line, column, cell))
        elif _DECIMAL.fullmatch(body):
            ambiguous = _THOUSANDS.fullmatch(body) and not re.match(r"[+-]?0", body)
            (either if ambiguous else decimal).append((line, column, cell))
    if thousands and decimal:
        (row, column, cell), (other, _, first) = decimal[0], thousands[0]
        findings.error("decimal comma and thousands comma in one file", row, column, cell,
                       f"one style; row {other} writes '{first}'")
    comma = bool(decimal) or (not thousands and bool(either) and separator == ";")
    if either and not decimal and not thousands:
        row, column, cell = either[0]
        findings.remark("the comma could be a decimal or a thousands mark; read as "
                        + ("decimal (the table is separated by semicolons)" if comma else "thousands"),
                        row, column, cell)
    return NumberStyle(comma)


def parse_numbers(cells: Sequence[str], lines: Sequence[int], column: str, style: NumberStyle,
                  findings: Findings, missing: frozenset[str] = MISSING) -> np.ndarray:
    """(T,) float64, NaN where *cells* say missing; text where a number belongs is noted as an error."""
    if _FAST.issuperset("\n".join(cells)):
        try:
            own = missing - MISSING  # figures that stand for no figure, such as -99.99
            read = np.array([float(c) if c and c not in own else np.nan for c in cells], dtype=np.float64)
            if not np.isinf(read).any():  # digits without end: an error below, not a missing figure
                return read
        except ValueError:
            pass
    values = np.full(len(cells), np.nan)
    percent = []
    for i, cell in enumerate(cells):
        if cell.lower() in missing:
            continue
        body = cell.replace("\u2212", "-")
        if body.endswith("%"):
            percent.append(i)
            body = body[:-1].rstrip()
        number = _number(body, style)
        if number is None:
            findings.error("a number is expected", lines[i], column, f"'{cell}'",
                           "a number" + (" with decimal comma" if style.decimal_comma else "")
                           + "; blank, '.', NA for a missing one")
        else:
            values[i] = number
    filled = int(np.isfinite(values).sum())
    if percent and len(percent) < filled:
        findings.error("some cells have a percent sign, others do not: percent and decimals mixed?",
                       lines[percent[0]], column, f"{len(percent)} of {filled} cells with %",
                       "all or none")
    elif percent:
        findings.remark("percent signs: the figures are in percent", lines[percent[0]], column)
    return values


def _number(body: str, style: NumberStyle) -> float | None:
    if len(body) > 2 and body[0] == "(" and body[-1] == ")":  # accounting negative
        body = "-" + body[1:-1]
    if _SPACED.fullmatch(body):
        body = re.sub(r"[ \u00a0\u2009\u202f'’]", "", body)
    if "," in body:
        if style.decimal_comma and _DECIMAL.fullmatch(body):
            body = body.replace(".", "").replace(",", ".")
        elif not style.decimal_comma and _THOUSANDS.fullmatch(body):
            body = body.replace(",", "")
    elif style.decimal_comma and re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+", body, re.ASCII):
        return None  # thousands point or decimal point: not decided by guessing
    if not _PLAIN.fullmatch(body):
        return None
    value = float(body)
    return value if np.isfinite(value) else None


def positive(values: np.ndarray, lines: Sequence[int], column: str, findings: Findings) -> None:
    """Note an error for prices that are zero or negative; their logarithm does not exist."""
    bad = np.flatnonzero(values <= 0)
    if len(bad):
        findings.error(f"a price or index must be positive ({name_rows([lines[i] for i in bad])})",
                       lines[bad[0]], column, values[bad[0]], "a number above 0")
