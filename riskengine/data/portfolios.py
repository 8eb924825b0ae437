"""Portfolio files: CSV or Parquet, one row per position, columns in any order.

``position_id, type, desk, book, strategy`` on every row, a size (``quantity`` or ``notional``),
``currency``, and the terms of the type (``instruments.terms``).  Unknown columns become grouping tags.  A bad
row never disappears: the file is refused with every problem listed, or, on request, the good rows go on and
the problems travel with them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from riskengine.base.errors import InputError, Problem
from riskengine.instruments.portfolio import COLUMNS, REQUIRED_COLUMNS, Portfolio, Position, parse_position

Rows = list[tuple[int, dict[str, str]]]


def load_portfolio(path: Path | str, as_of: str,
                   skip_bad_rows: bool = False) -> tuple[Portfolio, tuple[Problem, ...]]:
    """Read a portfolio as it stands at *as_of* (tenors count from there).

    Returns
    -------
    (portfolio, problems) : problems is empty unless *skip_bad_rows*.

    Raises
    ------
    InputError
        With every problem of the file at once; with *skip_bad_rows* only when the file as a whole cannot be
        read (missing, not UTF-8, no header, missing columns) or no good row is left.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(Problem("the portfolio file does not exist", file=path.name))
    is_parquet = path.suffix.lower() in (".parquet", ".pq")
    header, rows, problems = _read_parquet(path) if is_parquet else _read_csv(path)
    return read_rows(header, rows, as_of, path.name, problems, skip_bad_rows)


def read_rows(
    header: list[str], rows: Rows, as_of: str, file: str, problems: Sequence[Problem] = (),
    skip_bad_rows: bool = False,
) -> tuple[Portfolio, tuple[Problem, ...]]:
    """A portfolio from rows of text, whatever they came from; as :func:`load_portfolio`.

    header : columns in lower case.  rows : (line, column → text).  problems : found while reading.
    """
    _check_header(header, file)
    problems = list(problems)
    tags = tuple(h for h in header if h not in COLUMNS)
    positions: list[Position] = []
    first_row: dict[str, int] = {}
    for row, cells in rows:
        try:
            position = parse_position(cells, as_of, file, row, tags)
        except InputError as error:
            problems += error.problems
            position = None
        identifier = cells.get("position_id", "").strip()
        if identifier in first_row:
            problems.append(Problem("position ids must be unique", file, row, "position_id",
                                    repr(identifier), f"first used in row {first_row[identifier]}"))
        elif identifier:
            first_row[identifier] = row
            if position is not None:
                positions.append(position)
    if not rows and not problems:
        problems.append(Problem("the portfolio has no positions", file))
    problems.sort(key=lambda p: p.row or 0)
    if problems and (not skip_bad_rows or not positions):
        raise InputError(problems)
    return Portfolio(as_of, tuple(positions), tags, file), tuple(problems)


def _check_header(header: list[str], file: str) -> None:
    problems = [
        Problem("missing column", file, 1, name, got=", ".join(header), accepted=", ".join(REQUIRED_COLUMNS))
        for name in REQUIRED_COLUMNS if name not in header
    ]
    if not {"quantity", "notional"} & set(header):
        problems.append(Problem("missing column", file, 1, "quantity", accepted="quantity, notional or both"))
    problems += [Problem("column appears twice", file, 1, name) for name in sorted({h for h in header if h})
                 if header.count(name) > 1]
    if "" in header:
        problems.append(Problem("a column has no name", file, 1))
    if problems:
        raise InputError(problems)


def _read_csv(path: Path) -> tuple[list[str], Rows, list[Problem]]:
    """Header in lower case, rows with an editor's line numbers, rows of the wrong width as problems."""
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(Problem("the file must be UTF-8 text", path.name, line)) from None
    if not text.strip():
        raise InputError(
            Problem("the file is empty", path.name, accepted="a header and one row per position")
        )
    if "\0" in text:
        raise InputError(Problem("the file contains NUL bytes: not a text file", path.name))
    reader = csv.reader(io.StringIO(text, newline=""))
    rows: Rows = []
    problems: list[Problem] = []
    header: list[str] = []
    line = 1
    try:
        for cells in reader:
            start, line = line, reader.line_num + 1
            if not any(c.strip() for c in cells):
                continue
            if not header:
                header = [h.strip().lower() for h in cells]
            elif len(cells) != len(header):
                problems.append(Problem("wrong number of cells", path.name, start, got=str(len(cells)),
                                        accepted=f"{len(header)}, as in the header"))
            else:
                rows.append((start, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise InputError(Problem(f"not a CSV file: {error}", path.name, line)) from None
    return header, rows, problems


def _read_parquet(path: Path) -> tuple[list[str], Rows, list[Problem]]:
    """The same as text; row 2 is the first position, as if the file were a CSV."""
    import polars

    try:
        frame = polars.read_parquet(path)
    except (polars.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(Problem("not a Parquet file", path.name, got=reason)) from None
    header = [c.strip().lower() for c in frame.columns]
    rows = [
        (i + 2, dict(zip(header, (cell_text(v) for v in values), strict=True)))
        for i, values in enumerate(frame.rows())
    ]
    return header, rows, []


def cell_text(value: object) -> str:
    """A cell of a typed table as a file would write it; missing values are blank."""
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    if value is None or value != value:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return repr(value) if isinstance(value, float) else str(value)
